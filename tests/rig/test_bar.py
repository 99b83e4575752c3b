"""When a command shows a progress bar, and when it would only be in the way."""

from __future__ import annotations

import io
import sys

import pytest

from rig.capture.progress import Bar
from rig.commands.reading import bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("errors_seen", "output_seen", "beside_output", "shown"),
    [
        (True, False, False, True),
        (True, False, True, True),  # rig decode … > rows.tsv
        (True, True, False, True),  # rig info: prints when it is done
        (True, True, True, False),  # rig decode in a terminal: rows and bar would overwrite each other
        (False, False, False, False),
        (False, True, False, False),
    ],
)
def test_a_bar_is_shown_to_whoever_sees_it_and_to_nobody_else(
    monkeypatch: pytest.MonkeyPatch, errors_seen: bool, output_seen: bool, beside_output: bool, shown: bool
) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal() if errors_seen else io.StringIO())
    monkeypatch.setattr(sys, "stdout", Terminal() if output_seen else io.StringIO())
    with bar(beside_output=beside_output) as progress:
        assert isinstance(progress, Bar) is shown


def test_a_fault_takes_the_bar_away_first(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(sys, "stdout", io.StringIO())

    def fails_half_way() -> None:
        with bar() as progress:
            assert isinstance(progress, Bar)
            monkeypatch.setattr(progress, "_next", 0.0)
            progress(50, 100)
            assert "50%" in terminal.getvalue()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails_half_way()
    assert terminal.getvalue().split("\r")[-2:] == [" " * len("█" * 30 + "  50%  0.0 of 0.0 MB"), ""]
