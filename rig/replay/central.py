"""Replay as the app: the recorded app plays to a device, simulated or real, and the answers are compared.

Between the two stands the guard of :mod:`rig.replay.guarded`: a recording never commands what the protocol forbids, and
every run on a guarded device ends with a total stop that the device acknowledged, or with words that it did not. Beside
the link to a real device stands a guard of :mod:`rig.guards`, outside this process: without it there is no output.
Refuses to know where recordings come from and what reports look like.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from protocols.model import Pairing
from rig.clock import ScaledLoop, VirtualTimeLoop
from rig.commands.faults import UsageError
from rig.guards import MakeGuard, NoGuardError, NothingToHold, installed
from rig.replay.answers import Answers, Order
from rig.replay.app import PATIENCE_S, AppPlayer, Done, Played, Received, find, places_missing
from rig.replay.conversation import in_words
from rig.replay.exchanges import Place, Transcript, written_by_the_app
from rig.replay.guarded import HANG_UP_LIMIT_S, SOON_S, Guard, GuardError, RefusedError
from rig.replay.measuring import measured
from rig.replay.outcome import Difference, Line, Outcome, Verdict
from rig.replay.pacing import MovedError, Pacer
from rig.replay.schedule import AS_RECORDED, Gaps, Schedule
from rig.replay.streams import Streams

if TYPE_CHECKING:
    from bleak import BleakClient
    from bleak.backends.client import BaseBleakClient
    from bleak.backends.device import BLEDevice
    from bleak.backends.scanner import AdvertisementData, BaseBleakScanner

    from protocols.registry import ProtocolEntry, Registry
    from rig.devices.model import SimulatedDevice
    from rig.guards import Guard as LinkGuard
    from rig.radio.fault_plan import FaultPlan

TOLERANCE_S: Final = 0.05
"""How much longer than recorded the device may take to what it says before it is late."""
FIND_LIMIT_S: Final = 10.0


class ConsentError(UsageError):
    """A real device is to be played to, and nobody said that it may."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How to play and by what to judge.

    Attributes:
        order: what has to be in order.
        tolerance_s: see :data:`TOLERANCE_S`, in seconds of the wall clock where time passes on it; None: how long the
            device takes does not matter.
        patience_s: how long past its recorded time anything is waited for.
        speed: how many recorded seconds go into one. What the protocol allows does not grow with it: a rise that comes
            too soon for it is refused.
        gaps: what becomes of long gaps.
    """

    order: Order = "strict"
    tolerance_s: float | None = TOLERANCE_S
    patience_s: float = PATIENCE_S
    speed: float = 1.0
    gaps: Gaps = AS_RECORDED


AS_IT_WAS: Final = Rules()


async def replay_as_central(
    transcript: Transcript,
    device: SimulatedDevice,
    rules: Rules = AS_IT_WAS,
    *,
    faults: FaultPlan | None = None,
    pacer: Pacer | None = None,
    registry: Registry | None = None,
    seed: int = 0,
    latency_s: float = 0.0,
) -> Outcome:
    """Play the app to a simulated device on the virtual radio.

    Args:
        transcript: what to play.
        device: what answers. The guard stands before it where its name or the transcript tells a known protocol.
        rules: how to play and by what to judge.
        faults: what shall go wrong between the two; None: nothing.
        pacer: to pause, or to look at; made from the transcript and the rules where left out.
        registry: the protocols that there are; None: the built-in and the installed ones.
        seed: addresses follow from it.
        latency_s: how long every packet takes on the air.

    Returns:
        Invalid where a planned fault did not happen as often as planned.

    Raises:
        FaultPlanError: the plan is about what the device does not have.
    """
    if faults is None:
        return await _on_virtual_radio(
            transcript, device, rules, pacer=pacer, registry=registry, seed=seed, latency_s=latency_s
        )
    from rig.radio.faults import FaultyDevice  # noqa: PLC0415 - only where something shall go wrong

    faulty = FaultyDevice(device, faults)
    outcome = await _on_virtual_radio(
        transcript, faulty, rules, pacer=pacer, registry=registry, seed=seed, latency_s=latency_s
    )
    outcome.faults = faulty.fired
    for sentence in faulty.explain_unfired():
        outcome.verdict = Verdict.INVALID
        outcome.differences.append(Difference("fault", None, round(outcome.duration_s * 1e9), sentence))
    return outcome


async def _on_virtual_radio(
    transcript: Transcript,
    device: SimulatedDevice,
    rules: Rules,
    *,
    pacer: Pacer | None,
    registry: Registry | None,
    seed: int,
    latency_s: float,
) -> Outcome:
    from rig.radio.link import VirtualRadio  # noqa: PLC0415 - it brings bleak and Bumble
    from rig.replay.pairing import pair  # noqa: PLC0415 - as above

    async with VirtualRadio(seed, latency_s=latency_s) as radio:
        peripheral = await radio.add_device(device)
        name = device.advertisement.name
        found = await _find(peripheral.address, radio.scanner_backend)
        if found is None:
            return _invalid(transcript, f"the simulated device {name} is not heard: it does not advertise")
        known = _registry(registry)
        entry = known.match(name, device.advertisement.service_uuids)
        wrong = _wrong_protocol(transcript, entry, name)
        if wrong:
            return _invalid(transcript, wrong)
        if entry is None and transcript.protocol:
            entry = known.get(transcript.protocol)
        secured = entry is not None and entry.profile.pairing is not Pairing.NONE
        central = _Central(
            transcript, rules, pacer, known, entry, pair=partial(pair, radio=radio, device=device) if secured else None
        )
        return await central.run(found[0], radio.client_backend, name)


async def replay_on_device(
    transcript: Transcript,
    address: str,
    rules: Rules = AS_IT_WAS,
    *,
    consent: bool,
    pacer: Pacer | None = None,
    registry: Registry | None = None,
    scanner_backend: type[BaseBleakScanner] | None = None,
    client_backend: type[BaseBleakClient] | None = None,
    guard: MakeGuard | None = None,
    interrupted: Callable[[Outcome], None] | None = None,
) -> Outcome:
    """Play the app to a real device, through the guard and in real time alone.

    The link is held by a guard outside this process, too, which ends it when this process hangs or is gone (H4). Where
    that guard fails the device is stopped, and the run is invalid.

    Args:
        transcript: what to play.
        address: the device's, as bleak has it on this system.
        rules: how to play and by what to judge.
        consent: whether a person who is there said that this device may put out current now, on nobody's skin or their
            own.
        pacer: as for :func:`replay_as_central`.
        registry: as there.
        scanner_backend: bleak's to look with; None: the system's.
        client_backend: bleak's to connect with; None: the system's.
        guard: makes the guard of the link; None: for the system's Bluetooth the one that is installed, and none for
            another ``client_backend``, whose links end with this process.
        interrupted: told what came of it so far where the run is cancelled, once the device is stopped: whether it
            confirmed that is in there.

    Raises:
        ConsentError: ``consent`` is not given.
        NoGuardError: no guard is installed; the device was not looked for.
        UsageError: the running loop's time is not the wall's, in which the limits of the protocol hold.
    """
    if not consent:
        raise ConsentError(
            f"the device {address} is real and the recording may make it put out current: "
            "take it off the skin, then give the consent"
        )
    if isinstance(asyncio.get_running_loop(), VirtualTimeLoop | ScaledLoop):
        raise UsageError("a real device is played to in real time alone: leave the loop's speed at 1")
    if guard is None:
        guard = installed() if client_backend is None else NothingToHold
    found = await _find(address, scanner_backend)
    if found is None:
        return _invalid(transcript, f"no device {address} is heard: switch it on, bring it near")
    device, advertisement = found
    name = advertisement.local_name or device.name
    known = _registry(registry)
    entry = known.match(name, advertisement.service_uuids)
    if entry is None:
        who = f"{name} ({address})" if name else address
        return _invalid(
            transcript, f"no protocol knows the device {who}: nothing could judge what the recording writes to it"
        )
    wrong = _wrong_protocol(transcript, entry, name or "")
    if wrong:
        return _invalid(transcript, wrong)
    central = _Central(transcript, rules, pacer, known, entry, make_guard=guard, interrupted=interrupted)
    return await central.run(device, client_backend, name or "")


class _NoLinkError(Exception):
    """There is no link to the device that could be played on; the message says why."""


class _Central:
    """One run. ``entry`` is the protocol that the device speaks, where it is known; ``pair`` pairs it first.

    ``make_guard`` makes the guard that holds the link from outside this process.
    """

    def __init__(
        self,
        transcript: Transcript,
        rules: Rules,
        pacer: Pacer | None,
        registry: Registry,
        entry: ProtocolEntry | None,
        *,
        pair: Callable[[BleakClient], Awaitable[None]] | None = None,
        make_guard: MakeGuard = NothingToHold,
        interrupted: Callable[[Outcome], None] | None = None,
    ) -> None:
        self._make_guard = make_guard
        self._lost = ""  # why the link is no longer held
        self._interrupted = interrupted
        self._pair = pair
        self._transcript = transcript
        self._rules = rules
        self._registry = registry
        self._pacer = pacer or Pacer(Schedule.of(transcript, rules.speed, rules.gaps))
        self._streams = Streams() if entry is None else Streams(entry.recorded)
        streamed = self._streams.places(transcript.exchanges)
        self._player = AppPlayer(transcript, patience_s=rules.patience_s, streams=streamed)
        self._guard: Guard | None = None
        self._play: asyncio.Task[Played] | None = None
        self._entry = entry
        self._key = "" if entry is None else entry.key
        self._trouble = ""
        self._refused: RefusedError | None = None
        self._heard_at_ns: int | None = None  # when the device pushed something last
        loop = asyncio.get_running_loop()
        # On a loop that is N times as fast as the wall, the machine's own jitter is N times as long.
        self._per_wall = loop.factor if isinstance(loop, ScaledLoop) else 1.0
        tolerance_ns = None if rules.tolerance_s is None else round(rules.tolerance_s * self._per_wall * 1e9)
        self._answers = Answers(
            transcript, rules.order, tolerance_ns, 0, streams=self._streams, schedule=self._pacer.schedule
        )

    async def run(self, device: BLEDevice, backend: type[BaseBleakClient] | None, name: str) -> Outcome:
        """Connect, pair, greet, play, stop, disconnect, judge."""
        from bleak import BleakClient  # noqa: PLC0415 - the plain values above need none

        try:
            if self._entry is not None:
                self._guard = Guard(
                    self._entry,
                    name,
                    on_trouble=self._in_trouble,
                    soon_s=SOON_S * self._per_wall,
                    slack=self._slack_s,
                    written=written_by_the_app(self._transcript),
                )
            # Made before there is a link, so that there is none that nobody could hold.
            link_guard = self._make_guard(self._no_longer_held)
        except GuardError as error:
            return _invalid(self._transcript, str(error))
        except NoGuardError as error:
            return _invalid(self._transcript, f"no guard, no output: {error}")
        more: dict[str, Any] = {} if backend is None else {"backend": backend}
        client = BleakClient(device, disconnected_callback=self._link_ended, **more)
        outcome: Outcome | None = None
        cancelled: asyncio.CancelledError | None = None
        try:
            await self._link(client, device, link_guard)
            outcome = await self._outcome(client, link_guard)
        except (GuardError, _NoLinkError) as error:
            outcome = _invalid(self._transcript, str(error))
        except asyncio.CancelledError as error:
            cancelled = error
        finally:
            interrupted_ns = self._now_ns()
            try:
                await _whatever_happens(self._end(client, link_guard))
            except asyncio.CancelledError as error:
                cancelled = error
        if outcome is None:
            so_far = Played(self._player.played, None, self._player.reached, "the replay was interrupted")
            outcome = self._judge(so_far, interrupted_ns)
        if self._answers.played:
            self._measure(outcome)
        if self._guard is not None and self._guard.output_possible:
            text = "the device did not confirm the last stop: its output may still be on; switch it off by hand"
            outcome.differences.append(Difference("missing", None, round(outcome.duration_s * 1e9), text))
            outcome.verdict = Verdict.FAILED
        if self._lost and outcome.verdict is not Verdict.PASSED:
            self._say_that_it_was_lost(outcome)
        if cancelled is not None:
            if self._interrupted is not None:
                self._interrupted(outcome)
            raise cancelled
        return outcome

    async def _link(self, client: BleakClient, device: BLEDevice, link_guard: LinkGuard) -> None:
        """Connect, have the link held, and pair.

        Raises:
            GuardError: the link is not held; nothing was said on it.
            _NoLinkError: there is no link, or none that is paired.
        """
        from bleak.exc import BleakError  # noqa: PLC0415 - as in run

        try:
            await client.connect()
        except (BleakError, OSError, EOFError) as error:
            raise _NoLinkError(f"the device {device.address} cannot be connected to: {_words(error)}") from error
        try:
            await link_guard.hold(device)
        except Exception as error:
            raise GuardError(f"no guard, no output: {_words(error)}") from error
        if self._pair is not None:
            try:
                await self._pair(client)
            except (BleakError, OSError, EOFError) as error:
                raise _NoLinkError(f"the device {device.address} cannot be paired: {_words(error)}") from error
        if self._lost:
            raise GuardError(self._lost)

    async def _outcome(self, client: BleakClient, link_guard: LinkGuard) -> Outcome:
        lacking = places_missing(self._transcript, client.services)
        if lacking:
            return _invalid(self._transcript, *lacking)
        if self._guard is not None:
            await self._guard.open(client)
            link_guard.stops(self._guard.stop_writes)
            self._answers.said_before = await self._said_before(client, self._guard)
        played = Played(0, None, 0, self._trouble) if self._trouble else await self._played(client)
        return self._judge(played, self._now_ns())

    async def _said_before(self, client: BleakClient, guard: Guard) -> dict[Place, bytes]:
        """What the device's streams said in the guard's handshake, or hold: it is not said again for the recorded one.

        Only those that say something when it changes: a measurement is as old as it is.
        """
        from bleak.backends.characteristic import BleakGATTCharacteristic  # noqa: PLC0415 - as in run
        from bleak.exc import BleakError  # noqa: PLC0415

        said: dict[Place, bytes] = {}
        for place in self._streams.places(self._transcript.exchanges):
            there, stream = find(client.services, place), self._streams.of(place)
            if stream is None or stream.period_s is not None or not isinstance(there, BleakGATTCharacteristic):
                continue
            value = guard.said_before(there)
            if value is None and "read" in there.properties:
                with contextlib.suppress(BleakError, OSError, EOFError):
                    value = bytes(await client.read_gatt_char(there))
            if value is not None:
                said[place] = value
        return said

    async def _played(self, client: BleakClient) -> Played:
        loop = asyncio.get_running_loop()
        self._answers.origin_ns = round(loop.time() * 1e9)
        through = self._guard if self._guard is not None else client
        self._play = loop.create_task(
            self._player.play(
                through,
                self._pacer,
                on_done=self._done,
                on_received=self._received,
            )
        )
        try:
            return await self._play
        except RefusedError as error:
            self._refused = error
            return Played(self._player.played, None, self._player.reached, error.text)
        except MovedError as error:
            return Played(self._player.played, None, self._player.reached, str(error))
        except asyncio.CancelledError:
            if not self._trouble or not self._play.cancelled():
                self._play.cancel()
                raise
            return Played(self._player.played, None, self._player.reached, self._trouble)

    def _done(self, done: Done) -> None:
        """Take an exchange with the time at which the guard let it through."""
        wrote_at = self._guard.wrote_at if self._guard is not None else None
        held_ns = 0 if wrote_at is None else round(wrote_at * 1e9) - done.at_ns
        if held_ns > 0 and self._transcript.exchanges[done.index].does in {"write", "write_command"}:
            answered_ns = None if done.answered_ns is None else done.answered_ns - held_ns
            done = replace(
                done,
                at_ns=done.at_ns + held_ns,
                lateness_ns=done.lateness_ns + held_ns,
                answered_ns=answered_ns,
            )
        self._answers.done(done)

    def _slack_s(self) -> float:
        """How much of the wait before the app's write was used up by a device that answered later than recorded.

        An app waits so long after an answer; its replay is due at a time. Without this, a device that is a millisecond
        slower would in a long rise make each step come a millisecond sooner than the one before.
        """
        index = self._player.reached
        exchanges = self._transcript.exchanges
        answered = (
            None
            if index is None
            else next(
                (
                    i
                    for i in range(index - 1, -1, -1)
                    if exchanges[i].by == "device" and not self._streams.has(exchanges[i])
                ),
                None,
            )
        )
        if index is None or answered is None or self._heard_at_ns is None:
            return 0.0
        waited_ns = round(asyncio.get_running_loop().time() * 1e9) - self._heard_at_ns
        return max(0, self._pacer.schedule.between_ns(answered, index) - waited_ns) / 1e9

    def _received(self, received: Received) -> None:
        if self._streams.of(received.place) is None:
            self._heard_at_ns = received.at_ns
        # What answers the guard's own stop is no part of the conversation.
        if self._guard is None or not self._guard.stopping:
            self._answers.received(received)

    def _in_trouble(self, why: str) -> None:
        self._trouble = why
        if self._play is not None:
            self._play.cancel()

    def _no_longer_held(self, why: str) -> None:
        """Take word that nobody would end the link any more if this process hung: then nothing is put out."""
        self._lost = f"{why}; without a guard nothing more is put out"
        if self._guard is not None:
            self._guard.give_up(self._lost)
        else:
            self._in_trouble(self._lost)

    def _say_that_it_was_lost(self, outcome: Outcome) -> None:
        """A run whose guard failed says nothing about the device, and says so, whatever ended it first."""
        outcome.verdict = Verdict.INVALID
        if not any(self._lost in difference.text for difference in outcome.differences):
            at_ns = round(outcome.duration_s * 1e9)
            outcome.differences.append(Difference("refused", None, at_ns, f"stopped: {self._lost}"))

    def _link_ended(self, client: BleakClient) -> None:
        if self._guard is not None:
            self._guard.link_ended(client)
        self._player.link_ended(client)

    async def _end(self, client: BleakClient, link_guard: LinkGuard) -> None:
        from bleak.exc import BleakError  # noqa: PLC0415

        try:
            if self._guard is not None:
                await self._guard.close()
        finally:
            try:
                with contextlib.suppress(BleakError, OSError, EOFError):
                    if client.is_connected:
                        async with asyncio.timeout(HANG_UP_LIMIT_S):
                            await client.disconnect()
            finally:
                # Last of all: a link that could not be ended here is the guard's to end.
                await link_guard.release(down=not client.is_connected)

    # ---- judging ----------------------------------------------------------------------------------------------------

    def _now_ns(self) -> int:
        """Nanoseconds since the play began; 0 before it has."""
        now_ns = round(asyncio.get_running_loop().time() * 1e9)
        return now_ns - self._answers.origin_ns if self._play is not None else 0

    def _judge(self, played: Played, now_ns: int) -> Outcome:
        exchanges = self._transcript.exchanges
        limit = len(exchanges)
        if played.problem:
            ends = [end for end in (played.stopped_at, played.awaited) if end is not None]
            limit = min(ends, default=limit) + (1 if played.awaited is not None else 0)
            if played.stopped_at is not None and played.awaited is not None:
                limit = max(limit, played.stopped_at)
        self._answers.judge(limit, whole=not played.problem)
        differences, lines = self._answers.differences, self._answers.lines
        if self._refused is not None or self._trouble:
            index = played.stopped_at
            where = "" if index is None else f" (exchange {index}, {in_words(exchanges[index])})"
            text = played.problem if self._refused is not None else f"stopped: {self._trouble}"
            differences.append(Difference("refused", index, now_ns, text + where))
            if index is not None and self._refused is not None:
                lines.append(Line("-", now_ns, in_words(exchanges[index])))
            lines.append(Line("!", now_ns, text))
        elif played.problem and not differences:
            index = played.awaited if played.awaited is not None else played.stopped_at
            where = "" if index is None else f"exchange {index}, {in_words(exchanges[index])}: "
            differences.append(Difference("missing", index, now_ns, f"missing: {where}{played.problem}"))
        return Outcome(
            role="central",
            title=self._transcript.title,
            verdict=Verdict.FAILED if differences else Verdict.PASSED,
            differences=differences,
            conversation=lines,
            exchanges=played.played,
            lateness=self._pacer.lateness,
            duration_s=now_ns / 1e9,
        )

    def _measure(self, outcome: Outcome) -> None:
        """Fill in what was measured: only once the device is stopped, which does not wait for figures."""
        key = self._key or self._transcript.protocol
        happened = replace(self._transcript, exchanges=tuple(self._answers.played), protocol=key)
        outcome.samples, outcome.coverage = measured(happened, speed=self._rules.speed, registry=self._registry)


async def _whatever_happens(work: Awaitable[None]) -> None:
    """Await ``work`` to its end even while being cancelled: what is stopping a device is not to be stopped itself."""
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                break
            cancelled = True
    task.result()
    if cancelled:
        raise asyncio.CancelledError


async def _find(address: str, backend: type[BaseBleakScanner] | None) -> tuple[BLEDevice, AdvertisementData] | None:
    """Listen for a device, and for its name where it tells that in an answer of its own."""
    from bleak import BleakScanner  # noqa: PLC0415

    heard: dict[str, tuple[BLEDevice, AdvertisementData]] = {}
    more: dict[str, Any] = {} if backend is None else {"backend": backend}

    def matches(wanted: str, device: BLEDevice, advertisement: AdvertisementData) -> bool:
        if device.address.lower() != wanted:
            return False
        heard[wanted] = (device, advertisement)
        return bool(advertisement.local_name or device.name)

    await BleakScanner.find_device_by_filter(partial(matches, address.lower()), timeout=FIND_LIMIT_S, **more)
    return heard.get(address.lower())


def _registry(registry: Registry | None) -> Registry:
    from protocols.registry import Registry as Known  # noqa: PLC0415 - it reads the metadata of what is installed

    return Known.default() if registry is None else registry


def _wrong_protocol(transcript: Transcript, entry: ProtocolEntry | None, name: str) -> str:
    if not transcript.protocol or entry is None or entry.key == transcript.protocol:
        return ""
    return f"the recording speaks {transcript.protocol} and the device {name} speaks {entry.key}: use the right device"


def _invalid(transcript: Transcript, *reasons: str) -> Outcome:
    differences = [Difference("precondition", None, 0, f"precondition: {reason}") for reason in reasons]
    return Outcome("central", transcript.title, Verdict.INVALID, differences)


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
