"""The session runner: stops first, then the journal, then everything else; and every way out leads past a stop."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest
from bleak.exc import BleakError

from companion.demo import DemoRadio, open_demo
from companion.device.connection import Connection
from companion.device.finder import find
from companion.device.pairing import Failure, PairingError
from companion.device.radio import RadioError
from companion.routines.library import Library
from companion.routines.model import load, plan_session
from companion.session.engine import SessionEngine
from companion.session.journal import JournalError
from companion.session.model import (
    CommandRefused,
    DropLink,
    Input,
    Intent,
    JournalEntry,
    JournalFailed,
    JournalKind,
    LinkReady,
    Phase,
    Reason,
    Reconnect,
    Request,
    Step,
    Summary,
    Tick,
    View,
)
from companion.session.runner import GuidedSession
from protocols.dr05 import PROFILE
from protocols.machine import LocalProtocolError, Reaction
from protocols.model import Command, QueryTemperature, SetIntensity, StopOutput, TotalStop
from protocols.registry import Registry
from rig import clock
from rig.devices.dr05 import SimulatedDr05
from tests.companion.scripted import Bench, turns, write

ROUTINE = """
format = 1
name = "short"
title = "Short"
summary = "Two zones."

[[steps]]
kind = "prepare"
title = "Gel"
text = "Spread the gel."
confirm = true

[[steps]]
kind = "treat"
zones = ["left-cheek", "right-cheek"]
passes = 1
seconds_per_pass = 20
share = 1.0
"""


def in_virtual_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        clock.run(test(*args, **kwargs))

    return run


def now() -> float:
    return asyncio.get_running_loop().time()


class KeptJournal:
    """A journal in memory that writes into a shared log; ``fails_at`` is the number of the append that fails."""

    def __init__(self, log: list[str] | None = None, fails_at: int | None = None) -> None:
        self.log = [] if log is None else log
        self.entries: list[tuple[float, JournalEntry]] = []
        self.summary: Summary | None = None
        self._fails_at = fails_at
        self._appends = 0

    def append(self, entries: Sequence[JournalEntry], t: float) -> None:
        self._appends += 1
        if self._fails_at is not None and self._appends >= self._fails_at:
            raise JournalError("the disk is full")
        self.log += [f"journal {entry.kind.value}" for entry in entries]
        self.entries += [(t, entry) for entry in entries]

    def finish(self, summary: Summary) -> None:
        if self._fails_at is not None and self._appends >= self._fails_at:
            raise JournalError("the disk is full")
        self.summary = summary

    @property
    def kinds(self) -> list[JournalKind]:
        return [entry.kind for _, entry in self.entries]


# --- the order of things, with an engine that says what the test tells it ---------------------------------------------


class ScriptedEngine:
    """Answers an input with what ``answers`` holds for it, once."""

    def __init__(self) -> None:
        routine = load(ROUTINE)
        plan = plan_session(routine, PROFILE, comfortable_percent=30, first_session=True)
        self.a_view = SessionEngine(plan, 0.0).view(0.0)
        self.answers: dict[Input, tuple[tuple[Request, ...], tuple[JournalKind, ...]]] = {}
        self.handled: list[Input] = []
        self.deadline: float | None = None
        self.summary: Summary | None = None

    def handle(self, given: Input, _now: float) -> Step:
        self.handled.append(given)
        requests, kinds = self.answers.pop(given, ((), ()))
        return Step(self.view(_now), requests, tuple(JournalEntry(kind) for kind in kinds))

    def view(self, _now: float) -> View:
        return replace(self.a_view, summary=self.summary)


class Order:
    """A session whose engine, radio and journal write into one log."""

    def __init__(self, *, fails_at: int | None = None) -> None:
        self.bench = Bench()
        self.log = self.bench.radio.log
        self.engine = ScriptedEngine()
        self.journal = KeptJournal(self.log, fails_at)
        self.session = GuidedSession(
            cast("SessionEngine", self.engine),
            self.bench.connection,
            self.journal,
            lambda _view: self.log.append("show"),
        )
        self.running: asyncio.Task[Summary] | None = None

    async def begin(self) -> None:
        self.running = asyncio.create_task(self.session.run())
        await turns(10)
        self.bench.stop_answers_with(write(b"stop", urgent=True))
        self.log.clear()

    async def end(self, reason: Reason = Reason.COMPLETED) -> Summary:
        assert self.running is not None
        self.engine.summary = Summary(reason, {}, 0, 0.0, 0.0)
        self.engine.answers[Tick()] = ((), (JournalKind.FINISHED,))
        self.session._feed(Tick())
        return await self.running


STOP = ((TotalStop(),), (JournalKind.STOPPING,))


@in_virtual_time
async def test_h3_the_bytes_of_a_stop_leave_before_the_journal_is_written_and_before_anything_is_shown() -> None:
    order = Order()
    await order.begin()
    order.engine.answers[Intent.STOP] = STOP
    order.session.intend(Intent.STOP)
    await turns()
    assert order.log == ["write stop", "journal stopping", "show"]
    assert now() == 0
    await order.end()


@in_virtual_time
async def test_h3_what_happens_in_the_same_turn_as_a_stop_is_written_down_after_the_stop_has_left() -> None:
    order = Order()
    await order.begin()
    order.engine.answers[Intent.STOP] = STOP
    order.engine.answers[Intent.PAUSE] = ((QueryTemperature(),), (JournalKind.WARNING,))
    order.session.intend(Intent.STOP)
    order.session.intend(Intent.PAUSE)
    await turns()
    assert order.log == [
        "write stop",
        "journal stopping",
        "show",
        "journal warning",
        "show",
        "write QueryTemperature",
    ]
    await order.end()


@in_virtual_time
async def test_h3_a_stop_asked_for_while_a_step_is_shown_follows_at_once() -> None:
    order = Order()
    await order.begin()
    order.engine.answers[Intent.STOP] = STOP
    order.engine.answers[Intent.PAUSE] = ((), (JournalKind.PAUSED,))

    def show(_view: View) -> None:
        order.log.append("show")
        order.session._on_change = lambda _again: None
        order.session.intend(Intent.STOP)

    order.session._on_change = show
    order.session.intend(Intent.PAUSE)
    await turns()
    assert order.log == ["journal paused", "show", "write stop", "journal stopping"]
    await order.end()


@in_virtual_time
async def test_any_other_command_leaves_after_it_was_written_down() -> None:
    order = Order()
    await order.begin()
    order.engine.answers[Intent.MORE] = ((SetIntensity(10),), (JournalKind.INTENSITY,))
    order.session.intend(Intent.MORE)
    await turns()
    assert order.log == ["journal intensity", "show", "write SetIntensity"]
    await order.end()


@in_virtual_time
async def test_a_command_that_could_not_be_written_down_never_leaves() -> None:
    order = Order(fails_at=1)
    await order.begin()
    order.engine.answers[Intent.MORE] = ((SetIntensity(10),), (JournalKind.INTENSITY,))
    order.engine.answers[JournalFailed("the disk is full")] = STOP
    order.session.intend(Intent.MORE)
    await turns()
    assert order.log == ["show", "write stop", "show"]
    assert order.session.storage_fault == "the disk is full"
    summary = await order.end(Reason.STORAGE)
    assert summary.reason is Reason.STORAGE


@in_virtual_time
async def test_h3_a_link_is_dropped_before_the_journal_is_written() -> None:
    order = Order()
    await order.begin()
    order.engine.answers[Intent.STOP] = ((DropLink("no answer to the stop"),), (JournalKind.WARNING,))
    order.session.intend(Intent.STOP)
    await turns()
    assert order.log[:2] == ["disconnect", "journal warning"]
    await order.end()


@in_virtual_time
async def test_h8_a_command_that_the_protocol_refuses_goes_back_to_the_engine() -> None:
    order = Order()
    await order.begin()

    def refuse(_command: Command) -> Reaction:
        raise LocalProtocolError("the mode is changed while stopped alone")

    order.bench.protocol.reply = refuse
    order.engine.answers[Intent.MORE] = ((SetIntensity(10),), ())
    order.session.intend(Intent.MORE)
    assert order.engine.handled[-1] == CommandRefused(SetIntensity(10), "the mode is changed while stopped alone")
    await order.end()


@in_virtual_time
async def test_a_command_for_a_link_that_is_ending_is_nobodys_mistake() -> None:
    order = Order()
    await order.begin()
    order.bench.connection.drop("the stop was not acknowledged")
    order.engine.answers[Intent.MORE] = ((SetIntensity(10),), ())
    order.session.intend(Intent.MORE)
    assert order.engine.handled[-1] is Intent.MORE
    await order.end()


@in_virtual_time
async def test_h3_a_stop_that_the_protocol_refuses_ends_the_link() -> None:
    order = Order()
    await order.begin()

    def refuse(command: Command) -> Reaction:
        if isinstance(command, StopOutput):
            raise LocalProtocolError("a defect")
        return Reaction((write(b"total", urgent=True),))

    order.bench.protocol.reply = refuse
    order.engine.answers[Intent.PAUSE] = ((StopOutput(),), (JournalKind.PAUSED,))
    order.session.intend(Intent.PAUSE)
    await turns()
    assert order.log[:2] == ["write total", "disconnect"]
    assert not [given for given in order.engine.handled if isinstance(given, CommandRefused)]
    await order.end()


@in_virtual_time
async def test_a_defect_stops_and_drops_at_once_whatever_is_known_of_the_output() -> None:
    order = Order()
    await order.begin()

    def draw(_view: View) -> None:
        raise ZeroDivisionError

    order.session._on_change = draw
    order.session.intend(Intent.MORE)
    await turns(2)
    assert order.log[:2] == ["write stop", "disconnect"]
    assert order.running is not None
    with pytest.raises(ZeroDivisionError):
        await order.running


@in_virtual_time
async def test_the_engine_is_ticked_at_its_deadline() -> None:
    order = Order()
    order.engine.deadline = 3.0
    await order.begin()
    await asyncio.sleep(2.9)
    order.engine.deadline = 5.0
    order.session.intend(Intent.MORE)
    await asyncio.sleep(2.0)
    assert Tick() not in order.engine.handled  # the first deadline was put off before it was due
    order.engine.deadline = None
    await asyncio.sleep(0.2)
    assert order.engine.handled.count(Tick()) == 1
    assert now() == pytest.approx(5.1)
    await order.end()


@in_virtual_time
async def test_the_person_can_end_a_connect_under_way() -> None:
    order = Order()
    order.bench.radio.on_connect = lambda: asyncio.sleep(15)
    order.running = asyncio.create_task(order.session.run())
    await asyncio.sleep(1)
    summary = await order.end(Reason.STOPPED)
    assert now() < 1.1
    assert summary.reason is Reason.STOPPED
    assert not order.bench.connection.ready


@in_virtual_time
async def test_a_device_that_cannot_be_reached_leaves_a_session_without_output_behind() -> None:
    order = Order()

    async def fail() -> None:
        raise BleakError("not there")

    order.bench.radio.on_connect = fail
    with pytest.raises(RadioError, match="not there"):
        await order.session.run()
    assert order.journal.summary == Summary(Reason.NOT_REACHED, {}, 0, 0.0, 0.0)


@in_virtual_time
async def test_a_pairing_that_came_to_nothing_leaves_a_session_behind_that_says_so() -> None:
    order = Order()

    async def too_late() -> None:
        raise PairingError("Scripted", Failure.TOO_LATE)

    order.bench.radio.on_connect = too_late
    with pytest.raises(PairingError):
        await order.session.run()
    assert order.journal.summary == Summary(Reason.NOT_PAIRED, {}, 0, 0.0, 0.0)
    assert JournalKind.LINK_LOST not in order.journal.kinds


@in_virtual_time
async def test_a_reconnect_is_handed_on() -> None:
    order = Order()
    await order.begin()
    order.engine.answers[Intent.MORE] = ((Reconnect(60.0),), ())
    order.bench.client.gone()
    order.session.intend(Intent.MORE)
    await asyncio.sleep(1)
    assert order.engine.handled[-1] == LinkReady(first=False, firmware="1.0")
    await order.end()


@in_virtual_time
async def test_an_end_that_cannot_be_written_down_is_told() -> None:
    order = Order()
    await order.begin()
    order.journal._fails_at = 0
    summary = await order.end()
    assert summary.reason is Reason.STORAGE
    assert order.session.storage_fault == "the disk is full"


# --- whole sessions with a simulated Dr-05 ----------------------------------------------------------------------------


class Whole:
    """A whole session: engine, connection, virtual radio and simulated device; only the journal is in memory."""

    def __init__(self, radio: DemoRadio, connection: Connection, journal: KeptJournal) -> None:
        self.radio = radio
        self.connection = connection
        self.journal = journal
        plan = plan_session(load(ROUTINE), PROFILE, comfortable_percent=30, first_session=True)
        self.engine = SessionEngine(plan, now())
        self.changed = asyncio.Event()
        self.on_change: Callable[[View], None] = lambda _view: None
        self.session = GuidedSession(self.engine, connection, journal, self._changed)
        self.running = asyncio.create_task(self.session.run())

    def _changed(self, view: View) -> None:
        self.on_change(view)
        self.changed.set()

    @property
    def device(self) -> SimulatedDr05:
        assert isinstance(self.radio.device, SimulatedDr05)
        return self.radio.device

    @property
    def output(self) -> float:
        return self.device.output_percent(now())

    async def until(self, holds: Callable[[View], bool]) -> None:
        async with asyncio.timeout(600):
            while not holds(self.session.view):
                self.changed.clear()
                await self.changed.wait()

    async def treating(self, percent: int = 15) -> None:
        await self.until(lambda view: view.phase is Phase.READY)
        self.session.intend(Intent.START)
        await self.until(lambda view: view.waits_for_confirm)
        self.session.intend(Intent.CONFIRM)
        await self.until(lambda view: view.intensity_percent == percent)
        assert self.output == percent

    async def off_within(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        assert self.output == 0


async def whole(act: Callable[[Whole], Awaitable[None]], journal: KeptJournal | None = None) -> None:
    radio = await open_demo("dr05", 3)
    try:
        found = await find(radio, Registry.default(), 5.0, settle_s=0.0)
        session = Whole(radio, Connection(radio, found[0]), journal or KeptJournal())
        try:
            await act(session)
        finally:
            session.running.cancel()
            await asyncio.wait((session.running,))
    finally:
        await radio.close()


@in_virtual_time
async def test_a_session_runs_to_its_end_and_its_last_entry_counts_the_traffic() -> None:
    async def act(one: Whole) -> None:
        await one.treating()
        summary = await one.running
        assert summary.reason is Reason.COMPLETED
        assert list(summary.zone_seconds) == ["left-cheek", "right-cheek"]
        last = one.journal.entries[-1][1]
        assert last.kind is JournalKind.FINISHED
        assert last.data["writes"] == one.connection.writes > 10
        assert last.data["notifications"] == one.connection.notifications > 10
        assert one.journal.kinds.count(JournalKind.FINISHED) == 1
        assert one.journal.summary == summary
        assert not one.connection.ready
        assert one.output == 0

    await whole(act)


@in_virtual_time
async def test_h3_a_stop_is_off_within_half_a_second_and_the_session_says_so_only_then() -> None:
    async def act(one: Whole) -> None:
        await one.treating()
        one.session.intend(Intent.STOP)
        assert one.session.view.phase is Phase.STOPPING
        await one.off_within(0.5)
        summary = await one.running
        assert summary.reason is Reason.STOPPED
        assert one.journal.kinds[-4:] == [
            JournalKind.STOPPING,
            JournalKind.STOPPED,
            JournalKind.ZONE,
            JournalKind.FINISHED,
        ]

    await whole(act)


@in_virtual_time
async def test_dr05_hazard_7_a_stop_that_is_never_answered_ends_the_link_within_a_second() -> None:
    async def act(one: Whole) -> None:
        await one.treating()
        one.device.set_silent(silent=True, now=now())
        one.session.intend(Intent.STOP)
        await one.off_within(1.1)
        summary = await one.running
        assert summary.reason is Reason.STOPPED

    await whole(act)


@in_virtual_time
async def test_a_full_disk_stops_the_output_and_is_told() -> None:
    journal = KeptJournal()

    async def act(one: Whole) -> None:
        await one.treating()
        journal._fails_at = 0
        await one.until(lambda view: view.phase in {Phase.STOPPING, Phase.FINISHED})
        await one.off_within(0.5)
        summary = await one.running
        assert summary.reason is Reason.STORAGE
        assert one.session.storage_fault == "the disk is full"
        assert one.journal.kinds[-1] is not JournalKind.FINISHED

    await whole(act, journal)


@in_virtual_time
async def test_a_cancelled_session_stops_first_and_gets_its_end_in_the_journal() -> None:
    async def act(one: Whole) -> None:
        await one.treating()
        one.running.cancel()
        began = now()
        with pytest.raises(asyncio.CancelledError):
            await one.running
        assert now() - began < 1.5
        assert one.output == 0
        assert one.device.trace[-1].cause == "total stop"
        assert one.journal.kinds[-1] is JournalKind.FINISHED
        assert one.journal.summary is not None
        assert one.journal.summary.reason is Reason.STOPPED

    await whole(act)


@in_virtual_time
async def test_a_session_cancelled_again_and_again_with_a_silent_device_still_ends_the_link_in_time() -> None:
    async def act(one: Whole) -> None:
        await one.treating()
        one.device.set_silent(silent=True, now=now())
        began = now()
        for _ in range(3):
            one.running.cancel()
            await turns()
        with pytest.raises(asyncio.CancelledError):
            await one.running
        assert now() - began < 2
        assert one.output == 0

    await whole(act)


@in_virtual_time
async def test_a_defect_while_output_is_on_stops_it_and_is_raised() -> None:
    async def act(one: Whole) -> None:
        await one.treating()
        broken = ZeroDivisionError("a defect in what draws the view")

        def draw(_view: View) -> None:
            raise broken

        one.on_change = draw
        one.session.intend(Intent.MORE)
        await one.off_within(0.5)
        with pytest.raises(ZeroDivisionError) as raised:
            await one.running
        assert raised.value is broken

    await whole(act)


@in_virtual_time
async def test_h5_a_lost_link_pauses_comes_back_and_never_starts_by_itself() -> None:
    async def act(one: Whole) -> None:
        await one.treating()
        one.radio.peripheral.vanish()
        await one.until(lambda view: view.phase is Phase.LINK_LOST)
        await asyncio.sleep(8)
        one.radio.peripheral.reappear()
        await one.until(lambda view: view.phase is Phase.PAUSED)
        changes = len(one.device.trace)
        await asyncio.sleep(60)
        assert len(one.device.trace) == changes
        one.session.intend(Intent.RESUME)
        await one.until(lambda view: view.intensity_percent == 15)
        levels = [entry.output_percent for entry in one.device.trace[changes:]]
        # H2: from the lowest level again
        assert levels == list(range(PROFILE.lowest_percent, 16, PROFILE.step_percent))
        summary = await one.running
        assert summary.reason is Reason.COMPLETED

    await whole(act)


@in_virtual_time
async def test_h5_a_link_that_does_not_come_back_ends_the_session_after_a_minute() -> None:
    async def act(one: Whole) -> None:
        await one.treating()
        one.radio.peripheral.vanish()
        await one.until(lambda view: view.phase is Phase.LINK_LOST)
        lost_at = now()
        summary = await one.running
        assert summary.reason is Reason.LINK_LOST
        assert 59 < now() - lost_at < 63
        assert JournalKind.LINK_LOST in one.journal.kinds

    await whole(act)


@in_virtual_time
async def test_a_device_connected_beforehand_is_taken_as_it_is() -> None:
    radio = await open_demo("dr05", 3)
    found = await find(radio, Registry.default(), 5.0, settle_s=0.0)
    connection = Connection(radio, found[0])
    await connection.connect()
    plan = plan_session(Library().get("first-touch"), PROFILE, comfortable_percent=30, first_session=True)
    journal = KeptJournal()
    session = GuidedSession(SessionEngine(plan, now()), connection, journal)
    running = asyncio.create_task(session.run())
    await turns()
    assert session.view.phase is Phase.READY
    assert journal.entries[0][1].data["firmware"] == "2.1"
    session.intend(Intent.STOP)
    assert (await running).reason is Reason.STOPPED
    await radio.close()
