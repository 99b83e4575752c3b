"""Brings engine, connection and journal together on the event loop, and keeps their order: a stop before everything.

Knows the order in which things must happen. Refuses to know rules (the engine's), bytes (the protocol's) and screens.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from companion.device.pairing import PairingError
from companion.device.radio import RadioError
from companion.session.journal import Journal, JournalError
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
    LinkReady,
    Reason,
    Reconnect,
    Request,
    Step,
    Summary,
    Tick,
    View,
)
from protocols.machine import LocalProtocolError
from protocols.model import StopOutput, TotalStop, Unrecognised

if TYPE_CHECKING:
    from companion.device.connection import Connection, News
    from companion.session.engine import SessionEngine


#: A cancelled session: how long the device may take to confirm the stop, and then the radio to end the link.
CANCEL_STOP_S = 1.0
CANCEL_CLOSE_S = 0.5


class GuidedSession:
    """One session of one person with one device, from the first look at the link to the summary.

    ``on_change`` is called with the new view after every step of the engine. ``opening`` are journal entries that come
    before everything else (the screening). Times in the journal are seconds since this object was made.

    The order kept at every step: stops go to the radio first, then the journal is written, then everything else leaves.
    """

    def __init__(
        self,
        engine: SessionEngine,
        connection: Connection,
        journal: Journal,
        on_change: Callable[[View], None] | None = None,
        *,
        opening: Sequence[JournalEntry] = (),
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._engine = engine
        self._connection = connection
        self._journal = journal
        self._on_change = on_change
        self._opening = tuple(opening)
        self._began = self._loop.time()
        self._inputs: deque[Input] = deque()
        self._handling = False
        self._after_stop: deque[Step] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._armed: float | None = None
        self._finished_entry: JournalEntry | None = None
        self._outcome: asyncio.Future[Summary] = self._loop.create_future()
        self._storage_fault: str | None = None

    # --- what faces of the app use ----------------------------------------------------------------------------------

    @property
    def view(self) -> View:
        """The session as of this moment."""
        return self._engine.view(self._loop.time())

    @property
    def output_possible(self) -> bool:
        """True unless the device is known to be without output."""
        return self._connection.output_possible

    @property
    def storage_fault(self) -> str | None:
        """Why the session could not be written down, in one line for the person; None while it could."""
        return self._storage_fault

    def intend(self, intent: Intent | Feels) -> None:
        """Do what the person wants. A stop's write is handed to the radio before anything else happens.

        Never raises and never waits; what the person wants at the wrong moment changes nothing.
        """
        self._feed(intent)

    async def run(self) -> Summary:
        """Connect where that is still to do, guide the session to its end, end the link, complete the journal.

        When cancelled, the output is stopped and the link ended first (within 1.5 s), and the journal gets its end.

        Raises:
            RadioError: the device could not be reached; nothing was started.
            Exception: a defect of the app, after the output was stopped and the link dropped.
        """
        connection = self._connection
        connection.listener = self._hear
        connection.on_defect = self._surface
        try:
            try:
                self._write(self._opening)
                self._drain()
                if connection.ready:
                    self._feed(LinkReady(first=True, firmware=connection.firmware))
                    for event in connection.unheard():
                        self._feed(DeviceSaid(event))
                else:
                    self._arm()
                    await self._connect()
                summary = await asyncio.shield(self._outcome)
            except RadioError as error:
                self._never_began(Reason.NOT_PAIRED if isinstance(error, PairingError) else Reason.NOT_REACHED)
                raise
            except asyncio.CancelledError:
                await self._stop_before_leaving()
                await self._leave(within_s=CANCEL_CLOSE_S)
                raise
            finally:
                await self._leave()
        except BaseException:
            self._complete(suppress=True)
            raise
        return self._complete(suppress=False) or summary

    async def _connect(self) -> None:
        """Connect, unless the person ends it before.

        Raises:
            RadioError: the device could not be reached.
        """
        connecting = self._loop.create_task(self._connection.connect())
        try:
            await asyncio.wait((connecting, self._outcome), return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not connecting.done():
                connecting.cancel()
                await asyncio.wait((connecting,))
        if not connecting.cancelled():
            connecting.result()

    def _hear(self, news: News) -> None:
        """Take the connection's news. Noise means nothing to a session, and a flood of it must cost nothing here."""
        if isinstance(news, DeviceSaid) and isinstance(news.event, Unrecognised):
            return
        self._feed(news)

    # --- steps ------------------------------------------------------------------------------------------------------

    def _feed(self, given: Input) -> None:
        """Let the engine handle an input; inputs that come up meanwhile are handled after it, in order."""
        self._inputs.append(given)
        self._drain()

    def _drain(self, *, stop_is_out: bool = False) -> None:
        if self._handling:
            return
        self._handling = True
        try:
            while stop_is_out and self._after_stop:
                self._rest_of(self._after_stop[0])
                self._after_stop.popleft()
            while self._inputs:
                self._handle(self._inputs.popleft())
        except Exception as error:  # noqa: BLE001 - whatever it is: the output stops, the link goes, run() raises it
            self._inputs.clear()
            self._defect(error)
        finally:
            self._handling = False

    def _stop_is_out(self) -> None:
        """Loop callback, one turn after a stop: write down and show what was left for later."""
        self._drain(stop_is_out=True)

    def _handle(self, given: Input) -> None:
        if self._outcome.done() and given is not Intent.STOP:
            return
        step = self._engine.handle(given, self._loop.time())
        stops = [request for request in step.requests if isinstance(request, _STOPS)]
        for request in stops:
            self._stop(request)
        if not stops and not self._after_stop:
            self._rest_of(step)
            return
        # The write of a stop begins when its task gets its turn; a journal written in this turn would hold it up for as
        # long as the disk takes. So the rest of this step, and of those that follow it, waits for the turn after (H3).
        self._after_stop.append(step)
        if len(self._after_stop) == 1:
            self._loop.call_soon(self._stop_is_out)

    def _rest_of(self, step: Step) -> None:
        """Everything of a step but its stops: journal first, then what it asks for, then the faces."""
        if self._write(step.journal):
            for request in step.requests:
                if not isinstance(request, _STOPS):
                    self._perform(request)
        self._arm()
        if self._on_change is not None:
            self._on_change(step.view)
        if step.view.summary is not None and not self._outcome.done():
            self._outcome.set_result(step.view.summary)

    def _stop(self, request: Request) -> None:
        match request:
            case DropLink():
                self._connection.drop(request.reason)
            case TotalStop() | StopOutput():
                try:
                    self._connection.submit(request)
                except LocalProtocolError as error:
                    # A protocol never refuses a total stop. Whatever went wrong: the end of the link ends the output.
                    self._connection.stop_and_drop(f"the stop could not be sent ({error})")
            case _:
                raise AssertionError(request)

    def _perform(self, request: Request) -> None:
        match request:
            case Reconnect():
                self._connection.reconnect(request.deadline)
            case DropLink():
                raise AssertionError(request)
            case _:
                try:
                    self._connection.submit(request)
                except LocalProtocolError as error:
                    # On a link that is ending no command is anybody's mistake: its end is told next, as LinkLost.
                    if self._connection.ready:
                        self._inputs.append(CommandRefused(request, str(error)))

    def _write(self, entries: Sequence[JournalEntry]) -> bool:
        """Write down what happened; False when that failed, and then nothing but stops may leave."""
        kept = [entry for entry in entries if entry.kind is not JournalKind.FINISHED]
        for entry in entries:
            if entry.kind is JournalKind.FINISHED:
                self._finished_entry = entry  # completed and written once the last byte has gone (see _complete)
        if not kept:
            return True
        try:
            self._journal.append(kept, self._loop.time() - self._began)
        except JournalError as error:
            if self._storage_fault is None:
                self._storage_fault = str(error)
                self._inputs.append(JournalFailed(str(error)))
            return False
        return True

    def _arm(self) -> None:
        deadline = self._engine.deadline
        if deadline == self._armed:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._armed = deadline
        if deadline is not None and not self._outcome.done():
            self._timer = self._loop.call_at(deadline, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._armed = None
        self._feed(Tick())
        # A step that ended in a stop arms in its second half; a tick that changed nothing must not be the last one.
        if not self._after_stop:
            self._arm()

    # --- the end ----------------------------------------------------------------------------------------------------

    async def _stop_before_leaving(self) -> None:
        """Take a cancellation as a stop by the person, and give the device a moment to confirm it."""
        self._feed(Intent.STOP)
        try:
            async with asyncio.timeout(CANCEL_STOP_S):
                await asyncio.shield(self._outcome)
        except TimeoutError:
            pass  # aclose, which follows, ends the link and with it the output

    async def _leave(self, within_s: float | None = None) -> None:
        try:
            await self._connection.aclose(within_s)
        finally:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            self._drain(stop_is_out=True)
            if self._outcome.done() and not self._outcome.cancelled():
                self._outcome.exception()  # seen: it is raised by run, or overtaken by what run raises

    def _never_began(self, reason: Reason) -> None:
        """Keep that there was no session: no device, no output."""
        with contextlib.suppress(JournalError):  # nothing happened that could be lost
            self._journal.finish(Summary(reason, {}, 0, 0.0, 0.0))

    def _complete(self, *, suppress: bool) -> Summary | None:
        """Write the session's end, with the traffic of the whole connection; None where there is no end to write."""
        entry = self._finished_entry
        if entry is None or not self._outcome.done() or self._outcome.exception() is not None:
            return None
        summary = self._outcome.result()
        traffic = {"writes": self._connection.writes, "notifications": self._connection.notifications}
        try:
            self._journal.append([JournalEntry(entry.kind, {**entry.data, **traffic})], self._loop.time() - self._began)
            self._journal.finish(summary)
        except JournalError as error:
            if self._storage_fault is None:
                self._storage_fault = str(error)
            if not suppress and summary.reason is not Reason.STORAGE:
                return replace(summary, reason=Reason.STORAGE)
        return summary

    def _defect(self, error: BaseException) -> None:
        """A mistake of ours while output may be on: stop, let go of the device, and let run() raise it."""
        self._connection.stop_and_drop("the app made a mistake and let go of the device")
        self._surface(error)

    def _surface(self, error: BaseException) -> None:
        if not self._outcome.done():
            self._outcome.set_exception(error)


_STOPS = (TotalStop, StopOutput, DropLink)
