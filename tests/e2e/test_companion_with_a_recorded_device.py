"""The companion itself, with the device of a recording in the stead of a simulated one: found, paired, obeyed."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

from companion.cli import main as companion
from companion.config import DATA_VARIABLE
from rig.devices import catalogue
from rig.replay.from_capture import from_capture
from rig.replay.outcome import Verdict
from rig.replay.peripheral import TranscriptDevice
from rig.replay.transcript import dumps, loads

FIRST_TOUCH = ["run", "first-touch", "--yes", "--speed", "max"]


def told(*arguments: str | Path) -> tuple[int, str]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = companion([str(argument) for argument in arguments])
    return code, out.getvalue()


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By device."""
    folder = tmp_path_factory.mktemp("recordings")
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(DATA_VARIABLE, str(folder / "data"))
        for key in ("dr05", "omp"):
            found[key] = folder / f"{key}.btsnoop"
            assert told(*FIRST_TOUCH, "--demo", key, "--record", found[key])[0] == 0
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("key", "nonce"), [("dr05", ""), ("omp", ""), ("omp", "11223344")])
def test_a_session_with_a_recorded_device_goes_as_the_recorded_one(
    recordings: dict[str, Path], key: str, nonce: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "data"))
    text = dumps(from_capture(recordings[key]))
    if nonce:  # that of the recording is then not the one that the companion draws
        drawn = re.search(r'"value": "01([0-9a-f]{8})"', text)
        assert drawn is not None
        assert text.count(drawn[1]) == 2  # asked, and answered
        text = text.replace(drawn[1], nonce)
    device = TranscriptDevice(loads(text))
    monkeypatch.setattr(catalogue, "create", lambda _key, _seed: device)

    code, out = told(*FIRST_TOUCH, "--demo", key)

    assert code == 0
    assert "All done." in out
    outcome = device.outcome(301.0)
    assert (outcome.verdict, [one.text for one in outcome.differences]) == (Verdict.PASSED, [])


@pytest.mark.slow
def test_a_recorded_device_that_does_not_agree_is_not_paired_and_nothing_is_written_to_it(
    recordings: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "data"))
    device = TranscriptDevice(from_capture(recordings["omp"]))
    assert device.display is not None
    device.display.agrees = False
    monkeypatch.setattr(catalogue, "create", lambda _key, _seed: device)

    code, _ = told(*FIRST_TOUCH, "--demo", "omp")

    assert code != 0
    assert [one.does for one in device.played.exchanges if one.does == "write"] == []
