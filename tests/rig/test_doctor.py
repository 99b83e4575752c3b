"""`rig doctor`: each thing that is missing is one line with one thing to do, and the exit code says whether any is."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import errno
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeVar

import pytest
from bumble import hci
from bumble.controller import Controller as BumbleController
from bumble.transport import open_transport

from rig.commands.doctor import doctor
from rig.commands.faults import UsageError
from rig.radio import checkup
from rig.radio.checkup import Finding, Grade
from rig.radio.host import close_transport
from rig.radio.machine import (
    Controller,
    Held,
    LookError,
    OpenError,
    SilentError,
    ThisMachine,
    UsbDevice,
    ask,
)
from rig.radio.transports import FORMS, TransportNameError, named, why
from tests.rig.rig_process import rig
from tests.rig.test_hci_transport import bumbles, dongles, free_port, ours

DONGLE = UsbDevice(0x0A12, 0x0001, "1-2", "/dev/bus/usb/001/004", bluetooth=True)
SECOND = UsbDevice(0x2FE3, 0x000B, "1-4.1", "/dev/bus/usb/001/007", bluetooth=True)
STICK = UsbDevice(0x0781, 0x5567, "1-3", "/dev/bus/usb/001/005", bluetooth=False)
WELL = Controller("5.3", "Nordic Semiconductor ASA", encrypts=True, advertises=True)
EVERYTHING = {"bumble": "0.0.236", "libusb1": "3.4.0", "pyusb": "1.3.1", "pyserial": "3.5", "pyserial-asyncio": "0.6"}


@dataclasses.dataclass
class Bench:
    """A computer on which everything is as it should be, but for what a test says."""

    system: str = "linux"
    packages: dict[str, str] = dataclasses.field(default_factory=lambda: dict(EVERYTHING))
    library: str | LookError = "1.0.26"
    devices: list[UsbDevice] | LookError = dataclasses.field(default_factory=lambda: [STICK, DONGLE, SECOND])
    locked: frozenset[str] = frozenset()
    holder: dict[str, Held] = dataclasses.field(default_factory=dict)
    serial: list[str] = dataclasses.field(default_factory=lambda: ["/dev/ttyACM0"])
    files: frozenset[str] = frozenset({"/dev/ttyACM0", "/dev/vhci"})
    answer: Controller | LookError = WELL
    asked: list[str] = dataclasses.field(default_factory=list)

    def package(self, name: str) -> str | None:
        return self.packages.get(name)

    def libusb(self) -> str:
        return _or_raised(self.library)

    def usb(self) -> list[UsbDevice]:
        return _or_raised(self.devices)

    def opens(self, device: UsbDevice) -> bool:
        return device.node not in self.locked

    def held(self, device: UsbDevice) -> Held | None:
        return self.holder.get(device.place)

    def ports(self) -> list[str]:
        return self.serial

    def has(self, path: str) -> bool:
        return path in self.files

    def may_use(self, path: str) -> bool:
        return path not in self.locked

    def group(self, path: str) -> str:
        return "dialout" if path.startswith("/dev/tty") else ""

    def ask(self, transport: str) -> Controller:
        self.asked.append(transport)
        return _or_raised(self.answer)


T = TypeVar("T")


def _or_raised(value: T | LookError) -> T:
    if isinstance(value, LookError):
        raise value
    return value


def of(bench: Bench, transport: str | None = None) -> dict[str, Finding]:
    found = list(checkup.survey(bench) if transport is None else checkup.transport(bench, transport))
    assert len({each.name for each in found}) == len(found)
    return {each.name: each for each in found}


def failed(findings: dict[str, Finding]) -> list[str]:
    return [each.name for each in findings.values() if each.grade is Grade.FAIL]


# --- one transport ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["usb:0", "usb:0a12:0001", "pyusb:0", "serial:/dev/ttyACM0,115200", "udp:x"])
def test_where_nothing_is_missing_the_controller_is_asked_and_says_what_it_can(transport: str) -> None:
    bench = Bench()
    found = of(bench, transport)
    assert failed(found) == []
    assert bench.asked == [transport]
    assert found["controller"].text == "Bluetooth 5.3, by Nordic Semiconductor ASA"
    assert "LE Secure Connections" in found["pairing"].text


@pytest.mark.parametrize(
    ("change", "transport", "name", "to_do"),
    [
        ({"packages": {"bumble": "1"}}, "usb:0", "libusb1", "`pip install libusb1`"),
        ({"packages": {"bumble": "1"}}, "pyusb:0", "pyusb", "`pip install pyusb`"),
        ({"packages": {"bumble": "1", "pyserial": "1"}}, "serial:/dev/ttyACM0", "pyserial-asyncio", "`pip install"),
        ({"library": LookError("no library")}, "usb:0", "libusb", "install your system's package libusb-1.0-0"),
        ({"library": LookError("none"), "system": "darwin"}, "usb:0", "libusb", "install `brew install libusb`"),
        ({"devices": LookError("libusb finds no USB here")}, "usb:0", "USB", "see that /dev/bus/usb is there"),
        ({"devices": [STICK]}, "usb:0", "USB", "nothing here is 0; plug it in"),
        ({}, "usb:2", "USB", "nothing here is 2; plug it in"),
        ({}, "usb:1234:5678", "USB", "nothing here is 1234:5678; plug it in"),
        ({"locked": frozenset({DONGLE.node})}, "usb:0", "permission", "the udev rule of docs/on-the-air.md"),
        ({"locked": frozenset({DONGLE.node}), "system": "win32"}, "usb:0", "permission", "WinUSB with Zadig"),
        ({"locked": frozenset({DONGLE.node}), "system": "darwin"}, "usb:0", "permission", "sudo nvram"),
        ({"files": frozenset()}, "serial:/dev/ttyUSB7", "port", "no /dev/ttyUSB7; there is /dev/ttyACM0; plug it in"),
        ({"locked": frozenset({"/dev/ttyACM0"})}, "serial:/dev/ttyACM0", "port", "`sudo usermod -aG dialout $USER`"),
        ({"files": frozenset()}, "vhci", "vhci", "`sudo modprobe hci_vhci`"),
        ({"locked": frozenset({"/dev/vhci"})}, "vhci", "vhci", "use it as root"),
        ({"system": "darwin"}, "vhci", "vhci", "Linux alone has it"),
        ({"answer": OpenError("nobody listens at there:1")}, "tcp-client:there:1", "opens", "start what has the contr"),
        ({"answer": OpenError("no controller has connected")}, "tcp-server:_:1", "opens", "let the other side connect"),
        ({"answer": OpenError("another program or driver holds it")}, "usb:0", "opens", "systemctl stop bluetooth"),
        ({"answer": SilentError("no answer")}, "serial:/dev/ttyACM0", "controller", "serial:/dev/ttyACM0,115200"),
        ({"answer": SilentError("no answer")}, "usb:0", "controller", "some want firmware first"),
        ({"answer": SilentError("no answer")}, "tcp-client:there:1", "controller", "at the other end"),
        ({"answer": WELL._replace(encrypts=False)}, "usb:0", "pairing", "use another dongle"),
        ({"answer": WELL._replace(advertises=False)}, "usb:0", "advertising", "use another dongle"),
    ],
    ids=str,
)
def test_each_thing_that_is_missing_is_one_line_with_what_to_do(
    change: dict[str, object], transport: str, name: str, to_do: str
) -> None:
    found = of(Bench(**change), transport)  # type: ignore[arg-type]
    assert failed(found) == [name]
    assert to_do in found[name].text
    assert "\n" not in found[name].text


@pytest.mark.parametrize("transport", ["usb:2", "serial:/dev/ttyUSB7", "vhci"])
def test_what_cannot_be_opened_is_not_asked(transport: str) -> None:
    bench = Bench(devices=[DONGLE], files=frozenset())
    of(bench, transport)
    assert bench.asked == []


def test_a_driver_of_the_kernel_that_holds_the_dongle_is_told_and_in_nobodys_way() -> None:
    found = of(Bench(holder={DONGLE.place: Held("btusb", "1-2:1.0", "hci0")}), "usb:0")
    assert found["driver"].grade is Grade.WARN
    assert "the kernel's btusb has 0a12:0001 as hci0" in found["driver"].text
    assert "`sudo hciconfig hci0 down`" in found["driver"].text
    assert failed(found) == []


@pytest.mark.parametrize(
    ("spec", "which"),
    [
        ("0", DONGLE),
        ("1", SECOND),
        ("0+sco=5", DONGLE),
        ("2fe3:000b", SECOND),
        ("2FE3:000B/E1F2", SECOND),
        ("0781:5567!", STICK),
        ("1-4.1", SECOND),
        ("2fe3:000b#0", SECOND),
    ],
)
def test_a_name_means_the_same_dongle_as_to_bumble(spec: str, which: UsbDevice) -> None:
    found = of(Bench(), f"usb:{spec}")
    assert found["USB"].text == f"{which.number} at {which.place}"


def test_the_kernel_is_the_host_of_a_vhci_so_none_is_asked() -> None:
    bench = Bench()
    assert failed(of(bench, "vhci")) == []
    assert bench.asked == []


# --- all that there is ------------------------------------------------------------------------------------------------


def test_without_a_transport_it_says_what_there_is_and_asks_nothing() -> None:
    bench = Bench(holder={SECOND.place: Held("btusb", "1-4.1:1.0", "")})
    found = of(bench)
    assert failed(found) == []
    assert bench.asked == []
    assert found["transports"].text.startswith("usb:0, usb:1, serial:/dev/ttyACM0, vhci; ")
    assert found["usb:1"].grade is Grade.WARN
    assert "unbind 1-4.1:1.0 from btusb" in found["usb:1"].text


def test_what_may_not_be_opened_is_no_transport_to_choose() -> None:
    found = of(Bench(locked=frozenset({DONGLE.node, "/dev/ttyACM0", "/dev/vhci"})))
    assert found["usb:0"].grade is found["serial:/dev/ttyACM0"].grade is Grade.WARN
    assert found["transports"].text.startswith("usb:1; ")


@pytest.mark.parametrize("system", ["linux", "darwin", "win32"])
def test_a_computer_without_any_controller_lacks_one(system: str) -> None:
    found = of(Bench(system=system, devices=[STICK], serial=[], files=frozenset()))
    assert failed(found) == ["transports"]
    assert "plug a Bluetooth dongle in" in found["transports"].text
    assert ("vhci" in found) == (system == "linux")


def test_a_library_that_is_missing_fails_also_where_something_else_serves() -> None:
    assert failed(of(Bench(library=LookError("none")))) == ["libusb"]


# --- how it is told ---------------------------------------------------------------------------------------------------


def test_every_line_has_its_grade_and_the_last_one_says_the_whole(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor("usb:0", machine=Bench()) == 0
    *lines, empty, last = capsys.readouterr().out.splitlines()
    assert all(re.match(r"(ok  |warn|fail)  \S+ +\S", line) for line in lines)
    assert (empty, last) == ("", "What `rig serve omp --transport usb:0` needs is here.")
    assert doctor("usb:7", machine=Bench()) == 5
    assert capsys.readouterr().out.endswith("\nSomething is missing; docs/on-the-air.md has it step by step.\n")


def test_for_programs_it_is_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor("usb:7", json=True, machine=Bench()) == 5
    said = json.loads(capsys.readouterr().out)
    assert (said["transport"], said["ok"]) == ("usb:7", False)
    assert said["findings"][-1] == {
        "name": "USB",
        "grade": "fail",
        "text": "nothing here is 7; plug it in, and see what there is with `rig doctor`",
    }
    assert doctor(None, json=True, machine=Bench()) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True


@pytest.mark.parametrize(
    "transport",
    [
        *("", "bogus:1", "usb", "usb:", "usb:first", "usb:xyz:1", "serial"),
        *("tcp-client:there", "tcp-client:there:0", "tcp-client::1", "tcp-client:there:70000", "tcp-server:_:http"),
    ],
)
def test_what_is_no_transport_is_a_mistake_of_the_command_line(transport: str) -> None:
    with pytest.raises(UsageError, match="--transport: "):
        doctor(transport, machine=Bench())


@pytest.mark.parametrize("form", FORMS.values())
def test_every_form_that_is_shown_is_one_that_is_taken(form: str) -> None:
    first = form.partition(",")[0].replace("HOST:PORT", "127.0.0.1:9001")
    assert named(first).kind == first.partition(":")[0]
    with pytest.raises(TransportNameError):
        named(f"no{first}")


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("serial:/dev/x,9600", FileNotFoundError(errno.ENOENT, "could not open"), "there is no /dev/x"),
        ("serial:/dev/x", PermissionError(errno.EACCES, "denied"), "you may not open /dev/x"),
        (
            "serial:/dev/x",
            OSError(f"[Errno {errno.EBUSY}] could not open port /dev/x: busy"),
            "another program holds /dev/x",
        ),
        ("vhci", FileNotFoundError(errno.ENOENT, "nothing"), "there is no /dev/vhci"),
        ("tcp-client:a:1", ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "nobody listens at a:1"),
        ("tcp-server:a:1", OSError(errno.EADDRINUSE, "in use"), "another program listens at a:1"),
        ("usb:0", RuntimeError("device not found"), "there is no such Bluetooth controller on USB"),
        ("usb:0", RuntimeError("no compatible interface found for device"), "it is no Bluetooth controller"),
        ("usb:0", type("USBErrorAccess", (Exception,), {})("LIBUSB"), "you may not open it"),
        ("usb:0", type("USBErrorBusy", (Exception,), {})("LIBUSB"), "another program or driver holds it"),
        ("pyusb:0", ValueError("No backend available"), "libusb is not installed"),
        ("udp:x", AssertionError(), "AssertionError"),
    ],
    ids=str,
)
def test_why_a_transport_cannot_be_opened_is_half_a_sentence(name: str, error: Exception, words: str) -> None:
    assert why(name, error) == words


# --- this computer ----------------------------------------------------------------------------------------------------


def test_this_computer_has_the_packages_that_bumble_brings() -> None:
    machine = ThisMachine()
    assert all(machine.package(name) for name in EVERYTHING)
    assert machine.package("no-such-package-at-all") is None
    assert re.fullmatch(r"1\.\d+\.\d+", machine.libusb())


def test_a_driver_is_found_in_sysfs_and_a_program_that_has_a_dongle_is_no_driver(tmp_path: Path) -> None:
    machine = ThisMachine(tmp_path)
    assert machine.held(DONGLE) is None
    interface = tmp_path / "sys/bus/usb/devices/1-2:1.0"
    (interface / "bluetooth/hci3").mkdir(parents=True)
    for driver in ("usbfs", "btusb"):
        (tmp_path / f"sys/bus/usb/drivers/{driver}").mkdir(parents=True)
    (interface / "driver").symlink_to(tmp_path / "sys/bus/usb/drivers/usbfs")
    assert machine.held(DONGLE) is None
    (interface / "driver").unlink()
    (interface / "driver").symlink_to(tmp_path / "sys/bus/usb/drivers/btusb")
    assert machine.held(DONGLE) == Held("btusb", "1-2:1.0", "hci3")
    assert machine.held(SECOND) is None


def test_what_is_not_there_may_not_be_used(tmp_path: Path) -> None:
    machine = ThisMachine(tmp_path)
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/vhci").touch()
    assert machine.has("/dev/vhci")
    assert machine.may_use("/dev/vhci")
    assert not machine.has("/dev/ttyACM0")
    assert not machine.may_use("/dev/ttyACM0")
    assert machine.group("/dev/ttyACM0") == ""
    assert not machine.has("COM77")


# --- a controller, over TCP -------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def silence() -> AsyncIterator[str]:
    """Somebody who listens and never says a word."""
    port = free_port()
    silent = await open_transport(f"tcp-server:127.0.0.1:{port}")
    try:
        yield f"tcp-client:127.0.0.1:{port}"
    finally:
        await close_transport(silent)


@pytest.mark.parametrize("controllers", [ours, bumbles], ids=["legacy advertising", "extended advertising"])
async def test_a_controller_behind_a_socket_says_what_it_is(controllers: type) -> None:
    async with dongles(1, controllers()) as [transport]:
        said = await ask(transport)
    assert re.fullmatch(r"\d\.\d", said.version)
    assert said.encrypts
    assert said.advertises


async def test_a_controller_that_cannot_encrypt_or_advertise_is_seen_through() -> None:
    class Old(BumbleController):
        le_features = hci.LeFeatureMask(0)
        supported_commands = BumbleController.supported_commands - {hci.HCI_LE_SET_ADVERTISING_ENABLE_COMMAND}

    async with dongles(1, lambda _number: Old("old")) as [transport]:
        said = await ask(transport)
    assert (said.encrypts, said.advertises) == (False, False)


async def test_whoever_listens_and_does_not_answer_is_no_controller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rig.radio.host.RESET_TIMEOUT_S", 0.05)
    async with silence() as transport:
        with pytest.raises(SilentError, match="no answer"):
            await ask(transport)


async def test_where_nobody_listens_the_transport_does_not_open() -> None:
    with pytest.raises(OpenError, match=r"nobody listens at 127\.0\.0\.1:1"):
        await ask("tcp-client:127.0.0.1:1")


async def test_a_controller_that_connects_by_itself_is_waited_for() -> None:
    port = free_port()
    asking = asyncio.ensure_future(ask(f"tcp-server:127.0.0.1:{port}"))
    await asyncio.sleep(0)
    transport = None
    while transport is None:
        with contextlib.suppress(ConnectionRefusedError):
            transport = await open_transport(f"tcp-client:127.0.0.1:{port}")
    dongle = ours()(0)
    transport.source.set_packet_sink(dongle)
    dongle.set_packet_sink(transport.sink)
    said = await asyncio.wait_for(asking, 5)
    await close_transport(transport)
    assert said.encrypts


@pytest.mark.slow
async def test_the_command_itself_over_tcp_with_a_controller_and_without() -> None:
    async with dongles(1) as [transport]:
        done = await rig("doctor", "--transport", transport, "--json")
    assert (done.code, done.err) == (0, "")
    said = {each["name"]: each["grade"] for each in json.loads(done.out)["findings"]}
    assert said == dict.fromkeys(("bumble", "opens", "controller", "advertising", "pairing"), "ok")
    gone = await rig("doctor", "--transport", transport)
    assert gone.code == 5
    assert f"fail  opens   nobody listens at {transport.removeprefix('tcp-client:')}; " in gone.out
    usage = await rig("doctor", "--transport", "pigeon:1")
    assert (usage.code, usage.out) == (2, "")
    assert usage.err.startswith("rig: --transport: there is no kind of transport 'pigeon'; there are: ")


@pytest.mark.slow
async def test_the_command_itself_on_this_computer_says_what_it_sees_and_leaves_nothing_open() -> None:
    done = await rig("doctor")
    assert done.code in (0, 5)  # whichever this computer is
    assert done.err == ""
    assert ("fail" in done.out) == (done.code == 5)
