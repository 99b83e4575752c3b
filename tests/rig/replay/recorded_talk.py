"""Transcripts of protocols that talk to simulated devices, and ways to spoil them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from protocols.dr05 import Dr05
from protocols.foreo import Foreo
from protocols.gatt import Disconnect, Operation, Read, Service, Subscribe, Write
from protocols.machine import DeviceProtocol, Reaction
from protocols.model import (
    Command,
    DeviceProfile,
    QueryBattery,
    QueryTemperature,
    Ready,
    SelectMode,
    SetIntensity,
    StartOutput,
    StopOutput,
    TotalStop,
)
from rig.devices.dr05 import SimulatedDr05
from rig.devices.foreo import SimulatedForeo
from rig.devices.model import SimulatedDevice
from rig.facing import Facing
from rig.replay.exchanges import Exchange, Place, Transcript

MS = 1_000_000


class Overheard(DeviceProtocol):
    """A protocol whose every word is written down as an exchange, and every state that it goes through."""

    def __init__(self, inner: DeviceProtocol) -> None:
        self.inner = inner
        self.exchanges: list[Exchange] = [Exchange(0, "app", "connect")]
        self.states: list[str] = [inner.state]
        self._services: Sequence[Service] = ()
        self._open: list[tuple[int, Operation]] = []

    @property
    def profile(self) -> DeviceProfile:
        return self.inner.profile

    @property
    def deadline(self) -> float | None:
        return self.inner.deadline

    @property
    def output_possible(self) -> bool:
        return self.inner.output_possible

    def start(self, services: Sequence[Service], now: float) -> Reaction:
        self._services = services
        return self._noted(self.inner.start(services, now), now)

    def command(self, command: Command, now: float) -> Reaction:
        return self._noted(self.inner.command(command, now), now)

    def deadline_passed(self, now: float) -> Reaction:
        return self._noted(self.inner.deadline_passed(now), now)

    def data_received(self, characteristic: str, data: bytes, now: float) -> Reaction:
        if not any(isinstance(operation, Read) for _, operation in self._open):
            self.exchanges.append(Exchange(_ns(now), "device", "notification", self._place(characteristic), data))
        else:
            at, _ = next(item for item in self._open if isinstance(item[1], Read))
            self._open = [item for item in self._open if item[0] != at]
            self.exchanges[at] = replace(
                self.exchanges[at], value=data, answered_ns=_ns(now) - self.exchanges[at].at_ns
            )
        return self._noted(self.inner.data_received(characteristic, data, now), now)

    def operation_done(self, operation: Operation, now: float) -> Reaction:
        for item in self._open:
            at, asked = item
            if asked == operation and not isinstance(operation, Read):
                self._open.remove(item)
                self.exchanges[at] = replace(self.exchanges[at], answered_ns=_ns(now) - self.exchanges[at].at_ns)
                break
        return self._noted(self.inner.operation_done(operation, now), now)

    def operation_failed(self, operation: Operation, reason: str, now: float) -> Reaction:
        return self._noted(self.inner.operation_failed(operation, reason, now), now)

    def link_lost(self, now: float) -> Reaction:
        if self.exchanges[-1].does != "disconnect":
            self.exchanges.append(Exchange(_ns(now), "device", "disconnect"))
        return self._noted(self.inner.link_lost(now), now)

    def _noted(self, reaction: Reaction, now: float) -> Reaction:
        if self.inner.state != self.states[-1]:
            self.states.append(self.inner.state)
        for operation in reaction.operations:
            at_ns = _ns(now)
            if isinstance(operation, Disconnect):
                self.exchanges.append(Exchange(at_ns, "app", "disconnect"))
                continue
            place = self._place(operation.characteristic)
            if isinstance(operation, Write):
                does = "write" if operation.with_response else "write_command"
                self.exchanges.append(Exchange(at_ns, "app", does, place, operation.data))
            else:
                kind = "subscribe" if isinstance(operation, Subscribe) else "read"
                self.exchanges.append(Exchange(at_ns, "app", kind, place))
            if not isinstance(operation, Write) or operation.with_response:
                self._open.append((len(self.exchanges) - 1, operation))
        return reaction

    def _place(self, characteristic: str) -> Place:
        service = next(s.uuid for s in self._services if s.find(characteristic))
        return Place(service, characteristic)


def recorded(
    protocol: DeviceProtocol, device: SimulatedDevice, play: Callable[[Facing], None], *, title: str, key: str
) -> Transcript:
    """What the two said to each other while ``play`` gave commands."""
    overheard = Overheard(protocol)
    facing = Facing(overheard, device)
    facing.start()
    assert facing.run_until(lambda: bool(facing.events(Ready)))
    play(facing)
    return Transcript(
        title=title,
        exchanges=tuple(overheard.exchanges),
        services=device.services,
        name=device.advertisement.name,
        protocol=key,
    )


def dr05_session(low_byte_first: bool = False) -> Transcript:
    """Handshake, temperature, mode, a start, a soft rise, a stop, and the end of the link."""

    def play(facing: Facing) -> None:
        for command in (QueryTemperature(), SelectMode(1), SetIntensity(1), StartOutput()):
            facing.command(command)
            facing.advance(0.2)
        for percent in range(2, 6):
            facing.command(SetIntensity(percent))
            facing.advance(0.2)
        facing.command(StopOutput())
        facing.advance(0.5)
        facing.command(TotalStop())
        facing.advance(0.5)
        facing.lose_link()
        facing.advance(0.5)

    device = SimulatedDr05(low_byte_first=low_byte_first)
    return recorded(Dr05(), device, play, title="dr05 session", key="dr05")


def foreo_session() -> Transcript:
    """A start at the lowest level, a rise, the battery, a stop, and the end of the link."""

    def play(facing: Facing) -> None:
        for command in (SetIntensity(10), StartOutput(), QueryBattery()):
            facing.command(command)
            facing.advance(1.5)
        facing.command(SetIntensity(20))
        facing.advance(1.5)
        facing.command(TotalStop())
        facing.advance(1.0)
        facing.lose_link()
        facing.advance(0.5)

    return recorded(Foreo("BEAR2"), SimulatedForeo("BEAR2"), play, title="foreo session", key="foreo")


# --- spoiling ---------------------------------------------------------------------------------------------------------


def acknowledgement_of(transcript: Transcript, request: str) -> int:
    """Index of the first notification after the app wrote these bytes (hex)."""
    asked = next(i for i, e in enumerate(transcript.exchanges) if e.value == bytes.fromhex(request) and e.by == "app")
    return next(i for i in range(asked + 1, len(transcript.exchanges)) if transcript.exchanges[i].by == "device")


def with_exchanges(transcript: Transcript, exchanges: Sequence[Exchange]) -> Transcript:
    return replace(transcript, exchanges=tuple(exchanges))


def with_byte(transcript: Transcript, index: int, at: int, byte: int) -> Transcript:
    """One byte of one value changed."""
    exchanges = list(transcript.exchanges)
    value = bytearray(exchanges[index].value or b"")
    value[at] = byte
    exchanges[index] = replace(exchanges[index], value=bytes(value))
    return with_exchanges(transcript, exchanges)


def without(transcript: Transcript, index: int) -> Transcript:
    return with_exchanges(transcript, transcript.exchanges[:index] + transcript.exchanges[index + 1 :])


def with_swapped(transcript: Transcript, index: int) -> Transcript:
    """One exchange and the next change places; each place keeps its time."""
    exchanges = list(transcript.exchanges)
    first, second = exchanges[index], exchanges[index + 1]
    exchanges[index] = replace(second, at_ns=first.at_ns)
    exchanges[index + 1] = replace(first, at_ns=second.at_ns)
    return with_exchanges(transcript, exchanges)


def slower(transcript: Transcript, index: int, by_ns: int, *, all_after: bool = False) -> Transcript:
    """One exchange comes later; with ``all_after`` everything after it as well."""
    exchanges = list(transcript.exchanges)
    for at in range(index, len(exchanges) if all_after else index + 1):
        exchanges[at] = replace(exchanges[at], at_ns=exchanges[at].at_ns + by_ns)
    return with_exchanges(transcript, exchanges)


def with_extra(transcript: Transcript, index: int, exchange: Exchange) -> Transcript:
    """One exchange more, before the one at ``index``."""
    return with_exchanges(transcript, (*transcript.exchanges[:index], exchange, *transcript.exchanges[index:]))


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)
