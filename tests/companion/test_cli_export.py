"""``companion export`` and the notes of ``companion history``: a person's own data, whole, and for their eyes alone."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from icalendar import Calendar as ICalendar

from companion.commands import export
from companion.config import CompanionError, Exit, UsageError
from companion.store.database import Store
from tests.companion.at_home import CLEAR, MONDAY, AtHome


@pytest.fixture
def kept(home: AtHome) -> Iterator[Store]:
    """Two sessions, the second cut off; the first with a note that a spreadsheet could take for a formula."""
    with home.store() as store:
        first = home.held(store, minutes=10, zones={"chin": 90.0, "left-brow": 30.0})
        store.diary.say(first, '=HYPERLINK("x"), calm', ["/photos/1.jpg", "/photos/2.jpg"])
        home.pass_(days=1)
        home.cut_off(store, output=True)
        yield store


# --- export -----------------------------------------------------------------------------------------------------------


def test_sessions_as_csv_read_back_in_order(home: AtHome, kept: Store) -> None:
    first, second = csv.DictReader(io.StringIO(home.run("export --format csv").fine().out))
    assert first == {
        "id": "1",
        "started_at": datetime(2026, 3, 2, 7, 50, tzinfo=UTC).isoformat(),
        "ended_at": MONDAY.isoformat(),
        "routine": "full-face",
        "device": "Dr-05",
        "demo": "False",
        "status": "finished",
        "reason": "completed",
        "minutes": "10.0",
        "output_minutes": "2.0",
        "highest_percent": "30",
        "zones": "chin:90;left-brow:30",
        "note": '\'=HYPERLINK("x"), calm',
        "photos": "/photos/1.jpg;/photos/2.jpg",
    }
    assert (second["status"], second["reason"], second["zones"], second["minutes"]) == (
        "interrupted",
        "",
        "chin",
        "1.5",
    )
    assert list(first) == list(export.COLUMNS)


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r"], ids=ascii)
def test_no_cell_of_the_csv_begins_like_a_formula(begin: str) -> None:
    assert export._cell(f"{begin}1+1") == f"'{begin}1+1"
    assert export._cell("plain") == "plain"
    assert export._cell(-3) == -3


def test_everything_as_json_is_everything(home: AtHome, kept: Store) -> None:
    kept.save_screening(CLEAR)
    home.run("water 250")
    home.run("plan choose gentle")
    found = home.run("export --format json").fine().json
    assert found["format"] == export.JSON_FORMAT
    assert found["written_by"].startswith("microcurrent-companion 0.")
    assert [row["id"] for row in found["session"]] == [1, 2]
    assert found["session"][0]["summary"]["zone_seconds"] == {"chin": 90.0, "left-brow": 30.0}
    assert found["screening"][0]["answers"] == CLEAR
    assert found["drink"][0]["ml"] == 250
    assert found["choice"][0]["value"]["plan"] == "gentle"
    assert [row["kind"] for row in found["entry"]] == ["step", "intensity"]
    assert found["remark"][0]["text"].startswith("=HYPERLINK")  # JSON is no spreadsheet


def test_sessions_as_parquet_have_types(home: AtHome, kept: Store, tmp_path: Path) -> None:
    from pyarrow import parquet  # noqa: PLC0415 - loaded here alone

    file = tmp_path / "mine.parquet"
    home.run("export --format parquet --output {file}", file=file).fine()
    table = parquet.read_table(file)
    assert table.column_names == list(export.COLUMNS)
    assert str(table.schema.field("started_at").type) == "timestamp[us, tz=UTC]"
    first, second = table.to_pylist()
    assert (first["id"], first["minutes"], first["demo"]) == (1, 10.0, False)
    assert first["ended_at"] == MONDAY
    assert first["note"].startswith("=HYPERLINK")
    assert second["reason"] is None


def test_without_pyarrow_one_line_says_what_to_install(
    home: AtHome, kept: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    file = tmp_path / "mine.parquet"
    home.run("export --format parquet --output {file}", file=file).refused(
        Exit.FAULT, "microcurrent-companion[parquet]"
    )
    assert not file.exists()


def test_the_plan_as_a_calendar_is_the_one_that_one_subscribes_to(home: AtHome, tmp_path: Path) -> None:
    home.run("plan choose course-4").fine()
    home.run("plan subscribe {file}", file=tmp_path / "a.ics").fine()
    home.run("export --format ics --output {file}", file=tmp_path / "b.ics").fine()
    assert (tmp_path / "a.ics").read_bytes() == (tmp_path / "b.ics").read_bytes()
    shown = home.run("export --format ics").fine().out
    assert len(ICalendar.from_ical(shown).walk("VEVENT")) > 10


@pytest.mark.parametrize("kind", ["csv", "json", "ics", "parquet"])
def test_a_file_is_for_the_persons_eyes_alone_and_no_other_is_written_over(
    home: AtHome, kept: Store, tmp_path: Path, kind: str
) -> None:
    home.run("plan choose course-4")
    file = tmp_path / "mine"
    line = f"export --format {kind} --output {{file}}"
    told = home.run(line, file=file).fine()
    assert told.lines == [f"{file}: written, for your eyes alone."]
    assert file.stat().st_mode & 0o777 == 0o600
    home.run(line, file=file).refused(Exit.USAGE, str(file), "--force")
    file.write_bytes(b"old")
    file.chmod(0o644)
    home.run(f"{line} --force", file=file).fine()
    assert file.read_bytes() != b"old"
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir() if path.name != "data" and "state" not in path.name] == ["mine"]


def test_a_link_that_leads_nowhere_is_a_file_that_is_there(home: AtHome, kept: Store, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")
    home.run("export --format csv --output {file}", file=link).refused(Exit.USAGE, "--force")
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_that_appears_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    file = tmp_path / "mine"
    file.write_text("precious")
    with pytest.raises(UsageError, match="--force"):
        export.save(file, b"new", force=False)
    assert file.read_text() == "precious"


def test_where_nothing_can_be_written_nothing_is_left(home: AtHome, kept: Store, tmp_path: Path) -> None:
    file = tmp_path / "none" / "mine.csv"
    for force in ("", "--force"):
        home.run(f"export --format csv --output {{file}} {force}", file=file).refused(Exit.FAULT, str(file))
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(CompanionError, match="cannot be written"):
        export.save(folder, b"new", force=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "folder"]


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("", ["--format"]),
        ("--format xls", ["xls", "csv"]),
        ("--format parquet", ["--output"]),
        ("--format ics", ["no plan yet"]),
        ("--format csv --person Zoe", ["'Zoe'"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_export_that_cannot_be_is_one_line(home: AtHome, line: str, parts: list[str]) -> None:
    home.run(f"export {line}").refused(Exit.USAGE, *parts)


def test_the_demos_sessions_are_exported_apart(home: AtHome, kept: Store) -> None:
    with home.store(demo=True) as there:
        home.held(there, demo=True, routine="first-touch")
    (row,) = csv.DictReader(io.StringIO(home.run("export --format csv --demo").fine().out))
    assert (row["routine"], row["demo"]) == ("first-touch", "True")
    assert "first-touch" not in home.run("export --format csv").out


# --- notes and photos -------------------------------------------------------------------------------------------------


def test_a_note_is_kept_in_place_of_an_earlier_one(home: AtHome, kept: Store) -> None:
    home.run("history note 2 my skin felt   calm").fine()
    assert "note   my skin felt calm" in home.run("history show 2").lines
    home.run("history note 2 -- --better-- still").fine()
    assert "note   --better-- still" in home.run("history show 2").lines
    home.run("history note 2 ''").fine()
    assert "note" not in home.run("history show 2").out


def test_a_photo_stays_where_it_is_and_only_its_place_is_noted(home: AtHome, kept: Store, tmp_path: Path) -> None:
    photo = tmp_path / "my photo.jpg"
    photo.write_bytes(b"picture")
    for _ in range(2):  # noted twice is noted once
        home.run("history photo 2 {photo}", photo=photo).fine()
    home.run("history note 2 calm").fine()
    rows = [json.loads(line) for line in home.run("history --json").lines]
    assert (rows[0]["note"], rows[0]["photos"]) == ("calm", [str(photo)])
    assert f"photo  {photo}" in home.run("history show 2").lines
    home.run("history photo 2 {photo} --forget", photo=photo).fine()
    home.run("history photo 2 {photo} --forget", photo=photo).refused(Exit.USAGE, "not noted")
    assert "photo" not in home.run("history show 2").out
    assert home.run("history show 2").out.count("calm") == 1
    assert photo.read_bytes() == b"picture"


def test_a_photo_that_is_gone_can_still_be_forgotten(home: AtHome, kept: Store) -> None:
    home.run("history photo 1 /photos/1.jpg --forget").fine()
    assert json.loads(home.run("history --json").lines[1])["photos"] == ["/photos/2.jpg"]


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("note 9 hello", ["no session 9"]),
        ("note 1", ["TEXT is missing"]),
        ("note", ["ID is missing"]),
        ("note one hello", ["ID"]),
        ("photo 1 /no/such.jpg", ["/no/such.jpg", "no such file"]),
        ("photo 1", ["PATH is missing"]),
    ],
    ids=lambda value: value.replace("/", "-") if isinstance(value, str) else "",
)
def test_a_note_on_nothing_is_one_line(home: AtHome, kept: Store, line: str, parts: list[str]) -> None:
    home.run(f"history {line}").refused(Exit.USAGE, *parts)


def test_a_session_is_shown_with_the_skin_checks_of_its_day(home: AtHome) -> None:
    with home.store() as store:
        store.diary.check_skin(1, 4, 2)
        home.pass_(days=1)
        store.diary.check_skin(2, 1, 3)
        number = home.held(store)
        home.pass_(days=1)
        store.diary.check_skin(5, 5, 5)
    shown = [line for line in home.run(f"history show {number}").fine().lines if line.startswith("skin")]
    assert shown == ["skin   08:00  dryness 2, redness 1, irritation 3 (1 not at all, 5 very)"]
