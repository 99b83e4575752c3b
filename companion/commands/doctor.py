"""``companion doctor``: what a session needs and whether it is there, one line each, with what to do.

Looks, and changes nothing: no scan, no folder made, no service started, nothing published. A database that there is
already is opened as by every other command, which brings one of an older version up to date.
"""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final, NamedTuple, TextIO

from companion.config import CompanionError, Exit, data_folder
from companion.dates import Calendar
from companion.integrations.sound import Speaker
from companion.integrations.timers import Job, Machine, State, TimerError
from companion.integrations.timers import status as timer_status
from companion.settings.file import settings_file
from companion.settings.schema import Settings
from companion.store.database import DATABASE_NAME, Store, StoreError
from companion.words import doctor as words

_PARTS: Final = ("bleak", "bumble", "textual")
_LEAST_SIZE: Final = (80, 24)
_BUS_S: Final = 3.0
_BLUEZ: Final = "org.bluez"


class Grade(StrEnum):
    """How it stands with one thing: as needed; could be better; not as a session needs it."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(NamedTuple):
    """One thing looked at: its name, how it stands with it, and what was seen or what to do."""

    name: str
    grade: Grade
    text: str


def _ok(name: str, text: str) -> Finding:
    return Finding(name, Grade.OK, text)


def _warn(name: str, text: str) -> Finding:
    return Finding(name, Grade.WARN, text)


def _fail(name: str, text: str) -> Finding:
    return Finding(name, Grade.FAIL, text)


def report() -> int:
    """Print every finding; 0 unless one of them is a failure, else 1."""
    folder = data_folder()
    chosen = settings_file(folder).read().settings
    findings = [
        _ok("companion", words.COMPANION.format(version=version("microcurrent-companion"), python=_python())),
        *parts(),
        data(folder),
        *private(folder),
        *settings(folder),
        *bluetooth(Path("/"), os.environ, sys.platform),
        notifications(chosen, sys.platform, os.environ),
        sound(chosen, Speaker.this()),
        reminders(Machine.this(), Job.this()),
        mqtt(chosen, os.environ),
        *terminal(sys.stdout, os.environ),
    ]
    width = max(len(finding.name) for finding in findings)
    for name, grade, text in findings:
        sys.stdout.write(f"{grade.ljust(4)}  {name.ljust(width)}  {text}\n")
    grades = {finding.grade for finding in findings}
    failed = Grade.FAIL in grades
    said = words.SOMETHING_MISSING if failed else words.WELL_WITH_REMARKS if Grade.WARN in grades else words.ALL_WELL
    sys.stdout.write(f"\n{said}\n")
    return Exit.FAULT if failed else Exit.FINISHED


def _python() -> str:
    return platform.python_version()


def parts() -> Iterator[Finding]:
    """The packages that the radio and the app stand on."""
    for name in _PARTS:
        try:
            yield _ok(name, version(name))
        except PackageNotFoundError:
            yield _fail(name, words.PART_MISSING)


# --- what is kept -----------------------------------------------------------------------------------------------------


def data(folder: Path) -> Finding:
    """Whether the person's data can be kept in ``folder``."""
    name = "database"
    if (folder / DATABASE_NAME).exists():
        try:
            Store.open(folder, Calendar.system()).close()
        except StoreError as error:
            return _fail(name, str(error))
        return _ok(name, str(folder / DATABASE_NAME))
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return _ok(name, words.DATA_TO_COME.format(folder=folder))
    return _fail(name, words.DATA_READ_ONLY.format(folder=nearest))


def private(folder: Path) -> Iterator[Finding]:
    """Whether nobody else on this computer can read what is kept; where rights are kept otherwise, nothing."""
    if not hasattr(os, "geteuid") or not folder.is_dir():
        return
    for path, mode in ((folder, "700"), (folder / DATABASE_NAME, "600")):
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            yield _warn("privacy", words.DATA_OPEN.format(path=path, mode=mode))


def settings(folder: Path) -> Iterator[Finding]:
    """What is wrong or unwise in the settings file, each with its line; or that all is well."""
    name = "settings"
    file = settings_file(folder)
    reading = file.read()
    for problem in (*map(str, reading.problems), *reading.remarks):
        yield _warn(name, problem)
    if not reading.problems and not reading.remarks:
        there = file.path.exists()
        yield _ok(name, words.SETTINGS_FINE.format(path=file.path) if there else words.SETTINGS_NONE)


# --- Bluetooth --------------------------------------------------------------------------------------------------------


class BusError(Exception):
    """The system bus or the Bluetooth service behind it refuses: ``name`` is that of the D-Bus error, or empty."""

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(detail)
        self.name = name
        self.detail = detail


def ask_bluez() -> dict[str, bool]:
    """Ask BlueZ for its adapters, by name, and whether each is switched on. It is not started by being asked.

    Raises:
        BusError: it cannot be asked, or refuses.
        TimeoutError: there is no answer within three seconds.
    """
    return asyncio.run(_ask_bluez())


async def _ask_bluez() -> dict[str, bool]:
    from dbus_fast import BusType, Message, MessageFlag, MessageType  # noqa: PLC0415 - Linux alone has it, with bleak
    from dbus_fast.aio import MessageBus  # noqa: PLC0415 - as above
    from dbus_fast.errors import AuthError, DBusError  # noqa: PLC0415 - as above

    question = Message(
        destination=_BLUEZ,
        path="/",
        interface="org.freedesktop.DBus.ObjectManager",
        member="GetManagedObjects",
        flags=MessageFlag.NO_AUTOSTART,
    )
    try:
        async with asyncio.timeout(_BUS_S):
            bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
            try:
                answer = await bus.call(question)
            finally:
                bus.disconnect()
    except TimeoutError:
        raise
    except (OSError, EOFError, AuthError, DBusError, ValueError) as error:
        raise BusError("", str(error).partition("\n")[0] or type(error).__name__) from error
    if answer.message_type is not MessageType.METHOD_RETURN:
        name = answer.error_name or ""
        raise BusError(name, name.rpartition(".")[2])
    adapters = {path: of[f"{_BLUEZ}.Adapter1"] for path, of in answer.body[0].items() if f"{_BLUEZ}.Adapter1" in of}
    return {path.rpartition("/")[2]: bool(of["Powered"].value) for path, of in sorted(adapters.items())}


def bluetooth(
    root: Path, environ: Mapping[str, str], system: str, ask: Callable[[], dict[str, bool]] = ask_bluez
) -> Iterator[Finding]:
    """What Linux shows of Bluetooth under ``root``, and what its service says; elsewhere only a scan can tell."""
    if not system.startswith("linux"):
        yield _ok("Bluetooth", words.BLUETOOTH_ELSEWHERE)
        return
    bus = _bus(root, environ)
    yield bus
    yield _adapter(root)
    if bus.grade is Grade.OK:
        yield service(ask)


def _bus(root: Path, environ: Mapping[str, str]) -> Finding:
    address = environ.get("DBUS_SYSTEM_BUS_ADDRESS")
    if address:
        return _ok("D-Bus", address)
    socket = root / "run/dbus/system_bus_socket"
    return _ok("D-Bus", str(socket)) if socket.exists() else _fail("D-Bus", words.NO_BUS)


def _adapter(root: Path) -> Finding:
    name = "Bluetooth"
    # A link to a live connection appears here too, as hci0:64.
    adapters = sorted(path.name for path in (root / "sys/class/bluetooth").glob("hci*") if ":" not in path.name)
    if not adapters:
        return _fail(name, words.NO_ADAPTER)
    for switch in (root / "sys/class/rfkill").glob("rfkill*"):
        # Documentation/ABI/stable/sysfs-class-rfkill: 1 is blocked
        if _text(switch / "type") == "bluetooth" and "1" in {_text(switch / "soft"), _text(switch / "hard")}:
            return _fail(name, words.ADAPTER_BLOCKED.format(adapter=adapters[0]))
    return _ok(name, ", ".join(adapters))


def service(ask: Callable[[], dict[str, bool]]) -> Finding:
    """Whether the Bluetooth service runs, lets this person in, and has an adapter that is on."""
    name = "permissions"
    try:
        adapters = ask()
    except TimeoutError:
        return _fail(name, words.NO_ANSWER)
    except BusError as error:
        match error.name.rpartition(".")[2]:
            case "":
                return _fail(name, words.BUS_UNREACHABLE.format(detail=error.detail))
            case "ServiceUnknown" | "NameHasNoOwner":
                return _fail(name, words.NO_SERVICE)
            case "AccessDenied" | "NotAuthorized":
                return _fail(name, words.NO_PERMISSION)
            case detail:
                return _fail(name, words.SERVICE_FAILED.format(detail=detail))
    on = [adapter for adapter, powered in adapters.items() if powered]
    if on:
        return _ok(name, words.SERVICE_WELL.format(adapter=on[0]))
    if adapters:
        return _fail(name, words.SERVICE_OFF.format(adapter=next(iter(adapters))))
    return _fail(name, words.SERVICE_NO_ADAPTER)


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except OSError:
        return ""


# --- reminders, notifications, Home Assistant -------------------------------------------------------------------------


def notifications(
    chosen: Settings,
    system: str,
    environ: Mapping[str, str],
    which: Callable[[str], str | None] = shutil.which,
) -> Finding:
    """Whether this computer can show a notification; none is shown."""
    name = "notifications"
    if chosen.notifications.system == "off":
        return _ok(name, words.NOTIFICATIONS_OFF)
    program = {"darwin": "osascript", "win32": "powershell.exe"}.get(system, "notify-send")
    if which(program) is None:
        return _warn(name, words.NOTIFICATIONS_NONE.format(program=program))
    if program == "notify-send" and not (environ.get("DBUS_SESSION_BUS_ADDRESS") or environ.get("XDG_RUNTIME_DIR")):
        return _warn(name, words.NOTIFICATIONS_NO_DESKTOP)
    return _ok(name, words.NOTIFICATIONS_WELL.format(program=program))


def sound(chosen: Settings, speaker: Speaker) -> Finding:
    """What is heard of a session, and what of that this computer cannot do; nothing is played."""
    name = "sound"
    if chosen.sound.cues != "sound":
        return _ok(name, words.SOUND_OFF if chosen.sound.cues == "off" else words.SOUND_BELL)
    if speaker.is_elsewhere:
        return _warn(name, words.SOUND_ELSEWHERE)
    if speaker.player is None:
        return _warn(name, words.SOUND_NONE.format(players=", ".join(speaker.players)))
    return _ok(name, words.SOUND_WELL.format(player=speaker.player))


def reminders(machine: Machine, job: Job) -> Finding:
    """How it stands with the computer's timer; none is a choice and no lack."""
    name = "reminders"
    try:
        found = timer_status(machine, job)
    except TimerError as error:
        return _warn(name, str(error))
    return Finding(name, Grade.OK if found.state in (State.INSTALLED, State.ABSENT) else Grade.WARN, found.text)


def mqtt(chosen: Settings, environ: Mapping[str, str]) -> Finding:
    """Whether the password can be had and the broker lets the companion in. Takes 15 s with one that does not answer.

    What is wrong with it is never in a session's way, and so a remark.
    """
    name = "Home Assistant"
    link = chosen.mqtt
    if not link.enabled:
        return _ok(name, words.MQTT_OFF)
    from companion.integrations.mqtt import try_broker  # noqa: PLC0415 - aiomqtt, for those who use it
    from companion.integrations.mqtt_secrets import read_password, tls_context  # noqa: PLC0415 - as above
    from companion.integrations.mqtt_settings import with_device_id  # noqa: PLC0415 - as above

    try:
        read_password(link, environ=environ)
        tls_context(link)
    except CompanionError as error:
        return _warn(name, str(error))
    reached, line = try_broker(with_device_id(link, lambda _: None), environ=environ)
    return _ok(name, line) if reached else _warn(name, line)


# --- terminal ---------------------------------------------------------------------------------------------------------


def terminal(out: TextIO, environ: Mapping[str, str]) -> Iterator[Finding]:
    """What the terminal behind ``out`` can do: colours, size, characters; one line where there is none."""
    if not out.isatty():
        yield _ok("terminal", words.NO_TERMINAL)
        return
    yield _colours(environ)
    columns, lines = os.get_terminal_size(out.fileno())
    small = columns < _LEAST_SIZE[0] or lines < _LEAST_SIZE[1]
    size = (words.SIZE_SMALL if small else words.SIZE).format(columns=columns, lines=lines)
    yield Finding("size", Grade.WARN if small else Grade.OK, size)
    encoding = (out.encoding or "").upper()
    if encoding.replace("-", "") == "UTF8":
        yield _ok("characters", words.CHARACTERS.format(encoding=encoding))
    else:
        yield _warn("characters", words.CHARACTERS_FEW.format(encoding=encoding))


def _colours(environ: Mapping[str, str]) -> Finding:
    name = "colours"
    term = environ.get("TERM", "")
    if term in {"", "dumb", "unknown"}:
        return _warn(name, words.COLOURS_DUMB.format(term=term))
    if environ.get("NO_COLOR"):
        return _ok(name, words.COLOURS_NONE_WANTED)
    if environ.get("COLORTERM") in {"truecolor", "24bit"} or term.endswith("-direct"):
        return _ok(name, words.COLOURS_FULL)
    if "256color" in term:
        return _ok(name, words.COLOURS_256)
    return _warn(name, words.COLOURS_FEW.format(term=term))
