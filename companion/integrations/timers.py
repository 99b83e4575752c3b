"""The system's own timer, so that reminders come whether or not the app is open: systemd, launchd or Task Scheduler.

Writes in the person's own folders alone, runs the system's commands without a shell, and leaves nothing when removed.
Knows neither what is due nor how to tell it: the timer runs ``companion remind --once``, and that is all it can do.
"""

from __future__ import annotations

import contextlib
import os
import plistlib
import shlex
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol
from xml.sax.saxutils import escape

from companion.config import DATA_VARIABLE, CompanionError
from companion.words import reminders as words

EVERY_MINUTES: Final = 5
"""How often the timer looks; a divisor of 60."""

UNIT: Final = "microcurrent-companion-reminders"
LABEL: Final = "microcurrent-companion.reminders"

_NOT_FOUND = 127  # as shells count
_PATIENCE_S = 30.0
_TASK = """<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>{about}</Description>
  </RegistrationInfo>
  <Triggers>
    <TimeTrigger>
      <Repetition>
        <Interval>PT{minutes}M</Interval>
        <StopAtDurationEnd>false</StopAtDurationEnd>
      </Repetition>
      <StartBoundary>2020-01-01T00:00:00</StartBoundary>
      <Enabled>true</Enabled>
    </TimeTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author">
      <UserId>{user}</UserId>
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <StartWhenAvailable>true</StartWhenAvailable>
    <ExecutionTimeLimit>PT2M</ExecutionTimeLimit>
    <Enabled>true</Enabled>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>{command}</Command>
      <Arguments>{arguments}</Arguments>
    </Exec>
  </Actions>
</Task>
"""


class TimerError(CompanionError):
    """The system's timer cannot be set up, asked or removed; the message is one line for the person."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended: its exit code (127: there is no such command), and what it printed."""

    code: int
    output: str = ""

    @property
    def detail(self) -> str:
        """The first line that it printed, or its code."""
        lines = [line.strip().rstrip(".") for line in self.output.splitlines() if line.strip()]
        return lines[0] if lines else f"exit code {self.code}"


def run_command(argv: Sequence[str]) -> Ran:
    """Run ``argv`` without a shell and without input; see :class:`Ran`."""
    try:
        done = subprocess.run(  # noqa: S603 - a fixed system command with arguments of our own; no shell
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_PATIENCE_S,
            check=False,
        )
    except FileNotFoundError:
        return Ran(_NOT_FOUND, f"{argv[0]}: not found")
    except (OSError, subprocess.TimeoutExpired) as error:
        return Ran(1, str(error))
    return Ran(done.returncode, done.stdout.decode(errors="replace"))


@dataclass(frozen=True, slots=True)
class Job:
    """What the timer runs: program and arguments, and the environment variables that it needs."""

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def this(
        cls,
        *,
        executable: str = sys.executable,
        environ: Mapping[str, str] = os.environ,
        platform: str = sys.platform,
    ) -> Job:
        """``companion remind --once`` with this very Python, and the data folder that is in force now."""
        program = Path(executable)
        if platform == "win32":
            # python.exe would open a console window every few minutes.
            windowless = program.with_name(program.name.lower().replace("python", "pythonw", 1))
            program = windowless if windowless.exists() else program
        data = environ.get(DATA_VARIABLE)
        # Absolute, as companion.config reads it: the timer runs in another working directory.
        environment = {DATA_VARIABLE: str(Path(data).expanduser().absolute())} if data else {}
        return cls((str(program), "-m", "companion", "remind", "--once"), environment)

    def line(self) -> str:
        """The job as a line of a crontab, in which ``%`` would end the command (crontab(5))."""
        settings = [f"{name}={shlex.quote(value)}" for name, value in self.environment.items()]
        command = " ".join([*settings, shlex.join(self.argv)]).replace("%", "\\%")
        return f"*/{EVERY_MINUTES} * * * * {command}"


@dataclass(frozen=True, slots=True)
class Machine:
    """Where the timer is to be: the platform as ``sys.platform`` names it, the home folder, the environment, the user.

    ``run`` runs a command; tests give their own.
    """

    platform: str
    home: Path
    environ: Mapping[str, str]
    uid: int | None = None
    run: Callable[[Sequence[str]], Ran] = run_command

    @classmethod
    def this(cls) -> Machine:
        """This computer, for the user who runs the program."""
        uid = None if sys.platform == "win32" else os.getuid()
        return cls(sys.platform, Path.home(), os.environ, uid)


class State(StrEnum):
    """How it stands with the system's timer."""

    INSTALLED = "installed"
    OUTDATED = "outdated"
    NOT_RUNNING = "not running"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Status:
    """The timer's state, and one line about it for the person."""

    state: State
    text: str


def install(machine: Machine, job: Job) -> list[str]:
    """Set the timer up, or put it right; doing it twice is the same as once. Return what to tell the person.

    Raises:
        TimerError: the system has no such timer, has none for this session, or refuses; nothing is left behind.
    """
    return _system(machine, job).install(machine, job)


def remove(machine: Machine, job: Job) -> list[str]:
    """Take the timer and all of its files away, also where there is none. Return what to tell the person.

    Raises:
        TimerError: the system has no such timer, or refuses.
    """
    return _system(machine, job).remove(machine)


def status(machine: Machine, job: Job) -> Status:
    """Look whether the timer is there, runs, and runs this ``job``; changes nothing.

    Raises:
        TimerError: the system has no timer that the companion knows.
    """
    system = _system(machine, job)
    state = system.state(machine, job)
    text = {
        State.INSTALLED: words.INSTALLED.format(system=system.name, minutes=EVERY_MINUTES),
        State.OUTDATED: words.OUTDATED,
        State.NOT_RUNNING: words.NOT_RUNNING.format(system=system.name),
        State.ABSENT: words.NOT_INSTALLED,
    }[state]
    return Status(state, text)


# --- what the files hold ----------------------------------------------------------------------------------------------


def systemd_service(job: Job) -> str:
    """The service unit: systemd.service(5), quoted as in systemd.syntax(7).

    The colon before the program turns variables off (systemd 244), so that ``$`` is itself everywhere.

    Raises:
        TimerError: a value holds a character that a unit cannot.
    """
    _refuse_unprintable(job)
    argv = job.argv
    if any(character in "\"'\\" for character in argv[0]):
        # "Executable name contains special characters" is said of the program alone, not of what env is to run; and
        # env takes what has an equals sign for a variable.
        if "=" in argv[0]:
            raise TimerError(words.BAD_CHARACTER.format(value=argv[0]))
        argv = ("/usr/bin/env", *argv)
    command = " ".join(_systemd_quoted(word) for word in (f":{argv[0]}", *argv[1:]))
    environment = "".join(f"Environment={_systemd_quoted(f'{k}={v}')}\n" for k, v in job.environment.items())
    return f"[Unit]\nDescription={words.ABOUT}\n\n[Service]\nType=oneshot\n{environment}ExecStart={command}\n"


def systemd_timer() -> str:
    """The timer unit: systemd.timer(5). Persistent: what fell into a sleep or a shutdown is made up for once."""
    return (
        f"[Unit]\nDescription={words.ABOUT}\n\n[Timer]\nOnCalendar=*:0/{EVERY_MINUTES}\nAccuracySec=30s\n"
        "Persistent=true\n\n[Install]\nWantedBy=timers.target\n"
    )


def launchd_agent(job: Job) -> bytes:
    """The agent's property list: launchd.plist(5). What fell into a sleep is made up for once on waking.

    Raises:
        TimerError: a value holds a character that XML cannot.
    """
    _refuse_unprintable(job)
    agent: dict[str, object] = {
        "Label": LABEL,
        "ProgramArguments": list(job.argv),
        "StartInterval": EVERY_MINUTES * 60,
        "RunAtLoad": True,
        "ProcessType": "Background",
    }
    if job.environment:
        agent["EnvironmentVariables"] = dict(job.environment)
    return plistlib.dumps(agent)


def windows_task(job: Job, user: str) -> bytes:
    """The task for ``schtasks /Create /XML``: UTF-16, as Task Scheduler writes its own (MS-TSCH 2.5).

    It runs as ``user`` while they are logged in, with no more rights than they have, and has no end.

    Raises:
        TimerError: a value holds a character that XML cannot, or would be read as a variable, which has no escape.
    """
    _refuse_unprintable(job)
    for value in job.argv:
        if value.count("%") > 1 or "$(" in value:
            raise TimerError(words.BAD_VARIABLE.format(value=value))
    filled = _TASK.format(
        about=escape(words.ABOUT),
        minutes=EVERY_MINUTES,
        user=escape(user),
        command=escape(job.argv[0]),
        arguments=escape(subprocess.list2cmdline(job.argv[1:])),
    )
    return filled.replace("\n", "\r\n").encode("utf-16")


def _systemd_quoted(word: str) -> str:
    """One word of a command line or of Environment=: specifiers off, C escapes, in double quotes."""
    escaped = word.replace("%", "%%").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _refuse_unprintable(job: Job) -> None:
    """No format holds control characters, nor what stands for bytes that are no text (PEP 383)."""
    for value in (*job.argv, *job.environment.values()):
        if any(unicodedata.category(character) in {"Cc", "Cs"} or character in "\ufffe\uffff" for character in value):
            raise TimerError(words.BAD_CHARACTER.format(value=value))


# --- the three systems ------------------------------------------------------------------------------------------------


class _System(Protocol):
    name: str

    def install(self, machine: Machine, job: Job) -> list[str]: ...

    def remove(self, machine: Machine) -> list[str]: ...

    def state(self, machine: Machine, job: Job) -> State: ...


class _Systemd:
    name = "systemd"

    def install(self, machine: Machine, job: Job) -> list[str]:
        service, timer = self._units(machine)
        wanted = {service: systemd_service(job).encode(), timer: systemd_timer().encode()}
        before = {path: _read(path) for path in wanted}
        try:
            for path, content in wanted.items():
                _write(path, content)
            self._must(machine, job, "daemon-reload")
            self._must(machine, job, "enable", "--now", timer.name)
            if before[timer] not in (None, wanted[timer]):
                self._must(machine, job, "restart", timer.name)  # a timer that runs keeps its old times until then
        except TimerError:
            self._undo(machine, before)
            raise
        return [words.INSTALLED.format(system=self.name, minutes=EVERY_MINUTES)]

    def remove(self, machine: Machine) -> list[str]:
        units = self._units(machine)
        _, timer = units
        wants, stamp = self._traces(machine)
        there = any(os.path.lexists(path) for path in (*units, wants))
        stopped = self._systemctl(machine, "disable", "--now", timer.name) if there else Ran(0)
        for path in (wants, stamp, *units):
            _unlink(path)
        for folder in (wants.parent, timer.parent, timer.parent.parent, stamp.parent, stamp.parent.parent):
            _remove_if_empty(folder)
        if there:
            self._systemctl(machine, "daemon-reload")
        if stopped.code not in (0, _NOT_FOUND) and not _no_session(stopped):  # without systemd nothing runs either
            raise TimerError(words.NOT_REMOVED.format(command="systemctl", detail=stopped.detail))
        return [words.REMOVED.format(system=self.name)]

    def state(self, machine: Machine, job: Job) -> State:
        service, timer = self._units(machine)
        found = (_read(service), _read(timer))
        if found == (None, None):
            return State.ABSENT
        if found != (systemd_service(job).encode(), systemd_timer().encode()):
            return State.OUTDATED
        asked = [self._systemctl(machine, verb, timer.name) for verb in ("is-enabled", "is-active")]
        return State.NOT_RUNNING if any(ran.code for ran in asked) else State.INSTALLED

    def _units(self, machine: Machine) -> tuple[Path, Path]:
        folder = _base(machine, "XDG_CONFIG_HOME", ".config") / "systemd/user"
        return folder / f"{UNIT}.service", folder / f"{UNIT}.timer"

    def _traces(self, machine: Machine) -> tuple[Path, Path]:
        """What systemd makes of them: the link that enables the timer, and when a persistent timer ran last."""
        _, timer = self._units(machine)
        stamps = _base(machine, "XDG_DATA_HOME", ".local/share") / "systemd/timers"
        return timer.parent / "timers.target.wants" / timer.name, stamps / f"stamp-{timer.name}"

    def _undo(self, machine: Machine, before: Mapping[Path, bytes | None]) -> None:
        with contextlib.suppress(TimerError):  # what failed first is what the person hears of
            if all(content is None for content in before.values()):
                self.remove(machine)
                return
            for path, content in before.items():
                if content is None:
                    _unlink(path)
                else:
                    _write(path, content)
            self._systemctl(machine, "daemon-reload")

    def _systemctl(self, machine: Machine, *arguments: str) -> Ran:
        return machine.run(("systemctl", "--user", *arguments))

    def _must(self, machine: Machine, job: Job, *arguments: str) -> None:
        ran = self._systemctl(machine, *arguments)
        if ran.code == _NOT_FOUND:
            raise TimerError(words.NO_SYSTEMD.format(line=job.line()))
        if ran.code and _no_session(ran):
            raise TimerError(words.NO_SYSTEMD_SESSION.format(line=job.line()))
        if ran.code:
            raise TimerError(words.REFUSED.format(command="systemctl", detail=ran.detail))


def _no_session(ran: Ran) -> bool:
    """Whether systemctl found no manager of this user's. Its messages are not translated."""
    return ("connect to" in ran.output and "bus" in ran.output) or "not been booted with systemd" in ran.output


class _Launchd:
    name = "launchd"

    def install(self, machine: Machine, job: Job) -> list[str]:
        path, wanted = self._agent(machine), launchd_agent(job)
        before, loaded = _read(path), self._loaded(machine)
        if before != wanted or not loaded:
            _write(path, wanted)
            if loaded:
                self._launchctl(machine, "bootout", self._target(machine))
            ran = self._launchctl(machine, "bootstrap", self._domain(machine), str(path))
            if ran.code:
                self._undo(machine, before, loaded=loaded)
                raise TimerError(self._why(ran))
        return [words.INSTALLED.format(system=self.name, minutes=EVERY_MINUTES)]

    def remove(self, machine: Machine) -> list[str]:
        path = self._agent(machine)
        stopped = Ran(0)
        if self._loaded(machine):
            stopped = self._launchctl(machine, "bootout", self._target(machine))
        _unlink(path)
        _remove_if_empty(path.parent)
        if stopped.code:
            raise TimerError(words.NOT_REMOVED.format(command="launchctl", detail=stopped.detail))
        return [words.REMOVED.format(system=self.name)]

    def state(self, machine: Machine, job: Job) -> State:
        found, loaded = _read(self._agent(machine)), self._loaded(machine)
        if found is None:
            return State.OUTDATED if loaded else State.ABSENT
        if found != launchd_agent(job):
            return State.OUTDATED
        return State.INSTALLED if loaded else State.NOT_RUNNING

    def _agent(self, machine: Machine) -> Path:
        return machine.home / "Library/LaunchAgents" / f"{LABEL}.plist"

    def _domain(self, machine: Machine) -> str:
        return f"gui/{machine.uid}"

    def _target(self, machine: Machine) -> str:
        return f"{self._domain(machine)}/{LABEL}"

    def _loaded(self, machine: Machine) -> bool:
        return self._launchctl(machine, "print", self._target(machine)).code == 0

    def _launchctl(self, machine: Machine, *arguments: str) -> Ran:
        return machine.run(("launchctl", *arguments))

    def _undo(self, machine: Machine, before: bytes | None, *, loaded: bool) -> None:
        path = self._agent(machine)
        with contextlib.suppress(TimerError):
            if before is None:
                _unlink(path)
                _remove_if_empty(path.parent)
            else:
                _write(path, before)
                if loaded:
                    self._launchctl(machine, "bootstrap", self._domain(machine), str(path))

    def _why(self, ran: Ran) -> str:
        if ran.code == _NOT_FOUND:
            return words.NO_COMMAND.format(command="launchctl")
        # 125 Domain does not support specified action, 112 Could not find domain: no login at the screen, as by ssh
        if ran.code in (112, 125) or "domain" in ran.output.lower():
            return words.NO_LOGIN
        return words.REFUSED.format(command="launchctl", detail=ran.detail)


class _TaskScheduler:
    name = "Task Scheduler"

    def install(self, machine: Machine, job: Job) -> list[str]:
        file = _base(machine, "LOCALAPPDATA", "AppData/Local") / f"{UNIT}.xml"
        try:
            _write(file, windows_task(job, self._user(machine)))
            ran = self._schtasks(machine, "/Create", "/XML", str(file), "/F")
        finally:
            _unlink(file)
        if ran.code == _NOT_FOUND:
            raise TimerError(words.NO_COMMAND.format(command="schtasks"))
        if ran.code:
            raise TimerError(words.REFUSED.format(command="schtasks", detail=ran.detail))
        notes = [words.DATA_ELSEWHERE.format(name=name, value=value) for name, value in job.environment.items()]
        return [words.INSTALLED.format(system=self.name, minutes=EVERY_MINUTES), *notes]

    def remove(self, machine: Machine) -> list[str]:
        if self._schtasks(machine, "/Query").code == 0:
            ran = self._schtasks(machine, "/Delete", "/F")
            if ran.code:
                raise TimerError(words.TASK_NOT_REMOVED.format(command="schtasks", detail=ran.detail))
        return [words.REMOVED.format(system=self.name)]

    def state(self, machine: Machine, job: Job) -> State:
        ran = self._schtasks(machine, "/Query", "/XML")
        if ran.code:
            return State.ABSENT
        # The console's code page may have lost letters that are not ASCII.
        if _plain(escape(job.argv[0])) not in _plain(ran.output):
            return State.OUTDATED
        return State.NOT_RUNNING if "<Enabled>false</Enabled>" in ran.output else State.INSTALLED

    def _user(self, machine: Machine) -> str:
        domain, name = (machine.environ.get(variable, "") for variable in ("USERDOMAIN", "USERNAME"))
        return f"{domain}\\{name}" if domain else name

    def _schtasks(self, machine: Machine, verb: str, *arguments: str) -> Ran:
        # Tasks have one namespace for the whole computer: two people's must not meet.
        name = f"Microcurrent Companion reminders ({machine.environ.get('USERNAME', '')})"
        return machine.run(("schtasks", verb, "/TN", name, *arguments))


def _system(machine: Machine, job: Job) -> _System:
    if machine.platform.startswith("linux"):
        return _Systemd()
    if machine.platform == "darwin":
        return _Launchd()
    if machine.platform == "win32":
        return _TaskScheduler()
    raise TimerError(
        words.NO_SYSTEM.format(platform=machine.platform, minutes=EVERY_MINUTES, line=shlex.join(job.argv))
    )


# --- files ------------------------------------------------------------------------------------------------------------


def _base(machine: Machine, variable: str, usual: str) -> Path:
    """A folder that a variable may move; a relative path there is to be ignored (XDG Base Directory Specification)."""
    value = machine.environ.get(variable, "")
    return Path(value) if Path(value).is_absolute() else machine.home / usual


def _plain(text: str) -> str:
    return "".join(character for character in text if character.isascii() and character != "?")


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _write(path: Path, content: bytes) -> None:
    """Put ``content`` there whole or not at all, readable by its owner alone."""
    unfinished = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.unlink(missing_ok=True)
        descriptor = os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        unfinished.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise TimerError(words.NOT_WRITTEN.format(path=path, detail=error.strerror or error)) from error


def _unlink(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except NotADirectoryError:
        return  # then it is not there either
    except OSError as error:
        raise TimerError(words.NOT_DELETED.format(path=path, detail=error.strerror or error)) from error


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()
