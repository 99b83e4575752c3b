"""The seven hazards of the published Dr-05 firmware, one interlock each (safety case, H8).

Each test names its hazard and fails when its interlock is taken out.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocols import dr05
from protocols.dr05 import PROFILE, Dr05
from protocols.frames import encode
from protocols.gatt import Disconnect, Write
from protocols.machine import LocalProtocolError
from protocols.model import (
    Acknowledged,
    Battery,
    Command,
    ContactLost,
    ContactRestored,
    Delivered,
    QueryTemperature,
    QueryVersion,
    Refusal,
    Rejected,
    Report,
    SelectMode,
    SetIntensity,
    StartCooling,
    StartOutput,
    StopOutput,
    TotalStop,
    Unanswered,
)
from tests.protocols.talk import FFE1, LOWEST, RISE_S, START, STEP, STOP, TOTAL_STOP, Talk, energy, reply


def refuses(talk: Talk, command: Command, because: str) -> None:
    """Asking for ``command`` raises, makes no byte and changes nothing."""
    before = talk.protocol.output_possible
    talk.look()
    with pytest.raises(LocalProtocolError, match=because):
        talk.asks(command)
    assert talk.look() == ([], [])
    assert talk.protocol.output_possible == before


def test_dr05_hazard_1_start_is_refused_until_the_lowest_level_is_set() -> None:
    """Dr-05 hazard 1: with no energy set, the firmware starts at 50 %."""
    talk = Talk.ready()
    refuses(talk, StartOutput(), "set the lowest level")
    talk.asks(SetIntensity(LOWEST), answered=True)
    talk.look()
    talk.asks(StartOutput())
    assert talk.look()[0] == [START]


def test_dr05_hazard_1_start_is_refused_while_the_level_is_not_acknowledged() -> None:
    """Dr-05 hazard 1: a level that was sent may not have arrived."""
    talk = Talk.ready()
    talk.asks(SetIntensity(LOWEST))
    refuses(talk, StartOutput(), "not acknowledged yet")
    talk.waits(1.5)
    refuses(talk, StartOutput(), "not acknowledged yet")  # given up: in doubt


def test_dr05_hazard_1_start_is_refused_at_any_level_but_the_lowest() -> None:
    """Dr-05 hazard 1 and H2: a start is always at the lowest step, so no level below or above it leads to one."""
    talk = Talk.ready()
    for percent in (0, LOWEST + 1, LOWEST + STEP, 5, 50, 100):
        refuses(talk, SetIntensity(percent), "at most the lowest" if percent else "acknowledges and ignores")
        refuses(talk, StartOutput(), "set the lowest level, 1 %")


def test_dr05_hazard_1_start_is_refused_at_a_level_below_the_lowest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dr-05 hazard 1 and H2: below the 1 % of today there is no level, so this one has a lowest of 5 %."""
    monkeypatch.setattr(dr05, "PROFILE", replace(PROFILE, lowest_percent=5, step_percent=5))
    talk = Talk.ready()
    talk.asks(SetIntensity(3), answered=True)
    refuses(talk, StartOutput(), "lowest level, 5 %, not at 3 %")
    refuses(talk, SetIntensity(6), "at most the lowest")


def test_dr05_hazard_2_mode_change_is_refused_while_output_is_possible() -> None:
    """Dr-05 hazard 2: a mode change while running at 0 % restarts the output at 50 %."""
    talk = Talk.running()
    refuses(talk, SelectMode(2), "stopped alone")
    talk.asks(SetIntensity(0), answered=True)
    refuses(talk, SelectMode(2), "stopped alone")
    talk.asks(StopOutput())
    refuses(talk, SelectMode(2), "not acknowledged yet")
    talk.hears(reply(STOP))
    talk.asks(SelectMode(2), answered=True)
    assert talk.events[-1] == Acknowledged(SelectMode(2), 0.0)


def test_dr05_hazard_2_mode_change_is_refused_behind_a_start_that_still_waits() -> None:
    """Dr-05 hazard 2: an accepted start counts, though another request is in flight before it."""
    talk = Talk.ready()
    talk.asks(SetIntensity(LOWEST), answered=True)
    talk.asks(QueryTemperature())
    talk.asks(StartOutput())
    refuses(talk, SelectMode(2), "stopped alone")


def test_dr05_hazard_2_start_is_refused_behind_a_mode_change_that_still_waits() -> None:
    """Dr-05 hazard 2: no start while it is open which mode the device is in."""
    talk = Talk.ready()
    talk.asks(SetIntensity(LOWEST), answered=True)
    talk.asks(SelectMode(2))
    refuses(talk, StartOutput(), "mode asked for last")


def test_dr05_hazard_3_a_rise_is_one_step_at_most() -> None:
    """Dr-05 hazard 3 and H2: the device has no soft start."""
    talk = Talk.running()
    talk.now = 10.0
    refuses(talk, SetIntensity(LOWEST + STEP + 1), "more than one step of 1 %")
    refuses(talk, SetIntensity(100), "more than one step")
    talk.asks(SetIntensity(LOWEST + STEP))
    assert talk.look()[0] == [energy(LOWEST + STEP)]


def test_dr05_hazard_3_a_rise_waits_for_the_acknowledgement_before_it() -> None:
    """Dr-05 hazard 3 and H2: two unanswered rises could arrive as one."""
    talk = Talk.ready()
    talk.asks(SetIntensity(LOWEST), answered=True)
    talk.asks(StartOutput())
    talk.now = 0.4
    refuses(talk, SetIntensity(LOWEST + STEP), "acknowledged")
    talk.hears(reply(START))
    talk.now = 0.4 + RISE_S
    talk.asks(SetIntensity(LOWEST + STEP))
    talk.now += 0.4
    refuses(talk, SetIntensity(LOWEST + 2 * STEP), "acknowledged")


def test_dr05_hazard_3_a_rise_waits_for_the_ramp() -> None:
    """Dr-05 hazard 3 and H2: one step of 1 % takes a tenth of a second on a ramp of 10 % a second."""
    talk = Talk.running()
    talk.now = 0.099
    refuses(talk, SetIntensity(2), "allowed in 0.001 s")
    talk.now = 0.1 - 1e-10
    talk.asks(SetIntensity(2))
    talk.now = 0.2
    talk.hears(reply(energy(2)))
    talk.now = 0.299
    refuses(talk, SetIntensity(3), "allowed in")
    talk.now = 0.3
    talk.asks(SetIntensity(3))


def test_dr05_hazard_3_a_rise_that_was_given_up_leaves_only_lowering_until_one_is_acknowledged() -> None:
    """Dr-05 hazard 3 and H2: what may or may not be in effect is no ground to rise from."""
    talk = Talk.running()
    talk.now = 1.0
    talk.asks(SetIntensity(LOWEST + STEP))
    talk.waits(2.0)
    refuses(talk, SetIntensity(LOWEST + STEP), "acknowledged")
    talk.asks(SetIntensity(LOWEST), answered=True)
    refuses(talk, SetIntensity(LOWEST + STEP), "allowed in")
    talk.waits(RISE_S)
    talk.asks(SetIntensity(LOWEST + STEP))


def test_dr05_hazard_3_lowering_is_always_allowed() -> None:
    """Dr-05 hazard 3: less is never held back by the ramp."""
    talk = Talk.running()
    for percent in (2, 3, 4):
        talk.now += RISE_S
        talk.asks(SetIntensity(percent), answered=True)
    talk.asks(SetIntensity(2))
    talk.asks(SetIntensity(0))
    talk.hears(reply(energy(2)))
    talk.hears(reply(energy(0)))
    talk.now += RISE_S
    talk.asks(SetIntensity(LOWEST), answered=True)
    assert talk.events[-1] == Acknowledged(SetIntensity(LOWEST), 0.0)


def test_dr05_hazard_4_the_level_is_forgotten_at_each_stop() -> None:
    """Dr-05 hazard 4: the device keeps its energy across a stop; the host relies on none that it did not set since."""
    for stop, frame in ((StopOutput(), STOP), (TotalStop(), TOTAL_STOP)):
        talk = Talk.running()
        talk.now = RISE_S
        talk.asks(SetIntensity(LOWEST + STEP), answered=True)
        talk.asks(stop)
        talk.hears(reply(frame))
        refuses(talk, StartOutput(), "none is known since the stop")


def test_dr05_hazard_4_a_late_echo_of_a_level_from_before_the_stop_is_no_level() -> None:
    """Dr-05 hazard 4: the level was overtaken by the stop."""
    talk = Talk.ready()
    talk.asks(SetIntensity(LOWEST))
    talk.asks(TotalStop())
    talk.hears(reply(energy(LOWEST)))
    talk.hears(reply(TOTAL_STOP))
    talk.hears(reply(TOTAL_STOP))
    assert not talk.protocol.output_possible
    refuses(talk, StartOutput(), "none is known since the stop")


def test_dr05_hazard_4_level_0_is_refused_while_stopped() -> None:
    """Dr-05 hazard 4: the device acknowledges it and ignores it."""
    talk = Talk.ready()
    refuses(talk, SetIntensity(0), "acknowledges and ignores")


def test_dr05_hazard_5_a_lost_link_ends_the_output_and_the_instance() -> None:
    """Dr-05 hazard 5 and H5: the firmware stops at disconnection, and nothing may go on from what was known."""
    talk = Talk.running()
    talk.take(talk.protocol.link_lost(1.0))
    assert not talk.protocol.output_possible
    assert talk.protocol.deadline is None
    for command in (StartOutput(), SetIntensity(LOWEST), QueryVersion(), StartCooling()):
        refuses(talk, command, "link has ended")
    talk.asks(TotalStop())
    assert talk.look() == ([], [Rejected(TotalStop(), Refusal.RADIO)])


def test_dr05_hazard_6_the_profile_promises_no_report_that_the_device_does_not_have() -> None:
    """Dr-05 hazard 6: no battery, contact or delivered current, so "not reported by this device"."""
    assert not PROFILE.reports & {Report.BATTERY, Report.CONTACT, Report.CURRENT, Report.SKIN}
    assert PROFILE.full_scale_ua is None
    assert Dr05().profile.reports == {Report.TEMPERATURE, Report.WATER}


@pytest.mark.parametrize("kind", [0x31, 0x32, 0x33, 0x66, 0x77])
def test_dr05_hazard_6_no_frame_whatever_becomes_a_battery_contact_or_current(kind: int) -> None:
    """Dr-05 hazard 6: what the device cannot know is never made up from anything it says."""
    talk = Talk.running()
    talk.asks(QueryTemperature())
    for func in range(256):
        for para in (b"", b"\x00", b"\x01", b"\x64", b"\x00\x64", b"\x01\x02\x03"):
            talk.hears(encode(kind, 0x01, func, para))
    assert not [e for e in talk.events if isinstance(e, Battery | ContactLost | ContactRestored | Delivered)]


@pytest.mark.parametrize(("stop", "frame"), [(TotalStop(), TOTAL_STOP), (StopOutput(), STOP)])
def test_dr05_hazard_7_a_stop_is_repeated_until_acknowledged_and_the_third_silence_ends_the_link(
    stop: TotalStop | StopOutput, frame: bytes
) -> None:
    """Dr-05 hazard 7 and H3: output cannot be read back, so it is on until the acknowledgement."""
    talk = Talk.running()
    talk.asks(stop)
    written = Write(FFE1, frame, with_response=False, urgent=True)
    assert talk.operations == [written]
    talk.waits(0.299)
    assert talk.operations == [written]
    talk.waits(0.001)
    assert talk.operations == [written, written]
    talk.waits(0.3)
    assert talk.operations == [written, written, written]
    assert talk.protocol.output_possible
    talk.waits(0.3)
    assert [type(operation) for operation in talk.operations[3:]] == [Disconnect]
    assert talk.events[-1] == Unanswered(stop, 3)
    assert talk.protocol.output_possible
    talk.take(talk.protocol.link_lost(talk.now))
    assert not talk.protocol.output_possible


@pytest.mark.parametrize("answered_at", [0.05, 0.35, 0.85])
def test_dr05_hazard_7_an_acknowledged_stop_is_not_repeated(answered_at: float) -> None:
    """Dr-05 hazard 7: the acknowledgement, and it alone, ends the repetition."""
    talk = Talk.running()
    talk.asks(TotalStop())
    talk.waits(answered_at)
    assert talk.protocol.output_possible
    talk.look()
    talk.hears(reply(TOTAL_STOP))
    assert not talk.protocol.output_possible
    assert talk.look() == ([], [Acknowledged(TotalStop(), talk.now)])
    talk.waits(5.0)
    assert talk.look() == ([], [])
