"""``companion pair``: pairs the device near by, with a person at the terminal or a code from a file.

Knows terminals and files. Refuses to know keys: those are the radio's.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from companion.before import Terminal
from companion.config import CompanionError, Exit, data_folder
from companion.dates import Calendar
from companion.device.connection import Connection
from companion.device.finder import SETTLE_S, Found, find
from companion.device.pairing import Pairer
from companion.device.radio import RadioError, SystemRadio
from companion.store.database import Store
from companion.words import account as account_words
from companion.words import devices as words
from protocols.model import Pairing
from protocols.registry import Registry

if TYPE_CHECKING:
    from companion.device.known import Bonds
    from companion.device.radio import Radio

T = TypeVar("T")

LOOK_S = 20.0
"""How long a device is looked for."""


class LinePairer:
    """Asks a person at a terminal, line by line."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    async def compare(self, device: str, number: int) -> bool:
        """Ask whether the device shows this number, too."""
        question = words.COMPARE.format(device=device, code=words.code(number))
        return await self._asked(lambda: self._terminal.ask(question))

    async def enter(self, device: str) -> int | None:
        """Ask for the number that the device shows; an empty line is a no."""
        return await self._asked(lambda: self._typed(device))

    def show(self, device: str, number: int) -> None:
        """Show the number that the person is to type on the device."""
        self._terminal.tell(words.SHOW.format(device=device, code=words.code(number)))

    async def _asked(self, question: Callable[[], T]) -> T:
        try:
            return await _elsewhere(question)
        except asyncio.CancelledError:
            self._terminal.tell("")  # what is told next begins a line of its own, not behind the question
            raise

    def _typed(self, device: str) -> int | None:
        while line := self._terminal.line(words.ENTER.format(device=device)):
            if (number := _number(line)) is not None:
                return number
            self._terminal.tell(words.SIX_DIGITS)
        return None


class FilePairer:
    """Takes the code from the first line of a file, when it is asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.fault: CompanionError | None = None

    async def compare(self, _device: str, number: int) -> bool:
        """Say whether the file holds this number."""
        return await self._read() == number

    async def enter(self, _device: str) -> int | None:
        """Return the number in the file."""
        return await self._read()

    def show(self, _device: str, number: int) -> None:
        """Tell the number to type on the device; a file cannot type it."""
        sys.stdout.write(words.SHOW.format(device=_device, code=words.code(number)) + "\n")

    async def _read(self) -> int | None:
        try:
            line = await _elsewhere(self._first_line)
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or str(error)
            self.fault = CompanionError(words.NO_FILE.format(path=self._path, why=why), Exit.FAULT)
            return None
        number = _number(line)
        if number is None:
            self.fault = CompanionError(words.NO_CODE.format(path=self._path), Exit.USAGE)
        return number

    def _first_line(self) -> str:
        with self._path.open(encoding="utf-8") as file:
            return file.readline(64)


def pair(*, demo: str | None, passkey_file: Path | None) -> int:
    """Pair the nearest device; return the exit code.

    Raises:
        CompanionError: there is no device, it was not paired or the person ended it, or the file holds no code.
    """
    terminal = Terminal(sys.stderr, sys.stdin, present=sys.stdin.isatty())
    by_file = FilePairer(passkey_file) if passkey_file is not None else None
    if by_file is None and not terminal.present:
        raise CompanionError(words.NOBODY_HERE, Exit.USAGE)
    pairer: Pairer = by_file or LinePairer(terminal)
    try:
        with Store.open(data_folder(demo=demo is not None), Calendar.system()) as store:
            if demo is not None:
                line = asyncio.run(_pair_in_demo(demo, pairer, store.devices))
            else:
                line = asyncio.run(_pair(SystemRadio(), pairer, store.devices))
    except RadioError as error:
        if by_file is not None and by_file.fault is not None:
            raise by_file.fault from error
        raise CompanionError(str(error), Exit.NO_DEVICE) from error
    sys.stdout.write(f"{line}\n")
    return Exit.FINISHED


async def _pair_in_demo(key: str, pairer: Pairer, bonds: Bonds) -> str:
    from companion.demo import open_demo  # noqa: PLC0415 - the test bench is for demos

    radio = await open_demo(key, bonds=lambda: bonds)
    radio.on_display(
        lambda number: sys.stdout.write(words.SIMULATED.format(device=key, code=words.code(number)) + "\n")
    )
    try:
        # The radio keeps it: the connection would take a demo whose keys ended with a process for an impostor.
        return await _pair(radio, pairer, None, remembered={one.address.casefold() for one in bonds.all()})
    finally:
        await radio.close()


async def _pair(radio: Radio, pairer: Pairer, bonds: Bonds | None, *, remembered: Collection[str] = frozenset()) -> str:
    """Find, connect, pair; return what to say.

    ``remembered`` are addresses of devices whose pairing a demo remembers, beside those that the radio has keys for.

    Raises:
        CompanionError: there is no device in reach, or it was cancelled (Ctrl+C).
        RadioError: it could not be reached or was not paired.
    """
    async with contextlib.AsyncExitStack() as closing:
        try:
            found = await _nearest(radio)
            kind = found.entry.profile.pairing
            if kind is Pairing.NONE:
                return words.NO_PAIRING.format(device=found.name)
            known = await radio.is_paired(found.device) or found.device.address.casefold() in remembered
            connection = Connection(radio, found)
            connection.pairer = pairer
            connection.bonds = bonds
            closing.push_async_callback(connection.aclose)
            await connection.connect()
        except asyncio.CancelledError as error:
            raise CompanionError(words.ENDED, Exit.INTERRUPTED) from error
    said = words.PAIRED_ALREADY if known else words.PAIRED
    lines = [said.format(device=found.name)]
    if kind is Pairing.JUST_WORKS:
        lines.append(words.JUST_WORKS.format(device=found.name))
    return " ".join(lines)


async def _nearest(radio: Radio) -> Found:
    """Return the nearest device that can be paired; where none can, the nearest, which is told as such.

    Raises:
        CompanionError: there is none in reach.
        RadioError: the radio cannot look.
    """
    devices = await find(radio, Registry.default(), LOOK_S, settle_s=SETTLE_S if radio.system else 0.0)
    if not devices:
        raise CompanionError(account_words.NO_DEVICE, Exit.NO_DEVICE)
    return next((one for one in devices if one.entry.profile.pairing is not Pairing.NONE), devices[0])


def _number(line: str) -> int | None:
    digits = "".join(line.split())
    return int(digits) if len(digits) == 6 and digits.isascii() and digits.isdigit() else None


async def _elsewhere(work: Callable[[], T]) -> T:
    """Wait for what blocks, in a thread that nobody waits for when the question is taken back."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: Exception | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(result)  # type: ignore[arg-type] # a result is there where no error is

    def run() -> None:
        result, fault = None, None
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - it is raised where it was waited for
            fault = error
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, result, fault)

    threading.Thread(target=run, daemon=True).start()
    return await answer
