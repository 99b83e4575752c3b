"""A person's own profile: maximum, zones, a doctor's word and what the skin rests after, on the command line too."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from companion.care.plans import Chosen
from companion.care.screening import ASK_QUESTIONS, BLOCK_QUESTIONS, judge, with_agreement, with_procedure
from companion.care.skin import PEELS, RESTS_NOTED, SPECIAL_CARE, RestNoted, SpecialCare, days_to_note, noted_today
from companion.commands.profile import agreed_by
from companion.config import CompanionError, Exit
from companion.profile import PATCH, Profile
from companion.session.opening import Blocked, check_person
from companion.store.database import Store
from tests.companion.at_home import BERLIN, CLEAR, MONDAY, PACEMAKER, AtHome

TODAY = date(2026, 3, 2)


@pytest.fixture
def store(home: AtHome) -> Iterator[Store]:
    with home.store() as store:
        yield store


@pytest.fixture
def profile(home: AtHome, store: Store) -> Profile:
    return Profile(store, home.almanac(store), home.calendar)


def let_in(home: AtHome, store: Store) -> None:
    """Ask the door, as before a session with output."""
    check_person(store, home.calendar, ["chin"], demo=False, stand_in=False)


# --- the comfortable maximum ------------------------------------------------------------------------------------------


def test_h2_before_a_first_session_the_maximum_stays_at_thirty(profile: Profile) -> None:
    assert (profile.comfortable(), profile.most()) == (30, 30)
    profile.set_comfortable(12)
    with pytest.raises(CompanionError, match="a first session stays at or below 30 %") as refused:
        profile.set_comfortable(31)
    assert refused.value.exit_code is Exit.BLOCKED
    for percent in (0, 101):
        with pytest.raises(CompanionError, match="1 to 100 percent") as refused:
            profile.set_comfortable(percent)
        assert refused.value.exit_code is Exit.USAGE
    assert profile.comfortable() == 12


def test_after_a_session_the_maximum_is_the_persons_own(home: AtHome, store: Store, profile: Profile) -> None:
    home.held(store)
    profile.set_comfortable(45)
    assert (profile.comfortable(), profile.most()) == (45, 100)


# --- zones ------------------------------------------------------------------------------------------------------------


def test_zones_and_neck_are_kept_apart(profile: Profile) -> None:
    profile.leave_out({"chin", "left-jawline"})
    profile.set_neck(on=True)
    profile.leave_out({"chin"})
    assert (profile.person().neck, profile.person().no_go) == (True, {"chin"})
    with pytest.raises(CompanionError, match="there is no zone 'nose'"):
        profile.leave_out({"nose"})
    assert profile.person().no_go == {"chin"}


def test_zones_without_the_app(home: AtHome) -> None:
    plain = home.run("profile zones").fine().lines
    assert plain == ["No zone is left out.", "The sides of the neck: no."]
    told = home.run("profile zones --never chin,left-jawline --neck on").fine()
    assert told.lines[0] == "Never treated: left-jawline, chin."
    assert told.lines[1].startswith("The sides of the neck: yes, with a device that is cleared for it")
    assert home.run("profile zones --treat chin --neck off").fine().lines == [
        "Never treated: left-jawline.",
        "The sides of the neck: no.",
    ]
    home.run("profile zones --never nose").refused(Exit.USAGE, "'nose'", "forehead")
    home.run("profile zones --never chin --treat chin").refused(Exit.USAGE, "chin is both")
    home.run("profile zones --neck perhaps").refused(Exit.USAGE, "neck")


# --- a doctor's word --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", ["yes", "not sure"])
@pytest.mark.parametrize("question", ASK_QUESTIONS, ids=lambda one: one.id)
def test_h10_what_only_waits_for_a_doctor_is_released_by_their_word_with_its_date(
    home: AtHome, store: Store, profile: Profile, question: object, answer: str
) -> None:
    name = question.id  # type: ignore[attr-defined]
    store.save_screening({**CLEAR, name: answer})
    answered = home.now
    (waiting,) = profile.waiting()
    assert waiting.id == name
    assert question.text in waiting.said  # type: ignore[attr-defined]
    with pytest.raises(Blocked, match="companion profile agreed"):
        let_in(home, store)
    home.pass_(days=80)
    profile.agree([name])
    let_in(home, store)
    assert profile.agreed() == ((question.because, home.now.date()),)  # type: ignore[attr-defined]
    screening = store.screening()
    assert screening is not None
    assert screening.at == answered, "the other answers get no younger by it"
    home.pass_(days=11)
    with pytest.raises(Blocked, match="older than 90 days"):
        let_in(home, store)


@pytest.mark.parametrize("question", BLOCK_QUESTIONS, ids=lambda one: one.id)
@pytest.mark.parametrize("answer", ["yes", "not sure"])
def test_h10_no_doctors_word_changes_what_blocks(
    home: AtHome, store: Store, profile: Profile, question: object, answer: str
) -> None:
    blocked = {**CLEAR, question.id: answer, "thinner": "yes"}  # type: ignore[attr-defined]
    store.save_screening(blocked)
    assert profile.waiting() == ()
    for ids in ([question.id], ["thinner"], [PATCH]):  # type: ignore[attr-defined]
        with pytest.raises(CompanionError, match="no doctor's word changes this") as refused:
            profile.agree(ids)
        assert refused.value.exit_code is Exit.BLOCKED
    screening = store.screening()
    assert screening is not None
    assert screening.answers == blocked
    with pytest.raises(ValueError, match="does not wait for a doctor's agreement"):
        with_agreement(blocked, [question.id], MONDAY)  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="'thinner' does not wait"):
        with_agreement(CLEAR, ["thinner"], MONDAY)
    # Even an answer that was written so by hand is none.
    assert judge({**CLEAR, question.id: "agreed"}, MONDAY, MONDAY).blocked  # type: ignore[attr-defined]


def test_h10_who_answered_no_or_nothing_has_nothing_to_agree_to(store: Store, profile: Profile) -> None:
    for kept in (None, CLEAR):
        if kept is not None:
            store.save_screening(kept)
        assert profile.waiting() == ()
        with pytest.raises(CompanionError):
            profile.agree(["thinner"])


def test_h10_an_agreement_is_sealed_as_the_answers_are(home: AtHome, store: Store, profile: Profile) -> None:
    store.save_screening({**CLEAR, "thinner": "yes"})
    store._connection.execute("UPDATE screening SET answers = replace(answers, '\"yes\"', '\"agreed\"')")
    assert store.screening() is None
    with pytest.raises(Blocked, match="answer the health questions first"):
        let_in(home, store)


def react(home: AtHome, store: Store) -> None:
    store.diary.begin_patch_test("forearm")
    home.pass_(hours=25)
    store.diary.end_patch_test("reaction")


def test_h10_after_a_reaction_a_doctors_word_leads_to_another_test_alone(
    home: AtHome, store: Store, profile: Profile
) -> None:
    store.save_screening(CLEAR)
    react(home, store)
    with pytest.raises(Blocked, match="reacted to the patch test"):
        let_in(home, store)
    (waiting,) = profile.waiting()
    assert waiting.said == "Your skin reacted to the patch test of 2 March 2026."
    profile.agree([PATCH])
    assert profile.agreed() == (("another patch test after a reaction", home.now.date()),)
    assert profile.waiting() == ()
    with pytest.raises(Blocked, match="another patch test"):
        let_in(home, store)


def answered(profile: Profile, typed: str) -> str:
    said = io.StringIO()
    assert agreed_by(io.StringIO(typed), said, profile) == Exit.FINISHED
    return said.getvalue()


def test_each_thing_that_waits_is_asked_plainly_and_a_no_leaves_it(
    home: AtHome, store: Store, profile: Profile
) -> None:
    store.save_screening({**CLEAR, "thinner": "yes", "metal": "not sure"})
    react(home, store)
    told = answered(profile, "perhaps\nn\ny\ny\n")
    assert "You answered not sure: Do you have metal plates" in told
    assert told.count("Has a doctor agreed that you may use it?  n/y ") == 3, "asked once more after a slip"
    assert "That is noted, with today's date." in told
    assert "the routine First touch" in told
    assert "Until then there is no session" in told
    assert [one.id for one in profile.waiting()] == ["metal"]
    assert "Until then" in answered(profile, "n\n")
    assert "Until then" not in answered(profile, "y\n")
    assert profile.waiting() == ()


def test_who_leaves_in_the_middle_has_agreed_to_nothing(store: Store, profile: Profile) -> None:
    store.save_screening({**CLEAR, "thinner": "yes", "metal": "yes"})
    with pytest.raises(CompanionError, match="nothing was kept"):
        answered(profile, "y\n")
    assert len(profile.waiting()) == 2


def test_a_doctors_word_is_asked_for_in_a_terminal_and_shown_afterwards(home: AtHome, store: Store) -> None:
    assert home.run("profile agreed").fine().lines == ["Nothing waits for a doctor's word."]
    store.save_screening({**CLEAR, "thinner": "yes"})
    home.run("profile agreed").refused(Exit.USAGE, "in a terminal")
    Profile(store, home.almanac(store), home.calendar).agree(["thinner"])
    shown = home.run("profile show").fine().out
    assert "A doctor has agreed: blood-thinning medicine; you said so on 2 March 2026." in shown
    store.save_screening(PACEMAKER)
    home.run("profile agreed").refused(Exit.BLOCKED, "no doctor's word changes this", "implanted electronics")


def test_one_persons_word_is_no_other_persons(home: AtHome, store: Store, profile: Profile) -> None:
    store.people.add("Ben")
    with home.store("Ben") as other:
        bens = Profile(other, home.almanac(other), home.calendar)
        for one in (store, other):
            one.save_screening({**CLEAR, "thinner": "yes"})
        react(home, other)
        profile.agree(["thinner"])
        profile.note("peel")
        profile.leave_out({"chin"})
        assert [one.id for one in bens.waiting()] == ["thinner", PATCH]
        assert (bens.agreed(), bens.noted(), bens.person().no_go) == ((), (), frozenset())


# --- what the skin rests after ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["peel", "sunburn"])
def test_h10_a_noted_peel_or_sunburn_closes_the_door_for_a_week(
    home: AtHome, store: Store, profile: Profile, kind: str
) -> None:
    store.save_screening(CLEAR)
    profile.note(kind, TODAY - timedelta(days=2))
    assert profile.noted() == ((kind, TODAY - timedelta(days=2)),)
    for _ in range(6):
        with pytest.raises(Blocked, match=f"After a {kind} the skin has a week to itself"):
            let_in(home, store)
        home.pass_(days=1)
    let_in(home, store)
    assert profile.noted() == ()


def test_h10_a_treatment_waits_for_a_doctor_and_an_earlier_word_was_for_another_one(
    home: AtHome, store: Store, profile: Profile
) -> None:
    with pytest.raises(CompanionError, match="answer the health questions first"):
        profile.note("treatment")
    store.save_screening({**CLEAR, "procedure": "yes"})
    profile.agree(["procedure"])
    let_in(home, store)
    home.pass_(days=5)
    profile.note("treatment")
    with pytest.raises(Blocked, match="a procedure on the face"):
        let_in(home, store)
    assert profile.noted() == (("treatment", home.now.date()),)
    assert profile.agreed() == ()
    home.pass_(days=40)
    with pytest.raises(Blocked, match="a procedure on the face"):
        let_in(home, store)  # time alone says nothing
    profile.agree(["procedure"])
    let_in(home, store)
    assert profile.noted() == ()


def test_a_noted_treatment_changes_no_other_answer() -> None:
    agreed = with_agreement({**PACEMAKER, "procedure": "yes"}, ["procedure"], MONDAY)
    assert with_procedure(agreed, TODAY) == with_procedure(PACEMAKER, TODAY), "nothing of the earlier word is left"
    noted = with_procedure(PACEMAKER, TODAY)
    assert {name: noted[name] for name in PACEMAKER if name != "procedure"} == {
        name: answer for name, answer in PACEMAKER.items() if name != "procedure"
    }


def test_a_day_that_cannot_be_is_refused(profile: Profile) -> None:
    for kind, offset in (("sunburn", 1), ("sunburn", -8), ("peel", -8), ("peel", 29), ("treatment", -31)):
        with pytest.raises(CompanionError, match="can be noted from") as refused:
            profile.note(kind, TODAY + timedelta(days=offset))
        assert refused.value.exit_code is Exit.USAGE
    assert profile.noted() == ()
    assert days_to_note("sunburn", TODAY)[:2] == (TODAY, TODAY - timedelta(days=1))


@pytest.mark.parametrize("kind", ["peel", "sunburn"])
def test_h10_what_was_noted_by_mistake_is_taken_back_on_the_same_day_and_both_are_kept(
    home: AtHome, store: Store, profile: Profile, kind: str
) -> None:
    store.save_screening(CLEAR)
    yesterday = TODAY - timedelta(days=1)
    almanac = home.almanac(store)
    almanac.choose_plan(Chosen(TODAY))
    before = almanac.outlook()
    profile.note(kind, yesterday)
    noted_at = home.now
    assert profile.mistakes() == ((kind, yesterday),)
    with pytest.raises(Blocked, match=f"After a {kind}"):
        let_in(home, store)
    home.pass_(hours=3)
    assert almanac.outlook().days != before.days
    profile.take_back(kind, yesterday)
    let_in(home, store)
    assert (profile.noted(), profile.mistakes()) == ((), ())
    home.pass_(hours=-3)
    assert almanac.outlook() == before
    (kept,) = store.diary.choice(RESTS_NOTED, tuple[RestNoted, ...]) or ()
    assert (kept.kind, kept.on, kept.at, kept.taken_back) == (kind, yesterday, noted_at, noted_at + timedelta(hours=3))


def test_h10_what_was_noted_before_today_stays_and_so_does_what_is_noted_once_more(
    home: AtHome, store: Store, profile: Profile
) -> None:
    store.save_screening(CLEAR)
    profile.note("peel")
    home.now = (home.now + timedelta(days=1)).replace(hour=0)  # the day after at one, where the person is
    for _ in range(2):
        with pytest.raises(CompanionError, match="was not noted today") as refused:
            profile.take_back("peel", TODAY)
        assert refused.value.exit_code is Exit.USAGE
        profile.note("peel", TODAY)  # again, for it to be of today
    with pytest.raises(Blocked):
        let_in(home, store)
    assert profile.noted() == (("peel", TODAY),)


def test_h10_a_day_ends_at_midnight_where_the_person_is(home: AtHome, profile: Profile) -> None:
    home.now = home.now.replace(hour=22, minute=59)  # a minute to midnight in Berlin
    profile.note("sunburn", TODAY)
    assert profile.mistakes() == (("sunburn", TODAY),)
    home.pass_(minutes=1)
    assert profile.mistakes() == ()


def test_h10_the_same_day_is_the_one_where_the_person_has_travelled_to() -> None:
    noted = RestNoted("peel", TODAY, datetime(2026, 3, 2, 23, 30, tzinfo=BERLIN))
    tokyo = ZoneInfo("Asia/Tokyo")
    assert noted_today([noted], datetime(2026, 3, 3, 7, 0, tzinfo=tokyo)) == (noted,)
    assert noted_today([noted], datetime(2026, 3, 2, 23, 59, tzinfo=tokyo)) == ()


def test_h10_a_mistake_leaves_the_rest_that_another_note_asks_for(home: AtHome, store: Store, profile: Profile) -> None:
    store.save_screening(CLEAR)
    almanac = home.almanac(store)
    almanac.choose_plan(Chosen(TODAY))
    profile.note("sunburn")
    alone = almanac.outlook()
    profile.note("peel")
    profile.take_back("peel")
    assert profile.noted() == (("sunburn", TODAY),)
    assert almanac.outlook() == alone
    assert store.diary.choice(PEELS, list[date]) == [TODAY], "the plan goes on to know that day"
    with pytest.raises(Blocked, match="After a sunburn"):
        let_in(home, store)


def test_h10_what_a_session_or_a_check_left_behind_is_no_note_that_can_be_taken_back(
    home: AtHome, store: Store, profile: Profile
) -> None:
    """A reaction, sore skin, and what a session itself did to the skin."""
    left = (SpecialCare("exfoliation", TODAY),)
    store.diary.choose(SPECIAL_CARE, left)
    store.diary.check_skin(1, 5, 5)
    store.diary.begin_patch_test("jaw")
    store.diary.end_patch_test("reaction")
    profile.note("peel")
    assert profile.mistakes() == (("peel", TODAY),), "what was noted by hand, and nothing else"
    for kind in ("exfoliation", "sunburn"):
        assert not home.almanac(store).take_back_rest(kind, TODAY)
    profile.take_back("peel")
    assert store.diary.choice(SPECIAL_CARE, tuple[SpecialCare, ...]) == left
    assert [one.irritation for one in store.diary.skin_checks()] == [5]
    assert [one.outcome for one in store.diary.patch_tests()] == ["reaction"]
    assert [one.id for one in profile.waiting()] == [PATCH]


def test_a_treatment_is_a_health_answer_and_is_answered_again(store: Store, profile: Profile) -> None:
    store.save_screening(CLEAR)
    profile.note("treatment")
    assert profile.mistakes() == ()
    with pytest.raises(CompanionError, match="answer them again"):
        profile.take_back("treatment")
    assert profile.noted() == (("treatment", TODAY),)


def test_a_mistake_is_taken_back_without_the_app(home: AtHome) -> None:
    home.run("profile skin sunburn").fine()
    home.run("profile skin peel --mistake").refused(Exit.USAGE, "a peel on 2 March 2026 was not noted today")
    home.run("profile skin --mistake").refused(Exit.USAGE, "--mistake goes with")
    told = home.run("profile skin sunburn --mistake").fine()
    assert told.lines == ["Nothing is noted that your skin rests after."]
    home.run("profile skin sunburn --mistake").refused(Exit.USAGE, "was not noted today")
    kept = home.run("export --format json").fine().json
    assert "taken_back" in str(kept), "note and mistake are the person's own"


def test_what_the_skin_rests_after_without_the_app(home: AtHome) -> None:
    assert home.run("profile skin").fine().lines == ["Nothing is noted that your skin rests after."]
    assert home.run("profile skin sunburn").fine().lines == ["A sunburn on 2 March 2026."]
    told = home.run("profile skin peel --on 2026-03-20").fine()
    assert told.lines == ["A peel on 20 March 2026.", "A sunburn on 2 March 2026."]
    home.run("profile skin treatment").refused(Exit.BLOCKED, "health questions")
    home.run("profile skin sunburn --on 2026-03-03").refused(Exit.USAGE, "from 2026-02-23 to 2026-03-02")
    home.run("profile skin sunburn --on tomorrow").refused(Exit.USAGE, "--on")
    home.run("profile skin --on 2026-03-02").refused(Exit.USAGE, "--on goes with")
    home.run("profile skin tattoo").refused(Exit.USAGE, "tattoo")


def test_a_plan_goes_around_a_noted_sunburn(home: AtHome) -> None:
    home.run("plan choose course-4 --days mon,thu --at 19:00").fine()
    home.run("profile skin sunburn").fine()
    assert "Your skin has a week to itself: sessions are back on Tuesday, 10 March." in home.run("plan").fine().out
