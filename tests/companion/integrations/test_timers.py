"""The system's timers: files that say exactly what is meant, set up once, and gone without a trace when removed."""

from __future__ import annotations

import plistlib
import re
import shlex
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion.config import Exit
from companion.integrations.timers import (
    LABEL,
    UNIT,
    Job,
    Machine,
    Ran,
    State,
    TimerError,
    install,
    launchd_agent,
    remove,
    run_command,
    status,
    systemd_service,
    systemd_timer,
    windows_task,
)

HARD_NAMES = [
    "/opt/plain/python",
    "/home/ada lovelace/my apps/python",
    "/home/100% pure/%h/%%/python",
    "/home/\"quoted\" and 'single'/python",
    "/home/back\\slash\\n/end\\",
    "/home/$USER/${HOME}/$$/python",
    "/home/Zoë/日本語/🎈/python",
    "/home/a&b<c>d]]>/python;#!{}*?~`|",
    "/home/ leading and trailing ",
]
ids = range(len(HARD_NAMES))

printable = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), max_size=40)
JOB = Job(("/opt/py/bin/python", "-m", "companion", "remind", "--once"))


# --- readers of the formats, written from their specifications --------------------------------------------------------


def systemd_words(line: str) -> list[str]:
    """Split a value into words: systemd.syntax(7) "Quoting", then specifiers as in systemd.unit(5)."""
    words: list[str] = []
    rest = line
    while rest := rest.lstrip(" \t"):
        quote = rest[0] if rest[0] in "\"'" else ""
        rest = rest[len(quote) :]
        word = ""
        while rest and (rest[0] != quote if quote else rest[0] not in " \t"):
            if rest[0] == "\\":
                word += {"\\": "\\", '"': '"', "'": "'", "s": " ", "n": "\n", "t": "\t"}[rest[1]]
                rest = rest[2:]
            else:
                word += rest[0]
                rest = rest[1:]
        if quote:
            assert rest[:1] == quote, f"unbalanced quotes in {line!r}"
            rest = rest[1:]
            assert rest[:1] in {"", " ", "\t"}, "a closing quote is followed by white space"
        for specifier in re.findall("%.?", word):
            assert specifier == "%%", f"{specifier} would be expanded"
        words.append(word.replace("%%", "%"))
    return words


def systemd_values(text: str, name: str) -> list[str]:
    return [line.partition("=")[2] for line in text.splitlines() if line.startswith(f"{name}=")]


def windows_words(line: str) -> list[str]:
    """Split arguments as the Microsoft C run-time does: backslashes count before a quote alone."""
    words, word, quoted, begun = [], "", False, False
    for match in re.finditer(r'(\\*)"|(\\+)|([ \t])|(.)', line, re.DOTALL):
        slashes, plain, blank, other = match.groups()
        if match[0].endswith('"'):
            word += "\\" * (len(slashes) // 2)
            if len(slashes) % 2:
                word += '"'
            else:
                quoted, begun = not quoted, True
        elif blank and not quoted:
            words += [word] if begun or word else []
            word, begun = "", False
        else:
            word += plain or blank or other
    return words + ([word] if begun or word else [])


# --- what the files say -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HARD_NAMES, ids=ids)
def test_a_systemd_service_runs_exactly_what_was_meant(name: str) -> None:
    check_systemd(Job((name, "-m", name, ""), {"COMPANION_DATA": name}))


@given(printable, printable)
def test_a_systemd_service_keeps_any_printable_text(first: str, second: str) -> None:
    check_systemd(Job((f"/{first.replace('=', '')}", second), {"COMPANION_DATA": second}))


def test_a_program_that_env_would_take_for_a_variable_is_refused() -> None:
    check_systemd(Job(("/home/a=b/python",)))
    with pytest.raises(TimerError, match="holds a character"):
        systemd_service(Job(("/home/a='b'/python",)))


def check_systemd(job: Job) -> None:
    text = systemd_service(job)
    (command,) = systemd_values(text, "ExecStart")
    program, *arguments = systemd_words(command)
    assert program[0] == ":", "or variables would be substituted"
    if any(character in job.argv[0] for character in "\"'\\"):
        assert program[1:] == "/usr/bin/env"  # systemd takes no program with such a name
        program = f":{arguments.pop(0)}"
    assert (program[1:], *arguments) == job.argv
    settings = [systemd_words(value) for value in systemd_values(text, "Environment")]
    assert settings == [[f"{key}={value}"] for key, value in job.environment.items()]
    assert systemd_values(text, "Type") == ["oneshot"]


def test_a_systemd_timer_looks_every_five_minutes_and_makes_up_for_a_sleep() -> None:
    text = systemd_timer()
    assert systemd_values(text, "OnCalendar") == ["*:0/5"]
    assert systemd_values(text, "Persistent") == ["true"]
    assert systemd_values(text, "AccuracySec") == ["30s"]
    assert systemd_values(text, "WantedBy") == ["timers.target"]


@pytest.mark.parametrize("name", HARD_NAMES, ids=ids)
def test_a_launchd_agent_runs_exactly_what_was_meant(name: str) -> None:
    job = Job((name, "-m", name), {"COMPANION_DATA": name})
    agent = plistlib.loads(launchd_agent(job))
    assert tuple(agent["ProgramArguments"]) == job.argv
    assert agent["EnvironmentVariables"] == {"COMPANION_DATA": name}
    assert (agent["Label"], agent["StartInterval"]) == (LABEL, 300)
    assert "EnvironmentVariables" not in plistlib.loads(launchd_agent(JOB))


@given(printable, printable)
def test_a_launchd_agent_keeps_any_printable_text(first: str, second: str) -> None:
    job = Job((first, second), {"COMPANION_DATA": second})
    agent = plistlib.loads(launchd_agent(job))
    assert (tuple(agent["ProgramArguments"]), agent["EnvironmentVariables"]) == (job.argv, job.environment)


def task(data: bytes) -> Callable[[str], str]:
    """Reads an element of a task by its path; every element is in the schema's namespace."""
    assert data[:2] == b"\xff\xfe", "UTF-16 with its mark, as Task Scheduler wants it"
    root = ET.fromstring(data)  # noqa: S314 - rendered by the code under test
    names = {"t": "http://schemas.microsoft.com/windows/2004/02/mit/task"}

    def text(path: str) -> str:
        found = root.find("/".join(f"t:{part}" for part in path.split("/")), names)
        assert found is not None, path
        return found.text or ""

    return text


@pytest.mark.parametrize("name", [name for name in HARD_NAMES if name.count("%") < 2], ids=range(len(HARD_NAMES) - 1))
def test_a_windows_task_runs_exactly_what_was_meant(name: str) -> None:
    job = Job((name, "-m", name, ""))
    text = task(windows_task(job, "HOME\\Zoë & co"))
    assert text("Actions/Exec/Command") == name
    assert windows_words(text("Actions/Exec/Arguments")) == ["-m", name, ""]
    assert text("Principals/Principal/UserId") == "HOME\\Zoë & co"


@given(printable.filter(lambda text: "%" not in text and "$(" not in text))
def test_a_windows_task_keeps_any_printable_text(word: str) -> None:
    text = task(windows_task(Job((f"C:\\{word}", word)), "ada"))
    assert text("Actions/Exec/Command") == f"C:\\{word}"
    assert windows_words(text("Actions/Exec/Arguments")) == [word]


def test_a_windows_task_goes_on_on_batteries_and_without_end_and_with_no_rights() -> None:
    text = task(windows_task(JOB, "ada"))
    assert text("Triggers/TimeTrigger/Repetition/Interval") == "PT5M"
    assert text("Settings/DisallowStartIfOnBatteries") == text("Settings/StopIfGoingOnBatteries") == "false"
    assert text("Settings/StartWhenAvailable") == "true"
    assert text("Settings/MultipleInstancesPolicy") == "IgnoreNew"
    assert text("Principals/Principal/RunLevel") == "LeastPrivilege"
    assert text("Principals/Principal/LogonType") == "InteractiveToken"


@pytest.mark.parametrize("name", ["C:\\%PATH%\\python.exe", "C:\\$(Arg0)\\python.exe"], ids=["percent", "dollar"])
def test_what_task_scheduler_would_read_as_a_variable_is_refused(name: str) -> None:
    with pytest.raises(TimerError, match="would read a variable"):
        windows_task(Job((name,)), "ada")


@pytest.mark.parametrize("bad", ["a\nb", "a\x00b", "a\x7fb", "a\udcffb", "a\uffffb"], ids=range(5))
def test_what_no_format_holds_is_refused_by_each(bad: str) -> None:
    for job in (Job((bad,)), Job(("/python",), {"COMPANION_DATA": bad})):
        for render in (systemd_service, launchd_agent, lambda job: windows_task(job, "ada")):
            with pytest.raises(TimerError, match="holds a character"):
                render(job)


@pytest.mark.parametrize("name", HARD_NAMES, ids=ids)
def test_the_line_for_a_crontab_runs_exactly_what_was_meant(name: str) -> None:
    line = Job((name, "remind"), {"COMPANION_DATA": name}).line()
    times, command = line[:11], line[12:]
    assert times == "*/5 * * * *"
    assert re.findall(r"(?<!\\)%", command) == []
    assert shlex.split(command.replace("\\%", "%")) == [f"COMPANION_DATA={name}", name, "remind"]


def test_the_job_is_this_python_with_the_data_folder_that_is_in_force(tmp_path: Path) -> None:
    assert Job.this(executable="/py", environ={}).argv == ("/py", "-m", "companion", "remind", "--once")
    assert Job.this(executable="/py", environ={}).environment == {}
    moved = Job.this(executable="/py", environ={"COMPANION_DATA": str(tmp_path), "SECRET": "x"})
    assert moved.environment == {"COMPANION_DATA": str(tmp_path)}
    relative = Job.this(executable="/py", environ={"COMPANION_DATA": "here"})
    assert relative.environment == {"COMPANION_DATA": str(Path.cwd() / "here")}


def test_on_windows_no_console_window_opens_where_there_is_a_python_without_one(tmp_path: Path) -> None:
    console = tmp_path / "python.exe"
    console.touch()
    assert Job.this(executable=str(console), environ={}, platform="win32").argv[0] == str(console)
    (tmp_path / "pythonw.exe").touch()
    assert Job.this(executable=str(console), environ={}, platform="win32").argv[0] == str(tmp_path / "pythonw.exe")
    assert Job.this(executable=str(console), environ={}, platform="linux").argv[0] == str(console)


# --- a computer to set timers up on -----------------------------------------------------------------------------------


@dataclass
class System:
    """Stands in for systemctl, launchctl and schtasks: does what they do to files, and fails when told to."""

    home: Path
    fails: dict[str, Ran] = field(default_factory=dict)
    ran: list[tuple[str, ...]] = field(default_factory=list)
    loaded: bool = False
    task: bytes | None = None

    def run(self, argv: Sequence[str]) -> Ran:
        self.ran.append(tuple(argv))
        program, *arguments = argv
        verb = arguments[1] if program == "systemctl" else arguments[0]
        failure = self.fails.get(verb) or self.fails.get(program)
        return failure or getattr(self, program)(verb, arguments)

    def systemctl(self, verb: str, arguments: list[str]) -> Ran:
        assert arguments[0] == "--user"
        folder = self.home / ".config/systemd/user"
        link = folder / "timers.target.wants" / f"{UNIT}.timer"
        stamp = self.home / f".local/share/systemd/timers/stamp-{UNIT}.timer"
        if verb == "enable":
            assert arguments[2] == "--now"
            for path in (link, stamp):
                path.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(folder / f"{UNIT}.timer")
            stamp.touch()
            self.loaded = True
        elif verb == "disable":
            link.unlink(missing_ok=True)
            self.loaded = False
        elif verb in {"is-active", "is-enabled"}:
            return Ran(0 if self.loaded else 3)
        return Ran(0)

    def launchctl(self, verb: str, arguments: list[str]) -> Ran:
        if verb == "print":
            return Ran(0 if self.loaded else 113)
        if verb == "bootstrap":
            assert arguments[1] == "gui/501"
            assert Path(arguments[2]).is_file()
            if self.loaded:
                return Ran(5, "Bootstrap failed: 5: Input/output error\nTry re-running the command as root")
            self.loaded = True
        elif verb == "bootout":
            assert arguments[1] == f"gui/501/{LABEL}"
            self.loaded = False
        return Ran(0)

    def schtasks(self, verb: str, arguments: list[str]) -> Ran:
        assert arguments[1:3] == ["/TN", "Microcurrent Companion reminders (ada)"]
        if verb == "/Create":
            self.task = Path(arguments[4]).read_bytes()
        elif self.task is None:
            return Ran(1, "ERROR: The system cannot find the file specified.")
        elif verb == "/Delete":
            self.task = None
        elif "/XML" in arguments:
            return Ran(0, self.task.decode("utf-16"))
        return Ran(0)


@dataclass
class Place:
    """A home folder with a system: ``machine`` is what the timers are given."""

    system: System
    machine: Machine

    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.system.home)) for path in self.system.home.rglob("*"))

    def verbs(self) -> list[str]:
        return [argv[2] if argv[0] == "systemctl" else argv[1] for argv in self.system.ran]


def place(home: Path, platform: str) -> Place:
    system = System(home)
    environ = {"USERNAME": "ada", "USERDOMAIN": "HOME"}
    return Place(system, Machine(platform, home, environ, 501, system.run))


@pytest.fixture(params=["linux", "darwin", "win32"])
def any_place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return place(tmp_path, request.param)


@pytest.fixture
def linux(tmp_path: Path) -> Place:
    return place(tmp_path, "linux")


@pytest.fixture
def mac(tmp_path: Path) -> Place:
    return place(tmp_path, "darwin")


@pytest.fixture
def windows(tmp_path: Path) -> Place:
    return place(tmp_path, "win32")


def test_it_is_absent_then_installed_then_absent_and_nothing_is_left(any_place: Place) -> None:
    machine = any_place.machine
    assert status(machine, JOB).state is State.ABSENT
    (said,) = install(machine, JOB)
    assert "every 5 minutes" in said
    assert status(machine, JOB).state is State.INSTALLED
    (said,) = remove(machine, JOB)
    assert "nothing of them is left" in said
    assert status(machine, JOB).state is State.ABSENT
    folders_of_everybody = {".config", ".local", ".local/share", "Library", "AppData", "AppData/Local"}
    assert set(any_place.files()) <= folders_of_everybody


def test_to_install_twice_is_the_same_as_once(any_place: Place) -> None:
    install(any_place.machine, JOB)
    once = [(name, contents(any_place, name)) for name in any_place.files()]
    assert install(any_place.machine, JOB) == install(any_place.machine, JOB)
    assert [(name, contents(any_place, name)) for name in any_place.files()] == once
    assert status(any_place.machine, JOB).state is State.INSTALLED


def contents(where: Place, name: str) -> bytes:
    path = where.system.home / name
    return path.read_bytes() if path.is_file() else b""


def test_to_remove_what_is_not_there_is_fine(any_place: Place) -> None:
    remove(any_place.machine, JOB)
    remove(any_place.machine, JOB)
    assert any_place.files() == []


def test_a_timer_of_another_copy_is_told_and_put_right(any_place: Place) -> None:
    install(any_place.machine, JOB)
    other = Job(("/elsewhere/python", *JOB.argv[1:]))
    told = status(any_place.machine, other)
    assert (told.state, "`companion reminders install`" in told.text) == (State.OUTDATED, True)
    install(any_place.machine, other)
    assert status(any_place.machine, other).state is State.INSTALLED


def test_what_the_system_was_told_to_forget_is_told(any_place: Place) -> None:
    install(any_place.machine, JOB)
    any_place.system.loaded = False
    if any_place.system.task is not None:
        switched_off = any_place.system.task.decode("utf-16").replace("<Enabled>true", "<Enabled>false")
        any_place.system.task = switched_off.encode("utf-16")
    assert status(any_place.machine, JOB).state is State.NOT_RUNNING
    install(any_place.machine, JOB)
    assert status(any_place.machine, JOB).state is State.INSTALLED


def test_a_refusal_is_one_line_and_leaves_nothing_behind(any_place: Place) -> None:
    for verb in ("enable", "bootstrap", "/Create"):
        any_place.system.fails[verb] = Ran(1, "\nERROR: Access is denied.\nmore\n")
    with pytest.raises(TimerError, match=r"refused \(ERROR: Access is denied\)") as refusal:
        install(any_place.machine, JOB)
    assert "\n" not in str(refusal.value)
    assert refusal.value.exit_code is Exit.FAULT
    assert [name for name in any_place.files() if UNIT in name or LABEL in name] == []


def test_a_system_without_its_command_is_told_in_one_line(any_place: Place) -> None:
    for program in ("systemctl", "launchctl", "schtasks"):
        any_place.system.fails[program] = Ran(127)
    with pytest.raises(TimerError, match=r"there is no systemd|was not found"):
        install(any_place.machine, JOB)
    assert [name for name in any_place.files() if UNIT in name or LABEL in name] == []
    remove(any_place.machine, JOB)


def test_a_refused_removal_says_what_to_do_instead(any_place: Place) -> None:
    install(any_place.machine, JOB)
    for verb in ("disable", "bootout", "/Delete"):
        any_place.system.fails[verb] = Ran(1, "no")
    with pytest.raises(TimerError, match=r"log out once|delete them in Task Scheduler"):
        remove(any_place.machine, JOB)


def test_a_folder_that_cannot_be_made_is_named(any_place: Place) -> None:
    for name in (".config", "Library", "AppData"):
        (any_place.system.home / name).write_text("in the way")
    with pytest.raises(TimerError, match="cannot be written"):
        install(any_place.machine, JOB)


def test_a_system_that_is_none_of_the_three_is_told_what_to_run(tmp_path: Path) -> None:
    machine = place(tmp_path, "freebsd14").machine
    for act in (install, remove, status):
        with pytest.raises(TimerError, match=r"freebsd14.*/opt/py/bin/python -m companion remind --once"):
            act(machine, JOB)
    assert list(tmp_path.iterdir()) == []


# --- systemd ----------------------------------------------------------------------------------------------------------


def test_systemd_reads_the_units_anew_and_then_enables_the_timer(linux: Place) -> None:
    install(linux.machine, JOB)
    assert linux.system.ran == [
        ("systemctl", "--user", "daemon-reload"),
        ("systemctl", "--user", "enable", "--now", f"{UNIT}.timer"),
    ]
    folder = linux.system.home / ".config/systemd/user"
    assert (folder / f"{UNIT}.service").read_text() == systemd_service(JOB)
    assert (folder / f"{UNIT}.timer").read_text() == systemd_timer()
    assert stat.S_IMODE((folder / f"{UNIT}.service").stat().st_mode) == 0o600


def test_a_timer_with_other_times_is_restarted(linux: Place) -> None:
    install(linux.machine, JOB)
    (linux.system.home / f".config/systemd/user/{UNIT}.timer").write_text("[Timer]\nOnCalendar=hourly\n")
    assert status(linux.machine, JOB).state is State.OUTDATED
    linux.system.ran.clear()
    install(linux.machine, JOB)
    assert linux.verbs() == ["daemon-reload", "enable", "restart"]


@pytest.mark.parametrize(
    "said",
    [
        "Failed to connect to bus: No medium found",
        "Failed to connect to user scope bus via local transport: $DBUS_SESSION_BUS_ADDRESS and $XDG_RUNTIME_DIR …",
        "System has not been booted with systemd as init system (PID 1). Can't operate.",
    ],
    ids=["bus", "scope", "init"],
)
def test_without_a_session_of_systemd_there_is_another_way_and_nothing_is_left(linux: Place, said: str) -> None:
    linux.system.fails["systemctl"] = Ran(1, said)
    with pytest.raises(TimerError, match=r"log in on the computer itself") as refusal:
        install(linux.machine, JOB)
    assert str(refusal.value).endswith(JOB.line())
    assert not (linux.system.home / ".config/systemd").exists()


def test_a_failed_change_leaves_what_was_there(linux: Place) -> None:
    install(linux.machine, JOB)
    before = [(name, contents(linux, name)) for name in linux.files()]
    linux.system.fails["daemon-reload"] = Ran(1, "no")
    with pytest.raises(TimerError):
        install(linux.machine, Job(("/elsewhere/python",)))
    assert [(name, contents(linux, name)) for name in linux.files()] == before


def test_removing_without_a_session_still_takes_every_file(linux: Place) -> None:
    install(linux.machine, JOB)
    linux.system.fails["systemctl"] = Ran(1, "Failed to connect to bus: No medium found")
    remove(linux.machine, JOB)
    assert [name for name in linux.files() if UNIT in name or "systemd" in name] == []


def test_what_else_is_in_the_folders_stays(linux: Place) -> None:
    other = linux.system.home / ".config/systemd/user/other.timer"
    install(linux.machine, JOB)
    other.write_text("[Timer]")
    remove(linux.machine, JOB)
    assert other.read_text() == "[Timer]"


def test_a_moved_configuration_folder_is_used_and_a_relative_one_ignored(linux: Place) -> None:
    home = linux.system.home
    moved = replace(linux.machine, environ={"XDG_CONFIG_HOME": str(home / "moved"), "XDG_DATA_HOME": "relative"})
    install(moved, JOB)
    assert (home / f"moved/systemd/user/{UNIT}.timer").exists()
    install(replace(moved, environ={"XDG_CONFIG_HOME": "relative"}), JOB)
    assert (home / f".config/systemd/user/{UNIT}.timer").exists()


# --- launchd ----------------------------------------------------------------------------------------------------------


def test_launchd_is_given_the_agent_of_this_user(mac: Place) -> None:
    install(mac.machine, JOB)
    agent = mac.system.home / f"Library/LaunchAgents/{LABEL}.plist"
    assert agent.read_bytes() == launchd_agent(JOB)
    assert mac.system.ran[-1] == ("launchctl", "bootstrap", "gui/501", str(agent))


def test_an_agent_that_runs_as_it_should_is_left_alone(mac: Place) -> None:
    install(mac.machine, JOB)
    mac.system.ran.clear()
    install(mac.machine, JOB)
    assert mac.verbs() == ["print"]


def test_a_failed_change_brings_the_old_agent_back(mac: Place) -> None:
    install(mac.machine, JOB)
    mac.system.fails["bootstrap"] = Ran(5, "Bootstrap failed: 5: Input/output error\nTry re-running as root")
    with pytest.raises(TimerError, match=r"refused \(Bootstrap failed: 5: Input/output error\)"):
        install(mac.machine, Job(("/elsewhere/python",)))
    assert (mac.system.home / f"Library/LaunchAgents/{LABEL}.plist").read_bytes() == launchd_agent(JOB)
    assert mac.verbs()[-1] == "bootstrap"


@pytest.mark.parametrize(
    "ran",
    [Ran(125, "Bootstrap failed: 125: Domain does not support specified action"), Ran(1, "Could not find domain for")],
    ids=["unsupported", "unknown"],
)
def test_without_a_login_at_the_screen_the_person_is_told_where_to_do_it(mac: Place, ran: Ran) -> None:
    mac.system.fails["bootstrap"] = ran
    with pytest.raises(TimerError, match="logged in at this Mac's own screen"):
        install(mac.machine, JOB)
    assert mac.files() == ["Library"]


def test_an_agent_whose_file_is_gone_but_runs_is_outdated_and_can_be_removed(mac: Place) -> None:
    mac.system.loaded = True
    assert status(mac.machine, JOB).state is State.OUTDATED
    remove(mac.machine, JOB)
    assert not mac.system.loaded


# --- Task Scheduler ---------------------------------------------------------------------------------------------------


def test_task_scheduler_is_given_a_file_that_is_gone_afterwards(windows: Place) -> None:
    install(windows.machine, JOB)
    assert windows.system.task == windows_task(JOB, "HOME\\ada")
    assert windows.files() == ["AppData", "AppData/Local"]
    (create,) = windows.system.ran
    assert create[-1] == "/F"


def test_the_file_is_gone_after_a_refusal_too(windows: Place) -> None:
    windows.system.fails["/Create"] = Ran(1, "ERROR: Access is denied.")
    with pytest.raises(TimerError):
        install(windows.machine, JOB)
    assert windows.files() == ["AppData", "AppData/Local"]


def test_a_data_folder_that_task_scheduler_cannot_hand_on_is_told(windows: Place) -> None:
    _, note = install(windows.machine, replace(JOB, environment={"COMPANION_DATA": "D:\\data"}))
    assert 'setx COMPANION_DATA "D:\\data"' in note


def test_letters_that_the_console_lost_do_not_make_it_another_copy(windows: Place) -> None:
    job = Job(("C:\\Zoë & co\\python.exe", *JOB.argv[1:]))
    install(windows.machine, job)
    assert windows.system.task is not None
    windows.system.task = windows.system.task.decode("utf-16").replace("ë", "?").encode("utf-16")
    assert status(windows.machine, job).state is State.INSTALLED


# --- real commands ----------------------------------------------------------------------------------------------------


def commands() -> Iterator[tuple[str, Sequence[str], Ran]]:
    yield "output", [sys.executable, "-c", "print('a  b'); raise SystemExit(3)"], Ran(3, "a  b\n")
    yield "no shell", [sys.executable, "-c", "import sys; print(sys.argv[1])", "$HOME; *"], Ran(0, "$HOME; *\n")
    yield "no input", [sys.executable, "-c", "print(repr(input.__self__.open(0).read()))"], Ran(0, "''\n")
    missing = "no-such-command-anywhere"
    yield "missing", [missing], Ran(127, f"{missing}: not found")


@pytest.mark.parametrize(("argv", "ran"), [pytest.param(argv, ran, id=name) for name, argv, ran in commands()])
def test_commands_run_without_shell_and_input_and_never_raise(argv: Sequence[str], ran: Ran) -> None:
    assert run_command(argv) == ran


def test_a_file_that_cannot_be_run_is_a_failed_command(tmp_path: Path) -> None:
    ran = run_command([str(tmp_path)])
    assert ran.code == 1
    assert ran.detail


def test_a_command_that_says_nothing_is_told_by_its_code() -> None:
    assert Ran(4, "\n").detail == "exit code 4"


def test_this_computer_is_described_without_asking_it_anything() -> None:
    machine = Machine.this()
    assert (machine.platform, machine.home, machine.run) == (sys.platform, Path.home(), run_command)
