"""A transcript as the device: answers what the recorded one answered, in its order, with its timing; watches the app.

:class:`TranscriptDevice` is a simulated device like any other; :func:`replay_as_peripheral` puts it on a radio. Refuses
to know what bytes mean: the same transcript through a protocol is :mod:`rig.replay.decoder`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import random
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from rig.clock import ScaledLoop
from rig.devices.display import Display
from rig.devices.model import (
    Advertisement,
    Answer,
    AnswerLater,
    AttError,
    DeviceAction,
    Hangup,
    Notify,
    SimulatedDevice,
    TraceEntry,
)
from rig.radio.details import Descriptor, RadioAware, RadioDetails
from rig.radio.pairing import Ability, Pairing
from rig.replay.chance import Drawn
from rig.replay.conversation import in_words
from rig.replay.exchanges import Exchange, Place, Transcript
from rig.replay.judgement import Event, Judgement, Rules, key
from rig.replay.layout import layout_of, subscribed_before, without_effect
from rig.replay.outcome import Difference, Lateness, Outcome, Verdict
from rig.replay.precise_timer import timing_for_loop
from rig.replay.schedule import AS_RECORDED, Gaps, Schedule
from rig.replay.streams import KEEP_ALIVES, Streams, recorded_of

if TYPE_CHECKING:
    from protocols.gatt import Service
    from protocols.registry import Registry
    from rig.radio.fault_plan import FaultPlan
    from rig.radio.faults import FaultyDevice
    from rig.replay.app import Played

Order = Literal["strict", "by-characteristic"]
"""``strict``: everything in the recorded order. ``by-characteristic``: what is about one characteristic is in order,
for apps that do several things at once."""

TOLERANCE_S: Final = 0.05
"""How much longer than recorded an app may take from what the device said, or from its own last exchange, to its next
one, before it is late."""
PATIENCE_S: Final = 30.0
"""How long past its recorded time the app's next exchange is waited for."""
LINGER_S: Final = 1.0
"""How long a device stays on the air once all that is recorded has happened: an app that goes on does more."""

_SETTLE_S: Final = 0.05  # for what the app sent last to arrive
_HALF_A_NANOSECOND: Final = 0.5e-9  # sums of seconds round: what is due at the same nanosecond is due together
_UNLIKELY_ERROR: Final = 0x0E  # Vol 3 Part F 3.4.1.1: the answer to what no answer is recorded for
_WRITES: Final = frozenset({"write", "write_command"})
_PUSHED: Final = frozenset({"notification", "indication"})
_LOOKED_AHEAD: Final = 64  # app's exchanges among which one that comes out of turn is looked for while replaying


class _Said(NamedTuple):
    """Something that the device said, for when it is known when it left."""

    due: float
    """In seconds of the device's clock."""
    exchange: int
    """Which of the transcript."""
    sample: int
    """Which lateness sample."""
    event: int | None
    """Which event; None for an answer."""


class TranscriptDevice(SimulatedDevice, RadioAware):
    """A device that does what a recorded one did.

    What the device pushed keeps its distance to the app's exchange before it, from when the app makes it in the replay;
    deadlines are absolute from there, so a long stream does not drift. Answers take as long as recorded. What the app
    does is looked for among what it did in the recording: in its turn, else out of turn, else the exchange whose turn
    it is where only the value differs. To the rest the device answers as to the same exchange elsewhere in the
    recording, or with the ATT error "unlikely error". It never stops at a difference: :meth:`outcome` tells them all.

    It puts nothing into anybody's skin: :meth:`output_percent` is 0 throughout, whatever the recorded device did.

    Args:
        transcript: what to play.
        order: what may be out of order.
        speed: how many recorded seconds go into one of the clock that the device is told.
        gaps: what becomes of long gaps.
        tolerance_s: see :data:`TOLERANCE_S`; None: how fast the app is does not matter.
        registry: the protocols that there are, for what they say of their recordings; None: the built-in and the
            installed ones.
    """

    def __init__(
        self,
        transcript: Transcript,
        *,
        order: Order = "strict",
        speed: float = 1.0,
        gaps: Gaps = AS_RECORDED,
        tolerance_s: float | None = TOLERANCE_S,
        registry: Registry | None = None,
    ) -> None:
        self.transcript = transcript
        self.order: Order = order
        self.schedule = Schedule.of(transcript, speed, gaps)
        self.tolerance_s = tolerance_s
        self.changed: Callable[[], None] | None = None
        """Called after everything that the app or the device did, for whoever waits for the end."""
        self._exchanges = transcript.exchanges
        self._layout = layout_of(transcript)
        self._recorded = recorded_of(transcript, registry)
        self._streams = Streams(self._recorded)
        self._drawn = Drawn(self._recorded)
        self._encrypted = self._named(self._recorded.encrypted)
        self._authenticated = self._named(self._recorded.authenticated)
        chance = random.Random(f"display {transcript.title}")  # noqa: S311 - a simulation, not a secret
        self.display = Display(chance) if self._encrypted else None
        """What shows a code when it is paired; None where the protocol asks for no pairing."""
        self._awaited_before = subscribed_before(transcript)  # what has to be subscribed to before it begins
        self._passed_over = without_effect(transcript)
        self._done: list[float | None] = [None] * len(self._exchanges)  # when, in seconds of the device's clock
        self._ended: list[float | None] = [None] * len(self._exchanges)  # when it was answered
        self._app: dict[Hashable, list[int]] = {}  # the app's exchanges of each lane
        self._turn: dict[Hashable, int] = {}  # position in it of the first that has not come
        self._prompted: dict[int, list[int]] = {-1: []}  # what the device says after each of the app's exchanges
        self._plan()
        self._due: list[tuple[float, int, int]] = []  # heap of due time, exchange, and 1 where its answer is meant
        self._last_due: dict[Hashable, float] = {}
        self._outbox: list[DeviceAction] = []
        self._came: list[Exchange] = []
        self._events: list[tuple[float, int | None, int]] = []  # time, exchange if recorded, position in _came or -1
        self._guessed: dict[Hashable, int] = {}  # the app's exchanges for which another value was taken
        self._lateness_ns: list[int] = []
        self._said: list[_Said] = []  # in the last deadline_passed
        self._subscribed: set[Place] = set()
        self._begun_at: float | None = None
        self._first_link_at: float | None = None
        self._connected = False
        self._last_event_at = 0.0

    def _plan(self) -> None:
        prompt = -1
        for index, exchange in enumerate(self._exchanges):
            if exchange.does == "connect" or index in self._passed_over:
                continue
            if exchange.by == "app":
                lane = self._lane(exchange)
                self._app.setdefault(lane, []).append(index)
                self._turn.setdefault(lane, 0)
                prompt = index
                self._prompted[prompt] = []
            else:
                self._prompted[prompt].append(index)

    def _named(self, characteristics: frozenset[str]) -> frozenset[str]:
        """What these characteristics, given by UUID, are called here."""
        return frozenset(name for name, place in self._layout.places.items() if place.characteristic in characteristics)

    def _lane(self, exchange: Exchange) -> Hashable:
        if self._streams.keeps_alive(exchange):
            return KEEP_ALIVES
        return exchange.to if self.order == "by-characteristic" else None

    # ---- what it is ------------------------------------------------------------------------------------------------

    @property
    def advertisement(self) -> Advertisement:
        """As recorded."""
        return Advertisement(self.transcript.name, self.transcript.advertised_services)

    @property
    def services(self) -> tuple[Service, ...]:
        """As recorded, and what the exchanges need beyond that."""
        return self._layout.services

    @property
    def radio_details(self) -> RadioDetails:
        """The recorded MTU, the descriptors that the app uses; every read and write is this device's matter."""
        descriptors = {
            name: tuple(self._descriptor(replace(self._layout.places[name], descriptor=uuid)) for uuid in uuids)
            for name, uuids in self._layout.descriptors.items()
        }
        details = RadioDetails(
            mtu=self._layout.mtu, descriptors=descriptors, names=self._layout.names, judges_access=True
        )
        if self.display is None:
            return details
        pairing = Pairing(Ability.SHOWS_AND_CONFIRMS, self.display)
        return replace(details, encrypted=self._encrypted, authenticated=self._authenticated, pairing=pairing)

    def _descriptor(self, place: Place) -> Descriptor:
        def on_write(data: bytes, now: float) -> None:
            self._catch_up(now)
            self._app_did(Exchange(0, "app", "write", place, data), now)

        return Descriptor(
            place.descriptor, b"", writable=True, on_read=lambda now: self._read(place, now), on_write=on_write
        )

    @property
    def trace(self) -> tuple[TraceEntry, ...]:
        """Nothing: a replay puts out no current."""
        return ()

    def output_percent(self, now: float) -> float:  # noqa: ARG002 - the contract's
        """Nothing: a replay puts out no current."""
        return 0.0

    # ---- where it is -----------------------------------------------------------------------------------------------

    @property
    def streamed(self) -> frozenset[Place]:
        """Where it says what it measures by itself, as its protocol tells."""
        return self._streams.places(self._exchanges)

    @property
    def is_connected(self) -> bool:
        """True while the app is connected."""
        return self._connected

    @property
    def is_complete(self) -> bool:
        """True once everything that is recorded has happened, and nothing is on its way."""
        return (
            self._first_link_at is not None
            and not self._due
            and not self._outbox
            and all(self._turn[lane] >= len(listed) for lane, listed in self._app.items() if lane != KEEP_ALIVES)
        )

    @property
    def lateness(self) -> Lateness:
        """By how much everything that the device said or answered was handed over after its time."""
        return Lateness(tuple(self._lateness_ns))

    def next_from_app(self, patience_s: float) -> float | None:
        """When the app's next exchange is to be given up, in seconds of the clock; None while it is not its turn."""
        if self._first_link_at is None or self._due or self._outbox:
            return None
        turns = [
            listed[self._turn[lane]]
            for lane, listed in self._app.items()
            if self._turn[lane] < len(listed) and lane != KEEP_ALIVES
        ]
        if not turns:
            return None
        before = [index for index in range(min(turns)) if self._done[index] is not None]
        gap_ns = self.schedule.between_ns(before[-1], min(turns)) if before else self.schedule.due_ns(min(turns))
        return self._last_event_at + gap_ns / 1e9 + patience_s

    # ---- the contract of simulated devices -------------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        """When the next thing that the device says is due."""
        if self._outbox:
            return self._last_event_at
        return self._due[0][0] if self._due else None

    def connected(self, now: float) -> tuple[DeviceAction, ...]:
        """The replay begins with the first connection."""
        self._connected = True
        self._last_event_at = now
        if self._first_link_at is None:
            self._first_link_at = now
            if self._exchanges and self._exchanges[0].does == "connect":
                self._note_done(0, now)
            if not self._awaited_before:
                self._begin(now)
        else:
            self._note_came(Exchange(self.replay_ns(now), "app", "connect"), None, now)
        return self._out(now)

    def disconnected(self, now: float) -> tuple[DeviceAction, ...]:
        """What was on its way is not said any more."""
        self._connected = False
        self._subscribed.clear()
        self._outbox.clear()
        self._due.clear()
        hung_up = [i for i, e in enumerate(self._exchanges) if e.by == "device" and e.does == "disconnect"]
        if not any(self._done[index] is not None for index in hung_up):
            came = Exchange(self.replay_ns(now), "app", "disconnect")
            index = self._match(came)
            if index is not None or not self.is_complete:
                self._note_came(came, index, now)
                if index is not None:
                    self._note_done(index, now, quietly=True)
        self._due.clear()
        return self._out(now)

    def subscribed(self, characteristic: str, enabled: bool, now: float) -> tuple[DeviceAction, ...]:
        """The app subscribes, or unsubscribes.

        Raises:
            AttError: as recorded.
            AnswerLater: the answer takes as long as recorded.
        """
        place = self._layout.places[characteristic]
        if enabled:
            self._subscribed.add(place)
        else:
            self._subscribed.discard(place)
        if self._begun_at is None and enabled and place in self._awaited_before:
            if self._awaited_before <= self._subscribed:
                self._begin(now)
            return self._out(now)
        self._catch_up(now)
        try:
            self._app_did(Exchange(0, "app", "subscribe" if enabled else "unsubscribe", place), now)
        except AttError:
            self._subscribed ^= {place}
            raise
        return self._out(now)

    def written(self, characteristic: str, data: bytes, now: float) -> tuple[DeviceAction, ...]:
        """The app writes, with or without response: taken for the kind that is recorded.

        Raises:
            AttError: as recorded, or there is nothing recorded to answer.
            AnswerLater: the answer takes as long as recorded.
        """
        place = self._layout.places[characteristic]
        kinds = [e.does for e in self._exchanges if e.to == place and e.does in _WRITES and e.value == data]
        return self._written(place, data, now, with_response="write_command" not in kinds)

    def write_arrived(
        self, characteristic: str, data: bytes, now: float, *, with_response: bool
    ) -> tuple[DeviceAction, ...]:
        """The app writes; as :meth:`written`, with the kind told."""
        return self._written(self._layout.places[characteristic], data, now, with_response=with_response)

    def _written(self, place: Place, data: bytes, now: float, *, with_response: bool) -> tuple[DeviceAction, ...]:
        self._catch_up(now)
        self._app_did(Exchange(0, "app", "write" if with_response else "write_command", place, data), now)
        return self._out(now)

    def read(self, characteristic: str, now: float) -> bytes:
        """The app reads.

        Raises:
            AttError: as recorded, or there is nothing recorded to answer.
            AnswerLater: the answer takes as long as recorded.
        """
        return self._read(self._layout.places[characteristic], now)

    def _read(self, place: Place, now: float) -> bytes:
        self._catch_up(now)
        return self._app_did(Exchange(0, "app", "read", place), now)

    def deadline_passed(self, now: float) -> tuple[DeviceAction, ...]:
        """Say what is due."""
        self._outbox += self._take_due(now)
        return self._out(now)

    def handed_over(self, times: Sequence[float]) -> None:
        """Note when what :meth:`deadline_passed` gave back really left."""
        for position, said in enumerate(self._said):
            # What was kept from an earlier call left first. Where faults have come between, one time stands for all.
            at = times[position - len(self._said)] if len(times) >= len(self._said) else times[-1]
            self._lateness_ns[said.sample] = max(0, round((at - said.due) * 1e9))
            if said.event is None:
                self._ended[said.exchange] = at
            else:
                self._done[said.exchange] = at
                self._events[said.event] = (at, said.exchange, -1)
            self._last_event_at = at
        self._said.clear()

    # ---- what the device says --------------------------------------------------------------------------------------

    def _begin(self, now: float) -> None:
        self._begun_at = now
        self._prompt(-1, now)

    def _prompt(self, index: int, now: float) -> None:
        """Let follow what the device said after the app's exchange ``index``; -1 is the beginning."""
        for said in self._prompted[index]:
            offset_ns = self.schedule.due_ns(said) if index < 0 else self.schedule.between_ns(index, said)
            exchange = self._exchanges[said]
            lane = exchange.to if self._streams.has(exchange) else self._lane(exchange)
            due = max(now + offset_ns / 1e9, self._last_due.get(lane, now))
            self._last_due[lane] = due
            heapq.heappush(self._due, (due, said, 0))

    def _catch_up(self, now: float) -> None:
        """What is due before something that the app does goes first, and leaves with what that brings about."""
        self._outbox += self._take_due(now)
        self._said.clear()

    def _take_due(self, now: float) -> list[DeviceAction]:
        actions: list[DeviceAction] = []
        self._said.clear()
        while self._due and self._due[0][0] <= now + _HALF_A_NANOSECOND:
            due, index, is_answer = heapq.heappop(self._due)
            self._lateness_ns.append(max(0, round((now - due) * 1e9)))
            exchange = self._exchanges[index]
            self._last_event_at = now
            if is_answer:
                self._ended[index] = now
                actions.append(Answer(exchange.value or b"" if exchange.does == "read" else b"", exchange.error))
                self._said.append(_Said(due, index, len(self._lateness_ns) - 1, None))
                continue
            if exchange.to is None:
                actions.append(Hangup())
            elif exchange.to in self._subscribed:
                actions.append(Notify(self._layout.name_of[exchange.to], self._drawn.echoed(exchange) or b""))
            else:
                continue  # nobody would hear it
            self._done[index] = now
            self._said.append(_Said(due, index, len(self._lateness_ns) - 1, len(self._events)))
            self._events.append((now, index, -1))
        return actions

    def _out(self, now: float) -> tuple[DeviceAction, ...]:
        self._last_event_at = max(self._last_event_at, now)
        actions, self._outbox = tuple(self._outbox), []
        self._tell()
        return actions

    def _tell(self) -> None:
        if self.changed is not None:
            self.changed()

    # ---- what the app does -----------------------------------------------------------------------------------------

    def _app_did(self, did: Exchange, now: float) -> bytes:
        """Take what the app did and give the answer to a read.

        Raises:
            AttError: the recorded refusal, or nothing is recorded that would answer it.
            AnswerLater: the answer takes its time, or never comes.
        """
        came = replace(did, at_ns=self.replay_ns(now))
        index = self._match(came)
        self._note_came(came, index, now)
        self._last_event_at = now
        if index is not None:
            self._drawn.note(self._exchanges[index], came)
            self._note_done(index, now)
        self._tell()
        if came.does == "write_command":
            return b""
        recorded = self._exchanges[index] if index is not None else self._elsewhere(came)
        if recorded is None:
            raise AttError(_UNLIKELY_ERROR)
        if index is not None:
            if self._never_answered(index):
                raise AnswerLater
            if recorded.answered_ns and not (recorded.error is not None and did.does in {"subscribe", "unsubscribe"}):
                heapq.heappush(self._due, (now + recorded.answered_ns / 1e9 / self.schedule.speed, index, 1))
                raise AnswerLater
            self._ended[index] = now
        if recorded.error is not None:
            raise AttError(recorded.error)
        return recorded.value or b""

    def _elsewhere(self, came: Exchange) -> Exchange | None:
        """The same request elsewhere in the recording; to unsubscribe needs no example."""
        if came.does == "unsubscribe":
            return came
        wanted = self._key(came)
        return next((e for e in reversed(self._exchanges) if e.by == "app" and self._key(e) == wanted), None)

    def _key(self, exchange: Exchange) -> Hashable:
        return key(exchange, self._recorded)

    def _never_answered(self, index: int) -> bool:
        """Whether the recorded device let go of the link instead."""
        asked = self._exchanges[index]
        if asked.answered_ns is not None or asked.error is not None or index + 1 >= len(self._exchanges):
            return False
        following = self._exchanges[index + 1]
        return following.by == "device" and following.does == "disconnect"

    def _match(self, came: Exchange) -> int | None:
        """For which recorded exchange to take it: exact in turn or out of turn, else changed in its turn, else none."""
        lane = self._lane(came)
        listed = self._app.get(lane, [])
        turn = self._turn.get(lane, 0)
        window = [index for index in listed[turn : turn + _LOOKED_AHEAD] if self._done[index] is None]
        wanted = self._key(came)
        fitting = next((index for index in window if self._key(self._exchanges[index]) == wanted), None)
        if wanted in self._guessed and (fitting is None or fitting != window[0]):
            return self._guessed.pop(wanted)  # what was taken for it was an extra one
        if fitting is not None:
            return fitting
        if window:
            expected = self._exchanges[window[0]]
            same_attribute = expected.to == came.to and expected.does in _WRITES and came.does in _WRITES
            # What is recorded already, done once more, is rather an extra one than a changed one.
            if same_attribute and not any(self._key(other) == wanted for other in self._came[-_LOOKED_AHEAD:]):
                self._guessed[self._key(expected)] = window[0]
                return window[0]
        return None

    def _note_came(self, came: Exchange, index: int | None, now: float) -> None:
        self._events.append((now, index, len(self._came)))
        self._came.append(came)

    def _note_done(self, index: int, now: float, *, quietly: bool = False) -> None:
        exchange = self._exchanges[index]
        if self._done[index] is not None:
            return  # what follows it was said when another was taken for it
        self._done[index] = now
        if exchange.does == "connect":
            self._events.append((now, index, -1))
            return
        lane = self._lane(exchange)
        listed = self._app[lane]
        while self._turn[lane] < len(listed) and self._done[listed[self._turn[lane]]] is not None:
            self._turn[lane] += 1
        if not quietly:
            self._prompt(index, now)

    def replay_ns(self, now: float) -> int:
        """A time of the device's clock as replay time: nanoseconds since the app first connected, 0 before."""
        return 0 if self._first_link_at is None else round((now - self._first_link_at) * 1e9)

    # ---- what came of it -------------------------------------------------------------------------------------------

    @property
    def played(self) -> Transcript:
        """What happened, as a transcript: for measurements, or to be kept."""
        happened: list[Exchange] = []
        for at, index, position in self._events:
            at_ns = self.replay_ns(at)
            if position < 0 and index is not None:
                said = self._exchanges[index]
                happened.append(replace(said, at_ns=at_ns, value=self._drawn.echoed(said)))
                continue
            came = self._came[position]
            if index is not None and came.does != "disconnect":
                ended = self._ended[index]
                answered = None if ended is None or came.does == "write_command" else round((ended - at) * 1e9)
                recorded = self._exchanges[index]
                value = recorded.value if came.does == "read" else came.value
                came = replace(came, value=value, answered_ns=answered, error=recorded.error)
            happened.append(came)
        return replace(self.transcript, exchanges=tuple(happened), source="a replay")

    def outcome(self, now: float) -> Outcome:
        """What differs from the recording if nothing comes after ``now``, the conversation, and what was measured."""
        from rig.replay.measuring import measured  # noqa: PLC0415 - nothing of it is needed while the time counts

        events = []
        for at, index, position in self._events:
            ended = self._ended[index] if index is not None else None
            events.append(
                Event(
                    self.replay_ns(at),
                    index,
                    None if position < 0 else self._came[position],
                    None if ended is None else self.replay_ns(ended),
                )
            )
        tolerance_ns = None if self.tolerance_s is None else round(self.tolerance_s * 1e9)
        rules = Rules(self._lane, tolerance_ns, self._passed_over, self._recorded)
        judged = Judgement(self._exchanges, self.schedule, events, self.replay_ns(now), rules)
        samples, coverage = measured(self.played, speed=self.schedule.speed)
        return Outcome(
            role="peripheral",
            title=self.transcript.title,
            verdict=Verdict.FAILED if judged.differences else Verdict.PASSED,
            differences=judged.differences,
            conversation=judged.conversation.lines,
            exchanges=sum(done is not None for done in self._done) + len(self._passed_over),
            lateness=self.lateness,
            samples=samples,
            coverage=coverage,
            duration_s=(events[-1].at_ns - events[0].at_ns) / 1e9 if events else 0.0,
        )


async def replay_as_peripheral(
    transcript: Transcript,
    *,
    app: Transcript | None = None,
    faults: FaultPlan | None = None,
    order: Order = "strict",
    speed: float = 1.0,
    gaps: Gaps = AS_RECORDED,
    tolerance_s: float | None = TOLERANCE_S,
    patience_s: float = PATIENCE_S,
    seed: int = 0,
    latency_s: float = 0.0,
) -> Outcome:
    """Play a transcript as the device on the virtual radio; the other side is the recorded app, on a bleak client.

    Time is the running loop's: at once under :func:`rig.clock.run`, on the wall clock on a loop of asyncio's own.

    Args:
        transcript: what the device plays.
        app: what the app plays; None: the same.
        faults: what shall go wrong between the two; None: nothing.
        order: what may be out of order.
        speed: how many recorded seconds go into one of the loop's clock.
        gaps: what becomes of long gaps.
        tolerance_s: how much longer than recorded the app may take, in seconds of the wall clock where time passes on
            it; None: as long as it likes.
        patience_s: how long past its time the app waits for the device, and the device for the app.
        seed: addresses follow from it.
        latency_s: how long every packet takes on the air.

    Returns:
        Failed where the two sides did not get through, with the reason as a difference; a place that the device does
        not have is one too. Invalid where a planned fault did not happen as often as planned.

    Raises:
        FaultPlanError: the plan is about what the device does not have.
    """
    from bleak import BleakClient, BleakScanner  # noqa: PLC0415 - the device alone needs neither bleak nor Bumble

    from rig.radio.link import VirtualRadio  # noqa: PLC0415
    from rig.replay.app import AppPlayer, PlaceMissingError  # noqa: PLC0415
    from rig.replay.pacing import Pacer  # noqa: PLC0415
    from rig.replay.pairing import pair  # noqa: PLC0415
    from rig.replay.wall_clock import undisturbed  # noqa: PLC0415

    loop = asyncio.get_running_loop()
    per_wall = loop.factor if isinstance(loop, ScaledLoop) else 1.0
    tolerance = None if tolerance_s is None else tolerance_s * per_wall
    device = TranscriptDevice(transcript, order=order, speed=speed, gaps=gaps, tolerance_s=tolerance)
    served: SimulatedDevice = device
    faulty: FaultyDevice | None = None
    if faults is not None:
        from rig.radio.faults import FaultyDevice  # noqa: PLC0415 - only where something shall go wrong

        served = faulty = FaultyDevice(device, faults)
    news = asyncio.Event()
    device.changed = news.set
    played = app if app is not None else transcript
    problem = ""
    by_device = False  # whether what stopped the app is something that the device, or the way to it, did not do
    async with VirtualRadio(seed, latency_s=latency_s) as radio:
        peripheral = await radio.add_device(served)
        peripheral.timing = timing = timing_for_loop()
        found = await BleakScanner.find_device_by_address(peripheral.address, backend=radio.scanner_backend)
        if found is None:
            raise RuntimeError("a device on the virtual radio was not heard on it")
        player = AppPlayer(played, patience_s=patience_s, streams=device.streamed)
        client = BleakClient(found, backend=radio.client_backend, disconnected_callback=player.link_ended)
        await client.connect()
        if device.display is not None:
            await pair(client, radio, device)
        try:
            # The app stands in for a phone, which is not on time either: its spinning would make the device late.
            with undisturbed() if timing is not None else contextlib.nullcontext():
                result = await player.play(client, Pacer(Schedule.of(played, speed, gaps), relaxed=True))
            problem = _in_the_way(result, played)
            by_device = faulty is not None or _lacks(transcript, played, result.awaited)
        except PlaceMissingError as error:
            problem = str(error)
        gave_up_ns = device.replay_ns(loop.time())
        await asyncio.sleep(_SETTLE_S + latency_s)
        while device.is_connected and (due := served.deadline) is not None:
            news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(max(due, loop.time() + _SETTLE_S)):
                    await news.wait()
        outcome = device.outcome(loop.time())
        if client.is_connected:
            await client.disconnect()
    outcome.lateness = Lateness(tuple(round(sample / per_wall) for sample in outcome.lateness.samples_ns))
    if problem and (by_device or not outcome.differences):
        outcome.verdict = Verdict.FAILED
        # What did not come after it is a consequence: the reason is told first.
        later = (place for place, one in enumerate(outcome.differences) if one.at_ns > gave_up_ns)
        reason = Difference("missing", None, gave_up_ns, f"missing: {problem}")
        outcome.differences.insert(next(later, len(outcome.differences)), reason)
    if faulty is not None:
        outcome.faults = faulty.fired
        for sentence in faulty.explain_unfired():
            outcome.verdict = Verdict.INVALID
            outcome.differences.append(Difference("fault", None, device.replay_ns(loop.time()), sentence))
    return outcome


def _in_the_way(result: Played, app: Transcript) -> str:
    """Why the app did not get through, in words; empty where it did."""
    if not result.problem:
        return ""
    if result.awaited is not None:
        awaited = in_words(app.exchanges[result.awaited])
        return f"the app waited for exchange {result.awaited} of its recording, {awaited}: {result.problem}"
    return f"the app: {result.problem}"


def _lacks(device: Transcript, app: Transcript, awaited: int | None) -> bool:
    """Whether the device's recording has less of what the app waits for than the app's own."""
    if awaited is None:
        return False
    wanted = app.exchanges[awaited]

    def count(transcript: Transcript) -> int:
        return sum(
            (one.does, one.to, one.value) == (wanted.does, wanted.to, wanted.value) for one in transcript.exchanges
        )

    return count(device) < count(app)


async def serve_as_peripheral(
    device: TranscriptDevice,
    transport: str,
    *,
    address: str | None = None,
    patience_s: float = PATIENCE_S,
    linger_s: float = LINGER_S,
    advertising: Callable[[str], None] | None = None,
) -> Outcome:
    """Play a transcript as the device on the controller behind an HCI transport, to whatever app connects to it.

    Waits for an app as long as it takes. Ends when all that is recorded has happened, when the app has let its turn
    pass for ``patience_s`` seconds, or when the link has been down for as long.

    Args:
        device: the transcript's device, not connected yet.
        transport: as Bumble names it, say ``usb:0``.
        address: the random static address to use; None: a random one.
        patience_s: see above.
        linger_s: see :data:`LINGER_S`.
        advertising: told the address, once the device is on the air.

    Raises:
        OSError: the transport cannot be opened, or the controller does not answer.
        ValueError: there is no such transport, or what is advertised does not fit.
    """
    from rig.radio.peripheral import Peripheral  # noqa: PLC0415 - it brings Bumble
    from rig.replay.wall_clock import undisturbed  # noqa: PLC0415 - the device alone has no use for it

    loop = asyncio.get_running_loop()
    news = asyncio.Event()
    device.changed = news.set
    peripheral = await Peripheral.on_transport(transport, device, address=address)
    peripheral.timing = timing_for_loop()
    undisturbing = contextlib.ExitStack()
    if peripheral.timing is not None:
        undisturbing.enter_context(undisturbed())
    try:
        if advertising is not None:
            advertising(peripheral.address)
        while not device.is_complete:
            news.clear()
            give_up = device.next_from_app(patience_s)
            if give_up is not None and give_up <= loop.time():
                break
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(give_up):
                    await news.wait()
        if device.is_connected:
            await asyncio.sleep(linger_s)
        return device.outcome(loop.time())
    finally:
        undisturbing.close()
        await peripheral.close()
