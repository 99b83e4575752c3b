"""Whole projects in processes of their own: the sample of the documentation, and one on two workers of xdist."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.rig.plugin.projects import AS_RECORDED, Project, said

pytest_plugins = ["pytester"]

SAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "kitchen_scale"

MANY = f"""
@pytest.mark.rig_transcript
@pytest.mark.parametrize("number", range(4))
async def test_asks(bleak_client, golden, number):
{AS_RECORDED}
    golden([number])

@pytest.mark.rig_capture("lamp.jsonl")
async def test_differs(bleak_client):
    pass
"""


@pytest.fixture
def sample(pytester: pytest.Pytester) -> pytest.Pytester:
    """The sample project, as a stranger has it."""
    shutil.copytree(SAMPLE, pytester.path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    return pytester


def test_the_sample_project_passes_and_changes_no_file(sample: pytest.Pytester) -> None:
    before = {path: path.read_bytes() for path in sample.path.rglob("*.*") if path.suffix in {".jsonl", ".txt"}}
    assert len(before) == 2
    result = sample.runpytest_subprocess("-W", "error", "--rig-update")  # made anew, and the same to the byte
    result.assert_outcomes(passed=5)
    assert {path: path.read_bytes() for path in before} == before
    assert "= rig =" not in result.stdout.str()


def test_the_sample_project_notices_a_change_of_its_program(sample: pytest.Pytester) -> None:
    program = sample.path / "scale_app.py"
    program.write_text(
        program.read_text("utf-8").replace("framed(question), response", "framed(question + 4), response")
    )
    result = sample.runpytest_inprocess("-k", "tares")
    result.assert_outcomes(failed=1, deselected=4)
    assert "app writes fff0/fff1: 05 05" in said(result)


@pytest.mark.slow
def test_two_workers_write_the_same_files_and_tell_the_same(pytester: pytest.Pytester) -> None:
    project = Project(pytester)
    project.tests(MANY)
    old = project.path / "transcripts/test_lamp/test_old.jsonl"
    old.parent.mkdir(parents=True)
    old.write_text("", "utf-8")

    first = project.run_alone("--rig-update", "-n", "2")
    first.assert_outcomes(passed=4, failed=1)
    together = {name: (project.path / name).read_bytes() for name in project.files()}
    assert len(together) == 4 + 4 + 1
    for name in together:
        verb = "recorded" if name.endswith(".jsonl") else "written"
        assert f"no test has {name}" in said(first) if name.endswith("old.jsonl") else f"{verb} {name}" in said(first)
    assert "left over at the end: exchange 1" in said(first)

    for path in (project.path / "transcripts", project.path / "golden"):
        shutil.rmtree(path)
    old.parent.mkdir(parents=True)
    old.write_text("", "utf-8")
    project.run("--rig-update").assert_outcomes(passed=4, failed=1)
    assert {name: (project.path / name).read_bytes() for name in project.files()} == together

    third = project.run_alone("-n", "2")
    third.assert_outcomes(passed=4, failed=1)
    assert "recorded" not in said(third).replace("as recorded", "").replace("was not recorded", "").replace(
        ", recorded", ""
    )
