"""What a start does not need is not loaded: the command line is there at once, and the layers stay apart."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import termios
from pathlib import Path

import pytest

HEAVY = {
    "aiomqtt",
    "attr",
    "bleak",
    "bleak_retry_connector",
    "bumble",
    "cyclopts",
    "msgspec",
    "numpy",
    "platformdirs",
    "rich",
    "rig",
    "sqlite3",
    "textual",
}


NOT_BEFORE_THE_FIRST_FRAME = {
    "companion.account",
    "companion.care",
    "companion.commands.help",
    "companion.commands.tree",
    "companion.demo",
    "companion.device",
    "companion.headless",
    "companion.recording",
    "companion.routines",
    "companion.session",
    "companion.store",
    "protocols",
    "rig",
}
"""Modules and packages; what the app shows later is looked at apart."""

UNTIL_FIRST_FRAME = """
import sys
from pathlib import Path
from companion import app, cli

def drawn(self):
    Path(sys.argv[1]).write_text("\\n".join(sys.modules))
    self.exit(0)

app.CompanionApp._begin = drawn  # what the app does once its first frame is drawn
sys.exit(cli.main(sys.argv[2:]))
"""


def loaded_by(code: str) -> set[str]:
    """Top-level packages that a fresh interpreter has loaded after ``code``."""
    script = f"import sys\n{code}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "code",
    [
        "import companion.cli",
        "from companion.cli import main; assert main(['--help']) == 0",
        "from companion.cli import main; assert main(['run', '--help']) == 0",
        "from companion.cli import main; assert main(['--version']) == 0",
    ],
)
def test_the_command_line_and_its_help_load_nothing_of_weight(code: str) -> None:
    loaded = loaded_by(code)
    assert "companion" in loaded
    assert loaded & HEAVY == set()


def test_parsing_a_command_line_loads_neither_radio_nor_app_nor_store() -> None:
    loaded = loaded_by("import companion.commands.tree")
    assert "cyclopts" in loaded
    assert loaded & (HEAVY - {"cyclopts", "attr", "rich"}) == set()


@pytest.mark.parametrize("command", ["history", "routines", "profile", "doctor"])
def test_commands_without_a_radio_load_neither_radio_nor_app(command: str) -> None:
    loaded = loaded_by(f"import companion.commands.{command}")
    assert loaded & {"aiomqtt", "bleak", "bleak_retry_connector", "bumble", "numpy", "rig", "textual"} == set()


def test_the_store_loads_no_radio() -> None:
    loaded = loaded_by("import companion.store.database")
    assert "sqlite3" in loaded
    assert loaded & {"bleak", "bumble", "numpy", "rig", "textual", "cyclopts", "asyncio"} == set()


@pytest.mark.parametrize("arguments", [(), ("--demo",), ("--demo", "dr05"), ("--demo", "foreo")])
def test_the_first_frame_is_the_whole_first_screen_and_is_there_before_anything_else_is_loaded(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    """No parser, no values of sessions and devices, no store, no radio, no bench; one screen and the line of keys."""
    shown = first_frame(tmp_path / "modules", *arguments)
    for part in ("Microcurrent Companion", "One moment", "help", "leave"):
        assert part in shown, shown
    modules = set((tmp_path / "modules").read_text().split())
    assert modules & NOT_BEFORE_THE_FIRST_FRAME == set()
    shows = {name for name in modules if name.startswith(("companion.screens.", "companion.widgets."))}
    assert shows == {"companion.screens.today", "companion.widgets.keyline"}
    loaded = {name.partition(".")[0] for name in modules}
    assert "textual" in loaded
    assert loaded & (HEAVY - {"platformdirs", "rich", "textual"}) == set()  # Textual itself brings the other two


def first_frame(modules: Path, *arguments: str) -> str:
    """What the app has drawn in a terminal by the time that its first frame is there, without the terminal's codes."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, 120))
    environ = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    shown = b""
    with subprocess.Popen(
        [sys.executable, "-c", UNTIL_FIRST_FRAME, str(modules), *arguments],
        stdin=theirs, stdout=theirs, stderr=theirs,
        env=environ | {"TERM": "xterm-256color", "COMPANION_DATA": str(modules.parent / "data")},
    ) as program:  # fmt: skip
        os.close(theirs)
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # Linux answers EIO once the other side is closed
                break
            if not part:
                break
            shown += part
    os.close(ours)
    text = re.sub(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|.)", "", shown.decode())
    assert program.returncode == 0, text
    return text
