"""The whole journey in plain lines, at a pseudo-terminal: the health questions, a plan, water, a session, what is next.

Every prompt is waited for and answered, as a person or a screen reader would. Nothing is drawn, no cursor is moved.
"""

from __future__ import annotations

import codecs
import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path

import pytest

from companion.care.screening import QUESTIONS, TODAY_QUESTIONS
from companion.config import Exit
from companion.dates import Calendar
from companion.store.database import Store
from companion.words import before as words

PATIENCE_S = 60
"""Only a test that fails waits for so long: on a busy machine a program in virtual time is silent for seconds."""


class Plain:
    """Command lines at one person's terminal, one after another."""

    def __init__(self, data: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COMPANION"))}
        self._environ = kept | {"TERM": "dumb", "COMPANION_DATA": str(data), "TZ": "Europe/Berlin"}

    def run(self, line: str, *talk: tuple[str, str]) -> tuple[int, str]:
        """Run a command line, answer each prompt of ``talk`` in turn; return its exit code and all that was said."""
        controller, terminal = pty.openpty()
        with subprocess.Popen(
            [sys.executable, "-m", "companion", *line.split()],
            env=self._environ,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        ) as process:
            os.close(terminal)
            try:
                said = self._talk(controller, talk)
            except BaseException:
                process.kill()  # a prompt that never came: nobody waits for a program that waits
                raise
            code = process.wait(PATIENCE_S)
        os.close(controller)
        return code, said.replace("\r\n", "\n")

    def _talk(self, controller: int, talk: tuple[tuple[str, str], ...]) -> str:
        heard, at = "", 0
        self._decode = codecs.getincrementaldecoder("utf-8")()  # what is read may end within a character
        for prompt, answer in talk:
            while prompt not in heard[at:]:
                part = self._read(controller, heard)
                assert part, f"it ended while {prompt!r} was waited for: {heard!r}"
                heard += part
            at = heard.index(prompt, at) + len(prompt)
            os.write(controller, f"{answer}\n".encode())
        while part := self._read(controller, heard):
            heard += part
        return heard

    def _read(self, controller: int, heard: str) -> str:
        """What was said next, at least a character; empty once nothing more can be said."""
        ready, _, _ = select.select([controller], [], [], PATIENCE_S)
        assert ready, f"nothing for {PATIENCE_S} s after {heard!r}"
        try:
            said = os.read(controller, 4096)
        except OSError:  # Linux says so when the other side has closed (EIO)
            said = b""
        text = self._decode.decode(said, final=not said)
        return text if text or not said else self._read(controller, heard)


@pytest.fixture
def plain(tmp_path: Path) -> Plain:
    return Plain(tmp_path / "data")


BEFORE = (
    ("Begin? [y/n] ", "y"),
    *((f"{question.text} [y/n] ", "n") for question in TODAY_QUESTIONS),
    ("How dry is it? [1-5] ", "2"),
    ("How red is it? [1-5] ", "1"),
    ("sore? [1-5] ", "1"),
)
"""What is asked before every session of a demo at a terminal, answered by somebody who is well."""


def assert_plain(said: str) -> None:
    """Nothing but text and line ends: no colour, no cursor, no bell."""
    assert re.search(r"[^\S\n ]|[\x00-\x09\x0b-\x1f\x7f]", said) is None, repr(said)


@pytest.mark.slow
def test_the_whole_journey_in_plain_lines(plain: Plain, tmp_path: Path) -> None:
    code, said = plain.run("profile", *((f"{question.text}  n/y/s ", "n") for question in QUESTIONS))
    assert (code, said.splitlines()[-1]) == (
        Exit.FINISHED,
        "Nothing in your answers speaks against a session. Your device's manual comes first.",
    )

    code, said = plain.run("plan choose gentle --at 19:00 --demo")
    assert code == Exit.FINISHED
    assert_plain(said)

    code, said = plain.run("water 250 --demo")
    assert code == Exit.FINISHED
    assert "250" in said

    code, said = plain.run(
        "run first-touch --plain --demo --speed max --seed 7",
        *BEFORE,
        ("ready to begin? [y/n] ", "y"),
    )
    assert code == Exit.FINISHED
    assert_plain(said)
    order = ["Looking for your device", "Found OMP.", "Cleanse and gel", "Patch test", "output on at", "output off"]
    order += ["All done. 2 zones", "look at the spot on", words.WATER, "Next: "]
    places = [said.find(part) for part in order]
    assert -1 not in places, dict(zip(order, places, strict=True))
    assert places == sorted(places), said

    # a demo waits no day: it begins again, with a skin of its own
    code, said = plain.run(
        "run full-face --plain --demo --speed max",
        *BEFORE,
        (words.PATCH_ASK, "l"),
        (words.PATCH_WHY, "only looking"),
        ("With steam first? [y/n] ", "n"),
        ("With a mild exfoliation? [y/n] ", "n"),
        ("With a massage by hand? [y/n] ", "n"),
        ("With a mask afterwards? [y/n] ", "n"),
        ("With a serum afterwards? [y/n] ", "n"),
        ("ready to begin? [y/n] ", "y"),
    )
    assert code == Exit.FINISHED
    assert "All done." in said

    code, said = plain.run("history --demo")
    assert code == Exit.FINISHED
    assert "first-touch" in said or "First touch" in said
    with Store.open(tmp_path / "data" / "demo", Calendar.system()) as store:
        assert [record.routine for record in store.sessions()] == ["full-face", "first-touch"]
        assert len(store.diary.skin_checks()) == 1
        patch = store.diary.patch_test()
        assert patch is not None
        assert (patch.place, patch.note) == ("declined", "only looking")


@pytest.mark.slow
def test_optional_steps_that_were_wished_for_are_guided(plain: Plain) -> None:
    code, said = plain.run(
        "run full-face --plain --demo --speed max --seed 7 --with massage,mask --without exfoliation,serum",
        *BEFORE,
        ("What about the patch test? [f/l/n] ", "l"),
        ("it stays on this computer: ", "used one for years"),
        ("With steam first? [y/n] ", "y"),
        ("ready to begin? [y/n] ", "y"),
    )
    assert code == Exit.FINISHED
    account = said[said.index("Looking for your device") :]
    assert "Steam  3 min" in account
    assert "Mask  10 min" in account
    assert account.index("Steam") < account.index("Left jawline") < account.index("Mask")
    assert "Exfoliation" not in account
    assert "Serum" not in account
    assert account.index("Steam") < account.index("output on at")
    assert words.WATER not in account, "no plan and no goal was chosen"
    assert "Next:" not in account


def test_skin_that_says_not_today_ends_before_anything_is_looked_for(plain: Plain) -> None:
    code, said = plain.run("run full-face --demo --speed max", *BEFORE[:-1], ("sore? [1-5] ", "4"))
    assert code == Exit.BLOCKED
    assert "Not today: your skin check says irritated." in said
    assert "Looking for" not in said


@pytest.mark.slow
def test_eased_skin_is_led_lower_and_shorter(plain: Plain) -> None:
    rest = (("ready to begin? [y/n] ", "y"),)
    _, calm = plain.run("run first-touch --demo dr05 --speed max", *BEFORE, *rest)
    assert "All done" in calm
    other = Plain(Path(plain._environ["COMPANION_DATA"]).with_name("other"))
    red = ("How red is it? [1-5] ", "3")
    _, eased = other.run("run first-touch --demo dr05 --speed max", *BEFORE[:-2], red, BEFORE[-1], *rest)
    assert "half as strong and half as long" in eased
    assert highest(eased) < highest(calm)


def highest(said: str) -> int:
    """The highest level that the account led to, in percent."""
    return max(int(percent) for percent in re.findall(r"rising gently to (\d+) %", said))
