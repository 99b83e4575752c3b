"""``companion run`` and ``companion scan``: a session without the app, in plain lines or as JSON.

Asks before the loop starts (:mod:`companion.before`), tells while it runs, and stops on every sign that nobody wants to
go on. Knows terminals and signals. Refuses to know rules (the door's and the engine's) and bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from companion.account import JsonAccount, Lines, PlainAccount
from companion.attention import Attention
from companion.before import Before, Terminal, keep_calendar
from companion.beside import Beside, link_beside
from companion.care.skin import PATCH_WAIT
from companion.commands.almanac import almanac_of
from companion.commands.pair import LinePairer
from companion.config import CompanionError, Exit, routines_folder
from companion.cues import Cues
from companion.dates import Calendar
from companion.device.connection import Connection
from companion.device.finder import SETTLE_S, Found, find
from companion.device.radio import RadioError, SystemRadio
from companion.integrations.notifications import Desktop
from companion.integrations.sound import Speaker
from companion.routines.library import Library, UnknownRoutineError
from companion.routines.model import RoutineError
from companion.session.engine import guided_s
from companion.session.exits import EXIT_OF_REASON
from companion.session.model import Feels, Intent, JournalKind, Phase, Reason, Sensation
from companion.session.opening import open_session, plan_for
from companion.session.runner import GuidedSession
from companion.settings.file import settings_file
from companion.store.database import Store
from companion.words import account as words
from companion.words import before as before_words
from companion.words import devices as device_words
from companion.words import plan as plan_words
from companion.words import skin as skin_words
from protocols.registry import Registry

if TYPE_CHECKING:
    from companion.almanac import Almanac
    from companion.before import Answers
    from companion.device.pairing import Pairer
    from companion.device.radio import Radio
    from companion.routines.model import Routine
    from companion.session.model import JournalEntry, Summary, View

T = TypeVar("T")

LOOK_S = 20.0
"""How long ``run`` looks for a device."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What ``companion run`` was asked for.

    ``speed`` is 1.0, a factor, or ``math.inf``; other than 1 in a demo alone. ``debug`` lets bleak tell what it does.
    ``person`` is whose session it is, None for whoever's turn it is. ``take`` and ``leave`` name optional steps of the
    routine that are taken or left out without being asked for.
    """

    routine: str
    demo: str | None
    style: Literal["plain", "json"]
    speed: float
    seed: int
    record: Path | None
    with_keys: bool
    yes: bool
    data_folder: Path
    debug: bool = False
    person: str | None = None
    take: frozenset[str] = frozenset()
    leave: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """What ``companion scan`` was asked for."""

    demo: str | None
    timeout_s: float
    json: bool = False


def run_session(options: RunOptions) -> int:
    """Guide one session; return the exit code.

    Raises:
        CompanionError: one line for the person, with its exit code.
    """
    _check_options(options)
    if options.debug:
        logging.basicConfig(level=logging.WARNING)
        logging.getLogger("bleak").setLevel(logging.DEBUG)
    terminal = Terminal(sys.stderr, sys.stdin, present=sys.stdin.isatty() and sys.stderr.isatty())
    calendar = Calendar.system()
    try:
        routine = Library([routines_folder()]).get(options.routine)
    except (UnknownRoutineError, RoutineError) as error:
        raise CompanionError(str(error), Exit.USAGE) from error
    demo, json = options.demo is not None, options.style == "json"
    with Store.open(options.data_folder, calendar, person=options.person) as store:
        if store.recover() and not json:
            terminal.tell(words.INTERRUPTED_BEFORE)
        if demo:
            store.diary.forget_skin()  # an imagined skin: what was tried last time must not end this one
        almanac = almanac_of(store, calendar, options.data_folder, demo=demo)
        before = Before(
            store,
            almanac,
            calendar,
            routine,
            terminal,
            demo=demo,
            yes=options.yes,
            json=json,
            take=options.take,
            leave=options.leave,
        )
        try:
            answers = before.ask()
            run = _Run(options, store, almanac, calendar, routine, answers=answers, terminal=terminal)
            return _in_time(run.main(), options.speed)
        finally:
            keep_calendar(almanac, terminal)


def run_scan(options: ScanOptions) -> int:
    """List the devices in reach; return the exit code.

    Raises:
        CompanionError: there is none, or the radio cannot look.
    """
    return _in_time(_scan(options), 1.0 if options.demo is None else math.inf)


def _check_options(options: RunOptions) -> None:
    if options.demo is None and options.speed != 1.0:
        raise CompanionError(words.SPEED_NEEDS_DEMO, Exit.USAGE)
    if options.demo is None and options.record is not None:
        raise CompanionError(words.RECORD_NEEDS_DEMO, Exit.USAGE)
    if options.record is None and options.with_keys:
        raise CompanionError(words.KEYS_NEED_RECORD, Exit.USAGE)


def _in_time(work: Coroutine[Any, Any, T], speed: float) -> T:
    if speed == 1.0:
        return asyncio.run(work)
    from companion.demo import run_at_speed  # noqa: PLC0415 - the test bench is for demos

    return run_at_speed(work, speed)


# --- a session --------------------------------------------------------------------------------------------------------


class _Run:
    """One ``companion run`` on its loop."""

    def __init__(
        self,
        options: RunOptions,
        store: Store,
        almanac: Almanac,
        calendar: Calendar,
        routine: Routine,
        *,
        answers: Answers,
        terminal: Terminal,
    ) -> None:
        self._options = options
        self._store = store
        self._almanac = almanac
        self._calendar = calendar
        self._routine = routine
        self._answers = answers
        self._terminal = terminal
        self._lines = Lines(sys.stdout, flush=options.speed != math.inf)
        self._plain = options.style == "plain"
        # Virtual time is over before anybody could press a key.
        self._attended = terminal.present and options.speed != math.inf
        # A demo that nobody watches answers for the face that is not there either.
        self._simulated_skin = options.demo is not None and not self._attended
        self._session: GuidedSession | None = None
        self._link_trouble = False
        self._confirms_itself = options.yes or not self._attended
        self._confirmed: int | None = None
        self._nobody_here = False
        self._paused_for = ""
        self._unread = False
        self._cues: Cues | None = None
        self._pairer: Pairer | None = None
        self._beside = Beside(None, None)

    async def main(self) -> int:
        """Find, connect, guide; return the exit code."""
        task = asyncio.current_task()
        with _signals(lambda: self._interrupted(task)):
            try:
                async with self._link() as self._beside:
                    radio = await self._radio()
                    try:
                        return await self._with(radio)
                    finally:
                        await radio.close()
                        if getattr(radio, "keys_left_out", False):
                            self._note(words.KEYS_LEFT_OUT.format(path=self._options.record))
            except RadioError as error:
                raise CompanionError(str(error), Exit.NO_DEVICE) from error
            except asyncio.CancelledError:
                # by a signal before there was a session, or while one was being ended
                return Exit.STOPPED_EARLY

    def _link(self) -> contextlib.AbstractAsyncContextManager[Beside]:
        """The link to Home Assistant, where it is set up. A demo in virtual time is over before anybody could look."""
        if self._options.speed == math.inf:
            return contextlib.nullcontext(self._beside)
        settings = settings_file(self._options.data_folder)
        return link_beside(settings, self._almanac, self._stopped_from_afar, self._note)

    def _stopped_from_afar(self) -> None:
        """Somebody pressed Stop in Home Assistant: as the key does it, and nothing where no session runs (H9)."""
        if self._session is not None:
            self._session.intend(Intent.STOP)

    def _note(self, line: str) -> None:
        """Tell a person something that is no part of the account."""
        if self._plain:
            self._terminal.tell(line)

    def _interrupted(self, task: asyncio.Task[Any] | None) -> None:
        """A signal: stop. Each one stops again."""
        if self._session is not None:
            self._session.intend(Intent.STOP)
        elif task is not None:
            task.cancel()

    async def _radio(self) -> Radio:
        options = self._options
        answers = self._attended and options.speed == 1.0  # nobody reads a code that counts for 30 s of hurried time
        if answers:
            self._pairer = LinePairer(self._terminal)
        if options.demo is None:
            return SystemRadio()
        from companion.demo import open_demo  # noqa: PLC0415 - the test bench is for demos

        radio = await open_demo(
            options.demo,
            options.seed,
            options.record,
            self._calendar,
            with_keys=options.with_keys,
            bonds=(lambda: self._store.devices) if answers else None,
        )
        if answers:
            radio.on_display(self._displayed)
        else:
            self._pairer = radio.stand_in()
        return radio

    def _displayed(self, number: int) -> None:
        """Say what a simulated device shows: nobody can see its display."""
        self._note(device_words.SIMULATED.format(device=self._options.demo, code=device_words.code(number)))

    async def _with(self, radio: Radio) -> int:
        found = await self._found(radio)
        connection = Connection(radio, found)
        connection.pairer = self._pairer
        if radio.system:
            connection.bonds = self._store.devices
        await connection.connect()
        try:
            return await self._guide(connection, found)
        finally:
            await connection.aclose()

    async def _found(self, radio: Radio) -> Found:
        if self._plain:
            self._lines.say(words.SEARCHING)
        devices = await find(radio, Registry.default(), LOOK_S, settle_s=SETTLE_S if radio.system else 0.0)
        if not devices:
            raise CompanionError(words.NO_DEVICE, Exit.NO_DEVICE)
        if self._plain:
            self._lines.say(words.FOUND.format(name=devices[0].name))
        return devices[0]

    async def _guide(self, connection: Connection, found: Found) -> int:
        demo = self._options.demo is not None
        optional = self._answers.optional
        plan = plan_for(self._store, self._routine, connection.profile, calendar=self._calendar, optional=optional)
        account = PlainAccount(self._lines, plan) if self._plain else JsonAccount(self._lines)
        if self._plain:
            seconds = sum(guided_s(step) for step in plan.steps)
            self._begin_plain(plan.title, seconds, found.name, plan.comfortable_percent)
        opening = open_session(
            self._store,
            self._calendar,
            self._routine,
            profile=connection.profile,
            protocol=found.entry.key,
            device_name=found.name,
            today=self._answers.today,
            now=asyncio.get_running_loop().time(),
            demo=demo,
            stand_in=demo,
            listeners=(account.tell, self._listen),
            ask_care=self._answers.ask_care,
            optional=optional,
        )
        try:
            session = GuidedSession(opening.engine, connection, opening.journal, self._changed, opening=opening.entries)
            self._session = session
            with self._keys(), self._heard():
                summary = await session.run()
        finally:
            opening.journal.close()
        self._afterwards(summary)
        return self._outcome(summary, session, found.name)

    def _begin_plain(self, title: str, seconds: float, device: str, cap: int) -> None:
        minutes = words.duration(60 * math.ceil(seconds / 60))
        self._lines.say(words.BEGIN.format(title=title, minutes=minutes, device=device, cap=cap))
        if self._attended:
            self._lines.say(words.KEYS)

    # --- the person who is here, or is not ---------------------------------------------------------------------------

    def _listen(self, _t: float, entry: JournalEntry) -> None:
        """Look at what was just told for what it asks of the person."""
        if entry.kind is JournalKind.LINK_LOST:
            self._link_trouble = True
        elif entry.kind is JournalKind.RESUMED:
            self._link_trouble = False
        elif entry.kind is JournalKind.SENSATION and "asked" in entry.data and self._simulated_skin:
            self._soon(Feels(Sensation.TINGLING))

    def _changed(self, view: View) -> None:
        """Do what the person agreed to beforehand; end what nobody is here to go on with."""
        if self._lines.gone and not self._unread:
            self._unread = True  # once: every stop is shown, and would be answered by another one
            self._soon(Intent.STOP)
        elif view.phase is Phase.READY:
            self._soon(Intent.START)
        elif view.waits_for_confirm and view.step_index != self._confirmed and self._confirms_itself:
            self._confirmed = view.step_index  # once a step: a second one would end the step after it
            self._soon(Intent.CONFIRM)
        elif view.can_resume and not self._attended and not self._nobody_here:
            # H5: nothing goes on by itself, and there is nobody to say so.
            self._nobody_here = True
            self._paused_for = view.message
            self._soon(Intent.STOP)
        if self._cues is not None:
            self._cues.follow(view)
        self._beside.show(view)

    def _soon(self, intent: Intent | Feels) -> None:
        """Pass an intent on once the step that is being shown is over."""
        if self._session is not None:
            asyncio.get_running_loop().call_soon(self._session.intend, intent)

    @contextlib.contextmanager
    def _heard(self) -> Iterator[None]:
        """Let the cues be heard beside their lines: on a terminal with somebody at it, and never in a pipe."""
        if not (self._plain and self._attended and sys.stdout.isatty()):
            yield
            return
        attention = Attention(self._lines.ring, Speaker.this(), Desktop.this())
        attention.cues = settings_file(self._options.data_folder).read().settings.sound.cues
        self._cues = Cues(attention.cue)
        try:
            yield
        finally:
            self._cues.end()
            attention.end()

    @contextlib.contextmanager
    def _keys(self) -> Iterator[None]:
        """Take lines from the terminal while the session runs. Where that cannot be had, Ctrl-C stops."""
        if not self._attended:
            yield
            return
        loop = asyncio.get_running_loop()
        descriptor = sys.stdin.fileno()
        try:
            loop.add_reader(descriptor, self._typed, descriptor)
        except (NotImplementedError, PermissionError):  # Windows' loop; a file behind standard input
            yield
            return
        try:
            yield
        finally:
            loop.remove_reader(descriptor)

    def _typed(self, descriptor: int) -> None:
        """Read what was typed. Whatever is not understood is a stop, and so is the end of the input."""
        typed = os.read(descriptor, 1024)
        if not typed:
            asyncio.get_running_loop().remove_reader(descriptor)
        session = self._session
        if session is None:
            return
        for word in typed.decode("utf-8", "replace").splitlines() or [""]:
            session.intend(self._meant(word.strip().casefold(), session.view))

    @staticmethod
    def _meant(word: str, view: View) -> Intent | Feels:
        if not word and view.waits_for_confirm:
            return Intent.CONFIRM
        return _KEYS.get(word, Intent.STOP)

    # --- the end ------------------------------------------------------------------------------------------------------

    def _afterwards(self, summary: Summary) -> None:
        """Note a patch test that was done, say what comes next. What cannot be kept or read is told, and no more."""
        try:
            lines = list(self._what_comes(summary))
        except CompanionError as error:
            self._terminal.tell(f"companion: {error}")
            return
        if self._plain:
            for line in lines:
                self._lines.say(f"{_UNDER}{line}")

    def _what_comes(self, summary: Summary) -> Iterator[str]:
        almanac = self._almanac
        if self._routine.patch_test and summary.output_s > 0 and self._answers.ask_care:
            almanac.begin_patch_test("jaw")
            at = almanac.now + PATCH_WAIT
            yield before_words.PATCH.format(when=skin_words.MOMENT.format(at=at))
        goal = almanac.agenda().goal  # there is one where it, or a plan, was chosen
        if summary.reason is Reason.COMPLETED and goal is not None and not goal.limited:
            yield before_words.WATER
        if summary.reason in _WELL and almanac.chosen() is not None:
            at_next = almanac.outlook(days=1).next_session
            if at_next is None:
                yield before_words.NEXT_NONE
            else:
                yield before_words.NEXT.format(day=plan_words.DAY.format(day=at_next), at=at_next)

    def _outcome(self, summary: Summary, session: GuidedSession, device: str) -> int:
        """Return the exit code.

        Raises:
            CompanionError: it ended by a fault, told in one line.
        """
        if session.storage_fault is not None:
            raise CompanionError(words.STORAGE_FAULT.format(fault=session.storage_fault), Exit.FAULT)
        if self._nobody_here and self._link_trouble:
            raise CompanionError(words.NOBODY_AFTER_LINK.format(device=device), Exit.LINK_LOST)
        if self._nobody_here:
            raise CompanionError(words.NOBODY_HERE.format(message=self._paused_for), Exit.FAULT)
        exit_code = EXIT_OF_REASON[summary.reason]
        match exit_code:
            case Exit.LINK_LOST:
                raise CompanionError(words.LINK_GONE.format(device=device), exit_code)
            case Exit.FAULT:
                raise CompanionError(words.ENDED.format(message=session.view.message), exit_code)
            case _:
                return exit_code


_KEYS: dict[str, Intent | Feels] = {
    "p": Intent.PAUSE,
    "r": Intent.RESUME,
    "n": Intent.SKIP,
    "+": Intent.MORE,
    "-": Intent.LESS,
    "1": Feels(Sensation.NOTHING),
    "2": Feels(Sensation.TINGLING),
    "3": Feels(Sensation.UNCOMFORTABLE),
    "4": Feels(Sensation.PAIN),
}

_WELL = frozenset({Reason.COMPLETED, Reason.STOPPED, Reason.TIME_LIMIT})
"""Ends after which a look ahead is welcome; after pain or a fault it is not."""

_UNDER = " " * 8

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


@contextlib.contextmanager
def _signals(stop: Callable[[], None]) -> Iterator[None]:
    """Let every signal that asks a process to end call ``stop`` instead, as often as it comes."""
    loop = asyncio.get_running_loop()
    taken: list[int] = []
    for name in _SIGNALS:
        number = getattr(signal, name, None)
        if number is None:
            continue
        try:
            loop.add_signal_handler(number, stop)
        except (NotImplementedError, RuntimeError, ValueError):
            break  # Windows' loop, or not the main thread: Ctrl-C then cancels, and a cancelled session stops as well
        taken.append(number)
    try:
        yield
    finally:
        for number in taken:
            loop.remove_signal_handler(number)


# --- scan -------------------------------------------------------------------------------------------------------------


async def _scan(options: ScanOptions) -> int:
    lines = Lines(sys.stdout, flush=True)
    try:
        if options.demo is None:
            devices = await find(SystemRadio(), Registry.default(), options.timeout_s)
        else:
            from companion.demo import open_demo  # noqa: PLC0415 - the test bench is for demos

            radio = await open_demo(options.demo)
            try:
                devices = await find(radio, Registry.default(), options.timeout_s)
            finally:
                await radio.close()
    except RadioError as error:
        raise CompanionError(str(error), Exit.NO_DEVICE) from error
    if not devices:
        raise CompanionError(words.NO_DEVICE, Exit.NO_DEVICE)
    for line in _scan_lines(devices, json=options.json):
        lines.say(line)
    return Exit.FINISHED


def _scan_lines(devices: Sequence[Found], *, json: bool) -> Iterator[str]:
    for found in devices:
        if json:
            from json import dumps  # noqa: PLC0415 - for this line alone

            facts = {
                "name": found.name,
                "address": found.device.address,
                "rssi": found.rssi,
                "protocol": found.entry.key,
            }
            yield dumps(facts, ensure_ascii=False)
        else:
            yield words.SCAN_LINE.format(
                name=found.name, signal=words.signal(found.rssi), title=found.entry.title
            ).rstrip()
