"""The real household behind the app's screens: plan, skin, patch test, people and settings out of one database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import cast

import pytest
from bleak.backends.device import BLEDevice

from companion.care.plans import Chosen
from companion.config import CompanionError
from companion.dates import Calendar
from companion.device.finder import Found
from companion.home import Choice, Device, NotTodayError, RunningSession, Started
from companion.household import Household, _Handle
from companion.session.model import Reason, SessionPlan, Summary
from companion.store.people import PersonError
from protocols.dr05 import PROFILE
from protocols.foreo import profile_for
from protocols.registry import Registry
from tests.companion.scripted import ScriptedRadio

EVENING = datetime(2026, 11, 22, 18, 30, tzinfo=UTC)
WISHES = {
    "concerns": ["lift"],
    "experience": ["some"],
    "days": ["monday", "thursday"],
    "time": ["12"],
    "skin": ["easy"],
}


class Evening:
    """A moment that a test moves."""

    def __init__(self) -> None:
        self.now = EVENING


@pytest.fixture
def evening() -> Evening:
    return Evening()


@pytest.fixture
def home(tmp_path: Path, evening: Evening, monkeypatch: pytest.MonkeyPatch) -> Iterator[Household]:
    monkeypatch.setenv("TZ", "UTC")  # where the person is
    made = Household(folder=tmp_path, calendar=Calendar(lambda: evening.now))
    made.open()
    made.save_screening({question.id: "no" for question in made.screening_questions()}, ())
    yield made
    asyncio.run(made.close())


def choice_of(home: Household, name: str) -> Choice:
    return next(one for one in home.choices(PROFILE) if one.name == name)


def ended(home: Household, *, patch_test: bool = False, output_s: float = 300.0, felt: tuple[str, ...] = ()) -> str:
    """End a session of which nothing but its end matters; return what is said to come next."""
    session, plan = cast("RunningSession", None), cast("SessionPlan", None)
    started = Started(session, plan, "Dr-05", lambda: None, _Handle(list(felt), patch_test=patch_test))
    after = home.ended(started, Summary(Reason.COMPLETED, {}, 10, output_s, 300.0))
    assert after.felt == (f"you felt: {', '.join(felt)}" if felt else "")
    return after.next


def test_a_session_that_never_began_is_no_last_time(home: Household) -> None:
    store = home._kept
    assert "Your first time" in home.note()
    for routine, output_s in (("first-touch", 60.0), ("full-face", 0.0)):
        writer = store.begin_session(routine, "OMP", "omp", "omp", demo=False)
        writer.finish(Summary(Reason.COMPLETED if output_s else Reason.LINK_LOST, {}, 5, output_s, output_s))
    assert home.note().startswith("Last time: ")
    assert "first touch" in home.note()


# --- plan -------------------------------------------------------------------------------------------------------------


def test_wishes_come_to_a_plan_with_reasons_and_following_it_plans_today(home: Household) -> None:
    assert home.glance(None).has_plan is False
    proposed = home.propose(WISHES)
    assert proposed.title == "Four weeks, then weekly"
    assert proposed.weekdays == (0, 3)
    assert proposed.reasons
    assert home.almanac.chosen() is None  # proposed is not begun
    home.follow(proposed, proposed.start, (6,), time(20, 0))
    seen = home.glance(PROFILE)
    assert seen.planned == "full-face"
    assert seen.headline == "Full face, 12 min, planned for today"
    assert len(seen.days) == 35
    assert seen.days[14][0].weekday() == 0


def test_what_is_planned_is_what_the_device_can_do(home: Household) -> None:
    home.follow(home.propose(WISHES), EVENING.date(), (), time(20, 0))
    assert home.glance(PROFILE).planned == "full-face"
    assert home.glance(profile_for("BEAR2")).planned == "pulse-cleanse"


def test_a_beginner_begins_with_first_touch(home: Household) -> None:
    home.follow(home.propose({**WISHES, "experience": ["new"]}), EVENING.date(), (), time(20, 0))
    assert home.glance(PROFILE).planned == "first-touch"


def test_pauses_outlive_another_proposal(home: Household) -> None:
    home.follow(home.propose(WISHES), EVENING.date(), (), time(20, 0))
    home.almanac.pause()
    home.follow(home.propose({**WISHES, "time": ["10"]}), EVENING.date(), (), time(20, 0))
    chosen = home.almanac.chosen()
    assert chosen is not None
    assert chosen.plan == "gentle"
    assert len(chosen.pauses) == 1


def test_no_wish_gets_past_answers_that_speak_against_it(home: Household) -> None:
    answers = {question.id: "no" for question in home.screening_questions()}
    home.save_screening({**answers, "heart": "yes"}, ())
    assert home.blocked()
    with pytest.raises(CompanionError):
        home.propose(WISHES)


def test_routines_can_be_looked_at_before_there_is_a_device(home: Household) -> None:
    choices = {one.name: one for one in home.choices(None)}
    assert round(choices["full-face"].minutes) == 12
    assert not any(one.refusal for one in choices.values())
    assert not any(one.prepare for one in choices.values())


# --- skin and patch test ----------------------------------------------------------------------------------------------


def test_h10_a_red_skin_means_not_today_and_the_plan_keeps_the_day_free(home: Household) -> None:
    home.follow(home.propose(WISHES), EVENING.date(), (6,), time(20, 0))
    assert not home.check_skin({"dryness": 1, "redness": 4, "irritation": 1}).allowed
    assert home.glance(PROFILE).planned == ""
    assert "said not today" in home.glance(PROFILE).headline


def test_a_skin_that_asks_for_care_is_let_in_with_a_word(home: Household) -> None:
    word = home.check_skin({"dryness": 1, "redness": 3, "irritation": 1})
    assert word.allowed
    assert "half as strong" in word.lines[0]
    assert home.check_skin({"dryness": 1, "redness": 1, "irritation": 1}).lines == word.lines  # today's worst counts


def test_h10_the_patch_test_comes_before_the_first_use_and_declining_is_kept(home: Household) -> None:
    asked = home.patch(choice_of(home, "five-minute-lift"))
    assert asked is not None
    assert asked.test == "first-touch"
    assert [one for one, _ in asked.answers] == ["forearm", "declined"]
    assert home.patch(choice_of(home, "first-touch")) is None
    assert home.patch(choice_of(home, "cool-down")) is None  # no output, no test
    home.answer_patch("declined")
    assert home.patch(choice_of(home, "five-minute-lift")) is None
    test = home.almanac.patch_test()
    assert test is not None
    assert test.place == "declined"


def test_h10_after_the_patch_test_come_24_hours_and_a_look(home: Household, evening: Evening) -> None:
    assert "24 hours: look at the spot on Monday, 23 November at 18:30" in ended(home, patch_test=True)
    waiting = home.patch(choice_of(home, "five-minute-lift"))
    assert waiting is not None
    assert waiting.answers == ()
    assert waiting.test == ""
    assert "needs its 24 hours" in home.glance(PROFILE).headline
    assert home.patch_to_look_at() is None
    evening.now += timedelta(hours=25)
    look = home.patch_to_look_at()
    assert look is not None
    assert [one for one, _ in look.answers] == ["calm", "reaction"]
    assert home.glance(PROFILE).patch
    home.answer_patch("calm")
    assert home.patch(choice_of(home, "five-minute-lift")) is None


def test_h10_a_reaction_closes_every_way(home: Household, evening: Evening) -> None:
    home.answer_patch("forearm")
    evening.now += timedelta(hours=25)
    home.answer_patch("reaction")
    for name in ("first-touch", "five-minute-lift"):
        asked = home.patch(choice_of(home, name))
        assert asked is not None
        assert [one for one, _ in asked.answers] == ["agreed", "not agreed"]
        assert "ask your doctor" in asked.text
        home.answer_patch("not agreed")
        assert home.profile.waiting()


def test_h10_a_doctors_word_after_a_reaction_leads_to_another_patch_test_and_no_further(
    home: Household, evening: Evening
) -> None:
    home.answer_patch("forearm")
    evening.now += timedelta(hours=25)
    home.answer_patch("reaction")
    assert home.glance(PROFILE).patch
    evening.now += timedelta(days=3)
    home.answer_patch("agreed")
    assert home.patch(choice_of(home, "first-touch")) is None
    asked = home.patch(choice_of(home, "five-minute-lift"))
    assert asked is not None
    assert (asked.answers, asked.test) == ((), "first-touch")
    assert home.profile.agreed() == (("another patch test after a reaction", evening.now.date()),)
    evening.now += timedelta(minutes=1)
    home.answer_patch("forearm")
    home.answer_patch("reaction")
    assert home.profile.agreed() == ()
    assert home.profile.waiting(), "it reacted again, after the doctor's word"


def test_a_test_without_output_is_no_test(home: Household) -> None:
    ended(home, patch_test=True, output_s=0.0)
    assert home.almanac.patch_test() is None


def test_an_answer_that_is_none_is_refused(home: Household) -> None:
    with pytest.raises(ValueError, match="no answer to a patch test"):
        home.answer_patch("maybe")


def test_after_a_session_stand_the_answers_once_each_and_the_next_one(home: Household) -> None:
    assert ended(home, felt=("tingling", "nothing")) == ""
    home.follow(home.propose(WISHES), EVENING.date(), (0, 3), time(20, 0))
    assert ended(home) == "Next: Mon 23 Nov at 20:00."


def device() -> Device:
    entry = next(one for one in Registry.default().entries if one.key == "dr05")
    return Device("AA:01", "Dr-05", -50, PROFILE, Found(BLEDevice("AA:01", "Dr-05", None), entry, "Dr-05", -50))


def no(home: Household) -> dict[str, bool]:
    return {question.id: False for question in home.today_questions()}


async def test_h10_no_session_before_skin_check_and_patch_test(home: Household) -> None:
    home._radio = ScriptedRadio()
    lift = choice_of(home, "five-minute-lift")

    def begin() -> Started:
        return home.start(lift, device(), no(home), lambda _view: None)

    with pytest.raises(NotTodayError, match="skin check first"):
        begin()
    home.check_skin({"dryness": 1, "redness": 1, "irritation": 1})
    with pytest.raises(NotTodayError, match="patch test"):
        begin()
    home.answer_patch("declined")
    begin().close()


async def test_a_wound_puts_the_day_off_and_a_ring_does_not(home: Household) -> None:
    home._radio = ScriptedRadio()
    home.follow(home.propose(WISHES), EVENING.date(), (6,), time(20, 0))
    for yes, planned in (("jewellery", "full-face"), ("skin", "")):
        with pytest.raises(NotTodayError, match=r"Not today|skin check first"):
            home.start(choice_of(home, "full-face"), device(), {**no(home), yes: True}, lambda _view: None)
        assert home.glance(PROFILE).planned == planned


def test_h6_a_session_that_is_planned_is_not_offered_before_the_skin_has_rested(
    home: Household, evening: Evening
) -> None:
    often = home.propose({**WISHES, "experience": ["regular"], "days": [], "time": ["5"]})  # on five days a week
    home.follow(often, EVENING.date(), (), time(20, 0))
    evening.now = EVENING.replace(hour=23)
    writer = home._kept.begin_session("five-minute-lift", "Dr-05", "dr05", "dr05", demo=False)
    writer.finish(Summary(Reason.COMPLETED, {"left-cheek": 300.0}, 10, 300.0, 300.0))
    evening.now = EVENING.replace(day=23, hour=8)
    seen = home.glance(PROFILE)
    assert seen.planned == ""
    assert seen.detail == "Next: today at 20:00."
    evening.now = EVENING.replace(day=23, hour=12)
    assert home.glance(PROFILE).planned == "jaw-and-neck"


# --- people and settings ----------------------------------------------------------------------------------------------


def test_h10_another_persons_turn_is_another_persons_everything(home: Household) -> None:
    home.follow(home.propose(WISHES), EVENING.date(), (6,), time(20, 0))
    home.almanac.drink(400)
    home.add_person("Grace")
    (first,) = [name for name in home.people() if name != "Grace"]
    assert home.whose_turn() == first
    home.choose_person("Grace")
    assert home.whose_turn() == "Grace"
    assert home.screening_needed()
    assert home.almanac.chosen() is None
    assert home.almanac.water().today_ml == 0
    assert home.glance(None).person == "Grace"
    home.choose_person(first)
    assert not home.screening_needed()
    assert home.almanac.water().today_ml == 400


def test_whoever_was_named_at_the_start_has_had_their_turn_once_another_is_chosen(
    tmp_path: Path, home: Household, evening: Evening
) -> None:
    home.add_person("Grace")
    (first,) = [name for name in home.people() if name != "Grace"]
    named = Household(folder=tmp_path, calendar=Calendar(lambda: evening.now), person=first)
    assert named.whose_turn() == first
    named.choose_person("Grace")
    asyncio.run(named.close())
    assert named.whose_turn() == "Grace"
    asyncio.run(named.close())


def test_an_unknown_person_changes_nothing(home: Household) -> None:
    before = home.whose_turn()
    with pytest.raises(PersonError):
        home.choose_person("Nobody")
    assert home.whose_turn() == before


def test_settings_are_followed_and_quiet_hours_reach_the_reminders(home: Household) -> None:
    assert home.almanac.quiet is not None
    home.settings.change("quiet.from", "07:30")
    home.settings.change("appearance.theme", "light")
    home.settings.change("sound.cues", "off")
    said = home.preferences()
    assert (said.theme, said.mirror, said.motion, said.cues) == ("light", True, True, "off")
    assert home.almanac.quiet is None


def files_of(folder: Path) -> bytes:
    """Everything that lies in a folder, as one text."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_who_leaves_takes_everything_along_and_the_others_keep_theirs(home: Household, tmp_path: Path) -> None:
    folder = tmp_path
    home.rename_person("me", "Ada")
    home.add_person("Grace")
    home.almanac.drink(321)
    home.choose_person("Grace")
    home.save_screening({question.id: "not sure" for question in home.screening_questions()}, ())
    calendar = folder / "hers.ics"
    home.almanac.choose_plan(Chosen(EVENING.date()))
    home.almanac.subscribe(calendar)
    copy = folder / "companion-before-version-3.sqlite3"
    copy.write_bytes(b"not sure")
    home.remove_person("Grace")
    assert home.people() == ["Ada"]
    assert home.whose_turn() == "Ada"
    assert home.almanac.water().today_ml == 321
    assert not home.screening_needed()
    assert not calendar.exists()
    assert not copy.exists()
    asyncio.run(home.close())
    assert b"not sure" not in files_of(folder)
    assert b"Grace" not in files_of(folder)
    home.open()


def test_the_last_person_leaves_and_the_app_begins_anew(home: Household) -> None:
    home.almanac.drink(250)
    home.profile.set_comfortable(20)
    home.remove_person("me")
    assert home.people() == ["me"]
    assert home.screening_needed()
    assert home.almanac.water().today_ml == 0
    assert home.profile.comfortable() == 30
    assert home.past.sessions() == []


def test_who_is_shown_stays_when_somebody_else_leaves(tmp_path: Path, home: Household) -> None:
    for name in ("Grace", "Joan"):
        home.add_person(name)
    shown = Household(folder=tmp_path, calendar=Calendar.fixed(EVENING), person="Joan")
    shown.open()
    try:
        shown.remove_person("Grace")
        assert shown.whose_turn() == "Joan"
        shown.rename_person("Joan", "Jeanne")
        assert shown.whose_turn() == "Jeanne"
        shown.remove_person("me")
        assert shown.whose_turn() == "Jeanne"
    finally:
        asyncio.run(shown.close())


def test_a_newcomer_sees_first_touch_first_and_everyone_else_the_shortest(home: Household) -> None:
    def order(profile: object) -> list[str]:
        return [one.name for one in home.choices(profile) if not one.refusal]  # type: ignore[arg-type]

    for profile in (PROFILE, None):
        assert order(profile)[0] == "first-touch"
    assert sorted(order(PROFILE)[1:]) == sorted(set(order(PROFILE)) - {"first-touch"})
    writer = home._kept.begin_session("full-face", "Dr-05", "dr05", "dr05", demo=False)
    writer.finish(Summary(Reason.COMPLETED, {"left-cheek": 300.0}, 10, 300.0, 300.0))
    minutes = {one.name: one.minutes for one in home.choices(PROFILE)}
    assert order(PROFILE)[0] != "first-touch"
    assert [minutes[name] for name in order(PROFILE)] == sorted(minutes[name] for name in order(PROFILE))


async def test_optional_steps_are_offered_as_the_skin_is_and_guided_where_they_are_wished_for(home: Household) -> None:
    home._radio = ScriptedRadio()
    full = choice_of(home, "full-face")
    assert (full.before_optional, [step.title for step in full.prepare]) == (1, ["Cleanse", "Gel"])
    assert choice_of(home, "first-touch").before_optional is None
    unchecked = {one.name: one.refusal for one in home.optional(full)}
    assert "do your skin check first" in unchecked["steam"]
    home.check_skin({"dryness": 1, "redness": 1, "irritation": 1})
    assert [one.name for one in home.optional(full)] == ["steam", "exfoliation", "massage", "mask", "serum"]
    assert not any(one.refusal for one in home.optional(full))
    gentle = home.with_optional(full, PROFILE, {"exfoliation", "serum"})
    assert [step.title for step in gentle.prepare] == ["Cleanse", "Exfoliation", "Gel"]
    steamed = home.with_optional(full, PROFILE, {"steam"})
    assert [step.title for step in steamed.prepare] == ["Cleanse"], "what has its time is guided with a countdown"
    home.answer_patch("declined")
    started = home.start(gentle, device(), no(home), lambda _view: None, {"exfoliation", "serum"})
    started.close()
    titles = [step.title for step in started.plan.steps]
    assert titles.index("Exfoliation") < titles.index("Gel") < titles.index("Serum") < titles.index("Care")
    assert not {"Steam", "Mask"} & set(titles)
    refused = {one.name: one.refusal for one in home.optional(full)}
    assert "once a day is plenty" in refused["exfoliation"]


def test_a_demo_has_data_of_its_own(tmp_path: Path, home: Household) -> None:
    home.almanac.drink(400)
    demo = Household(demo="dr05", folder=tmp_path / "demo", calendar=Calendar.fixed(EVENING))
    demo.open()
    try:
        assert demo.almanac.water().today_ml == 0
        assert not demo.screening_needed()
        demo.follow(demo.propose(WISHES), EVENING.date(), (), time(20, 0))
        assert home.almanac.chosen() is None
    finally:
        asyncio.run(demo.close())


def test_a_demo_waits_no_day_for_its_patch_test_and_begins_each_time_with_a_skin_of_its_own(tmp_path: Path) -> None:
    def opened() -> Household:
        demo = Household(demo="dr05", folder=tmp_path / "demo", calendar=Calendar.fixed(EVENING))
        demo.open()
        return demo

    demo = opened()
    demo.answer_patch("forearm")
    assert demo.patch_to_look_at() is not None
    demo.answer_patch("reaction")
    demo.answer_patch("agreed")
    demo.profile.note("peel")
    demo.check_skin({"dryness": 1, "redness": 5, "irritation": 5})
    asyncio.run(demo.close())
    again = opened()
    try:
        assert again.patch_to_look_at() is None
        assert again.almanac.patch_test() is None
        assert again.almanac.skin_checks() == []
        assert again.profile.agreed() == again.profile.noted() == ()
    finally:
        asyncio.run(again.close())


def test_what_was_done_can_be_seen_again_and_gets_words(home: Household) -> None:
    assert home.past.sessions() == []
    assert home.past.entries(1) == []
    assert not home.past.say(1, "calm")
    assert home.titles()["full-face"] == "Full face"
