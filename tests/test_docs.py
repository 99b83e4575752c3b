"""What the documentation says is there: its links, its commands and options, and the tests that it names."""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
from pathlib import Path

import pytest

from companion.cli import main

ROOT = Path(__file__).parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md"))]
BUILT_HAZARDS = ("H1", "H2", "H3", "H5", "H6", "H8", *(f"Dr-05 hazard {number}" for number in range(1, 8)))

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
_SPOKEN = re.compile(r"(?:^|`|companion` )((?:\.venv/bin/)?companion [a-z][^`\n]*)", re.MULTILINE)
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
        help_text = _help_of(words[0])
        for option in (word for word in words if word.startswith("--")):
            assert option in help_text, f"{page.name}: {line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_option_of_a_script_that_a_page_shows_is_in_its_help(page: Path) -> None:
    pytest_options = {"-k", "-n", "--hypothesis-profile"}
    for script, arguments in _SCRIPT.findall(_text(page)):
        shown = subprocess.run([ROOT / script, "--help"], capture_output=True, text=True, check=True).stdout
        for option in (word.partition("=")[0] for word in arguments.split() if word.startswith("-")):
            assert option in shown or option in pytest_options, f"{page.name}: {script}{arguments}"
