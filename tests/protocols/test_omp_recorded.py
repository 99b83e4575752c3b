"""What of two recordings of one OMP session may differ, and a keep-alive at the request of who replays one."""

from __future__ import annotations

import pytest

from protocols.machine import LocalProtocolError
from protocols.model import Acknowledged, Fault, KeepAlive, Rejected, SetIntensity, StartOutput, TotalStop
from protocols.omp import ENTRY, KEEP_ALIVE_EVERY_S, KEEP_ALIVE_MS
from protocols.omp_codec import (
    CONTROL_POINT,
    LOST_OHM,
    STATUS,
    TELEMETRY,
    FaultCode,
    Opcode,
    Request,
    Response,
    Result,
    State,
    Status,
    Telemetry,
)
from protocols.recorded import Facts
from rig.devices.omp import AUTHENTICATED, BATTERY_LEVEL, ENCRYPTED, SimulatedOmp
from rig.devices.skin import Touch
from tests.protocols.test_omp import Talk

RECORDED = ENTRY.recorded
WRITTEN = Request(Opcode.KEEP_ALIVE, (KEEP_ALIVE_MS,)).encode()


def meant(characteristic: str, data: bytes) -> Facts:
    [stream] = [one for one in RECORDED.streams if one.characteristic == characteristic]
    return stream.facts(data)


# --- what matters -----------------------------------------------------------------------------------------------------


def test_what_runs_by_the_clock_is_no_fact_of_a_status() -> None:
    status = Status(State.RUNNING, FaultCode.NONE, 20, 1200, 1000, 1)
    later = Status(State.RUNNING, FaultCode.NONE, 20, 17, 300, 9)
    assert meant(STATUS, status.encode()) == meant(STATUS, later.encode())
    assert meant(STATUS, status.encode()) == {"state": "running", "fault": "none", "target": "20 µA"}
    broken = Status(State.FAULT, FaultCode.OVER_CURRENT, 20, 0, 0, 1)
    assert meant(STATUS, broken.encode()) == {"state": "fault", "fault": "over current", "target": "20 µA"}


@pytest.mark.parametrize(
    ("delivered_ua", "impedance_ohm", "contact", "output"),
    [
        (0, 1_000, "there", "off"),
        (1, LOST_OHM, "there", "on"),
        (400, LOST_OHM + 10, "lost", "on"),
        (0, None, "lost", "off"),
    ],
)
def test_a_measurement_is_contact_and_whether_current_flows(
    delivered_ua: int, impedance_ohm: int | None, contact: str, output: str
) -> None:
    data = Telemetry(7, 700, delivered_ua, impedance_ohm, 50, 33.0, State.RUNNING).encode()
    assert meant(TELEMETRY, data) == {"state": "running", "contact": contact, "output": output}


@pytest.mark.parametrize("stream", RECORDED.streams, ids=lambda stream: stream.characteristic[:8])
def test_bytes_that_are_no_value_are_told_by_an_error(stream: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        meant(getattr(stream, "characteristic", ""), b"\xff" * 30)


def test_how_full_the_battery_is_matters_to_nobody() -> None:
    assert meant(BATTERY_LEVEL, b"\x00") == meant(BATTERY_LEVEL, b"\x64") == {}


def test_the_nonce_is_drawn_in_the_request_and_in_the_answer_alone() -> None:
    asked = Request(Opcode.REQUEST_CONTROL, (0x11223344,)).encode()
    answered = Response(Opcode.REQUEST_CONTROL, Result.SUCCESS, (0x11223344,)).encode()
    for data in (asked, answered):
        where = RECORDED.drawn(CONTROL_POINT, data)
        assert where is not None
        assert data[where] == bytes.fromhex("44332211")
        assert RECORDED.drawn(STATUS, data) is None
    refused = Response(Opcode.REQUEST_CONTROL, Result.NOT_PERMITTED).encode()
    for data in (WRITTEN, refused, b"", b"\x01\x02", b"\x80", Request(Opcode.STOP).encode()):
        assert RECORDED.drawn(CONTROL_POINT, data) is None


def test_a_keep_alive_is_known_in_both_directions() -> None:
    for data in (WRITTEN, Response(Opcode.KEEP_ALIVE, Result.SUCCESS).encode()):
        assert RECORDED.is_keep_alive(CONTROL_POINT, data)
        assert not RECORDED.is_keep_alive(STATUS, data)
    for data in (b"", b"\x08", b"\x80\x07\x01", b"\x80", Request(Opcode.STOP).encode()):
        assert not RECORDED.is_keep_alive(CONTROL_POINT, data)


def test_the_profile_asks_for_the_security_that_the_device_has() -> None:
    assert RECORDED.encrypted == ENCRYPTED
    assert RECORDED.authenticated == AUTHENTICATED


# --- a keep-alive on request ------------------------------------------------------------------------------------------


def keep_alives(talk: Talk) -> list[float]:
    return [done.time for done in talk.performed if getattr(done.operation, "data", b"") == WRITTEN]


def test_a_keep_alive_on_request_puts_the_next_one_off() -> None:
    talk = Talk().running()
    talk.run_until(lambda: False, 0.3)
    asked_at = talk.now
    talk.does(KeepAlive())
    talk.advance(1.1)
    after = [at - asked_at for at in keep_alives(talk) if at >= asked_at]
    assert after == pytest.approx([0.0, KEEP_ALIVE_EVERY_S, 2 * KEEP_ALIVE_EVERY_S], abs=0.02)


def test_when_the_next_keep_alive_is_due_is_told() -> None:
    talk = Talk().ready()
    assert talk.protocol.keep_alive_at is None
    talk.advance(0.1)
    talk.does(SetIntensity(talk.protocol.profile.lowest_percent))
    talk.does(StartOutput())
    due = talk.protocol.keep_alive_at
    assert due is not None
    assert talk.now < due <= talk.now + KEEP_ALIVE_EVERY_S
    talk.command(TotalStop())
    assert talk.protocol.keep_alive_at is None


def test_without_output_there_is_nothing_to_keep_up() -> None:
    talk = Talk().ready()
    with pytest.raises(LocalProtocolError, match="no output to keep up"):
        talk.command(KeepAlive())


def test_while_contact_is_lost_there_is_nothing_to_keep_up() -> None:
    talk = Talk().running()
    talk.device.touch(Touch.LIFTED, talk.now)
    talk.advance(0.5)
    with pytest.raises(LocalProtocolError, match="no output to keep up"):
        talk.command(KeepAlive())


def test_a_keep_alive_on_request_that_is_refused_ends_the_output_as_any_other() -> None:
    class Refusing(SimulatedOmp):
        refuses = False

        def _keep_alive(self, now: float, valid_ms: int) -> Result:
            return Result.FAILED if self.refuses else super()._keep_alive(now, valid_ms)

    device = Refusing(4)
    talk = Talk(device).running()
    device.refuses = True
    talk.command(KeepAlive())
    talk.advance(1.0)
    assert any("refuses the keep-alive" in fault.reason for fault in talk.events(Fault))
    assert any(isinstance(event.command, KeepAlive) for event in talk.events(Rejected))
    assert not any(isinstance(event.command, KeepAlive) for event in talk.events(Acknowledged))
    assert not talk.protocol.output_possible
    assert talk.device.output_ua(talk.now) == 0.0
