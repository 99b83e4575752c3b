"""The screens of a person's own profile: limits, zones on the face, a doctor's word, skin, people who leave."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest
from textual.widgets import Input, OptionList, Static

from companion.app import CompanionApp
from companion.config import CompanionError
from companion.routines.zones import ZONES
from companion.screens.agreed import AgreedScreen
from companion.screens.people import PeopleScreen
from companion.screens.prepare import PrepareScreen
from companion.screens.profile import ProfileScreen
from companion.screens.screening import BlockedScreen, ScreeningScreen
from companion.screens.session import SessionScreen
from companion.screens.skin_note import SkinNoteScreen
from companion.screens.today import TodayScreen
from companion.widgets.facemap import FaceMap
from companion.widgets.portrait import HATCH
from tests.companion.staging import StagedHome, press, settle, stage

BOTH = [((80, 24), "dark"), ((80, 24), "light"), ((120, 40), "dark"), ((120, 40), "light")]
TO_THE_ZONES = ("down",) * 5
ROWS = {"comfortable": 0, "screening": 1, "agreed": 2, "skin": 3, "neck": 4}


class Judged(StagedHome):
    """A household that judges the answers it was given, as the real one does."""

    def __init__(self) -> None:
        super().__init__(demo=None)
        self.asked = False

    def blocked(self) -> tuple[str, ...]:
        return self.profile.reasons()

    def save_screening(self, answers: Mapping[str, str], agreed: object) -> None:
        self.answers(**answers)


def app_of(home: StagedHome, theme: str = "dark") -> CompanionApp:
    return CompanionApp(home, environ={"COMPANION_THEME": theme})


def screen_text(app: CompanionApp) -> str:
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips(app.size))


async def opened(pilot: object, row: str = "comfortable") -> ProfileScreen:
    await settle(pilot)  # type: ignore[arg-type] - a pilot
    await press(pilot, "g", "y", *["down"] * ROWS[row])  # type: ignore[arg-type] - a pilot
    screen = pilot.app.screen  # type: ignore[attr-defined] - a pilot
    assert isinstance(screen, ProfileScreen)
    return screen


# --- limits and zones -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "theme"), BOTH, ids=str)
async def test_the_profile_fits_with_its_zones_hatched_on_the_face(size: tuple[int, int], theme: str) -> None:
    home = StagedHome()
    app = app_of(home, theme)
    async with app.run_test(size=size) as pilot:
        await stage(pilot, home, "profile")
        text = screen_text(app)
        for part in ("Comfortable maximum", "30 %", "Sides of the neck", "Left cheekbone", "space change"):
            assert part in text
        assert HATCH * 2 in text, "what is left out is hatched"
        for widget in app.screen.query("#headline, #rows, #note, #face"):
            assert app.screen.region.contains_region(widget.region), widget


async def test_h2_the_maximum_is_changed_by_the_person_and_stops_where_a_first_session_ends() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await press(pilot, "left", "minus")
        assert home.profile.comfortable() == 24
        await press(pilot, "right", "right")
        assert home.profile.comfortable() == 30
        await press(pilot, "right")
        assert home.profile.comfortable() == 30
        assert "a first session stays at or below 30 %" in str(app.screen.query_one("#refusal", Static).render())
        await press(pilot, *["left"] * 10)
        assert home.profile.comfortable() == 1
        await press(pilot, "down", "right")
        assert home.profile.comfortable() == 1, "another line is under the hand"
        assert str(app.screen.query_one("#refusal", Static).render()) == ""


async def test_a_zone_is_left_out_by_a_key_and_by_a_click_on_the_face() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot)
        face = screen.query_one(FaceMap)
        await press(pilot, *TO_THE_ZONES)
        assert face.current == "forehead"
        await press(pilot, "space")
        assert home.profile.person().no_go == {"forehead"}
        await press(pilot, "space", "up", "down", "enter")
        assert home.profile.person().no_go == {"forehead"}
        spot = next(
            (x, y) for y in range(face.size.height) for x in range(face.size.width) if face.zone_at(x, y) == "chin"
        )
        await pilot.click(face, offset=spot)
        await settle(pilot)
        assert home.profile.person().no_go == {"forehead", "chin"}
        assert face.current == "chin"
        await pilot.click(face, offset=(0, 0))
        await settle(pilot)
        assert home.profile.person().no_go == {"forehead", "chin"}


@pytest.mark.parametrize("mirror", [True, False], ids=["mirror", "facing"])
async def test_every_zone_of_the_face_can_be_clicked_and_is_that_one(mirror: bool) -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot)
        face = screen.query_one(FaceMap)
        face.turn(mirror=mirror)
        await settle(pilot)
        cells = [(x, y) for y in range(face.size.height) for x in range(face.size.width)]
        found = {zone: x for x, y in cells if (zone := face.zone_at(x, y)) is not None}
        assert set(found) == set(ZONES)
        assert (found["left-cheek"] < found["right-cheek"]) is mirror


async def test_the_neck_is_a_wish_of_its_own_and_the_device_has_its_word() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, "neck")
        assert "Dr-05 is not cleared for the neck" in " ".join(screen_text(app).split())
        face = screen.query_one(FaceMap)
        assert {"left-neck", "right-neck"} <= set(face._shown.no_go)
        listed = screen.query_one(OptionList)
        without = listed.option_count
        await press(pilot, "space")
        assert home.profile.person().neck
        assert listed.option_count == without + 2
        assert not {"left-neck", "right-neck"} & set(face._shown.no_go)


# --- a doctor's word --------------------------------------------------------------------------------------------------


async def test_h10_who_waits_for_a_doctor_is_let_through_by_their_word_and_not_before() -> None:
    home = Judged()
    home.answers(thinner="yes", metal="not sure")
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert isinstance(app.screen, BlockedScreen)
        assert "a a doctor has agreed" in screen_text(app).splitlines()[-1]
        await press(pilot, "a")
        assert isinstance(app.screen, AgreedScreen)
        await press(pilot, "enter", "enter")
        assert home.profile.agreed() == (), "nothing is chosen beforehand"
        await press(pilot, "y", "n")
        assert [one.id for one in home.profile.waiting()] == ["thinner"]
        assert isinstance(app.screen, BlockedScreen)
        assert "metal" not in screen_text(app)
        assert home.looks == 0
        await press(pilot, "a", "n")
        assert isinstance(app.screen, BlockedScreen)
        await press(pilot, "a", "escape")
        assert isinstance(app.screen, BlockedScreen)
        await press(pilot, "a", "y")
        assert isinstance(app.screen, TodayScreen)
        assert home.looks == 1
        assert {on for _, on in home.profile.agreed()} == {home.moment.date()}


async def test_h10_beside_a_pacemaker_no_doctors_word_is_asked_for() -> None:
    home = Judged()
    home.answers(thinner="yes", implant="yes")
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "a doctor has agreed" not in screen_text(app).splitlines()[-1]
        await press(pilot, "a")
        assert isinstance(app.screen, BlockedScreen)
        await opened(pilot, "agreed")
        await press(pilot, "space", "enter")
        assert isinstance(app.screen, ProfileScreen)
        await press(pilot, "escape")
        assert isinstance(app.screen, BlockedScreen)
        assert home.looks == 0


@pytest.mark.parametrize(("size", "theme"), BOTH, ids=str)
async def test_h10_after_a_reaction_the_question_is_plain_and_its_date_is_kept(
    size: tuple[int, int], theme: str
) -> None:
    home = StagedHome()
    app = app_of(home, theme)
    async with app.run_test(size=size) as pilot:
        await stage(pilot, home, "agreed")
        assert "has a doctor agreed that you may try again?" in screen_text(app)
        await press(pilot, "y")
        assert isinstance(app.screen, TodayScreen)
        assert home.profile.agreed() == (("another patch test after a reaction", home.moment.date()),)


async def test_h10_answers_that_are_given_again_count_at_once() -> None:
    home = Judged()
    home.answers()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "screening")
        await press(pilot, "space")
        assert isinstance(app.screen, ScreeningScreen)
        await press(pilot, "y", "escape")
        assert isinstance(app.screen, ProfileScreen)
        assert home.profile.reasons() == (), "what was not finished is not kept"
        await press(pilot, "space", "y", *["n"] * (len(home.screening_questions()) - 1))
        assert isinstance(app.screen, BlockedScreen)
        for keys in ("g+t", "g+r", "g+d", "g+p", "escape", "enter"):
            await press(pilot, *keys.split("+"))
            assert not isinstance(app.screen, TodayScreen), keys
            while not isinstance(app.screen, BlockedScreen):
                await press(pilot, "escape")
        assert not app.check_action("routines", ())


async def test_h10_the_first_questions_cannot_be_left() -> None:
    home = StagedHome(demo=None)
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "escape")
        assert isinstance(app.screen, ScreeningScreen)


# --- what the skin rests after ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "theme"), BOTH, ids=str)
async def test_a_peel_is_noted_with_its_day(size: tuple[int, int], theme: str) -> None:
    home = StagedHome()
    app = app_of(home, theme)
    async with app.run_test(size=size) as pilot:
        await opened(pilot, "skin")
        await press(pilot, "space")
        assert isinstance(app.screen, SkinNoteScreen)
        await press(pilot, "enter")
        assert home.profile.noted() == (), "nothing is chosen beforehand"
        await press(pilot, "down", "enter")
        assert "When was the peel" in screen_text(app)
        await press(pilot, "down", "down", "enter")
        assert isinstance(app.screen, ProfileScreen)
        assert home.profile.noted() == (("peel", home.moment.date() - timedelta(days=1)),)
        assert "A peel on 21 November 2026." in screen_text(app)


@pytest.mark.parametrize(("size", "theme"), BOTH, ids=str)
async def test_what_was_noted_today_by_mistake_is_taken_back_in_its_place(size: tuple[int, int], theme: str) -> None:
    home = StagedHome()
    home.profile.note("sunburn", home.moment.date() - timedelta(days=1))
    app = app_of(home, theme)
    async with app.run_test(size=size) as pilot:
        await opened(pilot, "skin")
        await press(pilot, "space")
        assert "Noted by mistake: the sunburn, Saturday, 21 November" in screen_text(app)
        await press(pilot, "up", "enter")
        assert isinstance(app.screen, ProfileScreen)
        assert home.profile.noted() == ()
        assert "A sunburn" not in screen_text(app)
        assert [one.message for one in app._notifications] == [
            "Taken back: the sunburn on 21 November 2026 was noted by mistake. Both are kept."
        ]
        await press(pilot, "space")
        assert "Noted by mistake" not in screen_text(app)


async def test_what_is_no_mistake_any_more_is_refused_in_its_place() -> None:
    home = StagedHome()
    home.profile.note("peel")
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "skin")
        await press(pilot, "space")
        home.profile.take_back("peel")  # elsewhere, meanwhile
        await press(pilot, "up", "enter")
        assert isinstance(app.screen, SkinNoteScreen)
        assert "was not noted today" in screen_text(app)


async def test_the_kind_can_be_chosen_once_more_and_leaving_notes_nothing() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "skin")
        await press(pilot, "space", "down", "enter", "backspace")
        assert "What was it?" in screen_text(app)
        await press(pilot, "escape")
        assert isinstance(app.screen, ProfileScreen)
        assert home.profile.noted() == ()


async def test_h10_a_treatment_closes_the_way_at_once() -> None:
    home = Judged()
    home.answers()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "skin")
        await press(pilot, "space", "up", "enter", "down", "enter")
        assert isinstance(app.screen, BlockedScreen)
        assert "a procedure on the face" in screen_text(app)
        assert not app.check_action("routines", ())


async def test_a_treatment_before_the_health_questions_is_told_so() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "skin")
        await press(pilot, "space", "up", "enter", "down", "enter")
        assert isinstance(app.screen, SkinNoteScreen)
        assert "answer the health questions first" in screen_text(app)


# --- what may go with a routine ---------------------------------------------------------------------------------------


async def test_optional_steps_are_asked_after_the_skin_and_the_gel_comes_after_them() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await stage(pilot, home, "optional")
        text = screen_text(app)
        assert "With steam first?" in text
        assert "Exfoliating is for twice a week at most." in text
        await press(pilot, "space", "enter", "n")
        assert "With a mask afterwards?" in screen_text(app)
        await press(pilot, "backspace")
        assert "With steam first?" in screen_text(app)
        await press(pilot, "n", "y")
        assert "Gel" in screen_text(app)
        assert isinstance(app.screen, PrepareScreen)
        await press(pilot, "space")
        assert "Everything is ready" in screen_text(app)
        await press(pilot, "enter")
        assert isinstance(app.screen, SessionScreen)
        assert home.optional_taken == {"mask"}


async def test_steam_is_guided_in_the_session_and_so_is_what_comes_after_it() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await stage(pilot, home, "optional")
        await press(pilot, "y", "n")
        assert "Everything is ready" in screen_text(app)
        await press(pilot, "enter")
        screen = app.screen
        assert isinstance(screen, SessionScreen)
        assert screen._prepared == 1


# --- people -----------------------------------------------------------------------------------------------------------


async def people(pilot: object, home: StagedHome) -> PeopleScreen:
    home.names = ["Ada", "Grace"]
    await settle(pilot)  # type: ignore[arg-type] - a pilot
    await press(pilot, "o")  # type: ignore[arg-type] - a pilot
    screen = pilot.app.screen  # type: ignore[attr-defined] - a pilot
    assert isinstance(screen, PeopleScreen)
    return screen


async def test_somebody_gets_another_name() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await people(pilot, home)
        await press(pilot, "down", "e")
        assert screen.query_one(Input).value == "Grace"
        await press(pilot, *["backspace"] * 5, *"Ada", "enter")
        assert "already" in screen_text(app)
        assert home.names == ["Ada", "Grace"]
        await press(pilot, *"B", "enter")
        assert home.names == ["Ada", "AdaB"]
        await press(pilot, "up", "e", "escape")
        assert home.names == ["Ada", "AdaB"]
        assert isinstance(app.screen, PeopleScreen)


@pytest.mark.parametrize(("size", "theme"), BOTH, ids=str)
async def test_nobody_is_forgotten_before_their_name_was_typed(size: tuple[int, int], theme: str) -> None:
    home = StagedHome()
    app = app_of(home, theme)
    async with app.run_test(size=size) as pilot:
        await people(pilot, home)
        await press(pilot, "down", "x")
        text = " ".join(screen_text(app).split())
        assert "Everything of Grace will be deleted" in text
        assert "There is no way back" in text
        for typed in ("", "Ada", "yes"):
            await press(pilot, *typed, "enter")
            assert home.names == ["Ada", "Grace"]
            await press(pilot, *["backspace"] * len(typed))
        assert "Nothing was deleted" in screen_text(app)
        await press(pilot, "escape", "enter")
        assert home.names == ["Ada", "Grace"]
        assert isinstance(app.screen, TodayScreen)


async def test_somebody_elses_data_goes_and_the_turn_stays() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await people(pilot, home)
        await press(pilot, "down", "x", *"grace", "enter")
        assert (home.names, home.turn) == (["Ada"], "Ada")
        assert isinstance(app.screen, PeopleScreen)
        await press(pilot, "escape")
        assert isinstance(app.screen, TodayScreen)
        assert app.check_action("routines", ())


async def test_h10_whoever_leaves_in_their_turn_leaves_nothing_on_any_screen() -> None:
    home = StagedHome()
    home.plans()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await people(pilot, home)
        home.asked = True  # the next one has answered nothing yet
        await press(pilot, "x", *"Ada", "enter")
        assert (home.names, home.turn) == (["Grace"], "Grace")
        assert isinstance(app.screen, ScreeningScreen)
        assert app._today.glance is None
        assert not app.check_action("routines", ())


async def test_the_last_person_is_told_what_comes_of_it() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "o", "x")
        assert "Nobody else is here: the app then begins anew" in " ".join(screen_text(app).split())
        home.asked = True
        await press(pilot, *"Ada", "enter")
        assert home.names == ["me"]
        assert isinstance(app.screen, ScreeningScreen)


async def test_what_cannot_be_deleted_is_told_and_nothing_is_lost() -> None:
    home = StagedHome()
    home.removal_error = CompanionError("a session is running already; end that one first")
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await people(pilot, home)
        await press(pilot, "x", *"Ada", "enter")
        assert "a session is running already" in screen_text(app)
        assert isinstance(app.screen, PeopleScreen)
        await press(pilot, "escape", "escape")
        assert isinstance(app.screen, TodayScreen)
        assert app.check_action("routines", ())


async def test_h3_none_of_it_is_there_while_a_session_runs() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await stage(pilot, home, "session")
        for action in (app.action_profile, app.action_agreed, app.action_people):
            await action()
            assert isinstance(app.screen, SessionScreen)
        await app.on_people_screen_forgotten(PeopleScreen.Forgotten("Ada"))
        await app.on_profile_screen_wanted(ProfileScreen.Wanted("screening"))
        assert isinstance(app.screen, SessionScreen)
        assert home.names == ["Ada"]
