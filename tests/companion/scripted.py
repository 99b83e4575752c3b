"""A radio and a protocol that do exactly what a test tells them, for what no healthy device ever does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from bleak.backends.device import BLEDevice

from companion.device.connection import Connection, News
from companion.device.finder import Found
from companion.device.pairing import Questions
from companion.guard.keeper import Guard, NothingToHold
from protocols.gatt import Operation, Service, Subscribe, Write, uuid
from protocols.machine import NOTHING, DeviceProtocol, Reaction
from protocols.model import Command, DeviceProfile, OutputKind, Pairing, Ready, TotalStop
from protocols.registry import ProtocolEntry

TALK = uuid("ffe1")
PROFILE = DeviceProfile("scripted", "Scripted", OutputKind.MICROCURRENT, 5, 5, 100, 10.0)


@dataclass
class FakeCharacteristic:
    uuid: str
    properties: list[str]


@dataclass
class FakeService:
    uuid: str
    handle: int
    characteristics: list[FakeCharacteristic]


class ScriptedClient:
    """As much of a BleakClient as a connection uses. ``script`` maps a value to what its write does."""

    def __init__(self, radio: ScriptedRadio, disconnected: Callable[[Any], None]) -> None:
        self._radio = radio
        self._disconnected = disconnected
        self.is_connected = False
        self.notify: Callable[[Any, bytearray], None] | None = None
        self.services = [
            FakeService(
                uuid("ffe0"), 12, [FakeCharacteristic(TALK, ["write-without-response", "notify", "broadcast"])]
            ),
            FakeService(uuid("1800"), 1, [FakeCharacteristic(uuid("2A00").upper(), ["read"])]),
        ]

    async def connect(self) -> None:
        await self._radio.on_connect()
        self.is_connected = True

    async def disconnect(self) -> None:
        self._radio.log.append("disconnect")
        await self._radio.on_disconnect()
        self.gone()

    def gone(self) -> None:
        if self.is_connected:
            self.is_connected = False
            self._disconnected(self)

    async def write_gatt_char(self, _characteristic: Any, data: bytes, response: bool) -> None:
        self._radio.log.append(f"write {data.decode()}")
        if (behaviour := self._radio.script.get(data)) is not None:
            await behaviour()

    async def read_gatt_char(self, _characteristic: Any) -> bytearray:
        self._radio.log.append("read")
        return bytearray(b"value")

    async def start_notify(self, characteristic: Any, callback: Callable[[Any, bytearray], None]) -> None:
        self._radio.log.append("subscribe")
        self.notify = callback


class ScriptedScanner:
    """Hears, one second after it began, the devices that ``heard`` of its radio holds."""

    def __init__(self, radio: ScriptedRadio, detected: Callable[[Any, Any], None]) -> None:
        self._radio = radio
        self._detected = detected

    async def __aenter__(self) -> Self:
        self._radio.log.append("scan")
        for device in self._radio.heard:
            asyncio.get_running_loop().call_later(1, self._detected, device, None)
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._radio.log.append("scan over")


@dataclass
class ScriptedRadio:
    system: bool = False
    log: list[str] = field(default_factory=list)
    script: dict[bytes, Callable[[], Any]] = field(default_factory=dict)
    clients: list[ScriptedClient] = field(default_factory=list)
    connected_to: list[BLEDevice] = field(default_factory=list)
    heard: list[BLEDevice] = field(default_factory=list)
    on_connect: Callable[[], Any] = field(default=lambda: asyncio.sleep(0))
    on_disconnect: Callable[[], Any] = field(default=lambda: asyncio.sleep(0))
    bonded: bool | None = False
    with_a_code: bool = True
    on_pair: Callable[[Questions], Any] = field(default=lambda _questions: asyncio.sleep(0))
    guarded_by: Callable[[Callable[[str], None]], Guard] = field(default=lambda _lost: NothingToHold())

    def client(self, device: BLEDevice, disconnected_callback: Callable[[Any], None]) -> Any:
        self.connected_to.append(device)
        self.clients.append(ScriptedClient(self, disconnected_callback))
        return self.clients[-1]

    def scanner(self, detection_callback: Any = None) -> Any:
        return ScriptedScanner(self, detection_callback)

    async def is_paired(self, _device: BLEDevice) -> bool | None:
        return self.bonded

    async def pair(self, _client: Any, _device: BLEDevice, questions: Questions) -> None:
        self.log.append("pair")
        await self.on_pair(questions)
        questions.proved = questions.proved or self.with_a_code

    async def forget(self, _device: BLEDevice) -> None:
        self.log.append("forget")

    def guard(self, lost: Callable[[str], None]) -> Guard:
        return self.guarded_by(lost)

    async def close(self) -> None:
        """Nothing to close."""


class ScriptedProtocol(DeviceProtocol):
    """Ready at once; ``reply`` says what a command leads to; everything that is told to it is kept in ``heard``."""

    instances: list[ScriptedProtocol]

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []
        self.services: tuple[Service, ...] = ()
        self.due: float | None = None
        self.possible = False
        self.pairing = Pairing.NONE
        self.stops: tuple[Write, ...] = ()
        self.on_start = Reaction((Subscribe(TALK),), (Ready("1.0"),))
        self.reply: Callable[[Command], Reaction] = lambda _command: NOTHING
        self.on_data: Callable[[bytes], Reaction] = lambda _data: NOTHING

    @property
    def profile(self) -> DeviceProfile:
        return replace(PROFILE, pairing=self.pairing)

    @property
    def deadline(self) -> float | None:
        return self.due

    @property
    def output_possible(self) -> bool:
        return self.possible

    @property
    def stop_writes(self) -> tuple[Write, ...]:
        return self.stops

    def start(self, services: Sequence[Service], now: float) -> Reaction:
        self.services = tuple(services)
        return self.on_start

    def command(self, command: Command, now: float) -> Reaction:
        self.heard.append(("command", command, now))
        return self.reply(command)

    def deadline_passed(self, now: float) -> Reaction:
        self.heard.append(("deadline", now))
        self.due = None
        return NOTHING

    def data_received(self, characteristic: str, data: bytes, now: float) -> Reaction:
        self.heard.append(("data", characteristic, data, now))
        return self.on_data(data)

    def operation_done(self, operation: Operation, now: float) -> Reaction:
        self.heard.append(("done", operation))
        return NOTHING

    def operation_failed(self, operation: Operation, reason: str, now: float) -> Reaction:
        self.heard.append(("failed", operation, reason))
        return NOTHING

    def link_lost(self, now: float) -> Reaction:
        self.heard.append(("lost", now))
        self.possible = False
        self.due = None
        return NOTHING


def write(data: bytes, *, urgent: bool = False) -> Write:
    return Write(TALK, data, with_response=False, urgent=urgent)


@dataclass
class Bench:
    """A connection to a scripted device, what its listener heard, and every protocol instance made for it."""

    radio: ScriptedRadio = field(default_factory=ScriptedRadio)
    prepare: Callable[[ScriptedProtocol], None] = lambda _protocol: None
    news: list[News] = field(default_factory=list)
    protocols: list[ScriptedProtocol] = field(default_factory=list)
    defects: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        entry = ProtocolEntry("scripted", "Scripted", PROFILE, self._create, lambda _name, _uuids: 1)
        found = Found(BLEDevice("C0:00:00:00:00:01", "Scripted", None), entry, "Scripted", -50)
        self.connection = Connection(self.radio, found, self.news.append)
        self.connection.on_defect = self.defects.append

    def _create(self, _name: str) -> DeviceProtocol:
        protocol = ScriptedProtocol()
        self.prepare(protocol)
        self.protocols.append(protocol)
        return protocol

    @property
    def protocol(self) -> ScriptedProtocol:
        return self.protocols[-1]

    @property
    def client(self) -> ScriptedClient:
        return self.radio.clients[-1]

    def stop_answers_with(self, *operations: Operation) -> None:
        """Let a total stop lead to these operations, and any other command to a plain write of its name."""

        def reply(command: Command) -> Reaction:
            if isinstance(command, TotalStop):
                return Reaction(operations)
            return Reaction((write(type(command).__name__.encode()),))

        self.protocol.reply = reply


async def turns(count: int = 5) -> None:
    """Let the loop turn a few times; no time passes."""
    for _ in range(count):
        await asyncio.sleep(0)


async def never() -> None:
    """Wait for what never happens."""
    await asyncio.get_running_loop().create_future()
