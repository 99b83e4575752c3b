"""Golden files: compared, shown as a difference, and written only when that is asked for."""

from __future__ import annotations

import pytest

from tests.rig.plugin.projects import Project, said

pytest_plugins = ["pytester"]

TEST = """
def test_it(golden):
    golden({value})
"""
VALUES = {
    "text": ('"one\\ntwo"', "golden/test_lamp/test_it.txt", b"one\ntwo"),
    "lines": ("[1, 'two', (3,)]", "golden/test_lamp/test_it.txt", b"1\ntwo\n(3,)\n"),
    "no lines": ("[]", "golden/test_lamp/test_it.txt", b""),
    "octets": ("bytes(3)", "golden/test_lamp/test_it.bin", bytes(3)),
    "with a name": ("'x', name='Big One'", None, b"x"),
    "line ends of its own": ("'a\\r\\nb\\r\\n'", "golden/test_lamp/test_it.txt", b"a\r\nb\r\n"),
}
APART = {
    "text": ("'a\\nb\\nc\\n'", "'a\\nB\\nc\\n'", ["-b", "+B"]),
    "line ends alone": ("'a\\n'", "'a'", ["they differ in their line ends alone"]),
    "octets": (
        "bytes(40)",
        "bytes(20) + b'!' + bytes(19)",
        ["the first that differs is byte 20", "+ 000010  00 00 00 00 21"],
    ),
    "shorter octets": ("bytes(40)", "bytes(38)", ["38 bytes, golden 40; the first that differs is byte 38"]),
}


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    return Project(pytester)


@pytest.mark.parametrize(("value", "name", "content"), VALUES.values(), ids=VALUES)
def test_a_golden_file_is_made_on_request_and_compared_ever_after(
    project: Project, value: str, name: str | None, content: bytes
) -> None:
    project.tests(TEST.format(value=value), head="")
    first = project.run()
    first.assert_outcomes(failed=1)
    assert "there is no golden file yet; make it with `pytest --rig-update test_lamp.py::test_it`" in said(first)
    assert project.files() == []
    second = project.run("--rig-update")
    second.assert_outcomes(passed=1)
    (made,) = project.files()
    assert name in (made, None)
    assert f"written {made}" in said(second)
    assert (project.path / made).read_bytes() == content
    project.run().assert_outcomes(passed=1)
    assert "written" not in said(project.run("--rig-update"))


@pytest.mark.parametrize(("golden", "now", "shown"), APART.values(), ids=APART)
def test_a_difference_is_shown_with_the_command_that_accepts_it(
    project: Project, golden: str, now: str, shown: list[str]
) -> None:
    project.tests(TEST.format(value=golden), head="")
    project.run("--rig-update")
    project.tests(TEST.format(value=now), head="")
    result = project.run()
    result.assert_outcomes(failed=1)
    for part in shown:
        assert part in result.stdout.str()
    assert "if it is right now, write it with `pytest --rig-update test_lamp.py::test_it`" in said(result)
    assert "golden_files.py" not in result.stdout.str()  # the test's own line, not the plugin's


def test_line_ends_that_git_has_changed_do_not_matter(project: Project) -> None:
    project.tests(TEST.format(value="['a', 'b']"), head="")
    project.run("--rig-update")
    (project.path / "golden/test_lamp/test_it.txt").write_bytes(b"a\r\nb\r\n")
    project.run().assert_outcomes(passed=1)


def test_several_values_in_one_test_have_names(project: Project) -> None:
    project.tests("def test_it(golden):\n    golden('a')\n    golden('b', name='b')\n    golden('c')\n", head="")
    result = project.run("--rig-update")
    result.assert_outcomes(failed=1)
    assert "two golden values in one test need names: golden(value, name=…)" in said(result)
    assert project.files() == ["golden/test_lamp/test_it.b.txt", "golden/test_lamp/test_it.txt"]


def test_a_long_difference_is_cut(project: Project) -> None:
    project.tests(TEST.format(value="range(500)"), head="")
    project.run("--rig-update")
    project.tests(TEST.format(value="range(1000, 1500)"), head="")
    assert "lines more" in said(project.run())


def test_paths_are_told_from_where_pytest_was_started(project: Project) -> None:
    (project.path / "deep").mkdir()
    project.tests("", "deep/test_lamp", head=TEST.format(value="'x'"))
    assert "written deep/golden/test_lamp/test_it.txt" in said(project.run("--rig-update"))
    project.pytester.chdir()
    project.write("deep/test_lamp.py", TEST.format(value="'y'"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project.path / "deep")
        shown = said(project.run())
    assert "golden/test_lamp/test_it.txt: not as in the golden file" in shown
    assert "`pytest --rig-update test_lamp.py::test_it`" in shown
