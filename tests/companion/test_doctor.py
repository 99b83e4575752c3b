"""``companion doctor``: each thing that a session needs has one line, and each lack a way to put it right."""

from __future__ import annotations

import asyncio
import os
import pty
import stat
import termios
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

import pytest
from dbus_fast import PropertyAccess
from dbus_fast.aio import MessageBus
from dbus_fast.service import ServiceInterface, dbus_property

from companion.commands import doctor
from companion.commands.doctor import BusError, Finding, Grade, bluetooth, data, mqtt, notifications, service, terminal
from companion.config import Exit
from companion.integrations.mqtt_settings import MqttSettings
from companion.integrations.timers import Job
from companion.settings.schema import Notifications, Settings
from companion.store.database import DATABASE_NAME
from companion.words import doctor as words
from tests.companion.at_home import AtHome, Timers
from tests.companion.integrations.broker import Broker, free_port

JOB = Job(("python", "-m", "companion", "remind", "--once"))


@pytest.fixture
def a_well_computer(monkeypatch: pytest.MonkeyPatch, computer: Timers, notified: list[Any]) -> None:
    """Bluetooth as it should be, and a desktop."""
    del computer, notified
    well = [Finding("D-Bus", Grade.OK, "there"), Finding("Bluetooth", Grade.OK, "hci0")]
    monkeypatch.setattr(doctor, "bluetooth", lambda *_: iter(well))
    monkeypatch.setattr(doctor, "notifications", lambda *_: Finding("notifications", Grade.OK, "notify-send"))


@pytest.mark.usefixtures("a_well_computer")
def test_where_all_is_well_every_line_says_ok_and_the_code_is_0(home: AtHome) -> None:
    said = home.run("doctor").fine()
    *lines, blank, last = said.lines
    assert {line.split()[0] for line in lines} == {"ok"}
    assert (blank, last) == ("", words.ALL_WELL)
    for name in ("companion", "bleak", "database", "settings", "D-Bus", "Bluetooth", "reminders", "Home Assistant"):
        assert any(line.split("  ")[2].strip().startswith(name) or f"  {name}" in line for line in lines), name
    assert not home.folder.exists(), "the doctor makes nothing"


@pytest.mark.usefixtures("a_well_computer")
def test_a_mistake_in_the_settings_is_a_remark_with_its_line_and_no_failure(home: AtHome) -> None:
    home.folder.mkdir(mode=0o700)
    (home.folder / "settings.toml").write_text('[quiet]\nfrom = "25:00"\n')
    said = home.run("doctor").fine()
    (line,) = [line for line in said.lines if line.startswith("warn")]
    assert "settings.toml, line 2, quiet.from" in line
    assert said.lines[-1] == words.WELL_WITH_REMARKS


@pytest.mark.usefixtures("a_well_computer")
def test_a_database_that_cannot_be_read_is_a_failure_and_the_code_is_1(home: AtHome) -> None:
    home.folder.mkdir(mode=0o700)
    (home.folder / DATABASE_NAME).write_text("Dear diary, " * 20)
    said = home.run("doctor")
    assert said.code == Exit.FAULT
    assert any(line.startswith("fail") and "move it aside" in line for line in said.lines)
    assert said.lines[-1] == words.SOMETHING_MISSING


def test_the_data_folder_is_looked_at_and_not_made(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    assert data(folder).grade is Grade.OK
    assert not folder.exists()
    folder.mkdir()
    (folder / DATABASE_NAME).write_text("Dear diary, " * 20)
    assert data(folder).grade is Grade.FAIL
    assert data(folder / DATABASE_NAME / "below a file").grade is Grade.FAIL


def test_what_others_can_read_is_told_with_the_command_that_closes_it(home: AtHome) -> None:
    home.store().close()
    assert list(doctor.private(home.folder)) == []
    home.folder.chmod(0o755)
    (home.folder / DATABASE_NAME).chmod(0o644)
    first, second = doctor.private(home.folder)
    assert (first.grade, second.grade) == (Grade.WARN, Grade.WARN)
    assert f"chmod 700 {home.folder}`" in first.text
    assert f"chmod 600 {home.folder / DATABASE_NAME}`" in second.text
    assert stat.S_IMODE(home.folder.stat().st_mode) == 0o755, "looked at, not changed"


# --- Bluetooth --------------------------------------------------------------------------------------------------------


def linux(root: Path, files: Mapping[str, str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


BUS = {"run/dbus/system_bus_socket": ""}
ADAPTER = {"sys/class/bluetooth/hci0": "", "sys/class/bluetooth/hci0:64": ""}
SWITCH = "sys/class/rfkill/rfkill0"
OFF = {f"{SWITCH}/type": "bluetooth\n", f"{SWITCH}/soft": "1\n", f"{SWITCH}/hard": "0\n"}
OTHER_OFF = {f"{SWITCH}/type": "wlan\n", f"{SWITCH}/soft": "1\n"}
ON = {f"{SWITCH}/type": "bluetooth\n", f"{SWITCH}/soft": "0\n"}


@pytest.mark.parametrize(
    ("files", "grades"),
    [
        ({}, ["fail", "fail"]),
        (BUS, ["ok", "fail", "ok"]),
        (BUS | ADAPTER, ["ok", "ok", "ok"]),
        (ADAPTER | OFF, ["fail", "fail"]),
        (ADAPTER | OTHER_OFF, ["fail", "ok"]),
        (ADAPTER | ON, ["fail", "ok"]),
    ],
    ids=["nothing", "bus alone", "bus and adapter", "switched off", "another radio off", "switched on"],
)
def test_the_doctor_reads_what_linux_shows(tmp_path: Path, files: dict[str, str], grades: list[str]) -> None:
    findings = list(bluetooth(linux(tmp_path, files), {}, "linux", lambda: {"hci0": True}))
    assert [finding.grade for finding in findings] == grades
    assert findings[1].text != "hci0, hci0:64"


def test_the_doctor_believes_an_address_of_the_bus(tmp_path: Path) -> None:
    first, *_ = bluetooth(tmp_path, {"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/somewhere"}, "linux", dict)
    assert first == Finding("D-Bus", Grade.OK, "unix:path=/somewhere")


def test_the_doctor_leaves_other_systems_to_a_scan(tmp_path: Path) -> None:
    (finding,) = bluetooth(tmp_path, {}, "darwin")
    assert finding.grade is Grade.OK
    assert "companion scan" in finding.text


def raising(error: Exception) -> Callable[[], dict[str, bool]]:
    def ask() -> dict[str, bool]:
        raise error

    return ask


@pytest.mark.parametrize(
    ("ask", "advice"),
    [
        (raising(TimeoutError()), "systemctl restart bluetooth"),
        (raising(BusError("org.freedesktop.DBus.Error.NameHasNoOwner", "")), "systemctl start bluetooth"),
        (raising(BusError("org.freedesktop.DBus.Error.AccessDenied", "")), "usermod -aG bluetooth"),
        (raising(BusError("org.bluez.Error.Failed", "")), "Failed"),
        (raising(BusError("", "Connection refused")), "Connection refused"),
        (dict, "plug one in"),
        (lambda: {"hci0": False}, "bluetoothctl power on"),
    ],
    ids=["silent", "not running", "not allowed", "an error", "no bus", "no adapter", "switched off"],
)
def test_each_lack_of_the_bluetooth_service_has_its_own_advice(ask: Callable[[], dict[str, bool]], advice: str) -> None:
    finding = service(ask)
    assert finding.grade is Grade.FAIL
    assert advice in finding.text


def test_one_adapter_that_is_on_is_enough() -> None:
    assert service(lambda: {"hci0": False, "hci1": True}) == Finding(
        "permissions", Grade.OK, words.SERVICE_WELL.format(adapter="hci1")
    )


class Adapter(ServiceInterface):
    """The one property of BlueZ's adapters that the doctor reads."""

    def __init__(self, *, powered: bool) -> None:
        super().__init__("org.bluez.Adapter1")
        self._powered = powered

    @dbus_property(access=PropertyAccess.READ)
    def Powered(self) -> "b":  # type: ignore[name-defined] # noqa: F821, N802, UP037 - D-Bus' own name and signature
        return self._powered


def test_a_real_bus_without_a_bluetooth_service_is_told_from_one_with(system_bus: str) -> None:
    assert service(doctor.ask_bluez).text == words.NO_SERVICE
    for powered in (False, True):
        assert asyncio.run(asked_beside_bluez(system_bus, powered=powered)) == {"hci0": powered}


async def asked_beside_bluez(address: str, *, powered: bool) -> dict[str, bool]:
    bluez = await MessageBus(bus_address=address).connect()
    try:
        bluez.export("/org/bluez/hci0", Adapter(powered=powered))
        await bluez.request_name("org.bluez")
        return await asyncio.to_thread(doctor.ask_bluez)
    finally:
        bluez.disconnect()


def test_a_bus_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path / 'no-bus'}")
    finding = service(doctor.ask_bluez)
    assert finding.grade is Grade.FAIL
    assert "the system bus does not let the companion in" in finding.text


# --- notifications and reminders --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("system", "program", "there", "environ", "grade"),
    [
        ("linux", "notify-send", True, {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/x"}, Grade.OK),
        ("linux", "notify-send", True, {"XDG_RUNTIME_DIR": "/run/user/1000"}, Grade.OK),
        ("linux", "notify-send", True, {}, Grade.WARN),
        ("linux", "notify-send", False, {"XDG_RUNTIME_DIR": "/run/user/1000"}, Grade.WARN),
        ("darwin", "osascript", True, {}, Grade.OK),
        ("win32", "powershell.exe", False, {}, Grade.WARN),
    ],
    ids=["bus", "runtime folder", "no desktop", "no program", "a Mac", "Windows without PowerShell"],
)
def test_notifications_need_a_program_and_a_desktop(
    system: str, program: str, there: bool, environ: dict[str, str], grade: Grade
) -> None:
    finding = notifications(Settings(), system, environ, lambda name: "/bin/x" if there and name == program else None)
    assert finding.grade is grade
    assert there or program in finding.text


def test_notifications_that_are_off_are_no_lack() -> None:
    off = Settings(notifications=Notifications(system="off"))
    assert notifications(off, "linux", {}, lambda _: None) == Finding(
        "notifications", Grade.OK, words.NOTIFICATIONS_OFF
    )


def test_a_timer_of_another_copy_is_a_remark_and_none_is_a_choice(computer: Timers) -> None:
    assert doctor.reminders(computer.machine, JOB).grade is Grade.OK
    folder = computer.machine.home / ".config/systemd/user"
    folder.mkdir(parents=True)
    (folder / "microcurrent-companion-reminders.timer").write_text("another one")
    finding = doctor.reminders(computer.machine, JOB)
    assert finding.grade is Grade.WARN
    assert "companion reminders install" in finding.text


def test_a_system_without_a_timer_is_a_remark(computer: Timers) -> None:
    finding = doctor.reminders(replace(computer.machine, platform="plan9"), JOB)
    assert finding.grade is Grade.WARN
    assert "plan9" in finding.text


# --- Home Assistant ---------------------------------------------------------------------------------------------------


def linked(**more: Any) -> Settings:
    return Settings(mqtt=MqttSettings(enabled=True, host="127.0.0.1", **more))


def test_a_link_that_is_off_is_no_lack() -> None:
    assert mqtt(Settings(), {}).grade is Grade.OK


def test_a_broker_that_is_not_there_is_told_in_one_line() -> None:
    finding = mqtt(linked(port=free_port()), {})
    assert finding.grade is Grade.WARN
    assert "check that the broker is running" in finding.text


def test_a_password_that_cannot_be_had_is_told_before_anybody_is_asked() -> None:
    finding = mqtt(linked(port=free_port(), username="me", password_from="environment"), {})  # noqa: S106 - where it is
    assert finding.grade is Grade.WARN
    assert "COMPANION_MQTT_PASSWORD is not set" in finding.text


async def test_a_broker_that_lets_the_companion_in_is_told_nothing(tmp_path: Path) -> None:
    async with Broker(tmp_path) as broker:
        finding = await asyncio.to_thread(mqtt, linked(port=broker.port), {})
        assert finding.grade is Grade.OK, finding
        assert "answers and lets the companion in" in finding.text
        assert not any("Received PUBLISH" in line for line in broker.log)


# --- the terminal -----------------------------------------------------------------------------------------------------


@pytest.fixture
def opened() -> Iterator[Callable[[int, int, str], TextIO]]:
    """Terminals of a size and an encoding."""
    files: list[TextIO] = []
    controllers: list[int] = []

    def make(columns: int, lines: int, encoding: str = "utf-8") -> TextIO:
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (lines, columns))
        controllers.append(ours)
        files.append(os.fdopen(theirs, "w", encoding=encoding))
        return files[-1]

    yield make
    for file in files:
        file.close()
    for controller in controllers:
        os.close(controller)


def test_a_good_terminal_has_three_good_lines(opened: Callable[..., TextIO]) -> None:
    found = list(terminal(opened(120, 40), {"TERM": "xterm-256color", "COLORTERM": "truecolor"}))
    assert [(one.name, one.grade) for one in found] == [("colours", "ok"), ("size", "ok"), ("characters", "ok")]
    assert found[1].text == "120 x 40"


def test_a_small_terminal_without_colours_and_characters_is_told_what_to_do(opened: Callable[..., TextIO]) -> None:
    found = list(terminal(opened(79, 24, "ascii"), {"TERM": "dumb"}))
    assert [one.grade for one in found] == ["warn", "warn", "warn"]
    for one, advice in zip(found, ("--plain", "make the window larger", "LANG=C.UTF-8"), strict=True):
        assert advice in one.text


@pytest.mark.parametrize(
    ("environ", "grade", "text"),
    [
        ({"TERM": "xterm-256color"}, Grade.OK, "COLORTERM=truecolor"),
        ({"TERM": "xterm-direct"}, Grade.OK, "all of them"),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, Grade.OK, "NO_COLOR"),
        ({"TERM": "vt100"}, Grade.WARN, "TERM=xterm-256color"),
        ({}, Grade.WARN, "--plain"),
    ],
    ids=["256", "direct", "not wanted", "few", "unknown"],
)
def test_colours_are_as_the_terminal_says(
    opened: Callable[..., TextIO], environ: dict[str, str], grade: Grade, text: str
) -> None:
    first, *_ = terminal(opened(80, 24), environ)
    assert first.grade is grade
    assert text in first.text


def test_what_is_no_terminal_is_not_looked_at(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as out:
        assert list(terminal(out, {})) == [Finding("terminal", Grade.OK, words.NO_TERMINAL)]


def test_every_finding_is_one_line() -> None:
    for name, text in vars(words).items():
        if name.isupper():
            assert "\n" not in text, name
