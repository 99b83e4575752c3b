"""What the documentation says is there: its links, its commands and options, and the tests that it names."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from companion.cli import main
from companion.words.cli import PAGES as COMPANION_PAGES
from rig.capture.columns import ATT, GATT, RECORD
from rig.cli import main as rig_main

ROOT = Path(__file__).parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md"))]
BUILT_HAZARDS = ("H1", "H2", "H3", "H5", "H6", "H8", "H9", "H10", *(f"Dr-05 hazard {number}" for number in range(1, 8)))

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
_SPOKEN = re.compile(r"(?:^|`|companion` )((?:\.venv/bin/)?companion [a-z][^`\n]*)", re.MULTILINE)
_RIG = re.compile(r"(?:^(?:\$ )?|`|\| )((?:\.venv/bin/)?rig [a-z][^`\n|]*)", re.MULTILINE)
_CONSOLE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SCRIPT = re.compile(r"(scripts/(?:demo|test|bench))((?: [^\s`#]+)*)")


def _text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_inside_the_project_leads_to_a_file(page: Path) -> None:
    targets = [link.partition("#")[0] for link in _LINK.findall(_text(page)) if "://" not in link]
    assert [target for target in targets if target and not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_test_that_a_page_names_exists(page: Path) -> None:
    for file, function in _TEST.findall(_text(page)):
        assert (ROOT / file).is_file(), f"{page.name} names {file}"
        assert re.search(rf"(def|class) {function}\b", _text(ROOT / file)), f"{page.name} names {file}::{function}"


@pytest.mark.parametrize("hazard", BUILT_HAZARDS)
def test_the_safety_page_names_a_proof_for_every_hazard_that_is_controlled(hazard: str) -> None:
    rows = [line for line in _text(ROOT / "docs/safety.md").splitlines() if line.startswith(f"| {hazard} |")]
    assert len(rows) == 1
    assert _TEST.search(rows[0])


def _help_of(command: str) -> str:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert main([*command.split(), "--help"]) == 0
    return said.getvalue()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_companion_command_and_option_that_a_page_shows_is_in_its_help(page: Path) -> None:
    for line in _SPOKEN.findall(_text(page)):
        words = line.split("#")[0].removeprefix(".venv/bin/").split()[1:]
        assert words[0] in _help_of(""), f"{page.name}: {line}"
        path = tuple(words[:2]) if tuple(words[:2]) in COMPANION_PAGES else (words[0],)
        help_text = _help_of(" ".join(path))
        for option in (word for word in words if word.startswith("--")):
            assert option in help_text, f"{page.name}: {line}"


def _rig_help_of(command: str) -> str:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert rig_main([command, "--help"]) == 0
    return said.getvalue()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_rig_command_and_option_that_a_page_shows_is_in_its_help(page: Path) -> None:
    for line in _RIG.findall(_text(page)):
        words = line.split("#")[0].removeprefix(".venv/bin/").split()[1:]
        help_text = _rig_help_of(words[0])
        assert f"rig {words[0]}" in help_text, f"{page.name}: {line}"
        for option in (word.partition("=")[0] for word in words if word.startswith("--")):
            assert option in help_text, f"{page.name}: {line}"


CONSOLES = [page for page in PAGES if _CONSOLE.search(_text(page))]


@pytest.fixture
def as_a_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder like the checkout, with the commands on the path and room to write."""
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    commands = tmp_path / "bin"
    commands.mkdir()
    for command in ("companion", "rig"):
        script = commands / command
        script.write_text(
            f"#!/bin/sh\nPYTHONPATH='{ROOT}' exec '{sys.executable}' -c "
            f"'import sys; from {command}.cli import main; sys.exit(main())' \"$@\"\n"
        )
        script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
    monkeypatch.setenv("COMPANION_DATA", str(tmp_path / "data"))
    return tmp_path


@pytest.mark.parametrize("page", CONSOLES, ids=lambda page: page.name)
def test_every_session_that_a_page_shows_goes_as_shown(page: Path, as_a_reader: Path) -> None:
    """Line by line; a line that is `…` stands for any lines, and a command followed by it alone is not run."""
    for session in _CONSOLE.findall(_text(page)):
        for part in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]:
            command, _, shown = part.partition("\n")
            if shown.strip() == "…":
                continue
            done = subprocess.run(["sh", "-c", command], cwd=as_a_reader, capture_output=True, text=True, check=False)
            pattern = "".join(
                "(?:.*\n)*?" if line == "…\n" else re.escape(line) for line in shown.splitlines(keepends=True)
            )
            printed = done.stdout + done.stderr
            assert re.fullmatch(pattern, printed), f"{page.name}: {command}\n{printed}"


@pytest.mark.parametrize(("table", "dtype"), [("records", RECORD), ("att", ATT), ("gatt", GATT)])
def test_the_captures_page_has_every_column_of_the_python_api_with_its_type(
    table: str, dtype: np.dtype[np.void]
) -> None:
    lines = (
        _text(ROOT / "docs/captures.md").partition("| column | in | dtype |")[2].partition("\n\n")[0].splitlines()[2:]
    )
    shown = {}
    for names, tables, kinds in (line.strip("| ").split(" | ")[:3] for line in lines):
        if table in tables.split(", ") or tables == "all":
            shown |= dict(zip(re.findall(r"`(\w+)`", names), kinds.split(", "), strict=True))
    assert {name: np.dtype(kind) for name, kind in shown.items()} == {name: dtype[name] for name in dtype.names or ()}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_option_of_a_script_that_a_page_shows_is_in_its_help(page: Path) -> None:
    pytest_options = {"-k", "-n", "--hypothesis-profile"}
    for script, arguments in _SCRIPT.findall(_text(page)):
        shown = subprocess.run([ROOT / script, "--help"], capture_output=True, text=True, check=True).stdout
        for option in (word.partition("=")[0] for word in arguments.split() if word.startswith("-")):
            assert option in shown or option in pytest_options, f"{page.name}: {script}{arguments}"
