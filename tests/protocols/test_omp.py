"""The host's side of OMP, face to face with the simulated device: what it asks, what it tells, what it refuses."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import model, omp_codec
from protocols.gatt import Disconnect, Read, Service, Subscribe, Write
from protocols.machine import LocalProtocolError, UnsupportedDeviceError
from protocols.model import (
    AbortDownload,
    Acknowledged,
    AcknowledgeFault,
    ContactLost,
    ContactPoor,
    ContactRestored,
    DeleteRecords,
    Delivered,
    DownloadRecords,
    Event,
    Fault,
    HaltReason,
    HandshakeFailed,
    MeasurementsLost,
    OutputHalted,
    QueryBattery,
    Ready,
    RecordReceived,
    Refusal,
    Rejected,
    ResumeOutput,
    SelectMode,
    SetIntensity,
    StartOutput,
    StopOutput,
    TotalStop,
    Unanswered,
    Unrecognised,
)
from protocols.omp import ENTRY, PROFILE, Omp, profile_for
from protocols.omp_codec import (
    CONTROL_POINT,
    FaultCode,
    Features,
    Opcode,
    Request,
    Response,
    Result,
    State,
    Telemetry,
    Zone,
)
from rig.devices.model import AttError
from rig.devices.omp import SIMULATED_FEATURES, SimulatedOmp
from rig.devices.skin import Skin, Touch, TouchEvent
from rig.facing import Facing

LOWEST = PROFILE.lowest_percent
STEP = PROFILE.step_percent
URGENT_STOP = Write(CONTROL_POINT, b"\x07", with_response=True, urgent=True)
RISE_S = STEP / PROFILE.ramp_percent_per_s + 0.05


class Talk(Facing):
    """One link, with what a test wants to say shortly."""

    device: SimulatedOmp

    def __init__(self, device: SimulatedOmp | None = None, protocol: Omp | None = None) -> None:
        super().__init__(protocol or Omp(), device or SimulatedOmp(4))

    def ready(self) -> Talk:
        self.start()
        assert self.run_until(lambda: bool(self.events(Ready)), 3.0)
        return self

    def running(self, percent: int = LOWEST) -> Talk:
        self.ready()
        self.advance(0.1)
        self.does(SetIntensity(LOWEST))
        self.does(StartOutput())
        for level in range(LOWEST + STEP, percent + 1, STEP):
            self.advance(RISE_S)
            self.does(SetIntensity(level))
        self.advance(1.0)
        return self

    def does(self, command: model.Command) -> None:
        """Ask for something, which the device then does."""
        before = len(self.told)
        self.command(command)
        self.advance(0.1)
        assert [t for t in self.told[before:] if isinstance(t.event, Acknowledged) and t.event.command == command]

    def since(self, before: int) -> list[Event]:
        return [t.event for t in self.told[before:] if not isinstance(t.event, Delivered | model.Contact)]

    def possible(self) -> bool:
        return self.protocol.output_possible

    def requests(self) -> list[Request]:
        return [Request.decode(w.data) for w in self.operations(Write)]

    def output(self) -> float:
        return self.device.output_ua(self.now)


# --- handshake --------------------------------------------------------------------------------------------------------


def test_ready_means_controlled_stopped_and_on_a_soft_ramp() -> None:
    talk = Talk().ready()
    assert [request.opcode for request in talk.requests()] == [Opcode.REQUEST_CONTROL, Opcode.STOP, Opcode.SET_RAMP]
    assert talk.requests()[-1].parameters == (40,)
    assert talk.device.controller == 0
    assert not talk.protocol.output_possible
    assert talk.events(Ready) == [Ready("1.0")]


def test_output_counts_as_possible_until_the_first_stop_is_answered() -> None:
    talk = Talk()
    talk.start()
    assert talk.protocol.output_possible


def test_what_somebody_else_runs_is_left_alone() -> None:
    device = SimulatedOmp(4)
    other = device.central(1)
    other.connected(0.0)
    other.subscribed(CONTROL_POINT, enabled=True, now=0.0)
    for request in (Request(Opcode.REQUEST_CONTROL, (1,)), Request(Opcode.SET_TARGET, (100,))):
        other.written(CONTROL_POINT, request.encode(), 0.0)
    other.written(CONTROL_POINT, Request(Opcode.START, (60,)).encode(), 0.0)
    other.written(CONTROL_POINT, Request(Opcode.KEEP_ALIVE, (5000,)).encode(), 0.0)
    talk = Talk(device)
    talk.start()
    talk.advance(1.0)
    assert talk.events(HandshakeFailed) == [HandshakeFailed("another phone or computer holds the device")]
    assert talk.operations(Disconnect)
    assert Request(Opcode.STOP) not in talk.requests()
    assert talk.output() > 0


def test_an_answer_to_somebody_elses_request_for_control_is_no_control() -> None:
    class Replays(SimulatedOmp):
        def _request_control(self, number: int, nonce: int) -> tuple[Result, tuple[int, ...]]:
            result, _ = super()._request_control(number, nonce)
            return result, (nonce ^ 1,)

    talk = Talk(Replays())
    talk.start()
    talk.advance(1.0)
    assert talk.events(HandshakeFailed) == [
        HandshakeFailed("it answered a request for control that was not this app's")
    ]


def test_the_nonce_is_another_on_each_link() -> None:
    def nonce(now: float) -> int:
        talk = Talk()
        talk.now = now
        talk.ready()
        return talk.requests()[0].parameters[0]

    assert nonce(1.0) != nonce(2.0)


def test_a_machine_made_again_for_a_recording_has_the_nonce_of_that() -> None:
    assert ENTRY.recreate is not None
    written = [b"", b"\x7f", Request(Opcode.STOP).encode(), Request(Opcode.REQUEST_CONTROL, (99,)).encode()]
    for said, nonce in ((written, 99), ([], 5_000_000)):
        protocol = ENTRY.recreate("OMP", said)
        assert isinstance(protocol, Omp)
        talk = Talk(protocol=protocol)
        talk.now = 5.0
        assert talk.ready().requests()[0].parameters == (nonce,)


def test_a_device_that_wants_to_be_paired_says_so() -> None:
    class Locked(SimulatedOmp):
        def read(self, characteristic: str, now: float) -> bytes:
            if characteristic == omp_codec.FEATURES:
                raise AttError(0x05)
            return super().read(characteristic, now)

    talk = Talk(Locked())
    talk.start()
    talk.advance(1.0)
    (failed,) = talk.events(HandshakeFailed)
    assert "pair it first" in failed.reason


def test_a_device_that_does_not_answer_is_given_up() -> None:
    talk = Talk()
    talk.start()
    for nth in range(1, 4):
        talk.drop_notification(nth)
    talk.advance(9.0)
    assert talk.events(HandshakeFailed)
    assert not talk.link_up


@pytest.mark.parametrize("missing", [0, 1, 2, 3, 4])
def test_services_that_lack_a_characteristic_are_not_omp(missing: int) -> None:
    service = SimulatedOmp().services[0]
    others = tuple(c for n, c in enumerate(service.characteristics) if n != missing)
    with pytest.raises(UnsupportedDeviceError, match="as the profile has it"):
        Omp().start([Service(service.uuid, others)], 0.0)


def test_services_that_are_not_there_are_not_omp() -> None:
    with pytest.raises(UnsupportedDeviceError, match="no OMP service; services found: none"):
        Omp().start([], 0.0)


# --- the profile ------------------------------------------------------------------------------------------------------


@given(
    max_ua=st.integers(0, 0xFFFF),
    step_ua=st.integers(0, 0xFFFF),
    ramp=st.integers(0, 0xFFFF),
    session=st.integers(0, 0xFFFF),
)
def test_features_only_ever_narrow_the_profile(max_ua: int, step_ua: int, ramp: int, session: int) -> None:
    features = dataclasses.replace(
        SIMULATED_FEATURES,
        max_current_ua=max_ua,
        current_step_ua=step_ua,
        max_ramp_ua_per_s=ramp,
        max_session_s=session,
    )
    try:
        profile = profile_for(features)
    except UnsupportedDeviceError:
        return
    assert profile.full_scale_ua is not None
    assert profile.full_scale_ua <= min(400, max_ua)
    assert profile.ramp_percent_per_s <= PROFILE.ramp_percent_per_s
    assert profile.ramp_percent_per_s * profile.full_scale_ua / 100 <= ramp + 1e-9
    assert profile.step_percent >= PROFILE.step_percent
    assert profile.step_percent * profile.full_scale_ua >= 100 * step_ua
    assert profile.max_session_s is not None
    assert profile.max_session_s <= min(1200, session)
    assert not profile.neck_cleared


@pytest.mark.parametrize(
    "features",
    [
        dataclasses.replace(SIMULATED_FEATURES, zones=Zone.NECK),
        dataclasses.replace(SIMULATED_FEATURES, waveforms=frozenset()),
        dataclasses.replace(SIMULATED_FEATURES, major=2),
        dataclasses.replace(SIMULATED_FEATURES, current_step_ua=250),
        dataclasses.replace(SIMULATED_FEATURES, max_current_ua=0),
    ],
    ids=["not for the face", "no wave", "another version", "coarse", "no current"],
)
def test_a_device_that_is_not_for_this_app_is_left(features: Features) -> None:
    talk = Talk(SimulatedOmp(features=features))
    talk.start()
    talk.advance(1.0)
    assert talk.events(HandshakeFailed)
    assert not talk.requests()


def test_a_strong_device_gets_no_more_than_the_full_scale() -> None:
    strong = dataclasses.replace(SIMULATED_FEATURES, max_current_ua=1000, max_ramp_ua_per_s=500)
    talk = Talk(SimulatedOmp(features=strong)).running(100)
    assert talk.device.target_ua == 400


# --- output -----------------------------------------------------------------------------------------------------------


def test_a_start_ramps_from_zero_and_follows_every_level() -> None:
    talk = Talk().running(30)
    assert talk.device.target_ua == 120
    assert talk.output() == pytest.approx(120, rel=0.05)


def test_a_level_is_never_above_what_was_asked_for() -> None:
    odd = dataclasses.replace(SIMULATED_FEATURES, max_current_ua=390, current_step_ua=7)
    talk = Talk(SimulatedOmp(features=odd)).running(35)
    assert talk.device.target_ua == 133
    assert talk.device.target_ua <= 0.35 * 390


@pytest.mark.parametrize(
    "command",
    [
        SetIntensity(LOWEST + 1),
        SetIntensity(101),
        SetIntensity(LOWEST + STEP),
        StartOutput(),
        ResumeOutput(),
        SelectMode(4),
        AbortDownload(),
        DeleteRecords(),
        model.StartCooling(),
        model.MeasureSkin(),
    ],
    ids=repr,
)
def test_at_rest_it_refuses(command: model.Command) -> None:
    talk = Talk().ready()
    before = len(talk.performed)
    with pytest.raises(LocalProtocolError):
        talk.command(command)
    assert len(talk.performed) == before


@pytest.mark.parametrize("command", [StartOutput(), ResumeOutput(), SelectMode(2), SetIntensity(50)], ids=repr)
def test_while_running_it_refuses(command: model.Command) -> None:
    talk = Talk().running()
    with pytest.raises(LocalProtocolError):
        talk.command(command)


def test_before_ready_and_while_stopping_only_stops_are_taken() -> None:
    talk = Talk()
    talk.start()
    with pytest.raises(LocalProtocolError, match="stand still"):
        talk.command(QueryBattery())
    talk = Talk().running()
    talk.command(StopOutput())
    with pytest.raises(LocalProtocolError, match="not acknowledged yet"):
        talk.command(SetIntensity(LOWEST))


def test_the_wave_is_chosen_before_a_start() -> None:
    talk = Talk().ready()
    talk.does(SelectMode(2))
    assert talk.requests()[-1] == Request(Opcode.SET_WAVEFORM, (1, 83))


def test_a_refusal_says_why() -> None:
    talk = Talk().ready()
    talk.device.touch(Touch.LIFTED, talk.now)
    talk.advance(0.5)
    talk.does(SetIntensity(LOWEST))
    talk.command(StartOutput())
    talk.advance(0.2)
    assert talk.events(Rejected) == [Rejected(StartOutput(), Refusal.NO_CONTACT)]
    talk.does(TotalStop())
    assert not talk.protocol.output_possible


def test_a_charging_device_does_not_start() -> None:
    talk = Talk().ready()
    talk.device.set_charging(charging=True, now=talk.now)
    talk.does(SetIntensity(LOWEST))
    talk.command(StartOutput())
    talk.advance(0.2)
    assert talk.events(Rejected) == [Rejected(StartOutput(), Refusal.CHARGING)]


# --- keep-alive -------------------------------------------------------------------------------------------------------


def test_the_keep_alive_goes_on_while_output_is_possible_and_ends_with_it() -> None:
    talk = Talk().running()
    before = talk.now
    talk.advance(10.0)
    sent = [p.time for p in talk.performed if isinstance(p.operation, Write) and p.operation.data[0] == 0x08]
    during = [at for at in sent if at > before]
    assert len(during) == 20
    assert talk.device.state is State.RUNNING
    talk.does(TotalStop())
    talk.advance(5.0)
    assert not [p for p in talk.performed if p.time > talk.now - 5 and isinstance(p.operation, Write)]


def test_a_host_that_hangs_finds_its_output_ended() -> None:
    talk = Talk().running(30)
    hung_at = talk.now
    # Nothing of the host runs: only the device's time passes.
    talk.device.deadline_passed(hung_at + 4.0)
    assert talk.device.output_ua(hung_at + 2.0) == 0.0
    assert talk.device.state is State.PAUSED


def test_a_keep_alive_that_is_refused_ends_the_output() -> None:
    class Deaf(SimulatedOmp):
        def _keep_alive(self, now: float, valid_ms: int) -> Result:
            if self._run is not None:
                return Result.FAILED
            return super()._keep_alive(now, valid_ms)

    talk = Talk(Deaf(4)).ready()
    talk.does(SetIntensity(LOWEST))
    talk.command(StartOutput())
    talk.advance(2.0)
    (fault,) = talk.events(Fault)
    assert "keep-alive" in fault.reason
    assert talk.output() == 0.0
    assert not talk.protocol.output_possible


# --- stops ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stop", [StopOutput(), TotalStop()], ids=repr)
def test_a_stop_is_acknowledged_once_the_device_has_answered(stop: model.Command) -> None:
    talk = Talk().running(30)
    talk.command(stop)
    assert talk.protocol.output_possible
    assert talk.run_until(lambda: not talk.protocol.output_possible, 1.0)
    assert talk.output() == 0.0
    assert talk.events(Acknowledged)[-1].command == stop


def test_a_stop_that_overtakes_a_start_is_followed_by_another() -> None:
    talk = Talk().ready()
    talk.advance(0.1)
    talk.does(SetIntensity(LOWEST))
    talk.command(StartOutput())
    talk.command(TotalStop())
    talk.advance(1.0)
    assert talk.output() == 0.0
    assert not talk.protocol.output_possible
    assert Rejected(StartOutput(), Refusal.SUPERSEDED) in talk.events(Rejected)
    assert talk.device.state is not State.RUNNING


def test_the_answer_to_an_earlier_stop_does_not_count_for_a_later_one() -> None:
    """H3: three repeats of a first stop are answered late; the second stop waits for its own answer."""
    protocol = Omp()
    talk = Talk(protocol=protocol).running()
    stop = Response(Opcode.STOP, Result.SUCCESS).encode()
    talk.command(TotalStop())
    protocol.command(TotalStop(), talk.now)  # asked again: a second write, a second answer
    protocol.data_received(CONTROL_POINT, stop, talk.now)
    assert not talk.possible()
    protocol.command(SetIntensity(LOWEST), talk.now)
    protocol.data_received(CONTROL_POINT, Response(Opcode.SET_TARGET, Result.SUCCESS).encode(), talk.now)
    for operation in protocol.command(StartOutput(), talk.now).operations:
        protocol.operation_done(operation, talk.now)
    keep = protocol.data_received(CONTROL_POINT, Response(Opcode.START, Result.SUCCESS).encode(), talk.now)
    for operation in keep.operations:
        protocol.operation_done(operation, talk.now)
    protocol.command(TotalStop(), talk.now)
    late = protocol.data_received(CONTROL_POINT, stop, talk.now)
    assert talk.possible()
    assert late.events == ()
    own = protocol.data_received(CONTROL_POINT, stop, talk.now)
    assert not talk.possible()
    assert [type(event) for event in own.events] == [Acknowledged]


def test_a_stop_that_nobody_answers_is_repeated_and_then_the_link_ends() -> None:
    talk = Talk().running(30)
    for nth in range(1, 200):
        talk.drop_notification(nth)
    before = talk.now
    talk.command(TotalStop())
    talk.advance(2.0)
    stops = [p.time for p in talk.performed if p.time >= before and p.operation == URGENT_STOP]
    assert [round(at - before, 3) for at in stops] == [0.0, 0.3, 0.6]
    assert talk.events(Unanswered) == [Unanswered(TotalStop(), 3)]
    assert not talk.link_up
    assert talk.output() == 0.0
    assert not talk.protocol.output_possible


def test_a_lost_link_ends_the_output_on_both_sides() -> None:
    talk = Talk().running(30)
    talk.lose_link()
    talk.advance(0.2)
    assert talk.output() == 0.0
    assert not talk.protocol.output_possible
    assert talk.protocol.deadline is None


# --- what is measured -------------------------------------------------------------------------------------------------


def test_current_and_contact_are_told_twice_a_second() -> None:
    talk = Talk().running(30)
    before = len(talk.told)
    talk.advance(10.0)
    told = [t.event for t in talk.told[before:] if isinstance(t.event, Delivered)]
    assert len(told) == 20
    assert {event.current_ua for event in told} <= {float(n) for n in range(114, 127)}
    assert talk.events(model.Contact)[-1].percent > 80


def test_a_lost_measurement_is_noticed_by_its_number() -> None:
    talk = Talk().running()
    talk.drop_notification(3)
    talk.advance(1.0)
    assert [event.count for event in talk.events(MeasurementsLost)] in ([1], [])
    dropped = len(talk.events(MeasurementsLost))
    for nth in range(1, 60):
        talk.drop_notification(nth * 3)
    talk.advance(3.0)
    assert len(talk.events(MeasurementsLost)) > dropped


def test_lost_contact_is_told_once_and_resume_is_explicit() -> None:
    talk = Talk().running(30)
    before = len(talk.told)
    talk.device.touch(Touch.LIFTED, talk.now)
    talk.advance(1.0)
    assert talk.since(before) == [ContactLost()]
    assert talk.output() == 0.0
    assert talk.protocol.state == "held"
    talk.device.touch(Touch.PLACED, talk.now)
    talk.advance(2.0)
    assert talk.since(before) == [ContactLost(), ContactRestored()]
    assert talk.output() == 0.0
    with pytest.raises(LocalProtocolError, match="lowest"):
        talk.command(ResumeOutput())
    talk.does(SetIntensity(LOWEST))
    talk.does(ResumeOutput())
    talk.advance(1.0)
    assert talk.output() == pytest.approx(20, rel=0.05)
    assert talk.protocol.state == "running"
    talk.advance(5.0)
    assert talk.device.state is State.RUNNING


def test_dry_gel_is_told_after_a_second_below_seventy_percent() -> None:
    """H7: 30 V through dry gel is less than 70 % of 320 µA."""
    talk = Talk(SimulatedOmp(4, skin=Skin(4, noise=0.0))).running(80)
    assert not talk.events(ContactPoor)
    dried_at = talk.now
    talk.device.touch(Touch.DRIED, talk.now)
    assert talk.run_until(lambda: bool(talk.events(ContactPoor)), 5.0)
    assert 0.9 <= talk.now - dried_at <= 1.3
    (poor,) = talk.events(ContactPoor)
    assert poor.delivered_ua < 0.7 * poor.commanded_ua


def test_gel_that_conducts_is_no_reason_to_coach_ramps_included() -> None:
    talk = Talk(SimulatedOmp(4, skin=Skin(4, noise=0.15))).running(100)
    talk.does(SetIntensity(20))
    talk.advance(20.0)
    assert not talk.events(ContactPoor)
    assert not talk.events(Fault)


def test_a_slow_ramp_is_no_reason_to_coach() -> None:
    slow = dataclasses.replace(SIMULATED_FEATURES, max_ramp_ua_per_s=4)
    talk = Talk(SimulatedOmp(4, features=slow)).ready()
    talk.does(SetIntensity(LOWEST))
    talk.does(StartOutput())
    talk.advance(20.0)
    assert talk.output() == pytest.approx(20, rel=0.05)
    assert not talk.events(ContactPoor)


def test_more_than_commanded_is_a_fault_and_stops_the_output() -> None:
    """H7: the device's own guard is off, and its source delivers a quarter too much."""

    class Strong(SimulatedOmp):
        def _guard_current(self, delivered_ua: float, at: float) -> None:
            pass

    device = Strong(4)
    talk = Talk(device).running(30)
    device.stage.gain = 1.25
    at = talk.now
    assert talk.run_until(lambda: bool(talk.events(Fault)), 1.0)
    assert talk.now - at < 0.2
    talk.advance(0.5)
    assert talk.output() == 0.0
    assert not talk.protocol.output_possible


def test_current_that_no_stop_ends_is_ended_with_the_link() -> None:
    class Runaway(SimulatedOmp):
        def _put_out(self, at: float, why: str) -> None:
            pass

        def _guard_current(self, delivered_ua: float, at: float) -> None:
            pass

    talk = Talk(Runaway(4)).running(30)
    talk.command(TotalStop())
    talk.advance(5.0)
    assert talk.events(Fault)
    assert talk.operations(Disconnect)[-1].reason == "it delivers current although it was stopped"


def test_a_device_that_stops_measuring_is_stopped() -> None:
    class Silent(SimulatedOmp):
        silent = False

        def _tell(self, number: int, characteristic: str, data: bytes) -> None:
            if not (self.silent and characteristic == omp_codec.TELEMETRY):
                super()._tell(number, characteristic, data)

    device = Silent(4)
    talk = Talk(device).running(30)
    device.silent = True
    talk.advance(3.0)
    assert talk.events(Fault) == [Fault("it has stopped measuring")]
    assert talk.output() == 0.0


@pytest.mark.parametrize(
    ("do", "reason"),
    [
        (lambda talk: talk.device.set_charging(charging=True, now=talk.now), HaltReason.CHARGING),
        (lambda talk: talk.device.central(1).written(CONTROL_POINT, b"\x07", talk.now), HaltReason.STOPPED),
        (lambda talk: talk.device._lapse(talk.now), HaltReason.UNHEARD),
    ],
    ids=["charger", "another central", "keep-alive"],
)
def test_what_the_device_ends_by_itself_is_told_with_its_reason(
    do: Callable[[Talk], object], reason: HaltReason
) -> None:
    talk = Talk().running(30)
    do(talk)
    talk.advance(1.0)
    assert OutputHalted(reason) in talk.events(OutputHalted)
    assert talk.output() == 0.0
    talk.does(TotalStop())
    assert not talk.protocol.output_possible


def test_the_end_of_the_longest_run_is_told_as_that() -> None:
    short = dataclasses.replace(SIMULATED_FEATURES, max_session_s=8)
    talk = Talk(SimulatedOmp(features=short)).running(30)
    talk.advance(8.0)
    assert talk.events(OutputHalted) == [OutputHalted(HaltReason.TIME_LIMIT)]


@pytest.mark.parametrize("fault", [fault for fault in FaultCode if fault])
def test_a_fault_is_told_in_words_and_can_be_acknowledged(fault: FaultCode) -> None:
    talk = Talk().running(30)
    talk.device.inject_fault(fault, talk.now)
    talk.advance(0.2)
    assert len(talk.events(Fault)) == 1
    assert talk.output() == 0.0
    talk.does(TotalStop())
    talk.does(AcknowledgeFault())
    assert talk.device.fault is FaultCode.NONE


def test_a_fault_whose_cause_is_still_there_is_not_acknowledged() -> None:
    talk = Talk().running(30)
    talk.device.touch(Touch.SHORTED, talk.now)
    talk.advance(0.2)
    assert talk.events(Fault) == [Fault("its electrodes touch each other")]
    talk.does(TotalStop())
    talk.command(AcknowledgeFault())
    talk.advance(0.2)
    assert talk.events(Rejected) == [Rejected(AcknowledgeFault(), Refusal.DEVICE)]


def test_the_battery_is_told_when_asked_and_when_it_falls() -> None:
    talk = Talk().ready()
    talk.advance(0.1)
    talk.device.set_battery(40, talk.now)
    talk.does(QueryBattery())
    assert talk.events(model.Battery)[-1].percent == 40
    talk.command(QueryBattery())
    with pytest.raises(LocalProtocolError, match="already"):
        talk.command(QueryBattery())
    talk.advance(100.0)
    assert talk.events(model.Battery)[-1].percent == 39


def test_a_device_without_a_battery_service_reports_none() -> None:
    class Plain(SimulatedOmp):
        @property
        def services(self) -> tuple[Service, ...]:
            return super().services[:1]

    talk = Talk(Plain()).ready()
    assert model.Report.BATTERY not in talk.protocol.profile.reports
    assert talk.events(Ready) == [Ready(None)]
    with pytest.raises(LocalProtocolError):
        talk.command(QueryBattery())


# --- records ----------------------------------------------------------------------------------------------------------


def with_records(count: int) -> Talk:
    talk = Talk().ready()
    talk.advance(0.1)
    for _ in range(count):
        talk.does(SetIntensity(LOWEST))
        talk.does(StartOutput())
        talk.advance(12.0)
        talk.does(TotalStop())
    return talk


def test_records_are_downloaded_and_then_deleted() -> None:
    talk = with_records(3)
    with pytest.raises(LocalProtocolError, match="not all downloaded"):
        talk.command(DeleteRecords())
    talk.command(DownloadRecords(2))
    talk.advance(1.0)
    assert [record.session_id for record in talk.events(RecordReceived)] == [2, 3]
    assert talk.events(Acknowledged)[-1].command == DownloadRecords(2)
    with pytest.raises(LocalProtocolError, match="not all downloaded"):
        talk.command(DeleteRecords(1))
    talk.does(DeleteRecords(2))
    assert [record.session_id for record in talk.device.store.records] == [1]


def test_a_record_says_what_the_device_has_measured() -> None:
    talk = with_records(1)
    talk.command(DownloadRecords())
    talk.advance(1.0)
    (record,) = talk.events(RecordReceived)
    assert record.highest_target_ua == 20
    assert record.run_s == pytest.approx(12.1, abs=0.1)
    assert record.ending == "stopped"
    assert len(record.delivered_ua) == 2


def test_a_download_without_records_is_over_at_once() -> None:
    talk = Talk().ready()
    talk.does(DownloadRecords())
    talk.does(DeleteRecords())


def test_a_download_can_be_aborted_and_what_was_not_reported_stays() -> None:
    talk = with_records(4)
    talk.command(DownloadRecords())
    talk.advance(0.08)
    talk.does(AbortDownload())
    assert Rejected(DownloadRecords(), Refusal.SUPERSEDED) in talk.events(Rejected)
    with pytest.raises(LocalProtocolError):
        talk.command(DeleteRecords())
    talk.advance(1.0)
    assert len(talk.device.store.records) == 4


def test_a_record_with_a_lost_piece_is_not_whole_and_nothing_is_deleted() -> None:
    talk = with_records(1)
    talk.command(DownloadRecords())
    talk.run_until(lambda: talk.protocol._download is not None, 1.0)  # type: ignore[attr-defined]
    talk.drop_notification(2)
    talk.advance(3.0)
    assert not talk.events(RecordReceived)
    assert talk.events(Unrecognised)
    assert Rejected(DownloadRecords(), Refusal.RADIO) in talk.events(Rejected)
    with pytest.raises(LocalProtocolError):
        talk.command(DeleteRecords())


def test_a_download_that_falls_silent_is_given_up() -> None:
    talk = with_records(1)
    talk.command(DownloadRecords())
    for nth in range(2, 60):
        talk.drop_notification(nth)
    talk.advance(5.0)
    assert talk.events(Unanswered) == [Unanswered(DownloadRecords(), 1)]


# --- nonsense ---------------------------------------------------------------------------------------------------------

CHARACTERISTICS = [
    CONTROL_POINT,
    omp_codec.STATUS,
    omp_codec.TELEMETRY,
    omp_codec.FEATURES,
    omp_codec.SESSION_RECORD,
    "00002a19-0000-1000-8000-00805f9b34fb",
    "00002a26-0000-1000-8000-00805f9b34fb",
    "something else",
]


@given(
    st.sampled_from(["new", "learning", "ready", "running"]),
    st.lists(st.tuples(st.sampled_from(CHARACTERISTICS), st.binary(max_size=24)), max_size=8),
)
def test_no_bytes_make_it_raise_or_write_anything_but_a_stop(state: str, said: list[tuple[str, bytes]]) -> None:
    talk = Talk()
    if state == "learning":
        talk.start()
    elif state == "ready":
        talk.ready()
    elif state == "running":
        talk.running()
    for characteristic, data in said:
        reaction = talk.protocol.data_received(characteristic, data, talk.now)
        if state == "ready":
            for operation in reaction.operations:
                assert isinstance(operation, Disconnect | Read | Subscribe) or operation.data == b"\x07"


def test_a_measurement_with_a_wrong_checksum_is_not_believed() -> None:
    talk = Talk().running(30)
    wrong = bytearray(Telemetry(0, 0, 400, 2000, 90, None, State.RUNNING).encode())
    wrong[-1] ^= 0xFF
    reaction = talk.protocol.data_received(omp_codec.TELEMETRY, bytes(wrong), talk.now)
    assert [type(event) for event in reaction.events] == [Unrecognised]


def test_an_advertised_service_finds_the_protocol_whatever_the_name() -> None:
    assert ENTRY.matches("Anything", [omp_codec.SERVICE]) > 0
    assert ENTRY.matches("OMP", []) == 0
    assert ENTRY.fits is not None
    assert ENTRY.fits(SimulatedOmp().services)
    assert not ENTRY.fits([])


def test_the_advertisement_of_the_simulated_device_is_found_and_fits_the_air() -> None:
    advertisement = SimulatedOmp().advertisement
    assert ENTRY.matches(advertisement.name, advertisement.service_uuids) > 0
    ((uuid, data),) = advertisement.service_data
    assert uuid == omp_codec.SERVICE
    assert omp_codec.ServiceData.decode(data).flags == omp_codec.AdvertisedFlag.PAIRING_ALLOWED


def test_scheduled_touches_are_part_of_the_skin() -> None:
    device = SimulatedOmp(skin=Skin(events=(TouchEvent(3.0, Touch.LIFTED), TouchEvent(3.5, Touch.PLACED))))
    talk = Talk(device).ready()
    talk.does(SetIntensity(LOWEST))
    talk.does(StartOutput())
    talk.advance(4.0)
    assert talk.events(ContactLost) == [ContactLost()]
    assert talk.events(ContactRestored) == [ContactRestored()]
