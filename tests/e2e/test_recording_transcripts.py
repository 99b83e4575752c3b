"""What the companion records of a session comes out of the rig as a transcript: every command, answer and pause."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from companion.cli import main as companion
from companion.config import DATA_VARIABLE
from protocols.gatt import uuid
from rig.cli import main as rig
from rig.replay.exchanges import Transcript
from rig.replay.from_capture import from_capture
from rig.replay.transcript import dumps, load, loads, save


@pytest.fixture(params=["dr05", "foreo", "omp"])
def recording(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A whole first-touch session on a simulated device."""
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "data"))
    path = tmp_path / f"{request.param}.btsnoop"
    arguments = ["run", "first-touch", "--demo", request.param, "--yes", "--speed", "max", "--seed", "3"]
    assert companion([*arguments, "--record", str(path)]) == 0
    return path


def test_a_recorded_session_is_a_transcript_that_comes_back_from_its_file(recording: Path, tmp_path: Path) -> None:
    transcript = from_capture(recording)
    save(transcript, tmp_path / "session.transcript")
    assert load(tmp_path / "session.transcript") == transcript
    assert transcript.protocol == recording.stem
    assert transcript.name in {"Dr-05", "BEAR2", "OMP"}
    assert transcript.mtu == 247
    first, last = transcript.exchanges[0], transcript.exchanges[-1]
    assert (first.at_ns, first.by, first.does) == (0, "app", "connect")
    assert (last.by, last.does) == ("app", "disconnect")
    assert 299.0 < last.at_ns / 1e9 < 302.0  # the routine's five minutes
    assert all(one.error is None for one in transcript.exchanges)
    assert "left out" not in transcript.source


def test_a_transcript_has_what_the_rows_of_its_recording_have(
    recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The values, in order, with their times: against ``rig decode``, which takes another way through the file."""
    capsys.readouterr()
    assert rig(["decode", "--att", "--format", "jsonl", str(recording)]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    names = {
        "write_request": "write",
        "write_command": "write_command",
        "handle_value_notification": "notification",
        "handle_value_indication": "indication",
    }
    told = [row for row in rows if row["opcode"] in names and row["uuid"] != "2902"]
    exchanges = [one for one in from_capture(recording).exchanges if one.does in names.values()]
    assert len(exchanges) > 5
    assert [(one.does, one.value) for one in exchanges] == [
        (names[row["opcode"]], bytes.fromhex(row["value"])) for row in told
    ]
    assert [(one.to and one.to.characteristic) for one in exchanges] == [uuid(row["uuid"]) for row in told]


def test_the_same_session_recorded_twice_is_the_same_transcript(recording: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.btsnoop"
    arguments = ["run", "first-touch", "--demo", recording.stem, "--yes", "--speed", "max", "--seed", "3"]
    assert companion([*arguments, "--record", str(again)]) == 0

    def without_source(transcript: Transcript) -> list[str]:
        return dumps(transcript).splitlines()[1:]

    assert without_source(from_capture(again)) == without_source(from_capture(recording))
    assert loads(dumps(from_capture(again))) == from_capture(again)
