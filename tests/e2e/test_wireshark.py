"""The Wireshark dissectors on recordings of the demo, in a real tshark: every field named, bad checksums told."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from companion.cli import main as companion
from protocols import omp_codec as codec
from protocols.frames import ChecksumOrder, Frame, FrameDecoder, FrameType, State, encode
from rig.capture.decode import write_tsv

LUA = Path(__file__).parents[2] / "docs/wireshark/microcurrent.lua"
LAYOUTS = {
    codec.FEATURES: codec.FEATURES_LAYOUT,
    codec.STATUS: codec.STATUS_LAYOUT,
    codec.TELEMETRY: codec.TELEMETRY_LAYOUT,
}


def recorded(device: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recording of the demo with that device."""
    monkeypatch.setenv("COMPANION_DATA", str(folder / "data"))
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    path = folder / f"{device}.btsnoop"
    arguments = ["run", "first-touch", "--demo", device, "--speed", "max", "--yes", "--json"]
    assert companion([*arguments, "--record", str(path)]) == 0
    return path


def tshark(*arguments: str) -> list[list[str]]:
    """Ask tshark with the dissectors loaded; one list of fields a line."""
    program = shutil.which("tshark")
    if program is None:
        pytest.skip("tshark is not installed: apt-get install tshark")
    command = [program, "-X", f"lua_script:{LUA}", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert "Lua" not in done.stderr, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


def fields(path: Path, shown: str, *names: str) -> list[list[str]]:
    columns = [part for name in names for part in ("-e", name)]
    return tshark("-r", str(path), "-Y", shown, "-T", "fields", *columns)


def values(path: Path) -> list[tuple[int, str, bytes]]:
    """Frame number, UUID and value of every value in a recording, as this project reads them."""
    table = io.BytesIO()
    write_tsv(path, table)
    return [
        (int(row["frame"]), row["uuid"], bytes.fromhex(row["value"]))
        for row in csv.DictReader(table.getvalue().decode().splitlines(), delimiter="\t")
        if row["uuid"] and row["value"]
    ]


@pytest.mark.slow
def test_every_omp_field_of_a_recording_has_its_name_and_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = recorded("omp", tmp_path, monkeypatch)
    seen = 0
    for uuid, layout in LAYOUTS.items():
        wanted = [
            [str(frame), *(str(number) for number in codec.unpack(layout, value, "value"))]
            for frame, known, value in values(path)
            if known == uuid
        ]
        names = [f"omp.{field.name}" for field in layout]
        found = {row[0]: row for row in fields(path, "omp", "frame.number", *names)}
        for row in wanted:
            told = [str(int(cell, 0)) for cell in found[row[0]]]
            assert told == row
        seen += len(wanted)
    assert seen > 100
    requests = [(frame, value) for frame, known, value in values(path) if known == codec.CONTROL_POINT]
    opcodes = {row[0]: int(row[1], 0) for row in fields(path, "omp.opcode", "frame.number", "omp.opcode")}
    assert opcodes == {str(frame): value[1 if value[0] == codec.RESPONSE_MARK else 0] for frame, value in requests}
    assert [row[0] for row in fields(path, "omp.crc_good == 0 or omp.left_over or _ws.malformed", "frame.number")] == []


@pytest.mark.slow
def test_every_55_aa_frame_of_a_recording_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = recorded("dr05", tmp_path, monkeypatch)
    wanted = []
    for frame, uuid, value in values(path):
        if uuid == "ffe1":
            for one in FrameDecoder().feed(value, 0.0):
                assert isinstance(one, Frame)
                para = one.para.hex()
                wanted.append([str(frame), f"0x{one.type:02x}", f"0x{one.state:02x}", f"0x{one.func:02x}", para, "1"])
    names = ("type", "state", "func", "para", "checksum_good")
    assert fields(path, "frame55aa", "frame.number", *(f"frame55aa.{name}" for name in names)) == wanted
    assert len(wanted) > 40


@pytest.mark.slow
def test_bad_checksums_are_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = recorded("dr05", tmp_path, monkeypatch)
    good = encode(FrameType.ACTION, State.REQUEST, 0x06)
    whole = path.read_bytes()
    assert good in whole
    for spoilt, marks in (
        (encode(FrameType.ACTION, State.REQUEST, 0x06, order=ChecksumOrder.LOW_FIRST), ["1", "low byte first"]),
        (good[:-1] + bytes((good[-1] ^ 1,)), ["0", ""]),
    ):
        path.write_bytes(whole.replace(good, spoilt, 1))
        told = fields(path, "frame55aa.func == 6 && frame55aa.state == 2", "frame55aa.checksum_good", "frame55aa.order")
        assert told[0] == marks
        assert all(row == ["1", "high byte first"] for row in told[1:])
    omp = recorded("omp", tmp_path, monkeypatch)
    frame, _, value = next(one for one in values(omp) if one[1] == codec.TELEMETRY)
    whole = omp.read_bytes()
    assert whole.count(value) == 1
    omp.write_bytes(whole.replace(value, value[:6] + bytes((value[6] ^ 1,)) + value[7:]))
    assert fields(omp, "omp.crc_good == 0", "frame.number") == [[str(frame)]]


def test_the_dissector_knows_every_name_and_number_of_the_codec() -> None:
    text = LUA.read_text("utf-8")
    fields_known = dict(re.findall(r'^    \{ "(\w+)", "(\w+)"', text, re.MULTILINE))
    layouts = [
        codec.FEATURES_LAYOUT,
        codec.STATUS_LAYOUT,
        codec.TELEMETRY_LAYOUT,
        codec.RECORD_CHUNK_LAYOUT,
        codec.RESPONSE_LAYOUT,
        *codec.REQUEST_LAYOUTS.values(),
        *codec.ANSWER_LAYOUTS.values(),
    ]
    for layout in layouts:
        for field in layout:
            assert fields_known[field.name] == field.kind
    tables = {
        "OPCODES": codec.Opcode,
        "RESULTS": codec.Result,
        "STATES": codec.State,
        "FAULTS": codec.FaultCode,
        "WAVEFORMS": codec.Waveform,
    }
    for table, numbers in tables.items():
        body = re.search(rf"^local {table} = \{{(.*?)\}}$", text, re.MULTILINE | re.DOTALL)
        assert body is not None
        told, at = {}, 0
        for number, name in re.findall(r'(?:\[(\w+)\] = )?"([^"]+)"', body[1]):
            at = int(number, 0) if number else at + 1
            told[at] = name
        assert set(numbers) <= set(told)
    for opcode, layout in codec.REQUEST_LAYOUTS.items():
        body = re.search(rf"\[0x{opcode:02X}\] = \{{([^}}]*)\}}", text[text.index("local REQUESTS") :])
        assert body is not None
        assert re.findall(r"\w+", body[1]) == [field.name for field in layout]
