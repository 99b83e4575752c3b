"""The rig command on captures: what it prints, how it ends, and how little it loads for it."""

from __future__ import annotations

import contextlib
import csv
import gc
import gzip
import io
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cyclopts import App
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocols import frames
from protocols.frames import ChecksumOrder, State
from rig import cli
from rig.commands import decode as decode_command
from rig.commands import help as help_pages
from rig.commands import info as info_command
from rig.commands import lines, tree
from rig.commands import record as record_command

ROOT = Path(__file__).parents[2]
CAPTURES = ROOT / "tests" / "captures"
BLETOOLS = CAPTURES / "BLETools__btsnoop_hci.log"
CANDLE = CAPTURES / "bluetooth-candle-go-talk__btsnoop_hci.log"
JBD = CAPTURES / "esphome-jbd-bms__JBD-SP04S034L4S200A-btsnoop_hci.log"
PCAPNG = CAPTURES / "bj_led__full.pcapng"
ON_AIR = CAPTURES / "crackle__expected_output.pcap"
COLUMNS = ["frame", "time", "link", "sender", "opcode", "handle", "uuid", "value", "pdu"]
RIG = [sys.executable, "-c", "import sys; from rig.cli import main; sys.exit(main())"]


Done = subprocess.CompletedProcess[str]


def rig(*arguments: str | Path) -> Done:
    """The whole command but for the process."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.main([str(argument) for argument in arguments])
    said = [stream.detach().getvalue().decode() for stream in (out, err)]  # type: ignore[attr-defined]
    return subprocess.CompletedProcess(arguments, code, *said)


def process(*arguments: str | Path, **options: Any) -> Done:
    """The whole command in a process of its own, without a terminal."""
    options = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "cwd": ROOT, **options}
    return subprocess.run([*RIG, *map(str, arguments)], **options, check=False)


def one_line(done: Done, code: int, *parts: str) -> None:
    assert done.returncode == code, done
    assert done.stderr.startswith("rig: ")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
    assert "unexpected" not in done.stderr
    for part in parts:
        assert part in done.stderr


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))


BTSNOOP = b"btsnoop\0" + struct.pack(">II", 1, 1002)


def att_record(time_us: int, opcode: int, value: bytes) -> bytes:
    """A btsnoop record of a PDU on handle 0x12 of connection 0x40: a notification was received, all else was sent."""
    received = opcode == 0x1B
    att = bytes([opcode, 0x12, 0]) + value
    l2cap = struct.pack("<HH", len(att), 4) + att
    packet = b"\x02" + struct.pack("<HH", 0x40 | (0x2000 if received else 0), len(l2cap)) + l2cap
    return struct.pack(">IIIIq", len(packet), len(packet), received, 0, time_us + 0x00DCDDB30F2F8000) + packet


# --- help and the command line ----------------------------------------------------------------------------------------


def commands_of(app: App) -> dict[str, App]:
    return {name: app[name] for name in app if not name.startswith("-")}


def named_by(app: App) -> set[str]:
    """Arguments and options of a command, and of the commands within it, as a command line spells them."""
    within = commands_of(app).values()
    if within:
        return set().union(*map(named_by, within))
    return {name for argument in app.assemble_argument_collection() for name in argument.names if argument.parse}


def test_every_command_has_a_help_page_and_every_page_a_command() -> None:
    assert {"", *commands_of(tree.app)} == set(help_pages.PAGES)
    for command, app in commands_of(tree.app).items():
        assert f"\n  {command} " in help_pages.page("")
        for within in commands_of(app):
            assert f"\n  rig {command} {within} " in help_pages.page(command)


@pytest.mark.parametrize("path", [PCAPNG, CAPTURES / "is_not_there"], ids=["a capture", "no capture"])
def test_a_decode_leaves_the_collector_as_it_was(path: Path) -> None:
    """It does without collections for as long as it reads."""
    try:
        for wanted in (gc.disable, gc.enable):
            wanted()
            before = gc.isenabled()
            rig("decode", "--att", "--format", "tsv", path)
            assert gc.isenabled() is before
    finally:
        gc.enable()


@pytest.mark.parametrize("command", commands_of(tree.app))
def test_a_help_page_names_every_option_and_argument_and_no_others(command: str) -> None:
    listed = [line.split()[0] for line in help_pages.page(command).splitlines() if line[:2] == "  " and line[2] != " "]
    assert set(listed) - {"rig", "--help", "--debug"} == named_by(commands_of(tree.app)[command])


@pytest.mark.parametrize("command", help_pages.PAGES)
def test_help_fits_a_narrow_terminal_and_is_there_wherever_it_is_asked_for(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    page = help_pages.page(command)
    assert max(map(len, page.splitlines())) <= 80
    for arguments in ([command, "--help"], [command, "-h"], ["--debug", command, "x", "--help"]):
        assert cli.main([word for word in arguments if word]) == 0
        assert capsys.readouterr().out == page


def test_rig_alone_tells_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    assert capsys.readouterr().out == help_pages.page("")


def test_the_version_is_told() -> None:
    assert process("--version").stdout.startswith("rig 0.")


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("decode", ["FILE is missing", "rig decode --help"]),
        ("decode a b", ["'b' is one argument too many"]),
        ("decode a --foo", ["--foo", "rig decode --help"]),
        ("decode a --fromat tsv", ["--fromat", "--format"]),
        ("decode a --format xml", ["--format", "tsv", "jsonl", "xml"]),
        ("decode a --format", ["--format needs a value"]),
        ("decode a --map", ["--map needs a value"]),
        ("decode a --att --events", ["--att", "--events", "give one"]),
        ("decode a --gatt --events --att", ["--gatt", "give one"]),
        ("decode a --protocol dr05", ["--protocol", "--events"]),
        ("decode a --save-map a", ["--save-map", "'a'"]),
        ("decode a --save-map -", ["--save-map"]),
        ("decode --att=perhaps a", ["--att", "perhaps"]),
        ("info", ["FILE is missing", "rig info --help"]),
        ("info a --jsn", ["--jsn", "--json"]),
        ("info a b", ["'b' is one argument too many"]),
        ("convert a", ["OUT is missing", "rig convert --help"]),
        ("convert a -", ["standard output"]),
        ("convert a b --format pklg", ["--format", "btsnoop", "pklg"]),
        ("convert a b --redact-seed 1", ["--redact-seed", "--redact"]),
        ("record out.pcap", ["--device is missing", "rig record --help"]),
        ("record --device X", ["OUT is missing"]),
        ("record out.pcap --device X --seconds never", ["--seconds", "positive number"]),
        ("record out.pcap --device X --seconds 0", ["--seconds", "positive number"]),
        ("record out.pcap --device X --seconds inf", ["--seconds", "positive number"]),
        ("baseline", ["a command is missing", "rig baseline save", "rig baseline compare", "rig baseline --help"]),
        ("baseline keep b x", ["'keep'", "rig baseline save"]),
        ("transcript a", ["OUT is missing", "rig transcript --help"]),
        ("deocde a", ['"deocde"', '"decode"']),
    ],
)
def test_a_mistake_is_told_in_one_line_that_names_it(
    line: str, parts: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(line.split()) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("rig: ")
    assert told.err.count("\n") == 1
    for part in parts:
        assert part in told.err


@pytest.mark.parametrize(
    "line",
    [
        "decode a.log",
        "decode --att --format tsv a.log",
        "decode a.log --gatt --format json",
        "decode --events a.log --protocol dr05 --format jsonl",
        "decode --map m.json a.log --save-map n.json --format table",
        "decode -",
        "decode - --att",
        "info a.log",
        "info --json a.log",
        "info -",
    ],
)
def test_the_short_way_makes_of_a_line_what_the_parser_makes_of_it(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []

    def noted(*arguments: object, **options: object) -> int:
        asked.append((*arguments, {name: value for name, value in options.items() if value not in (None, False)}))
        return 0

    monkeypatch.setattr(decode_command, "decode", lambda file, **options: noted("decode", file, **options))
    monkeypatch.setattr(info_command, "info", lambda file, **options: noted("info", file, **options))
    words = line.split()
    assert tree.dispatch(words, debug=False) == 0
    with monkeypatch.context() as without_parser:
        without_parser.delattr(tree, "dispatch")
        assert cli.main(words) == 0
    by_parser, directly = asked
    assert directly == by_parser


@pytest.mark.parametrize(
    "line",
    [
        "", "decode", "serve dr05", "decode a b", "decode a --att --att", "decode a --format xml", "decode -x",
        "decode --format --att a", "decode a --format=tsv", "decode a --format", "decode -- a", "decode a --map -",
        "decode --help", "decode a --format tsv --format tsv", "info a --att",
    ],
)  # fmt: skip
def test_any_other_line_is_for_the_parser_to_judge(line: str) -> None:
    assert lines.plain(line.split()) is None


# --- what a start loads -----------------------------------------------------------------------------------------------

HEAVY = {
    "aiomqtt", "asyncio", "bleak", "bumble", "companion", "cyclopts", "email", "fastcrc", "importlib.metadata", "json",
    "logging", "msgspec", "numpy", "pathlib", "platformdirs", "protocols", "rich", "sqlite3", "textual",
}  # fmt: skip


def loaded_by(*arguments: str | Path) -> set[str]:
    """Modules, and the packages that they are in, which a fresh interpreter has loaded for a command line."""
    script = (
        "import sys; before = set(sys.modules); from rig.cli import main; code = main(sys.argv[1:]);"
        "print(code, *set(sys.modules) - before, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {script}", *map(str, arguments)],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    code, *modules = done.stderr.split()
    assert code == "0"
    return {name.partition(".")[0] for name in modules} | set(modules)


@pytest.mark.parametrize("arguments", [("--help",), ("decode", "--help"), ("replay", "--help"), ()], ids=" ".join)
def test_help_loads_neither_captures_nor_anything_of_weight(arguments: tuple[str, ...]) -> None:
    loaded = loaded_by(*arguments)
    assert loaded & HEAVY == set()
    assert "rig.capture" not in loaded


@pytest.mark.parametrize("capture", [BLETOOLS, PCAPNG, ON_AIR])
def test_decoding_a_small_capture_loads_nothing_of_weight(capture: Path) -> None:
    loaded = loaded_by("decode", "--att", "--format", "tsv", capture)
    assert "rig.capture.decode" in loaded
    assert loaded & HEAVY == set()


def test_a_table_and_an_account_load_no_radio_no_parser_and_no_numpy() -> None:
    for arguments in (("decode", "--format", "table", BLETOOLS), ("info", BLETOOLS)):
        assert loaded_by(*arguments) & {"asyncio", "bleak", "bumble", "cyclopts", "numpy", "rich", "textual"} == set()


# --- decode -----------------------------------------------------------------------------------------------------------


def test_a_capture_in_a_pipe_comes_out_as_the_documented_table() -> None:
    done = process("decode", BLETOOLS)
    assert (done.returncode, done.stderr) == (0, "")
    header, *rows = done.stdout.splitlines()
    assert header.split("\t") == COLUMNS
    with (CAPTURES / "att" / f"{BLETOOLS.name}.tsv").open() as oracle:
        assert len(rows) == len(list(csv.DictReader(oracle, delimiter="\t", quoting=csv.QUOTE_NONE)))
    assert rows[0] == "336\t1550819890.124213000\t1\tcentral\tread_by_group_type_request\t\t\t\t100100ffff0028"
    for same in (("--att",), ("--format", "tsv"), ("--att", "--format=tsv")):
        assert rig("decode", *same, BLETOOLS).stdout == done.stdout


def test_every_format_says_the_same() -> None:
    rows = table(rig("decode", BLETOOLS).stdout)
    objects = [json.loads(line) for line in rig("decode", BLETOOLS, "--format", "jsonl").stdout.splitlines()]
    assert json.loads(rig("decode", BLETOOLS, "--format", "json").stdout) == objects
    assert [
        {
            name: ("" if value is None else f"{value:.9f}" if name == "time" else str(value))
            for name, value in one.items()
        }
        for one in objects
    ] == [row | {"time": f"{float(row['time']):.9f}"} for row in rows]
    _, _, _, headings, *shown = rig("decode", BLETOOLS, "--format", "table").stdout.splitlines()
    assert headings.split() == ["frame", "time", "link", "what", "handle", "attribute", "value"]
    assert [line.split()[0] for line in shown] == [row["frame"] for row in rows]


def test_a_table_has_the_names_of_standard_attributes_and_the_text_in_values() -> None:
    shown = rig("decode", CAPTURES / "pongbot-mcp__btsnoop_hci.log.last.gz", "--format", "table").stdout
    assert "2902 Client Characteristic Configuration" in shown
    assert "attribute_not_found (to read_by_type_request" in shown
    assert "MTU 517" in shown


@pytest.mark.parametrize("options", [(), ("--format", "jsonl"), ("--format=table",)], ids=" ".join)
def test_a_capture_is_read_from_standard_input_too(options: tuple[str, ...]) -> None:
    for packed in (CANDLE.read_bytes(), gzip.compress(CANDLE.read_bytes())):
        done = subprocess.run([*RIG, "decode", "-", *options], input=packed, capture_output=True, check=True, cwd=ROOT)
        shown, whole = done.stdout.decode(), rig("decode", CANDLE, *options).stdout
        assert [line.split() for line in shown.splitlines()] == [line.split() for line in whole.splitlines()]


def test_what_is_not_there_or_no_capture_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty.log").touch()
    (tmp_path / "notes.txt").write_text("frame time\n1 0.5\n")
    for command in (
        ("decode",),
        ("decode", "--format", "json"),
        ("decode", "--gatt"),
        ("info",),
        ("decode", "--events"),
        ("info", "--json"),
    ):
        one_line(rig(*command, tmp_path / "gone.log"), 1, "gone.log", "no such file")
        one_line(rig(*command, tmp_path), 1, str(tmp_path), "directory")
        one_line(rig(*command, tmp_path / "empty.log"), 1, "empty.log", "empty")
        one_line(rig(*command, tmp_path / "notes.txt"), 1, "notes.txt", "text")


@pytest.mark.parametrize("form", ["tsv", "jsonl", "json", "table"])
def test_the_rows_before_the_damage_are_printed_then_one_line_says_where_it_is(form: str, tmp_path: Path) -> None:
    whole = BLETOOLS.read_bytes()
    cut = tmp_path / "cut.log"
    cut.write_bytes(whole[: len(whole) * 3 // 4])
    done = process("decode", cut, "--format", form)
    one_line(done, 1, str(cut), "at byte ", "cut")
    undamaged = rig("decode", BLETOOLS, "--format", form).stdout
    if form == "json":
        rows = json.loads(done.stdout)
        assert 0 < len(rows) < len(json.loads(undamaged))
        assert rows == json.loads(undamaged)[: len(rows)]
    elif form == "table":
        assert len(done.stdout.splitlines()) > 100
    else:
        assert len(done.stdout.splitlines()) > 100
        assert undamaged.startswith(done.stdout)


def test_a_fault_of_our_own_is_one_line_and_debug_shows_where_it_is_from(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> int:
        raise ZeroDivisionError("by\nzero")

    monkeypatch.setattr(decode_command, "decode", broken)
    assert cli.main(["decode", "x"]) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "ZeroDivisionError: by zero" in told
    assert "--debug" in told
    assert cli.main(["decode", "x", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_name_that_a_terminal_would_obey_is_spelled_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["decode", "\x1b[31m\nred"]) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "\x1b" not in told
    assert "\\x1b[31m" in told


# --- operations, events, maps -----------------------------------------------------------------------------------------


def test_operations_are_printed_in_every_format() -> None:
    rows = table(rig("decode", "--gatt", BLETOOLS).stdout)
    first = next(row for row in rows if row["operation"] == "write")
    assert (first["frame"], first["end_frame"], first["uuid"], first["characteristic"]) == (
        "396",
        "397",
        "2902",
        "ffe4",
    )
    objects = [json.loads(line) for line in rig("decode", "--gatt", BLETOOLS, "--format", "jsonl").stdout.splitlines()]
    assert [str(one["frame"]) for one in objects] == [row["frame"] for row in rows]
    assert json.loads(rig("decode", "--gatt", BLETOOLS, "--format", "json").stdout) == objects
    shown = rig("decode", "--gatt", BLETOOLS, "--format", "table").stdout
    assert "2902 Client Characteristic Configuration of ffe4" in shown
    assert len(shown.splitlines()) == len(rows) + 4


@pytest.fixture
def stop(tmp_path: Path) -> Path:
    """A host that sends a Dr-05's total stop as its document prints it, and then with the checksum that it takes."""
    path = tmp_path / "stop.log"
    said = (
        (0x52, frames.encode(0x31, State.REQUEST, 0x06, order=ChecksumOrder.LOW_FIRST)),
        (0x1B, frames.encode(0x31, State.REFUSED, 0x06)),
        (0x52, frames.encode(0x31, State.REQUEST, 0x06)),
        (0x1B, frames.encode(0x31, State.ACCEPTED, 0x06)),
    )
    records = (att_record(at * 10_000, opcode, frame) for at, (opcode, frame) in enumerate(said))
    path.write_bytes(BTSNOOP + b"".join(records))
    return path


def test_events_of_a_device_are_printed_and_a_frame_that_it_refuses_is_shown_as_refused(stop: Path) -> None:
    done = rig("decode", "--events", "--protocol", "dr05", stop)
    assert (done.returncode, done.stderr) == (0, "")
    sent, refused, sent_again, taken = table(done.stdout)
    assert (sent["kind"], sent["name"], sent["by"]) == ("refused", "total_stop", "host")
    assert "its checksum F2 6B is" in sent["reason"]
    assert (refused["kind"], refused["by"]) == ("refused", "device")
    assert (sent_again["kind"], sent_again["name"]) == ("command", "total_stop")
    assert (taken["kind"], taken["by"], taken["latency_s"]) == ("acknowledged", "device", "0.01")
    objects = [
        json.loads(line)
        for line in rig("decode", "--events", "--protocol", "dr05", stop, "--format", "jsonl").stdout.splitlines()
    ]
    assert [one["text"] for one in objects] == [row["text"] for row in (sent, refused, sent_again, taken)]
    shown = rig("decode", "--events", "--protocol=dr05", "--format=table", stop).stdout
    assert "total stop: acknowledged after 0.010 s" in shown


def test_a_capture_of_no_known_device_says_how_to_go_on(stop: Path) -> None:
    done = rig("decode", "--events", stop)
    one_line(done, 0, str(stop), "--protocol", "--gatt")
    assert len(done.stdout.splitlines()) == 1
    one_line(rig("decode", "--events", "--protocol", "toaster", stop), 2, "toaster", "dr05", "foreo")


def test_a_map_saved_from_one_capture_names_the_handles_of_another(tmp_path: Path) -> None:
    saved = tmp_path / "device.json"
    done = rig("decode", BLETOOLS, "--save-map", saved)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == rig("decode", BLETOOLS).stdout
    other = tmp_path / "other.log"
    other.write_bytes(BTSNOOP + att_record(1, 0x52, b"x").replace(b"\x52\x12", b"\x52\x0b"))
    assert table(rig("decode", other).stdout)[0]["uuid"] == ""
    for form in ("tsv", "jsonl"):
        assert "ffe9" in rig("decode", other, "--map", saved, "--format", form).stdout
    packed = tmp_path / "other.pcapng"
    assert rig("convert", other, packed, "--map", saved).returncode == 0
    assert json.loads(rig("info", packed, "--json").stdout)["handle_map"]["servers"] == 1
    for options in ((), ("--format", "jsonl"), ("--gatt",)):
        assert "ffe9" in rig("decode", packed, *options).stdout, options


def test_a_map_that_cannot_be_had_is_one_line(tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text("{}")
    one_line(rig("decode", BLETOOLS, "--map", bad), 1, "bad.json")
    one_line(rig("decode", BLETOOLS, "--map", tmp_path / "gone.json"), 1, "gone.json")
    nowhere = tmp_path / "nowhere" / "m.json"
    one_line(rig("decode", BLETOOLS, "--save-map", nowhere), 1, "m.json")
    silent = rig("decode", CAPTURES / "idealLED__temp.value.txt.log", "--save-map", tmp_path / "m.json")
    one_line(silent, 1, "no discovery", "m.json")
    assert not (tmp_path / "m.json").exists()


def test_a_damaged_capture_still_saves_what_it_told(tmp_path: Path) -> None:
    cut = tmp_path / "cut.log"
    cut.write_bytes(BLETOOLS.read_bytes()[:40_000])
    one_line(rig("decode", cut, "--save-map", tmp_path / "m.json"), 1, "cut.log", "at byte ")
    assert (tmp_path / "m.json").exists()
    cut.write_bytes(BLETOOLS.read_bytes()[:1_000])
    (tmp_path / "m.json").unlink()
    one_line(rig("decode", cut, "--save-map", tmp_path / "m.json"), 1, "cut.log", "at byte ", "no discovery")
    assert not (tmp_path / "m.json").exists()


def test_a_map_of_the_whole_capture_or_none(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = process("decode", BLETOOLS, "--save-map", tmp_path / "m.json", capture_output=False, stdout=writer)
    finally:
        os.close(writer)
    assert done.returncode == 141
    assert not (tmp_path / "m.json").exists()


# --- convert and record -----------------------------------------------------------------------------------------------


def test_a_conversion_has_the_same_rows_and_says_what_it_wrote(tmp_path: Path) -> None:
    for name in ("copy.pcapng", "copy.pcap", "copy.log", "copy.btsnoop.gz"):
        done = rig("convert", BLETOOLS, tmp_path / name)
        assert (done.returncode, done.stderr) == (0, "")
        assert name in done.stdout
        assert "1354 packets" in done.stdout
        assert rig("decode", tmp_path / name).stdout == rig("decode", BLETOOLS).stdout
    assert rig("convert", BLETOOLS, tmp_path / "x.bin", "--format", "pcap").returncode == 0
    assert (tmp_path / "x.bin").read_bytes() == (tmp_path / "copy.pcap").read_bytes()


def test_a_redacted_copy_holds_no_address_and_no_name(tmp_path: Path) -> None:
    told = json.loads(rig("info", BLETOOLS, "--json").stdout)
    personal = [*told["names"], *told["names"].values()]
    assert personal
    for name in ("one.log", "two.log"):
        assert rig("convert", BLETOOLS, tmp_path / name, "--redact", "--redact-seed", "7").returncode == 0
    shown = rig("info", tmp_path / "one.log", "--json").stdout
    assert [text for text in personal if text in shown] == []
    assert (tmp_path / "one.log").read_bytes() == (tmp_path / "two.log").read_bytes()


def test_a_conversion_that_makes_no_sense_or_cannot_be_is_one_line(tmp_path: Path) -> None:
    same = tmp_path / "same.log"
    same.write_bytes(BLETOOLS.read_bytes())
    one_line(rig("convert", same, same), 2, "same.log", "another file")
    one_line(rig("convert", same, tmp_path / "x.bin"), 2, "x.bin", "--format")
    one_line(rig("convert", same, tmp_path), 2, str(tmp_path))
    one_line(rig("convert", tmp_path / "gone.log", tmp_path / "x.pcap"), 1, "gone.log", "no such file")
    one_line(rig("convert", same, tmp_path / "nowhere" / "x.pcap"), 1, "x.pcap", "cannot be written")
    assert same.read_bytes() == BLETOOLS.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["same.log"]


def test_a_recording_that_makes_no_sense_is_one_line(tmp_path: Path) -> None:
    one_line(rig("record", "--device", "X", "-"), 2, "standard output")
    one_line(rig("record", "--device", "X", tmp_path / "x.foo"), 2, "x.foo", ".pcapng")
    one_line(rig("record", "--device", "X", tmp_path / "x.pcap", "--save-map", tmp_path / "x.pcap"), 2, "--save-map")


def test_a_map_never_goes_over_the_capture_whatever_it_is_called(tmp_path: Path) -> None:
    same = tmp_path / "same.log"
    same.write_bytes(BLETOOLS.read_bytes())
    (tmp_path / "link.json").symlink_to(same)
    one_line(rig("decode", same, "--save-map", tmp_path / "link.json"), 2, "--save-map")
    assert same.read_bytes() == BLETOOLS.read_bytes()


@pytest.mark.parametrize(("lines_before", "code"), [((), 130), (("Dr-05: 1 characteristic recorded",), 0)])
def test_ctrl_c_ends_a_recording_and_interrupts_a_search(
    lines_before: tuple[str, ...], code: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def recorded(device: str, target: str, *, tell: Callable[[str], None], **_: object) -> None:
        for line in lines_before:
            tell(line)
        raise KeyboardInterrupt

    monkeypatch.setattr(record_command, "recorded", recorded)
    done = rig("record", "--device", "Dr-05", tmp_path / "x.pcapng")
    assert (done.returncode, done.stderr) == (code, "")
    assert done.stdout.splitlines() == list(lines_before)


# --- whatever a capture holds -----------------------------------------------------------------------------------------

EVERY_WAY = [
    ("info",), ("info", "--json"), ("decode",), ("decode", "--format", "json"), ("decode", "--format", "table"),
    ("decode", "--gatt", "--format", "table"), ("decode", "--events", "--protocol", "dr05"),
    ("decode", "--events", "--format=json"),
]  # fmt: skip
ATT_PDUS = st.builds(
    lambda handle, received, pdu: (
        received,
        b"\x02" + struct.pack("<HHHH", handle | received << 13, len(pdu) + 4, len(pdu), 4) + pdu,
    ),
    st.integers(0x40, 0x41),
    st.integers(0, 1),
    st.one_of(
        st.binary(max_size=30), st.sampled_from([0x01, 0x08, 0x09, 0x0B, 0x1B, 0x52]).map(lambda o: bytes([o, 1, 0]))
    ),
)
EVENTS = st.binary(max_size=40).map(lambda data: (1, b"\x04\x3e" + bytes([len(data)]) + data))
PACKETS = st.lists(st.one_of(ATT_PDUS, EVENTS, st.tuples(st.integers(0, 1), st.binary(max_size=20))), max_size=12)


@pytest.mark.slow
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    packets=PACKETS, times=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=12, max_size=12), cut=st.integers(0, 9)
)
def test_whatever_a_capture_holds_every_command_prints_it(
    packets: list[tuple[int, bytes]], times: list[int], cut: int, tmp_path: Path
) -> None:
    path = tmp_path / "any.log"
    whole = BTSNOOP + b"".join(
        struct.pack(">IIIIq", len(data), len(data), received, 0, time) + data
        for (received, data), time in zip(packets, times, strict=False)
    )
    path.write_bytes(whole[: len(whole) - cut] if len(whole) - cut > len(BTSNOOP) else whole)
    for way in EVERY_WAY:
        done = rig(*way, path)
        assert done.returncode in (0, 1), done
        assert "unexpected" not in done.stderr, done
        if "json" in "".join(way):
            json.loads(done.stdout)


# --- how it ends ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments", [("decode", BLETOOLS), ("decode", BLETOOLS, "--format", "json"), ("info", BLETOOLS)]
)
def test_a_reader_that_leaves_early_is_no_fault(arguments: tuple[str | Path, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = process(*arguments, capture_output=False, stdout=writer, stderr=subprocess.PIPE)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize(
    "arguments", [("decode", BLETOOLS), ("decode", BLETOOLS, "--format", "json"), ("info", BLETOOLS)]
)
def test_a_full_disk_is_one_line(arguments: tuple[str | Path, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        one_line(
            process(*arguments, capture_output=False, stdout=full, stderr=subprocess.PIPE), 1, "No space left on device"
        )


@pytest.mark.usefixtures("interrupts")
def test_rows_of_a_pipe_are_printed_as_they_come_and_ctrl_c_ends_it_quietly() -> None:
    program = subprocess.Popen(
        [*RIG, "decode", "-", "--format", "jsonl"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    assert program.stdin is not None
    assert program.stdout is not None
    program.stdin.write(BTSNOOP + att_record(1, 0x1B, b"one"))
    program.stdin.flush()
    assert json.loads(program.stdout.readline())["value"] == b"one".hex()
    program.stdin.write(att_record(2, 0x1B, b"two"))
    program.stdin.flush()
    assert json.loads(program.stdout.readline())["value"] == b"two".hex()
    program.send_signal(signal.SIGINT)
    out, err = program.communicate()
    assert (program.returncode, out, err) == (130, b"", b"")


def test_a_table_of_a_pipe_is_shown_as_it_comes_too() -> None:
    program = subprocess.Popen(
        [*RIG, "decode", "-", "--format", "table"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=False, cwd=ROOT
    )
    assert program.stdin is not None
    assert program.stdout is not None
    program.stdin.write(BTSNOOP + att_record(1, 0x1B, b"one"))
    program.stdin.flush()
    shown = [program.stdout.readline().decode() for _ in range(5)]
    assert shown[4].split()[:5] == ["1", "0.000000", "1", "?", "notification"]
    program.stdin.write(att_record(1_000_001, 0x1B, b"\0"))
    out, _ = program.communicate()
    assert out.decode().split()[:2] == ["2", "1.000000"]
    assert out.index(b"00\n") == shown[4].index("6f 6e 65")  # the columns stay where they are


def closed(*arguments: str | Path, stdin: bool = True, stdout: bool = True) -> Done:
    """Run with standard input or output closed, as `<&-` and `>&-` do."""
    redirections = f"{'' if stdin else ' <&-'}{'' if stdout else ' >&-'}"
    return subprocess.run(
        ["sh", "-c", f'"$@"{redirections}', "sh", *RIG, *map(str, arguments)],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip


def test_closed_streams_are_no_fault_of_the_program(tmp_path: Path) -> None:
    one_line(closed("decode", "-", stdin=False), 2, "standard input", "closed")
    done = closed("decode", BLETOOLS, stdout=False)
    assert (done.returncode, done.stderr) == (0, "")
    one_line(closed("decode", tmp_path / "gone.log", stdout=False), 1, "gone.log")


def in_a_terminal(*arguments: str | Path, columns: int = 100) -> tuple[int, str]:
    """Run with a terminal on all three streams; return the exit code and what was shown."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, columns))
    shown = b""
    with subprocess.Popen(
        [*RIG, *map(str, arguments)], stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT
    ) as program:
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
    return program.returncode, shown.decode().replace("\r\n", "\n")


def test_in_a_terminal_a_capture_is_a_table_cut_to_its_width() -> None:
    code, shown = in_a_terminal("decode", JBD, columns=90)
    assert code == 0
    assert shown.startswith("times are seconds since ")
    assert max(map(len, shown.splitlines())) == 90
    assert "\x1b" not in shown


def test_nobody_is_made_to_type_a_capture() -> None:
    for command in ("decode", "info"):
        code, shown = in_a_terminal(command, "-")
        assert code == 2
        assert shown.startswith("rig: `-` reads a capture from standard input, which is a terminal")


# --- info -------------------------------------------------------------------------------------------------------------


def test_info_is_for_people_and_as_json_for_programs() -> None:
    text = rig("info", BLETOOLS)
    assert (text.returncode, text.stderr) == (0, "")
    told = json.loads(rig("info", "--json", BLETOOLS).stdout)
    assert told["records"] == 1354
    assert f"{told['records']:,} in " in text.stdout
    assert f"\nlinks         {len(told['links'])}\n" in text.stdout
    assert told["damage"] is None


def test_info_of_a_damaged_capture_tells_what_comes_before_and_then_the_damage(tmp_path: Path) -> None:
    whole = BLETOOLS.read_bytes()
    cut = tmp_path / "cut.log"
    cut.write_bytes(whole[: len(whole) * 3 // 4])
    done = rig("info", cut)
    one_line(done, 1, str(cut), "at byte ")
    assert "\nrecords " in done.stdout
    done = rig("info", cut, "--json")
    one_line(done, 1, str(cut), "at byte ")
    damage = json.loads(done.stdout)["damage"]
    assert f"at byte {damage['offset']}: {damage['problem']}" in done.stderr


def test_main_prints_to_whatever_standard_output_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs that call main() get bytes and text in order, in one stream."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(sys, "stdout", stream)
    print("before")
    assert cli.main(["decode", str(CANDLE)]) == 0
    print("after")
    stream.flush()
    first, header, *_, last = stream.buffer.getvalue().decode().splitlines()  # type: ignore[attr-defined]
    assert (first, header.split("\t"), last) == ("before", COLUMNS, "after")
