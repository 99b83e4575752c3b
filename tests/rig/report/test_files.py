"""Reports as files."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest

from rig.commands.faults import RigError, UsageError
from rig.replay.outcome import Difference, Outcome, Verdict
from rig.report import data, html, junit
from rig.report.data import ReportError
from rig.report.files import check_report_paths, read_report, write_report
from rig.report.model import Report
from tests.rig.report.example import hostile, rich


@pytest.mark.parametrize("name", ["report.html", "report.xml", "report.json", "REPORT.JSON"])
def test_the_suffix_says_the_form_and_the_file_has_its_text(tmp_path: Path, name: str) -> None:
    forms = {".html": html.page, ".xml": junit.dumps, ".json": data.dumps}
    path = tmp_path / name
    path.write_text("what was there before, and longer than nothing")
    write_report(rich(), str(path))
    assert path.read_bytes().decode() == forms[path.suffix.lower()](rich())
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_what_is_written_as_json_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    for report in (rich(), Report("odd", [hostile()])):
        write_report(report, str(path))
        assert data.dumps(read_report(str(path))) == data.dumps(report)


@pytest.mark.parametrize("suffix", [".html", ".xml", ".json"])
def test_a_name_that_is_no_unicode_is_no_reason_not_to_write(tmp_path: Path, suffix: str) -> None:
    title = "caf\udce9.btsnoop"  # how Python has a file name in Latin-1
    failed = Outcome("decoder", title, Verdict.FAILED, [Difference("late", 1, 2, title)])
    path = tmp_path / f"report{suffix}"
    write_report(Report(title, [failed]), str(path))
    assert b"caf\\udce9.btsnoop" in path.read_bytes()


def test_paths_that_can_be_written_are_right(tmp_path: Path) -> None:
    check_report_paths(())
    check_report_paths([str(tmp_path / "a.html"), str(tmp_path / "a.xml"), str(tmp_path / "a.json")])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("a.txt",), "a.txt: its name does not say what to write; let it end with .html, .xml (JUnit) or .json"),
        (("html",), "html: its name does not say what to write; let it end with .html, .xml (JUnit) or .json"),
        (("a.json", "b.xml", "a.json"), "a.json: is there twice; name each report once"),
        (("a.json", "folder.json/../a.json"), "a.json: is there twice; name each report once"),
        (("folder.json",), "folder.json: is a folder; name a file in it"),
        (("none/a.json",), "none': No such file or directory; make it, or name another"),
        (("file/a.json",), "file': Not a directory; make it, or name another"),
    ],
    ids=["suffix", "no suffix", "twice", "twice by another way", "folder", "no folder", "file for a folder"],
)
def test_what_cannot_be_written_is_said_before_anything_is_done(
    tmp_path: Path, names: tuple[str, ...], said: str
) -> None:
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError) as refused:
        check_report_paths([f"{tmp_path}/{name}" for name in names])
    assert str(refused.value).startswith("--report ")
    assert str(refused.value).endswith(said)


def test_a_folder_where_nothing_can_be_written_is_said_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(UsageError, match=r"a\.json: nothing can be .*: Read-only file system; make it, or name anot"):
        check_report_paths([str(tmp_path / "a.json")])


def test_a_report_that_cannot_be_written_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.xml"
    path.write_text("before")

    def refuse(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(RigError, match=r"report\.xml: cannot be written: No space left on device$"):
        write_report(rich(), str(path))
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("report.xml", "before")]


def test_writing_knows_no_other_forms_either(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"its name does not say what to write"):
        write_report(rich(), str(tmp_path / "report.pdf"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"{}", "no report: nothing in it says which version"),
        (b'{"report": 99}', "a report of version 99, and this rig reads up to 1; update the rig"),
        (b'{"report": 1, "title"', "a report that cannot be read: Expecting ':' delimiter"),
        (b"\xff\xfe\x00", "a report that cannot be read: "),
        (b"[" * 100_000, "a report that cannot be read: it is nested too deeply"),
    ],
    ids=["missing", "another object", "newer", "cut", "bytes", "deep"],
)
def test_what_cannot_be_read_is_said_in_one_line(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "report.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ReportError) as refused:
        read_report(str(path))
    assert str(refused.value).startswith(f"{path}: {said}")
    assert "\n" not in str(refused.value)
