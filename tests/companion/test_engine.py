"""The session engine, alone: what it asks of a device, and when, and above all what it never asks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import pytest

from companion.session import words
from companion.session.engine import MOVE_S, PAUSE_LIMIT_S, RECONNECT_S, SessionEngine
from companion.session.model import (
    CommandRefused,
    DeviceSaid,
    DropLink,
    Feels,
    Input,
    Intent,
    JournalEntry,
    JournalFailed,
    JournalKind,
    Limits,
    LinkLost,
    LinkReady,
    Output,
    Phase,
    PlannedStep,
    Reason,
    Reconnect,
    ReconnectFailed,
    Request,
    Sensation,
    SessionPlan,
    Step,
    StepKind,
    Tick,
    View,
)
from protocols.model import (
    Acknowledged,
    Battery,
    Command,
    ContactLost,
    Delivered,
    DeviceProfile,
    Event,
    Fault,
    Mode,
    OutputKind,
    QueryTemperature,
    Refusal,
    Rejected,
    Report,
    SelectMode,
    SetCoolingTarget,
    SetIntensity,
    StartCooling,
    StartOutput,
    StopCooling,
    StopOutput,
    Temperature,
    TotalStop,
    Unanswered,
    WaterBack,
    WaterLow,
)

ANSWER_S = 0.04
STEP = 5
RISE_S = 0.5

PROFILE = DeviceProfile(
    key="bench",
    name="Bench",
    output=OutputKind.MICROCURRENT,
    lowest_percent=5,
    step_percent=STEP,
    max_percent=100,
    ramp_percent_per_s=10.0,
    modes=(Mode(1, "slow"), Mode(2, "fast")),
    cooling_range_c=(-2, 20),
    reports=frozenset({Report.WATER}),
)
LIMITS = Limits(5, STEP, 30, 10.0, 1200.0, 1200.0, {"forehead": 15})


def treat(zone: str, seconds: float = 10.0, target: int = 20, mode: int | None = 1) -> PlannedStep:
    title = zone.replace("-", " ").capitalize()
    return PlannedStep(StepKind.TREAT, title, "", seconds=seconds, zone=zone, target_percent=target, mode=mode)


PREPARE = PlannedStep(StepKind.PREPARE, "Gel", "Spread the gel.", confirm=True)
CARE = PlannedStep(StepKind.CARE, "Care", "Rinse.", seconds=3.0)
COOL = PlannedStep(StepKind.COOL, "Cool", "Hold it flat.", seconds=5.0, cooling_c=8)


def plan(*steps: PlannedStep, limits: Limits = LIMITS, profile: DeviceProfile = PROFILE) -> SessionPlan:
    return SessionPlan("bench", "Bench", steps, limits, limits.cap_percent, profile)


class Session:
    """An engine in virtual time, with a device that answers every command after 40 ms while ``answers`` is set."""

    def __init__(self, *steps: PlannedStep, limits: Limits = LIMITS, profile: DeviceProfile = PROFILE) -> None:
        self.now = 100.0
        self.engine = SessionEngine(plan(*steps, limits=limits, profile=profile), self.now)
        self.answers = True
        self.sent: list[tuple[float, Request]] = []
        self.journal: list[JournalEntry] = []
        self.due: list[tuple[float, Command]] = []
        self.last: Step | None = None

    def give(self, given: Input) -> tuple[Request, ...]:
        step = self.engine.handle(given, self.now)
        self.last = step
        self.journal.extend(step.journal)
        for request in step.requests:
            self.sent.append((self.now, request))
            if self.answers and not isinstance(request, DropLink | Reconnect):
                self.due.append((self.now + ANSWER_S, request))
        return step.requests

    def hear(self, event: Event) -> tuple[Request, ...]:
        return self.give(DeviceSaid(event))

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while True:
            deadline = self.engine.deadline
            times = [time for time, _ in self.due] + ([] if deadline is None else [deadline])
            if not times or min(times) > until:
                self.now = until
                return
            self.now = max(self.now, min(times))
            if self.due and self.due[0][0] <= self.now:
                self.hear(Acknowledged(self.due.pop(0)[1], ANSWER_S))
            else:
                self.give(Tick())
                again = self.engine.deadline
                assert again is None or again > self.now

    @property
    def view(self) -> View:
        return self.engine.view(self.now)

    def commands(self, *kinds: type) -> list[Request]:
        return [request for _, request in self.sent if not kinds or isinstance(request, kinds)]

    def levels(self) -> list[int]:
        return [request.percent for _, request in self.sent if isinstance(request, SetIntensity)]

    def entries(self, kind: JournalKind) -> list[dict[str, object]]:
        return [dict(entry.data) for entry in self.journal if entry.kind is kind]

    def begin(self) -> Session:
        self.give(LinkReady(first=True, firmware="2.1"))
        self.give(Intent.START)
        return self

    def treating(self, seconds: float = 0.5) -> Session:
        """Begin, and run until output has been on for about that long."""
        self.begin()
        while self.view.output is not Output.ON:
            self.run(0.1)
        self.run(seconds)
        return self

    def forget(self) -> None:
        self.sent.clear()
        self.journal.clear()


def kinds(requests: Iterable[Request]) -> list[type]:
    return [type(request) for request in requests]


# --- the flow ---------------------------------------------------------------------------------------------------------


def test_a_routine_from_the_first_look_at_the_device_to_its_summary() -> None:
    session = Session(PREPARE, treat("left-cheek", mode=2), treat("right-cheek", mode=2), CARE)
    assert session.view.phase is Phase.WAITING
    assert session.engine.deadline is None
    session.give(LinkReady(first=True))
    assert session.view.phase is Phase.READY
    session.give(Intent.START)
    assert session.view.phase is Phase.GUIDING
    assert session.view.waits_for_confirm
    session.run(60.0)
    assert session.view.phase is Phase.GUIDING
    session.give(Intent.CONFIRM)
    assert session.view.phase is Phase.MOVING
    assert session.view.zone == "left-cheek"
    session.run(MOVE_S)
    assert session.view.phase is Phase.TREATING
    session.run(60.0)
    assert session.view.phase is Phase.FINISHED
    summary = session.view.summary
    assert summary is not None
    assert summary.reason is Reason.COMPLETED
    assert summary.highest_percent == 20
    assert summary.zone_seconds == {"left-cheek": pytest.approx(10.08), "right-cheek": pytest.approx(10.08)}
    assert session.view.done_zones == ("left-cheek", "right-cheek")
    assert session.engine.deadline is None


def test_a_zone_is_mode_then_lowest_level_then_start_then_step_by_step_to_the_target_then_stop() -> None:
    session = Session(treat("left-cheek", target=20, mode=2)).begin()
    session.run(60.0)
    assert session.commands() == [
        SelectMode(2),
        SetIntensity(5),
        StartOutput(),
        SetIntensity(10),
        SetIntensity(15),
        SetIntensity(20),
        StopOutput(),
    ]


def test_every_command_towards_a_start_waits_for_the_answer_to_the_one_before() -> None:
    session = Session(treat("left-cheek")).begin()
    session.answers = False
    session.run(MOVE_S)
    for expected in (SelectMode(1), SetIntensity(5), StartOutput()):
        assert session.commands()[-1] == expected
        session.run(0.4)
        assert session.commands()[-1] == expected
        session.hear(Acknowledged(expected, 0.4))


def test_the_mode_is_selected_again_only_when_it_changes_or_the_link_was_lost() -> None:
    session = Session(treat("chin", mode=1), treat("left-cheek", mode=1), treat("right-cheek", mode=2)).begin()
    session.run(60.0)
    assert session.commands(SelectMode) == [SelectMode(1), SelectMode(2)]


def test_zone_time_counts_only_while_output_is_on() -> None:
    session = Session(treat("left-cheek", seconds=10.0)).begin()
    session.answers = False
    session.run(MOVE_S + 0.1)
    for command in (SelectMode(1), SetIntensity(5), StartOutput()):
        session.run(1.0)
        assert session.view.step_elapsed_s == 0
        session.hear(Acknowledged(command, 1.0))
    session.answers = True
    session.run(4.0)
    assert session.view.step_remaining_s == pytest.approx(6.0)


def test_the_level_shown_stays_until_the_device_has_confirmed_that_output_is_off() -> None:
    session = Session(treat("left-cheek")).treating(3.0)
    session.answers = False
    session.give(Intent.PAUSE)
    assert session.view.intensity_percent == 20
    assert session.view.output is Output.STOPPING
    session.hear(Acknowledged(StopOutput(), 0.04))
    assert session.view.intensity_percent == 0
    assert session.view.output is Output.OFF


def test_h7_every_zone_begins_with_a_look_at_the_gel_where_the_device_cannot_feel_contact() -> None:
    session = Session(treat("left-cheek"), treat("chin")).begin()
    assert session.view.message == words.GEL.format(zone="Left cheek")
    session.run(16.0)
    assert session.view.phase is Phase.MOVING
    assert session.view.message == words.GEL.format(zone="Chin")


def test_h7_contact_lost_pauses_with_more_gel() -> None:
    session = Session(treat("left-cheek")).treating(1.0)
    assert kinds(session.hear(ContactLost())) == [StopOutput]
    assert session.view.phase is Phase.PAUSED
    assert session.view.message == "The device lost the skin. A little more gel on the left cheek, then resume."


def test_what_the_device_reports_is_shown() -> None:
    session = Session(PREPARE).begin()
    for event in (Battery(81), Temperature(12.5), Delivered(140.0)):
        session.hear(event)
    view = session.view
    assert (view.battery_percent, view.temperature_c, view.delivered_ua) == (81, 12.5, 140.0)


def test_a_plan_that_its_own_limits_forbid_is_refused() -> None:
    with pytest.raises(ValueError, match="no output is allowed in chin"):
        Session(treat("chin"), limits=replace(LIMITS, zone_caps={"chin": 3}))
    with pytest.raises(ValueError, match="no steps"):
        Session()


def test_the_view_counts_the_whole_session_down() -> None:
    session = Session(CARE, treat("left-cheek"), CARE)
    assert session.view.session_total_s == 3 + 4 + 10 + 3
    assert session.view.session_remaining_s == 20
    session.begin()
    session.run(1.0)
    assert session.view.session_remaining_s == pytest.approx(19.0)
    session.run(4.0)
    assert session.view.session_remaining_s == pytest.approx(15.0)
    assert session.view.moving_remaining_s == pytest.approx(2.0)
    session.run(60.0)
    assert session.view.session_remaining_s == 0


# --- levels (H1, H2) --------------------------------------------------------------------------------------------------


def test_h1_more_never_gets_above_the_cap() -> None:
    session = Session(treat("left-cheek", seconds=60.0)).treating()
    for _ in range(20):
        session.give(Intent.MORE)
        session.run(0.3)
    session.run(20.0)
    assert max(session.levels()) == 30
    assert session.view.message == words.CAPPED


def test_h1_a_zone_with_thin_skin_keeps_its_own_cap_even_when_the_plan_says_more() -> None:
    session = Session(treat("forehead", seconds=60.0, target=30)).treating()
    for _ in range(5):
        session.give(Intent.MORE)
    session.run(20.0)
    assert max(session.levels()) == 15
    assert session.view.cap_percent == 15


def test_h2_every_start_is_at_the_lowest_level_never_the_last_used() -> None:
    session = Session(treat("left-cheek", seconds=5.0, target=30), treat("chin", seconds=20.0, target=30)).begin()
    session.run(12.0 + 10.0)
    session.give(Intent.PAUSE)
    session.run(1.0)
    session.give(Intent.RESUME)
    session.run(5.0)
    session.give(LinkLost("gone"))
    session.give(LinkReady(first=False))
    session.give(Intent.RESUME)
    session.run(5.0)
    level = None
    starts = 0
    for _, request in session.sent:
        if isinstance(request, SetIntensity):
            level = request.percent
        elif isinstance(request, StartOutput):
            starts += 1
            assert level == 5
    assert starts == 4


def test_h2_a_rise_waits_for_the_answer_and_then_for_the_ramp() -> None:
    session = Session(treat("left-cheek", seconds=60.0, target=30)).treating(10.0)
    rises = [time for time, request in session.sent if isinstance(request, SetIntensity)][1:]
    gaps = [after - before for before, after in pairwise(rises)]
    assert len(gaps) == 4
    assert gaps == pytest.approx([RISE_S + ANSWER_S] * 4)


def test_what_it_says_of_the_start_gives_way_once_the_level_is_reached() -> None:
    session = Session(treat("left-cheek", seconds=60.0, target=30)).treating(0.1)
    assert session.view.message == "Starting at the lowest level."
    session.run(10.0)
    assert session.view.message == "Keep it moving. More gel when it drags."


def test_h2_one_level_is_under_way_at_a_time_on_the_way_up() -> None:
    session = Session(treat("left-cheek", seconds=60.0, target=30)).treating(0.1)
    session.answers = False
    session.run(0.5)
    assert session.levels()[-1] == 10
    session.run(3.0)
    assert session.levels()[-1] == 10


def test_less_goes_down_at_once_even_while_a_rise_is_under_way() -> None:
    session = Session(treat("left-cheek", seconds=60.0, target=10)).treating(0.3)
    session.answers = False
    session.run(0.3)
    assert session.levels()[-1] == 10
    assert session.give(Intent.LESS) == (SetIntensity(5),)


def test_a_level_overtaken_by_a_lower_one_is_no_trouble() -> None:
    session = Session(treat("left-cheek", seconds=60.0, target=30)).treating(10.0)
    session.answers = False
    session.give(Intent.LESS)
    session.give(Intent.LESS)
    assert session.levels()[-2:] == [25, 20]
    assert session.hear(Rejected(SetIntensity(25), Refusal.SUPERSEDED)) == ()
    assert session.view.phase is Phase.TREATING


def test_what_was_lowered_stays_lowered_in_the_next_zone_and_what_was_raised_does_not_go_along() -> None:
    session = Session(treat("left-cheek", target=20), treat("chin", target=20), treat("right-cheek", target=20))
    session.treating(1.0)
    session.give(Intent.LESS)
    session.give(Intent.LESS)
    session.run(14.0)
    assert session.view.zone == "chin"
    assert session.view.target_percent == 10
    for _ in range(4):
        session.give(Intent.MORE)
    assert session.view.target_percent == 30
    session.run(16.0)
    assert session.view.zone == "right-cheek"
    assert session.view.target_percent == 20


def in_whole_percents(target: int) -> Session:
    """Output on, and nothing to rise to any more, on a device whose lowest level and step are 1 %, as the Dr-05's."""
    limits = Limits(1, 1, 30, 10.0, 1200.0, 1200.0, {})
    profile = replace(PROFILE, lowest_percent=1, step_percent=1)
    return Session(treat("left-cheek", seconds=60.0, target=target), limits=limits, profile=profile).treating(8.0)


def test_h2_a_device_of_whole_percents_rises_by_one_each_tenth_of_a_second_after_the_answer() -> None:
    session = in_whole_percents(target=24)
    assert session.levels() == list(range(1, 25))
    rises = [time for time, request in session.sent if isinstance(request, SetIntensity)][1:]
    assert [later - time for time, later in pairwise(rises)] == pytest.approx([ANSWER_S + 0.1] * 22)


def test_h2_more_and_less_move_the_target_by_two_percent_and_the_rise_is_still_one_at_a_time() -> None:
    session = in_whole_percents(target=24)
    session.forget()
    session.give(Intent.MORE)
    assert session.view.target_percent == 26
    session.run(2.0)
    assert session.levels() == [25, 26]
    session.forget()
    session.give(Intent.LESS)
    session.give(Intent.LESS)
    assert session.levels() == [24, 22]  # less is never held back


def test_h1_more_and_less_end_at_the_cap_and_at_the_lowest_level_also_where_two_percent_would_pass_them() -> None:
    session = in_whole_percents(target=29)
    session.give(Intent.MORE)
    session.run(2.0)
    assert session.view.intensity_percent == 30
    session.give(Intent.MORE)
    assert session.view.message == words.CAPPED
    session = in_whole_percents(target=2)
    session.give(Intent.LESS)
    session.run(1.0)
    assert session.view.intensity_percent == 1
    session.give(Intent.LESS)
    assert session.view.message == words.LOWEST
    session.give(Intent.MORE)
    session.run(2.0)
    assert session.view.intensity_percent == 3


@pytest.mark.parametrize("phase", [Phase.READY, Phase.GUIDING, Phase.MOVING, Phase.PAUSED, Phase.LINK_LOST])
def test_more_does_nothing_while_output_is_off(phase: Phase) -> None:
    session = Session(PREPARE, treat("left-cheek"))
    session.give(LinkReady(first=True))
    if phase is not Phase.READY:
        session.give(Intent.START)
    if phase in (Phase.MOVING, Phase.PAUSED):
        session.give(Intent.CONFIRM)
    if phase is Phase.PAUSED:
        session.run(6.0)
        session.give(Intent.PAUSE)
        session.run(1.0)
    if phase is Phase.LINK_LOST:
        session.give(LinkLost("gone"))
    before = session.view
    assert before.phase is phase
    assert session.give(Intent.MORE) == ()
    assert session.view.target_percent == before.target_percent
    assert session.view.phase is phase


# --- stop (H3) --------------------------------------------------------------------------------------------------------


def arrive(session: Session, phase: Phase) -> None:
    session.give(LinkReady(first=True))
    if phase is Phase.READY:
        return
    session.give(Intent.START)
    if phase is Phase.GUIDING:
        return
    session.give(Intent.CONFIRM)
    session.run(1.0)
    if phase is Phase.MOVING:
        return
    session.run(6.0)
    if phase is Phase.PAUSED:
        session.give(Intent.PAUSE)
        session.run(1.0)
    assert session.view.phase is phase


@pytest.mark.parametrize("phase", [Phase.READY, Phase.GUIDING, Phase.MOVING, Phase.TREATING, Phase.PAUSED])
def test_h3_stop_is_the_first_request_in_any_phase_and_over_only_when_the_device_says_so(phase: Phase) -> None:
    session = Session(PREPARE, treat("left-cheek"))
    arrive(session, phase)
    session.answers = False
    session.due.clear()
    assert session.give(Intent.STOP) == (TotalStop(),)
    assert session.view.phase is Phase.STOPPING
    assert session.view.output is Output.STOPPING
    assert session.view.message == words.STOPPING
    session.run(0.5)
    assert session.view.summary is None
    session.hear(Acknowledged(TotalStop(), 0.5))
    assert session.view.phase is Phase.FINISHED
    assert session.view.message == words.STOPPED
    assert session.view.summary is not None
    assert session.view.summary.reason is Reason.STOPPED


def test_h3_stop_is_written_as_stopping_then_stopped_by_whom_then_finished() -> None:
    session = Session(treat("left-cheek")).treating()
    session.forget()
    session.give(Intent.STOP)
    session.run(1.0)
    assert [entry.kind for entry in session.journal] == [
        JournalKind.STOPPING,
        JournalKind.STOPPED,
        JournalKind.ZONE,
        JournalKind.FINISHED,
    ]
    assert session.entries(JournalKind.STOPPED) == [{"confirmed_by": "the device", "after_ms": 40.0}]


def test_h3_the_acknowledgement_of_a_lesser_stop_does_not_end_a_total_stop() -> None:
    session = Session(treat("left-cheek")).treating()
    session.answers = False
    session.give(Intent.PAUSE)
    session.give(Intent.STOP)
    session.hear(Acknowledged(StopOutput(), 0.1))
    assert session.view.phase is Phase.STOPPING
    session.hear(Acknowledged(TotalStop(), 0.1))
    assert session.view.phase is Phase.FINISHED


def test_h3_stop_pressed_again_is_sent_again_and_does_not_put_off_the_hang_up() -> None:
    session = Session(treat("left-cheek")).treating()
    session.answers = False
    session.give(Intent.STOP)
    for _ in range(5):
        session.run(0.2)
        assert session.give(Intent.STOP) == (TotalStop(),)
    session.forget()
    session.run(0.21)
    assert kinds(session.commands()) == [DropLink]


def test_h3_a_stop_that_nobody_confirms_hangs_up_after_1200_ms_and_waits_for_the_end_of_the_link() -> None:
    session = Session(treat("left-cheek")).treating()
    session.answers = False
    session.give(Intent.STOP)
    session.forget()
    session.run(1.19)
    assert session.commands() == []
    session.run(0.02)
    assert kinds(session.commands()) == [DropLink]
    assert session.view.phase is Phase.STOPPING
    session.give(LinkLost("hung up"))
    assert session.view.phase is Phase.FINISHED
    assert session.entries(JournalKind.STOPPED)[0]["confirmed_by"] == "the end of the link"
    assert session.view.summary is not None
    assert session.view.summary.reason is Reason.STOPPED


def test_h3_a_pause_that_nobody_confirms_hangs_up_too() -> None:
    session = Session(treat("left-cheek")).treating()
    session.answers = False
    session.give(Intent.PAUSE)
    session.forget()
    session.run(1.21)
    assert kinds(session.commands()) == [DropLink]


def test_h3_after_stop_nothing_but_stops_and_hanging_up_is_ever_asked_for() -> None:
    everything: list[Input] = [
        *Intent,
        *(Feels(sensation) for sensation in Sensation),
        *(
            DeviceSaid(event)
            for event in (
                Acknowledged(SetIntensity(10), 0.1),
                Acknowledged(StartOutput(), 0.1),
                Acknowledged(StopOutput(), 0.1),
                Rejected(SetIntensity(10), Refusal.DEVICE),
                Unanswered(StartOutput(), 3),
                Fault("odd"),
                ContactLost(),
                WaterLow(),
                WaterBack(),
                Rejected(TotalStop(), Refusal.RADIO),
                Unanswered(TotalStop(), 3),
                Acknowledged(TotalStop(), 0.1),
            )
        ),
        CommandRefused(SetIntensity(5), "no"),
        JournalFailed("disk full"),
        LinkLost("gone"),
        LinkReady(first=False),
        ReconnectFailed("no"),
        Tick(),
    ]
    session = Session(treat("left-cheek"), COOL, treat("chin")).treating()
    session.answers = False
    session.give(Intent.STOP)
    for given in [*everything, *reversed(everything), *everything]:
        for request in session.give(given):
            assert isinstance(request, TotalStop | DropLink), f"{request} after {given}"
        session.run(0.7)
    assert all(isinstance(request, TotalStop | DropLink) for _, request in session.sent[-20:])


def test_stop_without_a_link_just_ends() -> None:
    session = Session(PREPARE)
    assert session.give(Intent.STOP) == ()
    assert session.view.phase is Phase.FINISHED
    assert session.view.message == words.STOPPED


def test_a_finished_session_that_is_linked_can_still_be_told_to_stop() -> None:
    session = Session(CARE).begin()
    session.run(5.0)
    assert session.view.phase is Phase.FINISHED
    assert session.give(Intent.STOP) == (TotalStop(),)
    assert session.give(Intent.START) == ()
    assert session.give(Intent.RESUME) == ()


# --- pause, resume, skip ----------------------------------------------------------------------------------------------


def test_pause_turns_output_off_and_resume_does_the_rest_of_the_zone_from_the_lowest_level() -> None:
    session = Session(treat("left-cheek", seconds=10.0)).treating(4.0)
    assert session.give(Intent.PAUSE) == (StopOutput(),)
    assert session.view.phase is Phase.PAUSED
    assert session.view.message == words.PAUSING
    session.run(30.0)
    assert session.view.message == words.PAUSED
    remaining = session.view.step_remaining_s
    assert 5.0 < remaining < 6.0
    session.forget()
    session.give(Intent.RESUME)
    session.run(remaining + 0.2)
    assert session.commands()[:2] == [SetIntensity(5), StartOutput()]
    assert session.commands()[-1] == StopOutput()
    assert session.view.summary is not None
    assert session.view.summary.reason is Reason.COMPLETED


def test_resume_before_output_is_confirmed_off_is_not_followed() -> None:
    session = Session(treat("left-cheek")).treating()
    session.answers = False
    session.give(Intent.PAUSE)
    assert not session.view.can_resume
    assert session.give(Intent.RESUME) == ()
    assert session.view.phase is Phase.PAUSED
    session.hear(Acknowledged(StopOutput(), 0.1))
    assert session.view.phase is Phase.PAUSED
    assert session.view.can_resume


def test_a_pause_in_the_middle_of_a_start_stops_it() -> None:
    session = Session(treat("left-cheek")).begin()
    session.answers = False
    session.run(MOVE_S)
    session.hear(Acknowledged(SelectMode(1), 0.1))
    session.hear(Acknowledged(SetIntensity(5), 0.1))
    assert session.view.output is Output.STARTING
    assert session.give(Intent.PAUSE) == (StopOutput(),)
    assert session.hear(Rejected(StartOutput(), Refusal.SUPERSEDED)) == ()
    assert session.hear(Acknowledged(StartOutput(), 0.1)) == ()
    assert session.view.output is Output.STOPPING


def test_pause_before_the_start_and_resume_send_the_level_once_it_can_be_told_apart() -> None:
    session = Session(treat("left-cheek", mode=None)).begin()
    session.answers = False
    session.run(MOVE_S)
    assert session.commands() == [SetIntensity(5)]
    assert session.give(Intent.PAUSE) == ()
    assert session.give(Intent.RESUME) == ()
    assert session.hear(Acknowledged(SetIntensity(5), 0.1)) == (StartOutput(),)


def test_pause_holds_the_time_of_a_guided_step() -> None:
    session = Session(CARE, PREPARE).begin()
    session.run(1.0)
    session.give(Intent.PAUSE)
    session.run(30.0)
    assert session.view.step_remaining_s == pytest.approx(2.0)
    session.give(Intent.RESUME)
    session.run(1.99)
    assert session.view.step_index == 0
    session.run(0.02)
    assert session.view.step_index == 1


def test_a_pause_while_moving_leads_back_to_moving() -> None:
    session = Session(treat("left-cheek")).begin()
    session.run(2.0)
    session.give(Intent.PAUSE)
    session.run(20.0)
    session.give(Intent.RESUME)
    assert session.view.phase is Phase.MOVING
    assert session.view.moving_remaining_s == MOVE_S


def test_a_zone_that_was_over_when_the_pause_came_is_not_begun_again() -> None:
    session = Session(treat("left-cheek", seconds=2.0), treat("chin", seconds=2.0)).treating(1.0)
    session.answers = False
    session.run(1.0)
    assert session.commands()[-1] == StopOutput()
    session.give(Intent.PAUSE)
    session.hear(Acknowledged(StopOutput(), 0.1))
    assert session.view.phase is Phase.PAUSED
    assert session.view.zone == "chin"
    assert session.give(Intent.RESUME) == ()
    assert session.view.phase is Phase.MOVING


def test_a_pause_that_nobody_ends_closes_the_session() -> None:
    session = Session(treat("left-cheek")).treating()
    session.give(Intent.PAUSE)
    session.run(PAUSE_LIMIT_S + 1.0)
    assert session.view.summary is not None
    assert session.view.summary.reason is Reason.STOPPED
    assert session.view.message == words.PAUSE_OVER


def test_skip_turns_output_off_before_it_goes_on() -> None:
    session = Session(treat("left-cheek"), treat("chin")).treating(1.0)
    session.answers = False
    assert session.give(Intent.SKIP) == (StopOutput(),)
    assert session.view.zone == "left-cheek"
    session.run(0.5)
    assert session.view.phase is Phase.TREATING
    session.hear(Acknowledged(StopOutput(), 0.5))
    assert session.view.phase is Phase.MOVING
    assert session.view.zone == "chin"


@pytest.mark.parametrize(("seconds", "outcome"), [(2.0, "skipped"), (7.0, "shortened")])
def test_a_zone_skipped_after_half_of_its_time_counts_as_done(seconds: float, outcome: str) -> None:
    session = Session(treat("left-cheek"), treat("chin")).treating(seconds)
    session.give(Intent.SKIP)
    session.run(0.5)
    assert session.entries(JournalKind.ZONE)[-1]["outcome"] == outcome
    assert session.view.done_zones == (("left-cheek",) if outcome == "shortened" else ())
    assert session.view.skipped_zones == (("left-cheek",) if outcome == "skipped" else ())


def test_a_skip_during_a_pause_stays_paused() -> None:
    session = Session(treat("left-cheek"), treat("chin"), CARE).treating()
    session.give(Intent.PAUSE)
    session.run(1.0)
    session.forget()
    session.give(Intent.SKIP)
    session.run(20.0)
    assert session.view.phase is Phase.PAUSED
    assert session.view.zone == "chin"
    assert session.commands() == []
    session.give(Intent.RESUME)
    assert session.view.phase is Phase.MOVING


def test_skipping_everything_during_a_pause_completes_the_session_once_output_is_off() -> None:
    session = Session(treat("left-cheek")).treating()
    session.answers = False
    session.give(Intent.PAUSE)
    assert session.give(Intent.SKIP) == (TotalStop(),)
    assert session.view.phase is Phase.STOPPING
    session.hear(Acknowledged(TotalStop(), 0.1))
    assert session.view.summary is not None
    assert session.view.summary.reason is Reason.COMPLETED
    assert session.view.summary.skipped_zones == ("left-cheek",)


# --- the link (H5) ----------------------------------------------------------------------------------------------------


def test_h5_a_lost_link_saves_and_tries_for_sixty_seconds() -> None:
    session = Session(treat("left-cheek")).treating(3.0)
    session.forget()
    assert session.give(LinkLost("out of reach")) == (Reconnect(session.now + RECONNECT_S),)
    assert session.view.phase is Phase.LINK_LOST
    assert session.view.output is Output.OFF
    assert session.view.reconnect_remaining_s == RECONNECT_S
    assert session.entries(JournalKind.LINK_LOST)[0]["reason"] == "out of reach"
    session.run(RECONNECT_S)
    assert session.view.summary is not None
    assert session.view.summary.reason is Reason.LINK_LOST


def test_h5_a_link_that_comes_back_offers_to_continue_and_starts_nothing() -> None:
    session = Session(treat("left-cheek")).treating(3.0)
    session.give(LinkLost("out of reach"))
    session.run(20.0)
    session.forget()
    session.give(LinkReady(first=False))
    assert session.view.phase is Phase.PAUSED
    assert session.view.message == words.LINK_BACK
    session.run(120.0)
    assert session.commands() == []
    session.give(Intent.RESUME)
    session.run(1.0)
    assert session.commands()[:3] == [SelectMode(1), SetIntensity(5), StartOutput()]


def test_h5_a_reconnect_that_gives_up_ends_the_session() -> None:
    session = Session(treat("left-cheek")).treating(3.0)
    session.give(LinkLost("out of reach"))
    session.give(ReconnectFailed("not found"))
    assert session.view.summary is not None
    assert session.view.summary.reason is Reason.LINK_LOST


def test_h5_a_new_link_that_nobody_announced_is_taken_for_a_lost_one() -> None:
    session = Session(treat("left-cheek")).treating(3.0)
    session.forget()
    session.give(LinkReady(first=False))
    assert session.view.phase is Phase.PAUSED
    assert session.view.output is Output.OFF
    assert session.commands() == []
    assert session.entries(JournalKind.LINK_LOST)


def test_a_link_lost_before_the_start_leads_back_to_ready() -> None:
    session = Session(PREPARE)
    session.give(LinkReady(first=True))
    session.give(LinkLost("gone"))
    session.give(LinkReady(first=False))
    assert session.view.phase is Phase.READY


def test_a_link_lost_at_the_very_end_still_completes() -> None:
    session = Session(treat("left-cheek", seconds=2.0)).treating(1.0)
    session.answers = False
    session.run(1.0)
    assert session.give(LinkLost("gone")) == ()
    assert session.view.summary is not None
    assert session.view.summary.reason is Reason.COMPLETED


# --- time limits (H6) -------------------------------------------------------------------------------------------------


def test_h6_the_session_ends_when_its_output_time_is_used_up_whatever_the_routine_says() -> None:
    limits = replace(LIMITS, session_output_s=15.0)
    session = Session(treat("left-cheek"), treat("chin"), treat("right-cheek"), limits=limits).begin()
    session.run(120.0)
    summary = session.view.summary
    assert summary is not None
    assert summary.reason is Reason.TIME_LIMIT
    assert summary.output_s == pytest.approx(15.0, abs=2 * ANSWER_S)
    assert session.commands()[-1] == TotalStop()
    assert session.view.message == words.TIME_LIMIT


def test_h6_a_zone_ends_when_its_output_time_is_used_up_and_the_next_one_begins() -> None:
    limits = replace(LIMITS, zone_output_s=6.0)
    session = Session(treat("left-cheek"), treat("chin", seconds=3.0), treat("left-cheek"), CARE, limits=limits).begin()
    session.run(120.0)
    summary = session.view.summary
    assert summary is not None
    assert summary.reason is Reason.COMPLETED
    assert summary.zone_seconds["left-cheek"] == pytest.approx(6.0, abs=2 * ANSWER_S)
    ends = [entry["outcome"] for entry in session.entries(JournalKind.ZONE) if entry["state"] == "end"]
    assert ends == ["limit", "done", "limit"]
    assert len(session.commands(StartOutput)) == 2


def test_h6_time_counts_from_the_command_of_the_start_though_it_is_never_answered() -> None:
    limits = replace(LIMITS, session_output_s=2.0)
    session = Session(treat("left-cheek"), limits=limits).begin()
    session.answers = False
    session.run(MOVE_S)
    session.hear(Acknowledged(SelectMode(1), 0.1))
    session.hear(Acknowledged(SetIntensity(5), 0.1))
    session.run(2.0)
    assert session.commands()[-1] == TotalStop()


def test_h6_pauses_do_not_reset_the_time_with_output() -> None:
    limits = replace(LIMITS, session_output_s=12.0)
    session = Session(treat("left-cheek", seconds=60.0), limits=limits).treating()
    for _ in range(20):
        session.run(2.0)
        session.give(Intent.PAUSE)
        session.run(0.5)
        session.give(Intent.RESUME)
    assert session.view.summary is not None
    assert session.view.summary.reason is Reason.TIME_LIMIT
    assert session.view.summary.output_s == pytest.approx(12.0, abs=2 * ANSWER_S)


# --- what the person feels --------------------------------------------------------------------------------------------


def test_the_question_is_asked_after_forty_seconds_of_output_and_once_more_when_nobody_answers() -> None:
    session = Session(treat("left-cheek", seconds=600.0)).treating(0.0)
    asked = []
    for second in range(600):
        session.run(1.0)
        if session.view.ask_sensation:
            asked.append(second + 1)
    assert asked[0] == 40
    assert len(asked) == pytest.approx(60, abs=2)
    assert 120 in asked
    assert session.entries(JournalKind.SENSATION) == [{"asked": 1}, {"asked": 2}]
    assert max(session.levels()) == 20


def test_an_answer_ends_the_question_and_nothing_felt_raises_nothing() -> None:
    session = Session(treat("left-cheek", seconds=600.0)).treating(41.0)
    assert session.view.ask_sensation
    assert session.give(Feels(Sensation.NOTHING)) == ()
    assert not session.view.ask_sensation
    assert session.view.target_percent == 20
    session.run(200.0)
    assert not session.view.ask_sensation


def test_uncomfortable_lowers_by_a_third_at_once_and_narrows_the_rest_of_the_session() -> None:
    session = Session(treat("left-cheek", seconds=60.0, target=30), treat("chin", target=30)).treating(10.0)
    assert session.view.intensity_percent == 30
    assert session.give(Feels(Sensation.UNCOMFORTABLE)) == (SetIntensity(20),)
    assert session.view.comfortable_percent == 20
    for _ in range(10):
        session.give(Intent.MORE)
    session.run(10.0)
    assert session.view.intensity_percent == 20
    session.run(60.0)
    assert session.view.zone == "chin"
    assert session.view.target_percent == 20


def test_uncomfortable_on_the_way_up_lowers_from_what_is_felt_not_from_the_target() -> None:
    session = Session(treat("left-cheek", seconds=60.0, target=30)).treating(0.6)
    assert session.view.intensity_percent == 10
    session.give(Feels(Sensation.UNCOMFORTABLE))
    assert session.view.target_percent == 5


def test_pain_is_a_total_stop() -> None:
    session = Session(treat("left-cheek")).treating()
    assert session.give(Feels(Sensation.PAIN)) == (TotalStop(),)
    session.run(1.0)
    assert session.view.summary is not None
    assert session.view.summary.reason is Reason.PAIN
    assert session.view.message == words.PAIN


# --- trouble ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trouble",
    [
        Rejected(SetIntensity(10), Refusal.DEVICE),
        Rejected(SetIntensity(10), Refusal.CHECKSUM),
        Unanswered(SetIntensity(10), 3),
    ],
)
def test_a_level_that_fails_stops_everything_and_pauses(trouble: Event) -> None:
    session = Session(treat("left-cheek")).treating(0.1)
    session.answers = False
    session.run(0.5)
    assert session.levels()[-1] == 10
    assert session.hear(trouble) == (TotalStop(),)
    assert session.view.phase is Phase.PAUSED
    assert session.entries(JournalKind.WARNING)


def test_the_third_trouble_ends_the_session() -> None:
    session = Session(treat("left-cheek", seconds=60.0)).begin()
    for trouble in range(1, 4):
        while session.view.output is not Output.ON:
            session.run(0.1)
        session.answers = False
        session.run(0.6)
        assert session.levels()[-1] == 10
        session.answers = True
        session.hear(Unanswered(SetIntensity(10), 3))
        session.run(1.0)
        assert session.view.phase is (Phase.PAUSED if trouble < 3 else Phase.FINISHED)
        session.give(Intent.RESUME)
    assert session.view.summary is not None
    assert session.view.summary.reason is Reason.DEVICE_FAULT


def test_a_command_that_the_protocol_never_gives_up_counts_as_unanswered() -> None:
    session = Session(treat("left-cheek")).begin()
    session.answers = False
    session.run(MOVE_S + 5.1)
    assert session.view.phase is Phase.PAUSED
    assert session.commands()[-1] == TotalStop()


def test_a_stop_that_cannot_be_delivered_hangs_up_at_once() -> None:
    session = Session(treat("left-cheek")).treating()
    session.answers = False
    session.give(Intent.STOP)
    assert kinds(session.hear(Rejected(TotalStop(), Refusal.RADIO))) == [DropLink]


def test_a_fault_of_the_device_is_a_total_stop() -> None:
    session = Session(treat("left-cheek")).treating()
    assert session.hear(Fault("too hot")) == (TotalStop(),)
    session.run(1.0)
    assert session.view.summary is not None
    assert session.view.summary.reason is Reason.DEVICE_FAULT
    assert "too hot" in session.view.message


def test_a_refused_command_is_a_defect_answered_by_stopping() -> None:
    session = Session(treat("left-cheek")).treating()
    assert session.give(CommandRefused(SetIntensity(10), "too soon")) == (TotalStop(),)
    session.run(1.0)
    assert session.view.summary is not None
    assert session.view.summary.reason is Reason.DEFECT


def test_a_refused_question_is_none() -> None:
    session = Session(treat("left-cheek")).treating()
    assert session.give(CommandRefused(QueryTemperature(), "not now")) == ()
    assert session.view.phase is Phase.TREATING


def test_a_journal_that_cannot_be_written_stops_output_and_tells_the_person() -> None:
    session = Session(treat("left-cheek")).treating()
    assert session.give(JournalFailed("the disk is full")) == (TotalStop(),)
    assert session.give(JournalFailed("the disk is full")) == ()
    session.run(1.0)
    assert session.view.summary is not None
    assert session.view.summary.reason is Reason.STORAGE
    assert "the disk is full" in session.view.message


def test_a_journal_that_fails_at_the_very_last_entry_is_told_too() -> None:
    session = Session(CARE).begin()
    session.run(5.0)
    session.give(JournalFailed("the disk is full"))
    assert session.view.summary is not None
    assert session.view.summary.reason is Reason.STORAGE


def test_late_and_double_answers_raise_nothing_and_restart_nothing() -> None:
    session = Session(treat("left-cheek", seconds=20.0), treat("chin")).treating(3.0)
    for late in (SetIntensity(5), SetIntensity(30), SetIntensity(20), StartOutput(), SelectMode(1)):
        assert session.hear(Acknowledged(late, 9.0)) == ()
    assert session.view.intensity_percent == 20
    session.give(Intent.PAUSE)
    session.run(1.0)
    for late in (SetIntensity(5), SetIntensity(30), StartOutput(), StopOutput(), TotalStop(), SelectMode(1)):
        assert session.hear(Acknowledged(late, 9.0)) == ()
    assert session.view.phase is Phase.PAUSED
    assert session.view.output is Output.OFF


def test_a_device_stopped_from_elsewhere_pauses_the_session() -> None:
    session = Session(treat("left-cheek")).treating()
    assert session.hear(Acknowledged(TotalStop(), 0.1)) == (TotalStop(),)
    assert session.view.phase is Phase.PAUSED


# --- cooling and water ------------------------------------------------------------------------------------------------


def test_a_cooling_step_starts_and_stops_the_cooling() -> None:
    session = Session(COOL, CARE).begin()
    session.run(6.0)
    assert session.commands() == [SetCoolingTarget(8), StartCooling(), StopCooling()]


def test_a_pause_ends_the_cooling_and_resume_starts_it_again() -> None:
    session = Session(COOL, CARE).begin()
    session.run(1.0)
    assert session.give(Intent.PAUSE) == (StopCooling(),)
    assert session.give(Intent.RESUME) == (SetCoolingTarget(8), StartCooling())


def test_low_water_ends_the_cooling_step_and_leaves_out_the_later_ones() -> None:
    session = Session(COOL, PREPARE, COOL, CARE).begin()
    session.run(1.0)
    assert session.hear(WaterLow()) == ()
    assert session.view.step_index == 1
    assert session.view.water_low
    session.forget()
    session.give(Intent.CONFIRM)
    assert session.view.step_index == 3
    assert session.commands(StartCooling) == []
    session.hear(WaterBack())
    assert session.entries(JournalKind.WATER) == [{"low": False}]
    assert not session.view.water_low


def test_cooling_that_fails_is_no_reason_to_end_the_session() -> None:
    session = Session(COOL, CARE).begin()
    session.answers = False
    session.due.clear()
    assert session.hear(Rejected(StartCooling(), Refusal.DEVICE)) == ()
    assert session.view.phase is Phase.GUIDING
    assert session.view.message == words.COOLING_FAILED


# --- the journal ------------------------------------------------------------------------------------------------------


def test_the_journal_tells_what_was_asked_and_what_was_acknowledged() -> None:
    session = Session(treat("left-cheek", target=10)).begin()
    session.run(30.0)
    told = [(e["command"], e["state"], e["percent"]) for e in session.entries(JournalKind.INTENSITY)]
    assert told == [
        (command, state, percent)
        for command, percent in (("mode", 0), ("level", 5), ("start", 5), ("level", 10), ("stop", 0))
        for state in ("asked", "acknowledged")
    ]
    finished = session.entries(JournalKind.FINISHED)[0]
    assert finished["reason"] == "completed"
    assert finished["highest_percent"] == 10
    assert set(finished) >= {"zones", "output_s", "elapsed_s"}
