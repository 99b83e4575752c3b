"""The scripts a newcomer runs first: they explain themselves, find a Python that works, and set up only what is due."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPTS = ("scripts/demo", "scripts/test", "scripts/bench", "scripts/fuzz", "scripts/bluez-vm")


def _run(
    *command: str | Path, folder: Path = ROOT, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with the scripts and the project file alone, and an environment that was never set up by them."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def _programs(folder: Path, **python: str) -> dict[str, str]:
    """A PATH that has what bash scripts need and only the Pythons given (name: what the shell script does)."""
    folder.mkdir()
    for name in ("bash", "dirname", "cksum", "cat", "rm", "env"):
        (folder / name).symlink_to(shutil.which(name) or name)
    for name, body in python.items():
        program = folder / name.replace("_", ".")
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o755)
    return {"PATH": str(folder), "HOME": str(folder)}


@pytest.mark.parametrize("script", SCRIPTS)
def test_each_script_explains_itself(script: str) -> None:
    result = _run(ROOT / script, "--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert script in result.stdout
    assert os.access(ROOT / script, os.X_OK)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("scripts/demo", "--sed", "7"), "there is no option --sed"),
        (("scripts/demo", "--seed"), "--seed needs a whole number"),
        (("scripts/demo", "toaster"), "there is no device toaster"),
        (("scripts/test", "--python", "newest"), "--python needs a version"),
    ],
)
def test_a_mistake_is_told_in_one_line_before_anything_is_set_up(
    checkout: Path, arguments: tuple[str, ...], complaint: str
) -> None:
    result = _run(checkout / arguments[0], *arguments[1:], folder=checkout)
    assert result.returncode == 2
    assert complaint in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (checkout / ".venv").exists()


def test_without_any_python_the_one_line_says_what_to_install(checkout: Path, tmp_path: Path) -> None:
    result = _run(checkout / "scripts/demo", folder=checkout, environment=_programs(tmp_path / "bin"))
    assert result.returncode == 1
    assert "no Python 3.11 or newer found" in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr


def test_a_shim_that_does_not_run_and_a_python_that_is_too_old_are_passed_over(checkout: Path, tmp_path: Path) -> None:
    environment = _programs(
        tmp_path / "bin",
        python3="exit 127",
        python3_13="exit 1",  # answers the question for 3.11 with no
        python3_12=f'exec {sys.executable} "$@"',
    )
    result = _run("bash", "-c", "source scripts/_setup.sh; find_python", folder=checkout, environment=environment)
    assert result.stdout.strip() == str(tmp_path / "bin" / "python3.12")


def _up_to_date(checkout: Path, kind: str) -> bool:
    script = f'source scripts/_setup.sh; up_to_date "$ROOT/.venv" {kind}'
    return _run("bash", "-c", script, folder=checkout).returncode == 0


@pytest.fixture
def set_up(checkout: Path) -> Path:
    """A checkout whose environment the scripts take for complete, for running the project."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", checkout / ".venv"], check=True)
    stamp = 'source scripts/_setup.sh; stamp_for "$ROOT/.venv" >.venv/.built-run'
    assert _run("bash", "-c", stamp, folder=checkout).returncode == 0
    return checkout


def test_what_was_set_up_is_not_set_up_again(set_up: Path) -> None:
    assert _up_to_date(set_up, "run")


def test_an_environment_for_running_is_not_one_for_testing_but_the_other_way_round_it_is(set_up: Path) -> None:
    assert not _up_to_date(set_up, "dev")
    (set_up / ".venv/.built-run").rename(set_up / ".venv/.built-dev")
    assert _up_to_date(set_up, "dev")
    assert _up_to_date(set_up, "run")


@pytest.mark.parametrize(
    ("named", "runs"),
    [
        ((), "run full-face --demo omp"),
        (("omp",), "run full-face --demo omp"),
        (("dr05",), "run full-face --demo dr05"),
        (("foreo",), "run pulse-cleanse --demo foreo"),
        (("--seed", "7"), "run full-face --demo omp --speed max --plain --yes --seed 7"),
    ],
)
def test_the_demo_runs_the_reference_device_where_none_is_named(
    set_up: Path, named: tuple[str, ...], runs: str
) -> None:
    companion = set_up / ".venv/bin/companion"
    companion.write_text('#!/bin/sh\necho "$@"\n')
    companion.chmod(0o755)
    result = _run(set_up / "scripts/demo", *named, folder=set_up)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith(runs)


def test_a_changed_project_file_asks_for_a_new_set_up(set_up: Path) -> None:
    with (set_up / "pyproject.toml").open("a", encoding="utf-8") as project:
        project.write("\n# changed\n")
    assert not _up_to_date(set_up, "run")


def test_a_checkout_that_was_moved_asks_for_a_new_set_up(set_up: Path, tmp_path: Path) -> None:
    moved = tmp_path.with_name(tmp_path.name + "-moved")
    set_up.rename(moved)
    assert not _up_to_date(moved, "run")


def test_an_environment_whose_python_is_gone_asks_for_a_new_set_up(set_up: Path) -> None:
    for python in (set_up / ".venv/bin").glob("python*"):
        python.unlink()
    assert not _up_to_date(set_up, "run")
