"""The questions before a session without the app: who answers what, what is kept of it, and what cannot be asked."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest

from companion.almanac import Almanac
from companion.before import Answers, Before, Terminal
from companion.care.plans import Chosen
from companion.care.screening import TODAY_QUESTIONS
from companion.care.skin import PATCH_WAIT, SPECIAL_CARE, SpecialCare
from companion.config import Exit, UsageError
from companion.routines.library import Library
from companion.session.opening import Blocked
from companion.store.database import Store
from tests.companion.at_home import CLEAR, PACEMAKER, AtHome

FINE_TODAY = "n\n" * len(TODAY_QUESTIONS)
CALM = "1\n1\n1\n"
LEFT_OUT = "l\nonly looking\n"
NOTHING_FIRST = "n\n" * 5
ALL = FINE_TODAY + CALM + LEFT_OUT + NOTHING_FIRST + "y\n"


class Asked:
    """A store, and a person who has typed all of their answers beforehand."""

    def __init__(self, home: AtHome, store: Store, *, demo: bool = False) -> None:
        self.home, self.store, self.demo = home, store, demo
        self.almanac = Almanac(store, home.calendar, zone=home.almanac(store).zone, demo=demo)
        self.told = ""
        self.left = ""

    def ask(
        self,
        typed: str | None = ALL,
        *,
        routine: str = "full-face",
        yes: bool = False,
        json: bool = False,
        take: Collection[str] = (),
        leave: Collection[str] = (),
    ) -> Answers:
        """``typed`` None: nobody sits there."""
        questions, answers = StringIO(), StringIO(typed or "")
        terminal = Terminal(questions, answers, present=typed is not None)
        asked = Before(
            self.store,
            self.almanac,
            self.home.calendar,
            Library().get(routine),
            terminal,
            demo=self.demo,
            yes=yes,
            json=json,
            take=frozenset(take),
            leave=frozenset(leave),
        )
        try:
            return asked.ask()
        finally:
            self.told, self.left = questions.getvalue(), answers.read()

    def refusal(self, typed: str | None = ALL, **how: object) -> str:
        with pytest.raises(Blocked) as raised:
            self.ask(typed, **how)  # type: ignore[arg-type]
        assert raised.value.exit_code is Exit.BLOCKED
        assert "\n" not in raised.value.reason
        return raised.value.reason


@pytest.fixture
def person(home: AtHome) -> Iterator[Asked]:
    """Somebody whose health questions are answered, before a first session with a real device."""
    with home.store() as store:
        store.save_screening(CLEAR)
        yield Asked(home, store)


@pytest.fixture
def demo(home: AtHome) -> Iterator[Asked]:
    with home.store(demo=True) as store:
        yield Asked(home, store, demo=True)


# --- a person at a terminal -------------------------------------------------------------------------------------------


def test_a_person_is_asked_everything_and_it_is_kept(person: Asked) -> None:
    answers = person.ask()
    assert answers == Answers({question.id: False for question in TODAY_QUESTIONS}, frozenset(), ask_care=True)
    assert person.left == ""
    (check,) = person.store.diary.skin_checks()
    assert (check.dryness, check.redness, check.irritation) == (1, 1, 1)
    patch = person.almanac.patch_test()
    assert patch is not None
    assert (patch.place, patch.note) == ("declined", "only looking")


def test_h10_whoever_is_blocked_is_asked_nothing(person: Asked) -> None:
    person.store.save_screening(PACEMAKER)
    assert "implanted electronics" in person.refusal()
    assert person.told == ""
    assert person.left == ALL


def test_a_skin_check_of_this_hour_is_not_asked_again_and_an_older_one_is(person: Asked) -> None:
    person.ask()
    person.home.pass_(minutes=59)
    person.ask(FINE_TODAY + NOTHING_FIRST + "y\n")
    assert "How dry" not in person.told
    person.home.pass_(minutes=2)
    person.ask(FINE_TODAY + CALM + NOTHING_FIRST + "y\n")
    assert "How dry" in person.told


@pytest.mark.parametrize("scores", ["1\n4\n1\n", "1\n1\n5\n"], ids=["red", "irritated"])
def test_h10_skin_that_says_not_today_ends_the_questions(person: Asked, scores: str) -> None:
    assert "Not today" in person.refusal(FINE_TODAY + scores + LEFT_OUT)
    assert person.left == LEFT_OUT
    assert "Not today" in person.refusal(FINE_TODAY + CALM), "for the rest of the day"
    assert person.told == "", "it is not asked again until the answer is another one"


def test_skin_that_asks_for_care_is_told_so(person: Asked) -> None:
    person.ask(FINE_TODAY + "5\n1\n1\n" + LEFT_OUT + "n\n" * 3 + "y\n")
    assert "half as strong" in person.told
    assert "more gel" in person.told


@pytest.mark.parametrize("scores", ["0\n6\nx\n\n1\n1\n1\n"])
def test_a_score_is_one_to_five_and_nothing_else(person: Asked, scores: str) -> None:
    person.ask(FINE_TODAY + scores + LEFT_OUT + NOTHING_FIRST + "y\n")
    assert person.told.count("Please answer with one of: 1, 2, 3, 4, 5") == 4


@pytest.mark.parametrize("index", range(len(TODAY_QUESTIONS)), ids=[one.id for one in TODAY_QUESTIONS])
def test_h10_a_yes_to_one_of_todays_questions_ends_the_questions(person: Asked, index: int) -> None:
    person.almanac.choose_plan(Chosen(start=person.almanac.now.date(), plan="gentle"))
    person.refusal("n\n" * index + "y\n" + CALM)
    assert person.left == CALM
    put_off = not person.almanac.today().allowed
    assert put_off is (TODAY_QUESTIONS[index].id in {"skin", "alcohol"}), "the plan hears of what is for the whole day"


@pytest.mark.parametrize("length", range(len(ALL.splitlines())))
def test_the_end_of_the_input_never_begins_a_session(person: Asked, length: int) -> None:
    person.refusal("".join(f"{line}\n" for line in ALL.splitlines()[:length]))


def test_a_no_to_the_last_question_starts_nothing(person: Asked) -> None:
    assert "Nothing was started" in person.refusal(ALL.removesuffix("y\n") + "n\n")


# --- the patch test ---------------------------------------------------------------------------------------------------


def test_h10_a_patch_test_just_done_waits_for_its_24_hours_and_then_for_a_look(person: Asked) -> None:
    first = FINE_TODAY + CALM
    assert "needs its 24 hours" in person.refusal(f"{first}f\n")
    person.home.pass_(hours=23)
    assert "needs its 24 hours" in person.refusal("c\n")
    person.home.pass_(hours=1)
    assert "look" in person.refusal("n\n")
    assert person.ask(f"c\n{first}{NOTHING_FIRST}y\n").ask_care
    assert person.almanac.patch_test().outcome == "calm"  # type: ignore[union-attr]


def test_h10_a_reaction_ends_it_for_good(person: Asked) -> None:
    person.almanac.begin_patch_test("forearm")
    person.home.pass_(hours=24)
    assert "ask your doctor" in person.refusal("r\n" + ALL)
    assert "ask your doctor" in person.refusal(ALL)
    assert person.told == ""


def test_not_now_to_the_patch_test_names_the_routine_that_begins_with_it(person: Asked) -> None:
    assert "First touch" in person.refusal(f"{FINE_TODAY}{CALM}n\n")
    assert "companion run first-touch" in person.told
    assert person.almanac.patch_test() is None


def test_the_patch_test_itself_asks_for_none(person: Asked) -> None:
    person.ask(f"{FINE_TODAY}{CALM}y\n", routine="first-touch")
    assert "patch test first" not in person.told


def test_after_a_first_session_and_without_output_no_patch_test_is_offered(person: Asked) -> None:
    person.ask(f"{FINE_TODAY}{CALM}y\n", routine="cool-down")
    person.home.held(person.store)
    person.home.pass_(days=1)
    person.ask(FINE_TODAY + CALM + NOTHING_FIRST + "y\n")
    assert "patch test" not in person.told


# --- what may come first ----------------------------------------------------------------------------------------------


def test_optional_steps_are_taken_where_they_are_wished_for(person: Asked) -> None:
    answers = person.ask(FINE_TODAY + CALM + LEFT_OUT + "y\nn\ny\nn\ny\n" + "y\n")
    assert answers.optional == {"steam", "massage", "serum"}


def test_what_was_named_beforehand_is_not_asked_for(person: Asked) -> None:
    answers = person.ask(
        FINE_TODAY + CALM + LEFT_OUT + "n\n" + "y\n", take={"steam", "mask"}, leave={"massage", "serum"}
    )
    assert answers.optional == {"steam", "mask"}
    assert "exfoliation?" in person.told
    assert "steam first?" not in person.told
    assert "massage by hand?" not in person.told


def test_a_step_that_was_named_is_left_out_all_the_same_where_the_skin_is_not_for_it(person: Asked) -> None:
    answers = person.ask(
        FINE_TODAY + "1\n3\n1\n" + LEFT_OUT + "y\n",
        take={"steam"},
        leave={"exfoliation", "massage", "mask", "serum"},
    )
    assert answers.optional == frozenset()
    assert "Steaming is for calm skin, and yours is red today" in person.told


def test_yes_takes_what_was_named_and_nothing_else(demo: Asked) -> None:
    assert demo.ask(None, yes=True, take={"massage"}).optional == {"massage"}
    assert demo.ask(None, yes=True).optional == frozenset()


@pytest.mark.parametrize(
    ("take", "leave", "problem"),
    [
        ({"light"}, (), "'light' is no optional step of full-face; there are steam, exfoliation, massage, mask, serum"),
        ((), {"gel"}, "'gel' is no optional step of full-face"),
        ({"mask"}, {"mask"}, "mask is both in --with and in --without"),
    ],
    ids=["not-there", "never-optional", "both"],
)
def test_a_step_that_cannot_be_named_is_a_slip_and_nothing_is_asked(
    person: Asked, take: set[str], leave: set[str], problem: str
) -> None:
    with pytest.raises(UsageError, match=problem):
        person.ask(take=take, leave=leave)
    assert person.told == ""


def test_a_routine_without_optional_steps_says_so(person: Asked) -> None:
    with pytest.raises(UsageError, match="'mask' is no optional step of first-touch; it has none"):
        person.ask(routine="first-touch", take={"mask"})


def test_what_the_skin_is_not_for_is_told_and_not_offered(person: Asked) -> None:
    today = person.almanac.now.date()
    of_late = tuple(SpecialCare("steam", today - timedelta(days=ago)) for ago in (1, 3))
    person.store.diary.choose(SPECIAL_CARE, of_late)
    answers = person.ask(FINE_TODAY + CALM + LEFT_OUT + "y\nn\nn\n" + "y\n")
    assert answers.optional == {"massage"}
    assert person.told.count("twice a week at most") == 2


# --- yes, JSON, nobody ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("typed", "json"), [(None, False), (None, True), (ALL, True)], ids=["nobody", "both", "JSON"])
def test_what_cannot_be_asked_is_a_refusal_that_names_the_command(person: Asked, typed: str | None, json: bool) -> None:
    for yes in (False, True):
        assert "`companion run full-face`" in person.refusal(typed, json=json, yes=yes)
    assert "skin check" in person.refusal(typed, json=json, yes=True)
    assert person.told == ""
    person.almanac.check_skin(1, 1, 1)
    assert "patch test" in person.refusal(typed, json=json, yes=True)
    person.almanac.begin_patch_test("declined")
    assert person.ask(typed, json=json, yes=True).ask_care
    person.home.pass_(minutes=61)
    assert "skin check" in person.refusal(typed, json=json, yes=True)


def test_h10_a_look_that_is_due_is_not_skipped_where_nobody_can_be_asked(person: Asked) -> None:
    person.almanac.begin_patch_test("forearm")
    person.home.pass_(hours=24)
    person.almanac.check_skin(1, 1, 1)
    assert "spot" in person.refusal(None, yes=True)


def test_the_health_questions_come_before_who_is_there(home: AtHome) -> None:
    with home.store() as store:
        assert "`companion profile`" in Asked(home, store).refusal(None)


def test_yes_at_a_terminal_answers_the_nods_and_leaves_the_body_to_the_person(person: Asked) -> None:
    answers = person.ask(CALM + LEFT_OUT, yes=True)
    assert answers == Answers({question.id: False for question in TODAY_QUESTIONS}, frozenset(), ask_care=True)
    assert "alcohol" not in person.told


# --- a demo -----------------------------------------------------------------------------------------------------------


def test_yes_in_a_demo_answers_for_the_imagined_skin_and_keeps_nothing(demo: Asked) -> None:
    for typed, json in ((None, False), (None, True), (ALL, False)):
        answers = demo.ask(typed, json=json, yes=True)
        assert not answers.ask_care
        assert demo.told == ""
    assert demo.store.diary.skin_checks() == []
    assert demo.almanac.patch_test() is None


def test_a_demo_at_a_terminal_asks_as_with_a_real_device(demo: Asked) -> None:
    assert demo.ask("y\n" + ALL).ask_care
    assert demo.told.startswith("A demo with a simulated device")
    assert len(demo.store.diary.skin_checks()) == 1
    demo.home.pass_(hours=2)
    assert "Not today" in demo.refusal("y\n" + FINE_TODAY + "1\n5\n1\n")


def test_a_demo_knows_nothing_of_the_persons_own_skin(person: Asked, tmp_path: Path) -> None:
    person.almanac.check_skin(1, 5, 5)
    with Store.open(tmp_path / "data" / "demo", person.home.calendar) as store:
        assert Asked(person.home, store, demo=True).ask("y\n" + ALL).ask_care


def test_in_a_demo_the_patch_test_waits_no_day(demo: Asked) -> None:
    demo.almanac.begin_patch_test("jaw")
    test = demo.almanac.patch_test()
    assert test is not None
    assert demo.almanac.now - test.at == PATCH_WAIT
