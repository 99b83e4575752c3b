"""A pairing in the app: the code on the screen, an answer that is given and not waved through, and Stop above it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Digits, Input, OptionList, Static

from companion import themes
from companion.app import CompanionApp
from companion.pairer import ScreenPairer
from companion.screens.pairing import PairingScreen


class Asked(App[int]):
    """An app on which nothing happens but questions."""

    HORIZONTAL_BREAKPOINTS = CompanionApp.HORIZONTAL_BREAKPOINTS

    def __init__(self) -> None:
        super().__init__()
        for theme in themes.THEMES:
            self.register_theme(theme)
        self.theme = themes.THEMES[0].name
        self.pairer = ScreenPairer(self)


def text_of(app: App[int], name: str) -> str:
    return str(app.screen.query_one(name, Static).content)


def asked(test: Callable[[Asked, Pilot[int]], Awaitable[None]]) -> None:
    async def go() -> None:
        app = Asked()
        async with app.run_test(size=(80, 24)) as pilot:
            await test(app, pilot)

    asyncio.run(go())


@pytest.mark.parametrize(("keys", "answer"), [(("down", "enter"), True), (("down", "down", "enter"), False)])
def test_two_codes_are_compared_by_an_answer_of_ones_own(keys: tuple[str, ...], answer: bool) -> None:
    async def act(app: Asked, pilot: Pilot[int]) -> None:
        asking = asyncio.ensure_future(app.pairer.compare("OMP One", 42))
        await pilot.pause()
        assert app.screen.query_one("#code", Digits).value == "000 042"
        assert "OMP One" in text_of(app, "#what")
        assert app.screen.query_one("#answers", OptionList).highlighted is None
        await pilot.press("enter")  # a key pressed by habit agrees to nothing
        assert not asking.done()
        await pilot.press(*keys)
        assert await asking is answer
        assert not isinstance(app.screen, PairingScreen)

    asked(act)


def test_a_code_is_typed_and_fewer_digits_are_not_taken() -> None:
    async def act(app: Asked, pilot: Pilot[int]) -> None:
        asking = asyncio.ensure_future(app.pairer.enter("OMP One"))
        await pilot.pause()
        await pilot.press(*"12x34", "enter")
        assert text_of(app, "#what") == "A code has six digits."
        assert app.screen.query_one("#typed", Input).value == "1234"
        await pilot.press(*"567", "enter")
        assert await asking == 123456
        assert not isinstance(app.screen, PairingScreen)

    asked(act)


def test_a_code_to_type_on_the_device_stands_until_the_pairing_is_over() -> None:
    async def act(app: Asked, pilot: Pilot[int]) -> None:
        app.pairer.show("OMP One", 7)
        await pilot.pause()
        assert app.screen.query_one("#code", Digits).value == "000 007"
        app.pairer.done()
        await pilot.pause()
        assert not isinstance(app.screen, PairingScreen)
        app.pairer.done()  # nothing is shown any more

    asked(act)


def test_a_question_that_is_taken_back_leaves_the_screen() -> None:
    async def act(app: Asked, pilot: Pilot[int]) -> None:
        asking = asyncio.ensure_future(app.pairer.compare("OMP One", 42))
        await pilot.pause()
        asking.cancel()
        await pilot.pause()
        assert not isinstance(app.screen, PairingScreen)

    asked(act)


def test_what_a_virtual_device_shows_is_told_before_or_after_the_question() -> None:
    async def act(app: Asked, pilot: Pilot[int]) -> None:
        app.pairer.displayed(42)
        asking = asyncio.ensure_future(app.pairer.compare("OMP One", 42))
        await pilot.pause()
        assert app.screen.query_one("#simulated", Digits).value == "000 042"
        app.pairer.displayed(43)
        assert app.screen.query_one("#simulated", Digits).value == "000 043"
        asking.cancel()
        await pilot.pause()

    asked(act)


@pytest.mark.parametrize(("width", "beside"), [(80, True), (40, False)])
def test_the_two_codes_of_a_demo_stand_beside_each_other_where_there_is_room(width: int, beside: bool) -> None:
    async def act(app: Asked, pilot: Pilot[int]) -> None:
        await pilot.resize_terminal(width, 24)
        app.pairer.displayed(42)
        asking = asyncio.ensure_future(app.pairer.compare("OMP One", 42))
        await pilot.pause()
        await pilot.pause()
        ours, theirs = (app.screen.query_one(f"#{name}", Digits).region for name in ("code", "simulated"))
        assert (ours.y == theirs.y) is beside
        assert min(ours.width, theirs.width) >= 20, "six digits, three columns each, and a gap"
        assert ours.intersection(theirs).area == 0
        asking.cancel()
        await pilot.pause()

    asked(act)


def test_a_real_device_has_its_display_in_the_hand_and_none_on_the_screen() -> None:
    async def act(app: Asked, pilot: Pilot[int]) -> None:
        asking = asyncio.ensure_future(app.pairer.compare("OMP One", 42))
        await pilot.pause()
        assert app.screen.query_one("#code").region.area > 0
        assert app.screen.query_one("#there").region.area == 0
        asking.cancel()
        await pilot.pause()

    asked(act)


def test_what_a_virtual_device_showed_for_one_question_is_not_shown_with_the_next() -> None:
    async def act(app: Asked, pilot: Pilot[int]) -> None:
        app.pairer.displayed(42)
        asking = asyncio.ensure_future(app.pairer.compare("OMP One", 42))
        await pilot.pause()
        await pilot.press("down", "enter")
        assert await asking
        again = asyncio.ensure_future(app.pairer.compare("OMP One", 43))
        await pilot.pause()
        await pilot.pause()
        assert app.screen.query_one("#there").region.area == 0
        app.pairer.displayed(43)
        assert app.screen.query_one("#simulated", Digits).value == "000 043"
        again.cancel()
        await pilot.pause()

    asked(act)
