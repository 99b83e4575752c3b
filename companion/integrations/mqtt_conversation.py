"""One person's companion talking with the broker, on an event loop that has nothing else to do.

Connects, tells what changed, listens for Stop, and begins again after whatever went wrong. Knows no session: what comes
of it goes out through :class:`Outside`, and nobody ever waits for anything here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

import aiomqtt
from aiomqtt.exceptions import MqttConnectError

from companion.config import CompanionError
from companion.integrations import mqtt_discovery as told
from companion.integrations.mqtt_commands import OLDEST_S, StopGate, Verdict
from companion.integrations.mqtt_secrets import read_password, tls_context
from companion.words import mqtt as words

if TYPE_CHECKING:
    from types import TracebackType

    from companion.integrations.mqtt_settings import MqttSettings

PATIENCE_S: Final = 5.0
"""How long the broker may take for any one answer; then the connection counts as lost."""

QUESTION_S: Final = 2.0
"""How often the broker is asked, so that a Stop can be known to be fresh; well below :data:`OLDEST_S`."""

KEEPALIVE_S: Final = 15
"""A broker that has heard nothing for one and a half times this publishes the will (MQTT 3.1.1, 3.1.2.10)."""

GAP_S: Final = 1.0
"""At least so long between two rounds of publishing; the first change after a quiet time goes out at once."""

LEAVE_S: Final = 1.0
"""How long saying goodbye may take."""

FIRST_DELAY_S: Final = 1.0
LONGEST_DELAY_S: Final = 60.0
STEADY_S: Final = 60.0
"""A connection that held this long ends a series of failures. A shorter one does not: two that throw each other out
would do so for ever."""

MOST_REMINDERS: Final = 4

_SILENT = logging.getLogger("companion.mqtt.unheard")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False
_SILENT.disabled = True  # topics hold the device id, and a terminal with an app on it is no place for a library's logs


class LinkState(Enum):
    """What the link is doing."""

    OFF = "off"
    CONNECTING = "connecting"
    ONLINE = "online"
    WAITING = "waiting"  # for the next attempt


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """One line for the person, and its kind."""

    state: LinkState
    line: str


class Outside(Protocol):
    """Where things go that concern others. Called on the conversation's own loop; must return at once."""

    def stop(self) -> None:
        """Stop, now."""

    def status(self, status: LinkStatus) -> None:
        """The line has changed."""


class _NotAllowedError(Exception):
    """The broker refuses a subscription."""

    def __init__(self, topic: str) -> None:
        super().__init__(topic)
        self.topic = topic


def seconds_with_sleep() -> float:
    """Seconds on a clock that goes on while the computer sleeps, unlike the event loop's on Linux and macOS."""
    clock = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))  # Linux; macOS
    return time.monotonic() if clock is None else time.clock_gettime(clock)


def delays(seed: int | None = None) -> Callable[[int], float]:
    """Seconds to wait after the n-th failure in a row (from 0): doubling up to a minute, at least half of it by chance.

    Chance, so that a house full of clients does not come back to a broker in one moment.
    """
    chance = random.Random(seed)  # noqa: S311 - no secret

    def delay(failures: int) -> float:
        full = min(FIRST_DELAY_S * 2.0 ** min(failures, 10), LONGEST_DELAY_S)
        return full * chance.uniform(0.5, 1.0)

    return delay


@dataclass(frozen=True)
class Timing:
    """What tests replace: the clock that counts sleep, the date in seconds since 1970, and how long things take."""

    elapsed: Callable[[], float] = seconds_with_sleep
    date: Callable[[], float] = time.time
    delay: Callable[[int], float] = field(default_factory=delays)
    patience_s: float = PATIENCE_S
    question_s: float = QUESTION_S
    gap_s: float = GAP_S


class Conversation:
    """See the module. ``facts`` may be set from any thread; everything else belongs to the loop of :meth:`run`."""

    def __init__(
        self,
        settings: MqttSettings,
        outside: Outside,
        *,
        version: str,
        environ: Mapping[str, str] = os.environ,
        timing: Timing | None = None,
    ) -> None:
        self.facts: told.Facts | None = None
        self._settings = settings
        self._outside = outside
        self._version = version
        self._environ = environ
        self._timing = timing or Timing()
        self._topics = told.Topics(settings)
        # A suffix for this run: were a second companion of the household to come with the same id, the broker would
        # throw the first one out, and a Stop would not reach it. At most 23 characters (MQTT 3.1.1, 3.1.3.1).
        self._client_id = f"mc-{self._topics.device_id[:12]}-{os.urandom(3).hex()}"
        self._gate = StopGate()
        self._reported: frozenset[str] = frozenset()
        self._sent: dict[str, bytes] = {}
        self._reminders: deque[int] = deque(maxlen=MOST_REMINDERS)
        self._changed = asyncio.Event()
        self._doubt = asyncio.Event()
        self._disowned = False
        self._online = False
        self._leaving = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._status: LinkStatus | None = None

    # --- from outside, on this loop -----------------------------------------------------------------------------------

    def changed(self) -> None:
        """``facts`` are others now."""
        self._changed.set()

    def remind(self, ml: int) -> None:
        """Tell that it is time for water; forgotten when there is no connection, for it would come too late."""
        if self._online:
            self._reminders.append(ml)
            self._changed.set()

    def leave(self) -> None:
        """End :meth:`run`, whatever it is in the middle of."""
        # A flag beside the cancellation: in Python 3.11 wait_for, which aiomqtt waits with, loses one that comes
        # together with what it waits for (python/cpython#86296).
        self._leaving.set()
        if self._running is not None:
            self._running.cancel()

    # --- connections, one after another -------------------------------------------------------------------------------

    async def run(self) -> None:
        """Talk until told to leave; then say goodbye."""
        _prepare(asyncio.get_running_loop())
        self._running = asyncio.current_task()
        failures = 0
        while not self._leaving.is_set():
            self._say(LinkState.CONNECTING, words.CONNECTING.format(broker=self._settings.broker))
            began = self._timing.elapsed()
            try:
                await self._converse()
                problem = words.LOST.format(broker=self._settings.broker)
            except Exception as error:  # noqa: BLE001 - whatever it is: one line, and another attempt; nobody else's problem
                problem = explain(error, self._settings)
            if self._leaving.is_set():
                return
            if self._timing.elapsed() - began >= STEADY_S:
                failures = 0
            self._say(LinkState.WAITING, words.WAITING.format(problem=problem))
            await asyncio.sleep(self._timing.delay(failures))
            failures += 1

    async def look_in(self) -> None:
        """Connect, subscribe and leave again, without a word to anybody.

        Raises:
            Exception: what went wrong; see :func:`explain`.
        """
        _prepare(asyncio.get_running_loop())
        async with _Connected(self._client(will=False)) as client:
            await self._subscribe(client)

    async def take_back(self) -> None:
        """Take back everything that the broker has kept, so that Home Assistant forgets the device.

        Raises:
            Exception: as for :meth:`look_in`.
        """
        _prepare(asyncio.get_running_loop())
        topics = self._topics
        async with _Connected(self._client(will=False)) as client:
            for topic in (topics.discovery, *told.states(topics, told.Facts()), topics.availability):
                await client.publish(topic, b"", qos=1, retain=True)

    async def _converse(self) -> None:
        async with _Connected(self._client(will=True)) as client:
            try:
                await self._subscribe(client)
                self._sent.clear()
                self._online = True
                await self._tell(client)
                self._say(LinkState.ONLINE, words.ONLINE.format(broker=self._settings.broker))
                await _first_of(self._tell_changes(client), self._keep_asking(client), _until_lost(client))
            finally:
                told_anything, self._online = self._online, False
                self._reminders.clear()
                if self._leaving.is_set() and told_anything:
                    await self._say_goodbye(client)

    async def _say_goodbye(self, client: aiomqtt.Client) -> None:
        """Tell what still waits for its turn, such as how a session ended, and that nobody is there any more."""
        # Each has its half: where the broker is slow over the one, it hears the other all the same.
        with contextlib.suppress(aiomqtt.MqttError, TimeoutError):
            async with asyncio.timeout(LEAVE_S / 2):
                await self._tell_of(client, self._wanted_of_facts())
        # Said on a clean exit too: a broker publishes the will of those alone that vanish.
        with contextlib.suppress(aiomqtt.MqttError, TimeoutError):
            async with asyncio.timeout(LEAVE_S / 2):
                await client.publish(self._topics.availability, told.OFFLINE, qos=1, retain=True)

    def _client(self, *, will: bool) -> aiomqtt.Client:
        """A client for one connection.

        Raises:
            SecretError: password or certificates cannot be had.
        """
        settings, topics = self._settings, self._topics
        inbox = cast("type[asyncio.Queue[aiomqtt.Message]]", lambda **_: _Inbox(self._received))
        return aiomqtt.Client(
            settings.host or "",
            settings.broker_port,
            username=settings.username,
            password=read_password(settings, environ=self._environ),
            logger=_SILENT,
            identifier=self._client_id,
            queue_type=inbox,
            protocol=aiomqtt.ProtocolVersion.V311,
            will=aiomqtt.Will(topics.availability, told.OFFLINE, qos=1, retain=True) if will else None,
            clean_session=True,
            timeout=self._timing.patience_s,
            keepalive=KEEPALIVE_S,
            tls_context=tls_context(settings),
            socket_options=((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),),
        )

    async def _subscribe(self, client: aiomqtt.Client) -> None:
        asked = self._timing.elapsed()
        topics = self._topics.read
        # QoS 0: what cannot be delivered now is not to be delivered later.
        codes = await client.subscribe([(topic, 0) for topic in topics])
        for topic, code in zip(topics, codes, strict=True):
            if cast("int", getattr(code, "value", code)) >= 0x80:
                raise _NotAllowedError(topic)
        self._gate.answered(asked)

    # --- out ----------------------------------------------------------------------------------------------------------

    async def _tell_changes(self, client: aiomqtt.Client) -> None:
        while not self._leaving.is_set():
            await asyncio.sleep(self._timing.gap_s)
            await self._changed.wait()
            await self._tell(client)

    async def _tell(self, client: aiomqtt.Client) -> None:
        """Publish what differs from what was published last on this connection, and the reminders."""
        self._changed.clear()
        # That it is there comes last: what a broker has kept from before is never shown as if it were of now.
        await self._tell_of(client, {**self._wanted_of_facts(), self._topics.availability: told.ONLINE})
        while self._reminders:
            await client.publish(self._topics.reminder, told.reminder(self._reminders.popleft()), qos=1, retain=False)

    async def _tell_of(self, client: aiomqtt.Client, wanted: Mapping[str, bytes]) -> None:
        for topic, payload in wanted.items():
            if self._sent.get(topic) != payload:
                await client.publish(topic, payload, qos=1, retain=True)
                self._sent[topic] = payload

    def _wanted_of_facts(self) -> dict[str, bytes]:
        facts, topics = self.facts, self._topics
        if facts is not None:
            self._reported |= told.reported(facts)
        return {
            topics.discovery: told.discovery(topics, self._version, self._reported),
            **({} if facts is None else told.states(topics, facts)),
        }

    async def _keep_asking(self, client: aiomqtt.Client) -> None:
        """Have the broker answer every few seconds: a Stop is known to be fresh, and a dead connection dead."""
        while not self._leaving.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._timing.question_s):
                    await self._doubt.wait()
            self._doubt.clear()
            asked = self._timing.elapsed()
            # A broker must answer this even where there is nothing to end (MQTT 3.1.1, 3.10.4), and tells nobody of it.
            await client.unsubscribe(self._topics.question)
            self._gate.answered(asked)
            if self._disowned:
                self._disowned = False
                await client.publish(self._topics.availability, told.ONLINE, qos=1, retain=True)

    # --- in -----------------------------------------------------------------------------------------------------------

    def _received(self, message: aiomqtt.Message) -> None:
        """A message came. However many come: this is all that is done for one of them, and none is kept."""
        topic, payload = message.topic.value, message.payload
        if topic == self._topics.stop:
            self._judge(payload, retained=message.retain)
        elif topic == self._topics.availability:
            # Somebody says that this companion is gone: an older connection of it, or another one that ended. While
            # it stands, nobody can press Stop. Put right with the next question, so that it is bounded.
            self._disowned |= payload == told.OFFLINE
        elif topic in self._topics.births and payload == told.ONLINE:
            self._sent.clear()
            self._changed.set()

    def _judge(self, payload: bytes, *, retained: bool) -> None:
        verdict = self._gate.judge(payload, retained=retained, now=self._timing.elapsed(), date=self._timing.date())
        if verdict is Verdict.FOLLOW:
            self._outside.stop()
        elif verdict in {Verdict.OLD, Verdict.UNPROVEN}:
            line = words.STOP_DROPPED.format(broker=self._settings.broker, seconds=round(OLDEST_S))
            self._say(LinkState.ONLINE, line)
            self._doubt.set()

    def _say(self, state: LinkState, line: str) -> None:
        status = LinkStatus(state, line)
        if status != self._status:
            self._status = status
            self._outside.status(status)


def explain(error: BaseException, settings: MqttSettings) -> str:
    """What went wrong and what to do, as half a sentence; no secret is in it."""
    broker = settings.broker
    match error:
        case CompanionError():
            return str(error)
        case _NotAllowedError():
            return words.NOT_ALLOWED.format(broker=broker, topic=error.topic)
        case MqttConnectError():
            code = getattr(error.rc, "value", error.rc)
            words_for_it = words.NOT_LET_IN if code in _NOT_LET_IN else words.OTHER
            return words_for_it.format(broker=broker, detail=str(error.rc))
        case aiomqtt.MqttError():
            # aiomqtt raises its own error from None; what it was is still to be found behind it.
            cause = error.__context__
            return _of_network(cause, settings) if isinstance(cause, OSError) else words.LOST.format(broker=broker)
        case OSError():
            return _of_network(error, settings)
        case _:
            return words.MISTAKE.format(kind=type(error).__name__)


def _of_network(error: OSError, settings: MqttSettings) -> str:
    broker = settings.broker
    match error:
        case ssl.SSLCertVerificationError():
            return words.NOT_TRUSTED.format(broker=broker, detail=error.verify_message)
        case ssl.SSLError():
            return words.NO_TLS.format(broker=broker)
        case ConnectionResetError() if settings.tls:  # what a broker without TLS does with the first bytes of it
            return words.NO_TLS.format(broker=broker)
        case socket.gaierror():
            return words.UNKNOWN_HOST.format(host=settings.host)
        case ConnectionRefusedError():
            return words.REFUSED.format(broker=broker)
        case TimeoutError():
            return words.TOO_SLOW.format(broker=broker)
        case _:
            return words.OTHER.format(broker=broker, detail=error.strerror or str(error))


# Bad user name or password, and not authorized: in MQTT 3.1.1 (3.2.2.3) and as paho translates them to MQTT 5's.
_NOT_LET_IN = frozenset({4, 5, 134, 135})


class _Connected:
    """A connection that leaves nothing behind, however its beginning or its end goes wrong."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client

    async def __aenter__(self) -> aiomqtt.Client:
        try:
            return await self._client.__aenter__()
        except BaseException:
            _abandon(self._client)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # How the goodbye went matters to nobody: what went wrong before it is what is told.
        with contextlib.suppress(aiomqtt.MqttError, TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                await self._client.__aexit__(kind, error, trace)


def _abandon(client: aiomqtt.Client) -> None:
    """Close a connection that was given up before it was one, or that is still being made in a thread.

    aiomqtt (2.5.1) leaves it open. Answered later, it would throw out the one that came after it, with its will.
    """
    paho = client._client  # noqa: SLF001 - there is no other way to it
    paho.disconnect()
    paho.loop_write()
    paho.on_socket_open = _close
    paho.on_socket_close = paho.on_socket_register_write = paho.on_socket_unregister_write = None


def _close(_client: object, _userdata: object, sock: Any) -> None:
    sock.close()
    raise ConnectionAbortedError


class _Inbox(asyncio.Queue[aiomqtt.Message]):
    """Where aiomqtt puts messages; none is ever in it. Waiting for one is waiting for the end of the connection."""

    def __init__(self, received: Callable[[aiomqtt.Message], None]) -> None:
        super().__init__()
        self._received = received

    def put_nowait(self, item: aiomqtt.Message) -> None:
        self._received(item)


class Unjoined(ThreadPoolExecutor):
    """Runs each call in a thread that nobody waits for: a broker that does not answer must not hold up leaving."""

    def __init__(self) -> None:
        super().__init__(max_workers=1)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run it now, in a thread of its own."""
        future: Future[Any] = Future()

        def call() -> None:
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits for the result
                future.set_exception(error)
            else:
                future.set_result(result)

        future.set_running_or_notify_cancel()
        threading.Thread(target=call, name="companion-mqtt-connect", daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """There is nothing to wait for."""


def _prepare(loop: asyncio.AbstractEventLoop) -> None:
    """Make ``loop`` one that nobody has to wait for and that writes on no terminal.

    aiomqtt asks for a connection to be watched in the turn after, when it may be closed; asyncio would print that.
    """
    loop.set_default_executor(Unjoined())
    loop.set_exception_handler(lambda *_: None)


async def _until_lost(client: aiomqtt.Client) -> None:
    async for _ in client.messages:  # none comes (see _Inbox); ends with MqttError when the connection does
        pass


async def _first_of(*coroutines: Coroutine[Any, Any, None]) -> None:
    """Run all until the first one ends, end the others, and raise what it raised."""
    tasks = [asyncio.ensure_future(one) for one in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        pending = {task for task in tasks if not task.done()}
        while pending:  # more than once, for a cancellation may be lost (see Conversation.leave)
            for task in pending:
                task.cancel()
            _, pending = await asyncio.wait(pending, timeout=0.1)
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
