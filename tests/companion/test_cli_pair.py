"""`companion pair` and `companion devices`: by a person, by a file, and what is kept of it."""

# No "from __future__ import annotations" here: dbus-fast reads the D-Bus signatures out of the annotations.

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO, cast

import pytest
from dbus_fast import BusType, Message, Variant
from dbus_fast.aio import MessageBus

from companion.before import Terminal
from companion.cli import main as companion
from companion.commands.pair import FilePairer, LinePairer, _pair
from companion.config import CompanionError, Exit
from companion.dates import Calendar
from companion.demo import open_demo
from companion.device.connection import Connection
from companion.device.finder import find
from companion.device.pairing import Failure, PairingError
from companion.household import Household
from companion.store.database import Store
from protocols.registry import Registry
from rig import clock
from tests.companion.at_home import AtHome
from tests.companion.scripted import never
from tests.companion.test_pairing import MINE, Kept, Person

Said = pytest.CaptureFixture[str]


def person(*lines: str) -> tuple[LinePairer, io.StringIO]:
    asked = io.StringIO()
    answers = io.StringIO("".join(f"{line}\n" for line in lines))
    return LinePairer(Terminal(asked, answers, present=True)), asked


# --- by a person ------------------------------------------------------------------------------------------------------


def test_a_person_compares_two_codes() -> None:
    pairer, asked = person("perhaps", "y")
    assert asyncio.run(pairer.compare("OMP", 42))
    assert "Does OMP show 000 042?" in asked.getvalue()
    pairer, _ = person("n")
    assert not asyncio.run(pairer.compare("OMP", 42))


@pytest.mark.parametrize("typed", ["123456", "123 456", " 123456 "])
def test_a_person_types_the_code_however_it_is_spaced(typed: str) -> None:
    pairer, _ = person(typed)
    assert asyncio.run(pairer.enter("OMP")) == 123456


def test_what_is_no_code_is_asked_for_again_and_an_empty_line_is_no_pairing() -> None:
    pairer, asked = person("12345", "12345a", "١٢٣٤٥٦", "")
    assert asyncio.run(pairer.enter("OMP")) is None
    assert asked.getvalue().count("A code has six digits.") == 3


def test_the_end_of_the_input_is_no_pairing() -> None:
    pairer, _ = person()
    assert asyncio.run(pairer.enter("OMP")) is None
    assert not asyncio.run(pairer.compare("OMP", 42))


class Silent:
    """A terminal's input at which nobody types; ``asked`` is set once it is read from."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self._ever = threading.Event()

    def readline(self) -> str:
        self.asked.set()
        self._ever.wait(60)
        return ""

    def leave(self) -> None:
        self._ever.set()


@pytest.mark.parametrize("question", ["compare", "enter"])
def test_a_question_that_is_taken_back_ends_its_line(question: str) -> None:
    async def go() -> str:
        asked, answers = io.StringIO(), Silent()
        pairer = LinePairer(Terminal(asked, cast(TextIO, answers), present=True))
        asking = asyncio.ensure_future(pairer.compare("OMP", 42) if question == "compare" else pairer.enter("OMP"))
        await asyncio.to_thread(answers.asked.wait, 60)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        answers.leave()
        return asked.getvalue()

    said = asyncio.run(go())
    assert said.endswith(" \n")  # what comes next does not stand behind the question
    assert said.count("\n") == 1


def test_a_code_to_type_on_the_device_is_shown() -> None:
    pairer, asked = person()
    pairer.show("OMP", 7)
    assert asked.getvalue() == "Type 000 007 on OMP.\n"


# --- by a file --------------------------------------------------------------------------------------------------------


def test_a_file_holds_the_code(tmp_path: Path) -> None:
    path = tmp_path / "code"
    path.write_text("123 456\nand a note\n", "utf-8")
    pairer = FilePairer(path)
    assert asyncio.run(pairer.enter("OMP")) == 123456
    assert asyncio.run(pairer.compare("OMP", 123456))
    assert not asyncio.run(pairer.compare("OMP", 123457))


def test_a_named_pipe_is_read_when_the_device_asks(tmp_path: Path) -> None:
    path = tmp_path / "code"
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: path.write_text("654321\n", "utf-8"))
    writer.start()
    assert asyncio.run(FilePairer(path).enter("OMP")) == 654321
    writer.join()


@pytest.mark.parametrize(
    ("content", "code", "told"),
    [
        (None, Exit.FAULT, "No such file or directory; write the six digits"),
        (b"", Exit.USAGE, "the first line is not a code of six digits"),
        (b"12345\n", Exit.USAGE, "the first line is not a code of six digits"),
        (b"\xff\xfe1", Exit.FAULT, "codec can't decode"),
    ],
    ids=["missing", "empty", "short", "no text"],
)
def test_a_file_without_a_code_is_told_with_its_path(
    content: bytes | None, code: Exit, told: str, tmp_path: Path, home: AtHome
) -> None:
    path = tmp_path / "code"
    if content is not None:
        path.write_bytes(content)
    said = home.run("pair --demo omp --passkey-file {path}", path=path)
    assert said.code == code
    assert said.err.startswith(f"companion: {path}: ")
    assert told in said.err
    assert said.err.count("\n") == 1


def test_a_wrong_code_in_a_file_pairs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said) -> None:
    path = tmp_path / "code"
    path.write_text("000000\n", "utf-8")
    monkeypatch.setenv("COMPANION_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("companion.commands.pair.FilePairer.compare", _never_the_same)
    assert companion(["pair", "--demo", "omp", "--passkey-file", str(path)]) == Exit.NO_DEVICE
    told = capsys.readouterr()
    assert "(The virtual omp shows " in told.out
    assert "the two codes were not the same: try again" in told.err


async def _never_the_same(*_: object) -> bool:
    return False


# --- pairing ----------------------------------------------------------------------------------------------------------


def test_h9_a_device_is_paired_remembered_and_not_paired_twice() -> None:
    async def go() -> None:
        radio = await open_demo("omp", 5)
        kept = Kept()
        try:
            pairer = radio.stand_in()
            assert pairer is not None
            line = await _pair(radio, pairer, kept)
            assert line == "OMP is paired with this computer. Nobody else can drive it from elsewhere."
            (added,) = kept.added
            assert added[1:] == ("OMP", "omp")
            assert await _pair(radio, Person(agrees=False), None) == "OMP was paired already."
        finally:
            await radio.close()

    clock.run(go())


def test_h9_somebody_who_declines_pairs_nothing() -> None:
    async def go() -> None:
        radio = await open_demo("omp", 5)
        kept = Kept()
        try:
            with pytest.raises(PairingError) as declined:
                await _pair(radio, Person(agrees=False), kept)
            assert declined.value.failure is Failure.WRONG
            assert kept.added == []
        finally:
            await radio.close()

    clock.run(go())


def test_h9_who_ends_a_pairing_is_told_so_and_nothing_is_kept() -> None:
    async def go() -> None:
        radio = await open_demo("omp", 5)
        kept, asked = Kept(), asyncio.Event()

        async def thinks() -> None:
            asked.set()
            await never()

        try:
            pairing = asyncio.ensure_future(_pair(radio, Person(thinks=thinks), kept))
            await asked.wait()
            pairing.cancel()
            with pytest.raises(CompanionError, match="you ended the pairing; nothing was kept") as ended:
                await pairing
            assert ended.value.exit_code is Exit.INTERRUPTED
            assert kept.added == []
            # the next one is as good as any
            assert "is paired" in await _pair(radio, Person(), kept)
        finally:
            await radio.close()

    clock.run(go())


@pytest.mark.slow
def test_ctrl_c_while_the_code_is_asked_for_ends_it_with_one_line(tmp_path: Path, interrupts: None) -> None:
    path = tmp_path / "code"
    os.mkfifo(path)
    command = [sys.executable, "-m", "companion", "pair", "--demo", "omp", "--passkey-file", str(path)]
    started = subprocess.Popen(
        command,
        env={**os.environ, "COMPANION_DATA": str(tmp_path / "data")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with started as pairing, path.open("w"):  # opens once it is read from: the code is asked for
        pairing.send_signal(signal.SIGINT)
        _, said = pairing.communicate(timeout=60)
    assert (pairing.returncode, said) == (
        Exit.INTERRUPTED,
        "companion: you ended the pairing; nothing was kept: begin again when you like\n",
    )


def test_a_device_without_pairing_is_told_as_such(home: AtHome) -> None:
    said = home.run("pair --demo dr05 --passkey-file /dev/null")
    assert said.code == 0
    assert "Dr-05 offers no pairing" in said.out


def test_without_anybody_and_without_a_file_it_says_how(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert companion(["pair", "--demo", "omp"]) == Exit.USAGE
    assert "--passkey-file FILE" in capsys.readouterr().err


def demo_bonds(folder: Path) -> list[str]:
    with Store.open(folder / "demo", Calendar.system()) as store:
        return [one.protocol for one in store.devices.all()]


def test_what_pair_pairs_in_the_demo_is_remembered_with_the_demo_and_not_asked_for_again(
    home: AtHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    async def compare(_pairer: FilePairer, _device: str, number: int) -> bool:
        asked.append(number)
        return True

    monkeypatch.setattr(FilePairer, "compare", compare)
    first = home.run("pair --demo --passkey-file /dev/null").fine()
    assert first.out.splitlines()[-1].startswith("OMP is paired with this computer.")
    assert "(The virtual omp shows " in first.out
    assert demo_bonds(home.folder) == ["omp"]
    assert "Nothing is paired yet" in home.run("devices").fine().out
    assert home.run("pair --demo --passkey-file /dev/null").fine().out == "OMP was paired already.\n"
    session = home.run("run first-touch --demo --speed max --yes --json")
    assert session.code == Exit.FINISHED
    assert len(asked) == 1
    home.run("devices --demo --forget omp").fine()
    home.run("pair --demo --passkey-file /dev/null").fine()
    assert len(asked) == 2


def test_the_app_asks_no_code_of_a_device_that_pair_has_paired_in_the_demo(
    home: AtHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The app's own radio, as the household opens it."""
    monkeypatch.setattr(FilePairer, "compare", _the_same)
    home.run("pair --demo --passkey-file /dev/null").fine()

    async def go() -> None:
        household = Household(demo="omp", folder=home.folder / "demo", calendar=Calendar.system())
        household.pair_with(Person(agrees=False), _not_shown)
        radio = await household._switch_on()
        try:
            (found, *_) = await find(radio, Registry.default(), 10.0, settle_s=0.0)
            connection = Connection(radio, found)
            connection.pairer = Person(agrees=False)
            try:
                await connection.connect()
                assert connection.ready
            finally:
                await connection.aclose()
        finally:
            await radio.close()
            await household.close()

    clock.run(go())


async def _the_same(*_: object) -> bool:
    return True


def _not_shown(number: int) -> None:
    raise AssertionError(f"nobody is asked for a code, and {number} was shown")


# --- the list ---------------------------------------------------------------------------------------------------------


def kept_in(folder: Path) -> Store:
    return Store.open(folder, Calendar.system())


def test_nothing_was_paired_yet(home: AtHome) -> None:
    assert home.run("devices").out == "Nothing is paired yet. `companion pair` pairs the device near you.\n"


def test_the_list_names_device_address_protocol_and_day(home: AtHome) -> None:
    with kept_in(home.folder) as store:
        store.devices.paired(MINE.address, MINE.name, MINE.protocol)
    assert home.run("devices").out.startswith("Scripted  C0:00:00:00:00:01  scripted  paired on ")
    assert json.loads(home.run("devices --json").out)["address"] == MINE.address


@dataclass
class BlueZ:
    """As much of BlueZ as forgetting uses."""

    devices: dict[str, str]
    removed: list[tuple[str, str]] = field(default_factory=list)

    def handle(self, message: Message) -> Message | bool:
        if message.member == "GetManagedObjects":
            adapter = Variant("o", "/org/bluez/hci0")
            found = {
                path: {"org.bluez.Device1": {"Address": Variant("s", address), "Adapter": adapter}}
                for path, address in self.devices.items()
            }
            return Message.new_method_return(message, "a{oa{sa{sv}}}", [found])
        if message.member == "RemoveDevice":
            self.removed.append((str(message.path), message.body[0]))
            return Message.new_method_return(message)
        return False


def beside_bluez(bluez: BlueZ, work: Callable[[], Any]) -> Any:
    """Do something in a thread while that BlueZ is on the bus."""

    async def go() -> Any:
        bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
        try:
            bus.add_message_handler(bluez.handle)
            await bus.request_name("org.bluez")
            return await asyncio.to_thread(work)
        finally:
            bus.disconnect()

    return asyncio.run(go())


@pytest.mark.usefixtures("system_bus")
def test_forgetting_removes_the_keys_and_then_the_record(home: AtHome) -> None:
    with kept_in(home.folder) as store:
        store.devices.paired(MINE.address, MINE.name, MINE.protocol)
        store.devices.paired("C0:00:00:00:00:02", "Another", "scripted")
    bluez = BlueZ({"/org/bluez/hci0/dev_1": MINE.address.lower(), "/org/bluez/hci0/dev_2": "C0:00:00:00:00:02"})
    said = beside_bluez(bluez, lambda: home.run("devices --forget SCRIPTED"))
    assert said.code == 0
    assert bluez.removed == [("/org/bluez/hci0", "/org/bluez/hci0/dev_1")]
    assert said.out.startswith("Scripted (C0:00:00:00:00:01) is forgotten.")
    with kept_in(home.folder) as store:
        assert [one.name for one in store.devices.all()] == ["Another"]


@pytest.mark.usefixtures("system_bus")
def test_where_the_keys_stay_it_is_said(home: AtHome) -> None:
    with kept_in(home.folder) as store:
        store.devices.paired(MINE.address, MINE.name, MINE.protocol)
    said = home.run("devices --forget {address}", address=MINE.address.lower())
    assert said.code == 0
    out = said.out
    assert "Its keys are still with the system" in out
    assert out.count("\n") == 2


def test_what_was_never_paired_cannot_be_forgotten(home: AtHome) -> None:
    home.run("devices --forget OMP").refused(Exit.USAGE, "nothing that is called 'OMP' was paired")
