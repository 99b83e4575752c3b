"""Pairing through BlueZ: an agent that answers its questions while a device is being paired.

BlueZ pairs with nobody for whom no agent answers (org.bluez.Agent1), and bleak has none. The agent and the call of
``Pair`` share one bus connection, because BlueZ asks the agent of whoever called. Knows D-Bus; refuses to know screens.
"""

# No "from __future__ import annotations" here: dbus-fast reads the D-Bus signatures out of the annotations.

import asyncio
import contextlib

from dbus_fast import BusType, DBusError, Message, MessageType
from dbus_fast.aio import MessageBus
from dbus_fast.service import ServiceInterface, method

from companion.device.pairing import PAIRING_LIMIT_S, Failure, PairingError, Questions

AGENT = "/org/microcurrent/companion/agent"
CALL_LIMIT_S = 10.0
"""Longest wait for an answer of BlueZ to anything but the pairing itself, in seconds."""

#: What a failed ``Pair`` is called (BlueZ doc/org.bluez.Device.rst), and what it means to the person.
_FAILURES = {
    "AuthenticationFailed": Failure.WRONG,
    "AuthenticationCanceled": Failure.GONE,  # what the person ended, the questions know
    "AuthenticationRejected": Failure.REFUSED,
    "AuthenticationTimeout": Failure.TOO_LATE,
    "ConnectionAttemptFailed": Failure.GONE,
}


class Agent(ServiceInterface):
    """org.bluez.Agent1 for one device; whatever is asked of any other is rejected."""

    def __init__(self, path: str, questions: Questions) -> None:
        super().__init__("org.bluez.Agent1")
        self._path = path
        self._questions = questions

    @method()
    async def RequestPasskey(self, device: "o") -> "u":  # type: ignore[name-defined] # noqa: F821, N802 - D-Bus' own name and signature
        """Ask for the number that the device shows."""
        self._check(device)
        number = await self._questions.enter()
        if number is None:
            raise DBusError("org.bluez.Error.Canceled", "nobody typed a passkey")
        return number

    @method()
    async def RequestConfirmation(self, device: "o", passkey: "u") -> None:  # type: ignore[name-defined] # noqa: F821, N802 - as above
        """Ask whether both ends show the same number."""
        self._check(device)
        if not await self._questions.compare(passkey):
            raise DBusError("org.bluez.Error.Rejected", "the numbers are not the same")

    @method()
    def DisplayPasskey(self, device: "o", passkey: "u", entered: "q") -> None:  # type: ignore[name-defined] # noqa: F821, N802 - as above
        """Show the number to type on the device; called again with each digit typed there."""
        self._check(device)
        if entered == 0:
            self._questions.show(passkey)

    @method()
    def RequestPinCode(self, device: "o") -> "s":  # type: ignore[name-defined] # noqa: ARG002, F821, N802 - as above
        """Reject the pairing of before Bluetooth LE."""
        raise DBusError("org.bluez.Error.Rejected", "no legacy pairing")

    @method()
    def RequestAuthorization(self, device: "o") -> None:  # type: ignore[name-defined] # noqa: ARG002, F821, N802 - as above
        """Reject a pairing in which nothing is compared: anyone could stand between."""
        raise DBusError("org.bluez.Error.Rejected", "nothing to compare")

    @method()
    def AuthorizeService(self, device: "o", uuid: "s") -> None:  # type: ignore[name-defined] # noqa: ARG002, F821, N802 - as above
        """Reject whatever a device wants of this computer."""
        raise DBusError("org.bluez.Error.Rejected", "this computer serves nothing")

    @method()
    def Cancel(self) -> None:  # noqa: N802 - as above
        """Take back the question that is being asked."""
        self._questions.withdraw()

    @method()
    def Release(self) -> None:  # noqa: N802 - as above
        """Take note that BlueZ asks no more."""

    def _check(self, device: str) -> None:
        if device != self._path:
            raise DBusError("org.bluez.Error.Rejected", "another device")


async def pair(path: str, questions: Questions) -> None:
    """Pair the device at a D-Bus object path; nothing happens when it is paired already.

    Raises:
        PairingError: it was not paired; the words say why.
    """
    bus = await _bus(questions.device)
    try:
        # BlueZ 5.66 answers no Pair for a paired LE device: it then tries the bearer that the device does not have.
        if await _is_paired(bus, path, questions.device):
            return
        bus.export(AGENT, Agent(path, questions))
        await _call(bus, questions.device, _manager("RegisterAgent", "os", [AGENT, "KeyboardDisplay"]))
        try:
            await _pair(bus, path, questions)
        finally:
            await _quietly(bus, _manager("UnregisterAgent", "o", [AGENT]))
    finally:
        bus.disconnect()


async def _pair(bus: MessageBus, path: str, questions: Questions) -> None:
    try:
        async with asyncio.timeout(PAIRING_LIMIT_S):
            reply = await bus.call(Message("org.bluez", path, "org.bluez.Device1", "Pair"))
    except BaseException as error:
        await _undo(bus, path, questions.device)
        if isinstance(error, TimeoutError):
            raise PairingError(questions.device, Failure.TOO_LATE) from error
        if isinstance(error, EOFError | OSError):
            raise PairingError(questions.device, Failure.UNKNOWN, "the Bluetooth service went away") from error
        raise
    if reply.message_type is MessageType.ERROR:
        name = str(reply.error_name).rpartition(".")[2]
        if name == "AlreadyExists":
            return
        failure = questions.failure or _FAILURES.get(name, Failure.UNKNOWN)
        raise PairingError(questions.device, failure, name if failure is Failure.UNKNOWN else "")


async def _undo(bus: MessageBus, path: str, device: str) -> None:
    """End a pairing for which nobody waits any more; what BlueZ may have kept of it meanwhile is removed."""
    await _quietly(bus, Message("org.bluez", path, "org.bluez.Device1", "CancelPairing"))
    with contextlib.suppress(PairingError):  # BlueZ is gone; told as such, or the cause of all this
        if await _is_paired(bus, path, device):
            await _quietly(bus, _removal(path.rpartition("/")[0], path))


async def is_paired(path: str, device: str) -> bool:
    """Return whether BlueZ keeps keys for the device at a D-Bus object path.

    Raises:
        PairingError: BlueZ cannot be asked.
    """
    bus = await _bus(device)
    try:
        return await _is_paired(bus, path, device)
    finally:
        bus.disconnect()


async def _is_paired(bus: MessageBus, path: str, device: str) -> bool:
    asked = ["org.bluez.Device1", "Paired"]
    message = Message("org.bluez", path, "org.freedesktop.DBus.Properties", "Get", signature="ss", body=asked)
    reply = await _call(bus, device, message)
    return bool(reply.body[0].value)


async def forget(address: str, device: str) -> None:
    """Remove BlueZ's keys for a device from every adapter that has any; nothing happens where none has.

    Raises:
        PairingError: BlueZ cannot be asked, or will not.
    """
    bus = await _bus(device)
    try:
        reply = await _call(
            bus, device, Message("org.bluez", "/", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
        )
        for path, interfaces in reply.body[0].items():
            facts = interfaces.get("org.bluez.Device1")
            if facts is not None and facts["Address"].value.casefold() == address.casefold():
                await _call(bus, device, _removal(facts["Adapter"].value, path))
    finally:
        bus.disconnect()


def _removal(adapter: str, path: str) -> Message:
    return Message("org.bluez", adapter, "org.bluez.Adapter1", "RemoveDevice", signature="o", body=[path])


def _manager(member: str, signature: str, body: list[str]) -> Message:
    return Message("org.bluez", "/org/bluez", "org.bluez.AgentManager1", member, signature=signature, body=body)


async def _bus(device: str) -> MessageBus:
    try:
        return await MessageBus(bus_type=BusType.SYSTEM).connect()
    except (OSError, EOFError) as error:
        raise PairingError(device, Failure.UNKNOWN, "the system's message bus cannot be reached") from error


async def _call(bus: MessageBus, device: str, message: Message) -> Message:
    try:
        async with asyncio.timeout(CALL_LIMIT_S):
            reply = await bus.call(message)
    except (TimeoutError, OSError, EOFError) as error:
        raise PairingError(device, Failure.UNKNOWN, "the Bluetooth service does not answer") from error
    if reply.message_type is MessageType.ERROR:
        raise PairingError(device, Failure.UNKNOWN, str(reply.error_name))
    return reply


async def _quietly(bus: MessageBus, message: Message) -> None:
    """Ask for something whose failure changes nothing any more."""
    try:
        async with asyncio.timeout(CALL_LIMIT_S):
            await bus.call(message)
    except (TimeoutError, OSError, EOFError):
        return
