"""What a start does not need is not loaded: the command line is there at once, and the layers stay apart."""

from __future__ import annotations

import subprocess
import sys

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
