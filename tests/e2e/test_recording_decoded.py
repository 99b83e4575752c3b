"""What the companion records, the rig reads as Wireshark does: times, UUIDs and roles, row by row."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest

from companion.cli import main as companion
from companion.config import DATA_VARIABLE
from rig.capture.decode import write_tsv
from rig.cli import main as rig


@pytest.fixture(params=["dr05", "foreo", "omp"])
def recording(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A whole first-touch session on a simulated device, recorded on the way."""
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "data"))
    path = tmp_path / "session.btsnoop"
    arguments = ["run", "first-touch", "--demo", request.param, "--yes", "--speed", "max", "--seed", "3"]
    assert companion([*arguments, "--record", str(path)]) == 0
    return path


def _tshark(path: Path, shown: str, *fields: str) -> list[list[str]]:
    program = shutil.which("tshark")
    if program is None:
        pytest.skip("tshark is not installed: apt-get install tshark")
    asked = [part for field in fields for part in ("-e", field)]
    done = subprocess.run(
        [program, "-r", str(path), "-Y", shown, "-T", "fields", "-E", "occurrence=f", *asked],
        capture_output=True,
        text=True,
        check=True,
    )
    return [line.split("\t") for line in done.stdout.splitlines()]


def _decoded(path: Path) -> list[dict[str, str]]:
    out = io.BytesIO()
    write_tsv(path, out)
    header, *lines = out.getvalue().decode().splitlines()
    return [dict(zip(header.split("\t"), line.split("\t"), strict=True)) for line in lines]


def test_times_uuids_and_roles_are_those_that_tshark_sees(recording: Path) -> None:
    theirs = _tshark(
        recording,
        "btatt",
        *("frame.number", "frame.time_epoch", "hci_h4.direction", "btatt.opcode", "btatt.handle"),
        *("btatt.uuid16", "btatt.uuid128"),
    )
    # The host that recorded says which role it has when the connection completes: 0 is the central.
    [[role]] = _tshark(
        recording, "bthci_evt.le_meta_subevent == 0x01 || bthci_evt.le_meta_subevent == 0x0a", "bthci_evt.role"
    )
    sent = "central" if int(role, 0) == 0 else "peripheral"
    received = "peripheral" if sent == "central" else "central"

    ours = _decoded(recording)

    assert len(ours) == len(theirs) > 40
    named = 0
    for row, (frame, when, direction, opcode, handle, uuid16, uuid128) in zip(ours, theirs, strict=True):
        assert row["frame"] == frame
        assert Decimal(row["time"]) == Decimal(when)
        assert row["sender"] == (received if int(direction, 0) else sent), row
        assert row["pdu"][:2] == f"{int(opcode, 0):02x}"
        if row["uuid"] and row["opcode"] != "error_response":  # tshark names the handle of an error only sometimes
            named += 1
            assert row["handle"] == handle, row
            assert row["uuid"].replace("-", "") == (uuid128 or uuid16.removeprefix("0x")), row
    assert named > 15


def test_the_events_of_a_session_come_out_of_its_recording(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert rig(["decode", "--events", "--format", "jsonl", str(recording)]) == 0

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    said = [(line["kind"], line["name"]) for line in lines if line["kind"] != "event"]
    commands = [name for kind, name in said if kind == "command"]
    assert "start_output" in commands or commands.count("set_intensity") > 1
    assert commands[-1] in {"stop_output", "total_stop"}
    assert said[-1] == ("acknowledged", commands[-1])
    assert [line["time"] for line in lines] == sorted(line["time"] for line in lines)
