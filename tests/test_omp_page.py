"""The specification page of OMP says what the codec and the device do: its tables, its examples, its state machine."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

from protocols import omp_codec as codec
from protocols.omp_codec import (
    Features,
    Field,
    Opcode,
    Request,
    Response,
    Result,
    ServiceData,
    State,
    Status,
    Telemetry,
    crc16,
)
from protocols.omp_record import Ending, RecordChunk, SessionRecord, assemble, chunks
from rig.devices.omp import SimulatedOmp
from rig.devices.skin import Touch
from tests.rig.omp_rules import Hand

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs/omp.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(
    r"^\| (service data|features|request|answer|status|telemetry) \| `([^`]+)` \| (.*?) \|$", TEXT, re.MULTILINE
)
_MACHINE = TEXT.split("### State machine")[1].split("\n## ")[0]
_HEAD, *TRANSITIONS = re.findall(r"^\| ([a-z ]+) \| (.*?) \| ([a-z ]+) \|$", _MACHINE, re.MULTILINE)


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    """The script that writes the tables."""
    loader = SourceFileLoader("omp_tables", str(ROOT / "scripts/omp-tables"))
    spec = spec_from_loader("omp_tables", loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


# --- the tables -------------------------------------------------------------------------------------------------------


def test_the_tables_are_those_of_the_codec_the_device_and_the_rules(tables: ModuleType) -> None:
    assert set(re.findall(r"<!-- table: ([a-z-]+) -->", TEXT)) == set(tables.TABLES)
    assert tables.written(TEXT) == TEXT, "run scripts/omp-tables"


def test_a_field_that_moves_is_noticed(tables: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "STATUS_LAYOUT", codec.Layout(*codec.STATUS_LAYOUT, Field("more", "u8")))
    assert tables.written(TEXT) != TEXT


def test_the_script_explains_itself_and_checks() -> None:
    script = [sys.executable, str(ROOT / "scripts/omp-tables")]
    explained = subprocess.run([*script, "--help"], capture_output=True, text=True, check=True)
    assert "scripts/omp-tables" in explained.stdout
    assert subprocess.run([*script, "--check"], check=False).returncode == 0


# --- the examples -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "spelled", "says"), EXAMPLES, ids=[f"{kind}-{b}" for kind, b, _ in EXAMPLES])
def test_an_example_decodes_and_encodes_as_it_says(kind: str, spelled: str, says: str) -> None:
    data = bytes.fromhex(spelled)
    head, *rest = says.split()
    values = {name: int(value) for name, _, value in (word.partition("=") for word in (head, *rest) if "=" in word)}
    if kind == "request":
        opcode = Opcode[head]
        request = Request(opcode, tuple(values.values()))
        assert list(values) == [field.name for field in codec.REQUEST_LAYOUTS[opcode]]
        assert (Request.decode(data), request.encode()) == (request, data)
        return
    layout, decode = LAYOUTS[kind]
    if kind == "answer":
        success = values["result"] == Result.SUCCESS
        layout = codec.Layout(*layout, *(codec.ANSWER_LAYOUTS.get(Opcode(values["opcode"]), ()) if success else ()))
    assert list(values) == [field.name for field in layout]
    assert codec.unpack(layout, data, kind) == tuple(values.values())
    assert codec.pack(layout, tuple(values.values())) == data
    assert decode(data).encode() == data


LAYOUTS: dict[str, tuple[codec.Layout, Callable[[bytes], ServiceData | Features | Response | Status | Telemetry]]] = {
    "service data": (codec.SERVICE_DATA_LAYOUT, ServiceData.decode),
    "features": (codec.FEATURES_LAYOUT, Features.decode),
    "answer": (codec.RESPONSE_LAYOUT, Response.decode),
    "status": (codec.STATUS_LAYOUT, Status.decode),
    "telemetry": (codec.TELEMETRY_LAYOUT, Telemetry.decode),
}


def test_there_is_an_example_of_every_request_and_of_every_kind() -> None:
    assert {says.split()[0] for kind, _, says in EXAMPLES if kind == "request"} == {each.name for each in Opcode}
    assert {kind for kind, _, _ in EXAMPLES} == {*LAYOUTS, "request"}


def test_the_record_of_the_example_is_carried_by_its_pieces() -> None:
    (record,) = re.findall(r"^record +(.*)$", TEXT, re.MULTILINE)
    pieces = [bytes.fromhex(piece) for piece in re.findall(r"^piece +(.*)$", TEXT, re.MULTILINE)]
    (told,) = assemble(map(RecordChunk.decode, pieces))
    assert told.encode() == bytes.fromhex(record)
    assert [piece.encode() for piece in chunks(2, bytes.fromhex(record))] == pieces
    assert told == SessionRecord(2, 15_000, 100, 101, 1, Ending.STOPPED, codec.Waveform.PULSED_DC, 83, (64, 99))


def test_the_checksum_is_the_one_that_the_page_names() -> None:
    assert f"{crc16(b'123456789'):04X}" in TEXT.split("CRC-16/CCITT-FALSE:")[1].split("\n")[0]


# --- the state machine ------------------------------------------------------------------------------------------------


def _charger(*, plugged: bool) -> Callable[[Hand], None]:
    return lambda hand: hand.device.set_charging(charging=plugged, now=hand.now)


def _touch(touch: Touch, seconds: float = 0.1) -> Callable[[Hand], None]:
    def happen(hand: Hand) -> None:
        hand.device.touch(touch, hand.now)
        hand.advance(seconds)

    return happen


def _ask(*requests: tuple[Opcode, int] | Opcode) -> Callable[[Hand], None]:
    def happen(hand: Hand) -> None:
        for request in requests:
            opcode, *parameters = request if isinstance(request, tuple) else (request,)
            assert hand.ask(opcode, *parameters) is Result.SUCCESS

    return happen


def _lose_link(hand: Hand) -> None:
    hand.device.disconnected(hand.now)


def _both(*each: Callable[[Hand], None]) -> Callable[[Hand], None]:
    def happen(hand: Hand) -> None:
        for one in each:
            one(hand)

    return happen


READY = _ask((Opcode.REQUEST_CONTROL, 7), (Opcode.SET_TARGET, 100))
RUNNING = _both(READY, _ask((Opcode.START, 5), (Opcode.KEEP_ALIVE, 5000)), lambda hand: hand.advance(1.0))
PAUSING = _both(RUNNING, _ask(Opcode.PAUSE))
COMES_TO: dict[str, Callable[[Hand], None]] = {
    "idle": lambda _hand: None,
    "ready": READY,
    "running": RUNNING,
    "ramping down": PAUSING,
    "paused": _both(PAUSING, lambda hand: hand.advance(0.5)),
    "contact lost": _both(RUNNING, _touch(Touch.LIFTED)),
    "fault": _both(RUNNING, _touch(Touch.SHORTED)),
    "charging": _both(RUNNING, _charger(plugged=True)),
}
HAPPENS: dict[str, Callable[[Hand], None]] = {
    "control and a target above 0": READY,
    "Start": _ask((Opcode.START, 60)),
    "Pause": _ask(Opcode.PAUSE),
    "the keep-alive lapses": _both(_ask((Opcode.KEEP_ALIVE, 200)), lambda hand: hand.advance(0.25)),
    "the output is at zero": lambda hand: hand.advance(0.5),
    "Resume": _ask(Opcode.RESUME),
    "contact lost": _touch(Touch.LIFTED),
    "contact is back": _touch(Touch.PLACED, 2.0),
    "contact is back for 300 ms, then Resume": _both(_touch(Touch.PLACED, 0.4), _ask(Opcode.RESUME)),
    "Stop": _ask(Opcode.STOP),
    "the run is over": _both(_ask((Opcode.KEEP_ALIVE, 5000)), lambda hand: hand.advance(4.5)),
    "the controller's link is lost": _lose_link,
    "the electrodes touch each other": _touch(Touch.SHORTED),
    "Acknowledge Fault, the cause is gone": _both(_touch(Touch.PLACED), _ask(Opcode.ACKNOWLEDGE_FAULT)),
    "the charger is plugged in": _charger(plugged=True),
    "the charger is taken away": _charger(plugged=False),
}


@pytest.mark.parametrize(("before", "what", "after"), TRANSITIONS)
def test_the_device_goes_from_state_to_state_as_the_page_says(before: str, what: str, after: str) -> None:
    hand = Hand(SimulatedOmp())
    COMES_TO[before](hand)
    assert hand.status.state is State[before.upper().replace(" ", "_")]
    HAPPENS[what](hand)
    assert hand.status.state is State[after.upper().replace(" ", "_")]


def test_every_state_is_entered_and_left() -> None:
    states = {state.name.lower().replace("_", " ") for state in State}
    assert {before for before, _, _ in TRANSITIONS} == states == {after for _, _, after in TRANSITIONS}
    assert {what for _, what, _ in TRANSITIONS} == set(HAPPENS)
