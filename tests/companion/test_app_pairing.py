"""A pairing in the app: the code on the screen, an answer that is given and not waved through, and Stop above it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Digits, Input, OptionList, Static

from companion import themes
from companion.pairer import ScreenPairer
from companion.screens.pairing import PairingScreen


class Asked(App[int]):
    """An app on which nothing happens but questions."""

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
        assert "000 042" in text_of(app, "#simulated")
        app.pairer.displayed(43)
        assert "000 043" in text_of(app, "#simulated")
        asking.cancel()
        await pilot.pause()

    asked(act)
