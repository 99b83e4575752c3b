"""Pairing: who is asked what, and in which words it fails; with a fake BlueZ on a real bus, and at the connection."""

# No "from __future__ import annotations" here: dbus-fast reads the D-Bus signatures out of the annotations.

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.service import ServiceInterface, method

from companion.dates import Calendar
from companion.device import bluez_agent
from companion.device.connection import Cause
from companion.device.known import KnownDevice, objection
from companion.device.pairing import QUESTION_LIMIT_S, Failure, ImpostorError, PairingError, Questions
from companion.store.database import Store
from protocols.model import Pairing
from rig import clock
from tests.companion.scripted import Bench, ScriptedProtocol, never

DEVICE = "/org/bluez/hci0/dev_C0_00_00_00_00_01"
OTHER = "/org/bluez/hci0/dev_C0_00_00_00_00_02"


@dataclass
class Person:
    """Somebody who answers, and remembers what was asked."""

    agrees: bool = True
    types: int | None = 123456
    asked: list[tuple[str, str, int | None]] = field(default_factory=list)
    thinks: Callable[[], Coroutine[Any, Any, None]] | None = None

    async def compare(self, device: str, number: int) -> bool:
        self.asked.append(("compare", device, number))
        if self.thinks is not None:
            await self.thinks()
        return self.agrees

    async def enter(self, device: str) -> int | None:
        self.asked.append(("enter", device, None))
        if self.thinks is not None:
            await self.thinks()
        return self.types

    def show(self, device: str, number: int) -> None:
        self.asked.append(("show", device, number))


# --- questions --------------------------------------------------------------------------------------------------------


def test_what_the_person_answers_goes_back_and_a_no_is_remembered() -> None:
    async def go() -> None:
        person = Person()
        questions = Questions("OMP One", person)
        assert await questions.enter() == 123456
        assert await questions.compare(42)
        assert questions.failure is None
        person.agrees = False
        assert not await questions.compare(42)
        assert questions.failure is Failure.WRONG
        questions = Questions("OMP One", Person(types=None))
        assert await questions.enter() is None
        assert questions.failure is Failure.DECLINED

    clock.run(go())


def test_h9_where_nobody_is_there_nothing_is_confirmed() -> None:
    async def go() -> None:
        questions = Questions("OMP One", None)
        assert await questions.enter() is None
        assert not await questions.compare(42)
        questions.show(42)
        assert questions.failure is Failure.NOBODY

    clock.run(go())


def test_a_person_who_takes_too_long_has_answered_no() -> None:
    async def go() -> None:
        questions = Questions("OMP One", Person(thinks=never))
        assert not await questions.compare(42)
        assert asyncio.get_running_loop().time() == pytest.approx(QUESTION_LIMIT_S)
        assert questions.failure is Failure.TOO_LATE
        assert await questions.enter() is None

    clock.run(go())


@pytest.mark.parametrize(("after_s", "failure"), [(5.0, Failure.GONE), (QUESTION_LIMIT_S - 1, Failure.TOO_LATE)])
def test_a_question_that_is_withdrawn_leaves_the_screen(after_s: float, failure: Failure) -> None:
    async def go() -> None:
        taken_away = []

        async def thinks() -> None:
            try:
                await never()
            except asyncio.CancelledError:
                taken_away.append(True)
                raise

        questions = Questions("OMP One", Person(thinks=thinks))
        asking = asyncio.ensure_future(questions.enter())
        await asyncio.sleep(after_s)
        questions.withdraw()
        assert await asking is None
        assert taken_away == [True]
        # both ends' security managers give up after the same half a minute; before it, the device has
        assert questions.failure is failure
        questions.withdraw()  # nothing is asked any more

    clock.run(go())


def test_a_pairing_that_is_cancelled_is_no_answer() -> None:
    async def go() -> None:
        questions = Questions("OMP One", Person(thinks=never))
        asking = asyncio.ensure_future(questions.enter())
        await asyncio.sleep(5)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert questions.failure is None

    clock.run(go())


@pytest.mark.parametrize("failure", Failure, ids=lambda failure: failure.name.lower())
def test_each_failure_says_what_happened_and_what_to_do(failure: Failure) -> None:
    error = PairingError("OMP One", failure)
    assert error.reason.startswith("OMP One: ")
    assert error.advice
    assert "\n" not in str(error)


# --- BlueZ ------------------------------------------------------------------------------------------------------------


class Manager(ServiceInterface):
    def __init__(self, bluez: "BlueZ") -> None:
        super().__init__("org.bluez.AgentManager1")
        self._bluez = bluez

    @method()
    def RegisterAgent(self, agent: "o", capability: "s") -> None:  # type: ignore[name-defined] # noqa: F821, N802 - D-Bus' own name and signature
        self._bluez.log.append(f"register {capability}")

    @method()
    def UnregisterAgent(self, agent: "o") -> None:  # type: ignore[name-defined] # noqa: F821, N802 - as above
        self._bluez.log.append("unregister")


@dataclass
class BlueZ:
    """A BlueZ whose ``Pair`` asks the caller's agent ``asks`` and then ends as ``ends`` says (empty: well).

    With ``hangs`` it answers nothing, but has paired the device all the same where it ``finishes``.
    """

    asks: list[tuple[str, str, list[Any]]] = field(default_factory=list)
    ends: str = ""
    log: list[str] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)
    hangs: asyncio.Event | None = None
    paired: bool = False
    finishes: bool = False
    bus: MessageBus | None = None

    def handle(self, message: Message) -> Message | bool:
        """Take the two calls whose caller must be known: BlueZ asks the agent of whoever called."""
        if message.member == "RemoveDevice":
            self.log.append(f"RemoveDevice {message.body[0]}")
            return Message.new_method_return(message)
        if message.path != DEVICE:
            return False
        if message.member == "Get":
            return Message.new_method_return(message, "v", [Variant("b", self.paired)])
        self.log.append(str(message.member))
        if message.member == "Pair":
            self._task = asyncio.ensure_future(self._pair(message))
            return True
        return Message.new_method_return(message)

    async def _pair(self, message: Message) -> None:
        assert self.bus is not None
        for member, signature, body in self.asks:
            call = Message(
                message.sender, bluez_agent.AGENT, "org.bluez.Agent1", member, signature=signature, body=body
            )
            reply = await self.bus.call(call)
            self.answers.append(reply.error_name if reply.message_type is MessageType.ERROR else list(reply.body))
        if self.hangs is not None:
            self.paired = self.finishes
            self.hangs.set()
            return
        error = f"org.bluez.Error.{self.ends}"
        self.bus.send(
            Message.new_error(message, error, "as the test wants it")
            if self.ends
            else Message.new_method_return(message)
        )


@asynccontextmanager
async def bluez(**known: Any) -> AsyncIterator[BlueZ]:
    one = BlueZ(**known)
    one.bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
    try:
        one.bus.export("/org/bluez", Manager(one))
        one.bus.add_message_handler(one.handle)
        await one.bus.request_name("org.bluez")
        yield one
    finally:
        one.bus.disconnect()


def paired_with(person: Person | None, **known: Any) -> tuple[BlueZ, Failure | None]:
    async def go() -> tuple[BlueZ, Failure | None]:
        async with bluez(**known) as one:
            try:
                await bluez_agent.pair(DEVICE, Questions("OMP One", person))
            except PairingError as error:
                return one, error.failure
            return one, None

    return asyncio.run(go())


ENTER = ("RequestPasskey", "o", [DEVICE])
COMPARE = ("RequestConfirmation", "ou", [DEVICE, 42])


@pytest.mark.usefixtures("system_bus")
class TestBlueZ:
    def test_a_passkey_is_asked_for_and_goes_back(self) -> None:
        person = Person()
        one, failure = paired_with(person, asks=[ENTER])
        assert (failure, one.answers) == (None, [[123456]])
        assert person.asked == [("enter", "OMP One", None)]
        assert one.log == ["register KeyboardDisplay", "Pair", "unregister"]

    def test_two_numbers_are_compared(self) -> None:
        person = Person()
        assert paired_with(person, asks=[COMPARE])[1] is None
        assert person.asked == [("compare", "OMP One", 42)]

    def test_a_number_to_type_on_the_device_is_shown_once(self) -> None:
        person = Person()
        shown = [("DisplayPasskey", "ouq", [DEVICE, 42, digits]) for digits in range(7)]
        assert paired_with(person, asks=shown)[1] is None
        assert person.asked == [("show", "OMP One", 42)]

    def test_h9_no_is_rejected_and_told_as_different_codes(self) -> None:
        one, failure = paired_with(Person(agrees=False), asks=[COMPARE], ends="AuthenticationRejected")
        assert (one.answers, failure) == (["org.bluez.Error.Rejected"], Failure.WRONG)

    def test_h9_a_person_who_declines_is_told_so(self) -> None:
        one, failure = paired_with(Person(types=None), asks=[ENTER], ends="AuthenticationCanceled")
        assert (one.answers, failure) == (["org.bluez.Error.Canceled"], Failure.DECLINED)

    def test_h9_another_device_and_pairings_without_a_code_are_rejected(self) -> None:
        asks = [
            ("RequestConfirmation", "ou", [OTHER, 42]),
            ("RequestPasskey", "o", [OTHER]),
            ("RequestAuthorization", "o", [DEVICE]),
            ("RequestPinCode", "o", [DEVICE]),
            ("AuthorizeService", "os", [DEVICE, "1812"]),
        ]
        person = Person()
        one, _ = paired_with(person, asks=asks)
        assert one.answers == ["org.bluez.Error.Rejected"] * 5
        assert person.asked == []

    def test_h9_without_a_person_it_says_how_to_pair(self) -> None:
        one, failure = paired_with(None, asks=[ENTER], ends="AuthenticationCanceled")
        assert (one.answers, failure) == (["org.bluez.Error.Canceled"], Failure.NOBODY)

    @pytest.mark.parametrize(
        ("ends", "failure"),
        [
            ("AlreadyExists", None),
            ("AuthenticationFailed", Failure.WRONG),
            ("AuthenticationCanceled", Failure.GONE),  # also where the link ended; a person's own no is known already
            ("AuthenticationRejected", Failure.REFUSED),
            ("AuthenticationTimeout", Failure.TOO_LATE),
            ("ConnectionAttemptFailed", Failure.GONE),
            ("SomethingNew", Failure.UNKNOWN),
        ],
    )
    def test_every_end_has_its_words(self, ends: str, failure: Failure | None) -> None:
        assert paired_with(Person(), ends=ends)[1] is failure

    def test_a_device_that_is_paired_is_not_paired_again(self) -> None:
        # BlueZ 5.66 then tries the bearer that an LE device has not, and never answers.
        one, failure = paired_with(Person(), paired=True, hangs=asyncio.Event())
        assert (failure, one.log) == (None, [])

    def test_a_pairing_that_is_cancelled_is_cancelled_at_bluez_too(self) -> None:
        async def go() -> list[str]:
            async with bluez(hangs=asyncio.Event()) as one:
                pairing = asyncio.ensure_future(bluez_agent.pair(DEVICE, Questions("OMP One", Person())))
                assert one.hangs is not None
                await one.hangs.wait()
                pairing.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await pairing
                return one.log

        assert asyncio.run(go()) == ["register KeyboardDisplay", "Pair", "CancelPairing", "unregister"]

    def test_h9_what_bluez_has_finished_of_a_cancelled_pairing_is_removed(self) -> None:
        async def go() -> list[str]:
            async with bluez(hangs=asyncio.Event(), finishes=True) as one:
                pairing = asyncio.ensure_future(bluez_agent.pair(DEVICE, Questions("OMP One", Person())))
                assert one.hangs is not None
                await one.hangs.wait()
                pairing.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await pairing
                return one.log

        removed = f"RemoveDevice {DEVICE}"
        assert asyncio.run(go()) == ["register KeyboardDisplay", "Pair", "CancelPairing", removed, "unregister"]

    def test_where_bluez_is_not_there_it_is_said(self) -> None:
        async def go() -> None:
            with pytest.raises(PairingError, match="ServiceUnknown"):
                await bluez_agent.pair(DEVICE, Questions("OMP One", Person()))

        asyncio.run(go())


# --- the connection ---------------------------------------------------------------------------------------------------


def authenticated(protocol: ScriptedProtocol) -> None:
    protocol.pairing = Pairing.AUTHENTICATED


def test_h9_a_device_that_can_be_paired_is_paired_before_anything_is_said_to_it() -> None:
    async def go() -> None:
        bench = Bench(prepare=authenticated)
        await bench.connection.connect()
        assert bench.radio.log[0] == "pair"
        await bench.connection.aclose()

    clock.run(go())


def test_h9_a_device_that_cannot_be_paired_is_left_alone() -> None:
    async def go() -> None:
        bench = Bench()
        await bench.connection.connect()
        assert "pair" not in bench.radio.log
        await bench.connection.aclose()

    clock.run(go())


def test_h9_a_link_that_is_not_paired_is_ended_and_the_reason_told() -> None:
    async def fails(questions: Questions) -> None:
        raise PairingError(questions.device, Failure.WRONG)

    async def go() -> None:
        bench = Bench(prepare=authenticated)
        bench.radio.on_pair = fails
        with pytest.raises(PairingError, match="the two codes were not the same"):
            await bench.connection.connect()
        assert bench.radio.log == ["pair", "disconnect"]
        assert bench.protocol.services == ()  # the protocol was never begun
        assert bench.connection.ending is not None
        assert bench.connection.ending.cause is Cause.NOT_PAIRED

    clock.run(go())


def test_h9_a_pairing_without_a_code_is_undone_where_the_device_can_do_better() -> None:
    async def go() -> None:
        bench = Bench(prepare=authenticated)
        bench.radio.with_a_code = False
        with pytest.raises(PairingError, match="without any code"):
            await bench.connection.connect()
        assert bench.radio.log == ["pair", "forget", "disconnect"]

    clock.run(go())


def test_h9_a_pairing_without_a_code_is_taken_from_a_device_that_can_do_no_better() -> None:
    def just_works(protocol: ScriptedProtocol) -> None:
        protocol.pairing = Pairing.JUST_WORKS

    async def go() -> None:
        bench = Bench(prepare=just_works)
        bench.radio.with_a_code = False
        await bench.connection.connect()
        assert bench.connection.ready
        await bench.connection.aclose()

    clock.run(go())


def test_h9_a_link_that_comes_back_unpaired_is_not_tried_again() -> None:
    async def go() -> None:
        bench = Bench(prepare=authenticated)
        await bench.connection.connect()

        async def fails(questions: Questions) -> None:
            raise PairingError(questions.device, Failure.NOBODY)

        bench.radio.on_pair = fails
        bench.client.gone()
        bench.connection.reconnect(asyncio.get_running_loop().time() + 60)
        await asyncio.sleep(60)
        assert bench.radio.log.count("pair") == 2
        await bench.connection.aclose()

    clock.run(go())


@dataclass
class Kept:
    """Devices that were paired, as a connection sees them."""

    devices: list[KnownDevice] = field(default_factory=list)
    added: list[tuple[str, str, str]] = field(default_factory=list)

    def all(self) -> list[KnownDevice]:
        return self.devices

    def paired(self, address: str, name: str, protocol: str) -> None:
        self.added.append((address, name, protocol))


MARCH = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MINE = KnownDevice("C0:00:00:00:00:01", "Scripted", "scripted", MARCH)


def connected_with(kept: Kept, *, bonded: bool | None) -> tuple[list[str], str]:
    """What the radio did, and why the device was refused (empty: it was not)."""

    async def go() -> tuple[list[str], str]:
        bench = Bench(prepare=authenticated)
        bench.connection.bonds = kept
        bench.radio.bonded = bonded
        refused = ""
        try:
            await bench.connection.connect()
        except ImpostorError as error:
            refused = str(error)
        log = list(bench.radio.log)
        await bench.connection.aclose()
        return log, refused

    return clock.run(go())


def test_h9_a_device_that_is_paired_is_remembered() -> None:
    kept = Kept()
    assert connected_with(kept, bonded=False)[1] == ""
    assert kept.added == [("C0:00:00:00:00:01", "Scripted", "scripted")]


@pytest.mark.parametrize("bonded", [True, None], ids=["bonded", "the system does not say"])
def test_h9_a_device_that_shares_a_bond_is_let_in(bonded: bool | None) -> None:
    assert connected_with(Kept([MINE]), bonded=bonded)[1] == ""


def test_h9_a_known_device_that_asks_to_be_paired_anew_is_refused() -> None:
    log, refused = connected_with(Kept([MINE]), bonded=False)
    assert log == ["disconnect"]
    assert "wants to be paired anew, although it was paired on 02 March 2026" in refused
    assert "companion devices --forget 'Scripted'" in refused


@pytest.mark.parametrize("bonded", [True, False, None])
def test_h9_another_device_under_a_known_name_is_refused(bonded: bool | None) -> None:
    known = replace(MINE, address="C0:00:00:00:00:02")
    log, refused = connected_with(Kept([known]), bonded=bonded)
    assert log == ["disconnect"]
    assert "another device goes by its name (C0:00:00:00:00:01 instead of C0:00:00:00:00:02)" in refused


def test_a_namesake_of_another_kind_and_a_device_of_another_name_are_no_impostors() -> None:
    others = [
        KnownDevice("C0:00:00:00:00:02", "Scripted", "another", MARCH),
        KnownDevice("C0:00:00:00:00:03", "Another", "scripted", MARCH),
    ]
    assert connected_with(Kept(others), bonded=False)[1] == ""


def test_addresses_are_the_same_in_upper_and_lower_case() -> None:
    known = replace(MINE, address=MINE.address.lower())
    assert objection([known], MINE.address, MINE.name, MINE.protocol, bonded=True) == ""
    assert objection([known], MINE.address, "A new name", MINE.protocol, bonded=False)


def test_devices_are_kept_for_the_household_and_forgotten_when_asked(tmp_path: Path) -> None:
    with Store.open(tmp_path, Calendar.fixed(MARCH)) as store:
        store.devices.paired("C0:00:00:00:00:02", "Old", "scripted")
        store.devices.paired(MINE.address.lower(), "Old", "scripted")
        store.devices.paired(MINE.address, MINE.name, MINE.protocol)
        store.people.add("Ada")
    with Store.open(tmp_path, Calendar.fixed(MARCH), person="Ada") as store:
        first, second = store.devices.all()
        assert replace(second, address=second.address.upper()) == MINE
        assert first.name == "Old"
        assert store.devices.forget(first.address.lower())
        assert not store.devices.forget(first.address)
        assert [one.name for one in store.devices.all()] == [MINE.name]
