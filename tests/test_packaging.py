"""What a person gets who installs the wheel, and what a contributor gets with the source archive."""

from __future__ import annotations

import os
import tarfile
import tomllib
import zipfile
from importlib.metadata import EntryPoint, distribution
from pathlib import Path

import pytest
from hatchling.build import build_sdist, build_wheel

ROOT = Path(__file__).parent.parent
PACKAGES = ("companion", "rig", "protocols")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# Bytecode and editors' leftovers are not the product.
IGNORED = {".pyc", ".swp"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> frozenset[str]:
    return _names_in(build_wheel, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> frozenset[str]:
    return _names_in(build_sdist, tmp_path_factory.mktemp("sdist"))


def _names_in(build: object, folder: Path) -> frozenset[str]:
    here = Path.cwd()
    os.chdir(ROOT)  # a build backend works on the current folder (PEP 517)
    try:
        archive = folder / build(str(folder))  # type: ignore[operator]
    finally:
        os.chdir(here)
    if archive.suffix == ".whl":
        return frozenset(zipfile.ZipFile(archive).namelist())
    with tarfile.open(archive) as tar:
        return frozenset(name.partition("/")[2] for name in tar.getnames())


def _files_of(*folders: str) -> frozenset[str]:
    return frozenset(
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix not in IGNORED
    )


def test_the_wheel_holds_every_file_of_the_three_packages_and_no_other_code(wheel: frozenset[str]) -> None:
    metadata = {name for name in wheel if ".dist-info/" in name}
    assert wheel - metadata == _files_of(*PACKAGES)


@pytest.mark.parametrize(
    "pattern",
    [
        "companion/routines/library/full-face.toml",
        "companion/**/*.tcss",
        "companion/store/migrations/*.sql",
        "*/py.typed",
    ],
)
def test_the_wheel_holds_what_is_read_at_run_time_and_is_not_python(wheel: frozenset[str], pattern: str) -> None:
    wanted = {path.relative_to(ROOT).as_posix() for path in ROOT.glob(pattern) if ".venv" not in path.parts}
    assert wanted
    assert wanted <= wheel


def test_the_source_archive_holds_what_a_contributor_needs(sdist: frozenset[str]) -> None:
    assert _files_of(*PACKAGES, "tests", "scripts", "docs") <= sdist
    assert {"README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "pyproject.toml"} <= sdist


def test_the_installed_project_offers_the_commands_and_the_protocols_that_pyproject_names() -> None:
    declared = {("console_scripts", name, value) for name, value in PROJECT["scripts"].items()} | {
        (group, name, value) for group, entries in PROJECT["entry-points"].items() for name, value in entries.items()
    }
    installed = distribution(PROJECT["name"])
    assert {(entry.group, entry.name, entry.value) for entry in installed.entry_points} == declared
    assert installed.version == PROJECT["version"]


@pytest.mark.parametrize("entry", sorted(distribution(PROJECT["name"]).entry_points, key=str), ids=lambda e: e.name)
def test_every_entry_point_leads_somewhere(entry: EntryPoint) -> None:
    assert entry.load() is not None
