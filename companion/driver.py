"""The terminal under the app while a device may be running: escape without a wait, and writes that never block.

Two things of Textual's own driver are in the way of a stop: it waits up to 0.2 s for what may follow an escape byte,
and its writes block the event loop once a terminal stops reading. Knows no session, only whether one is live; for
POSIX terminals alone, so import it where the platform is known.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
from codecs import getincrementaldecoder
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol, TextIO, cast

from textual._parser import ParseError
from textual._xterm_parser import XTermParser
from textual.drivers._writer_thread import WriterThread
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

LONE_ESCAPE_S = 0.010
"""Seconds after which an escape byte with nothing behind it is the escape key, while a session is live.

Terminals send a sequence in one write, so that its rest is there together with its first byte; a network may tear the
two apart, and then the arrow key of a live session is taken for escape: the output goes off. Without a session the
wait is Textual's own (100 ms: textual/constants.py, ESCAPE_DELAY).
"""

LONGEST_WAIT_S = 0.1
"""Seconds after which the reading thread looks whether it is to end."""

MOST_WAITING = 128 * 1024
"""Bytes that may wait for the terminal before frames are left out: a few whole screens of 120x40 in true colour."""

LAST_WORDS_S = 1.0
"""Seconds for which leaving waits until the terminal has taken what was written to it."""


class DrivenApp(Protocol):
    """What the driver asks of its app, when the app has it."""

    @property
    def live(self) -> bool:
        """Whether a session runs."""

    def caught_up(self) -> None:
        """Draw everything again: the terminal reads once more, and has missed frames. Called on the event loop."""


class PatientParser(XTermParser):
    """Textual's parser, and a way to tell it that nothing more comes."""

    @property
    def waits(self) -> bool:
        """Whether what was read so far may be the beginning of a sequence."""
        # Set by textual/_parser.py, Parser.feed (8.2.8), for as long as a read has a timeout.
        return self._timeout_time is not None

    def nothing_follows(self) -> list[Message]:
        """Return what the bytes so far mean by themselves, without waiting for their time to be up."""
        if self.waits:
            self._timeout_time = 0.0
        return list(self.tick())


class Writer(WriterThread):
    """Writes to the terminal in a thread of its own; whoever hands something over never waits for the terminal.

    Textual's own (textual/drivers/_writer_thread.py, MAX_QUEUED_WRITES = 30) blocks its caller, the event loop, as soon
    as thirty writes wait. This one goes around the file's buffer too: a buffer whose lock is held for ever by a thread
    in the middle of a write makes the interpreter abort when it ends.
    """

    def __init__(self, file: TextIO, caught_up: Callable[[], None]) -> None:
        super().__init__(file)
        self._encoding = file.encoding or "utf-8"
        self._caught_up = caught_up
        self._pieces: deque[bytes] = deque()
        self._waiting = 0
        self._missed = False
        self._ending = False
        self._something = threading.Condition()

    def write(self, text: str) -> None:
        """Take ``text``; it is written after everything before it."""
        data = text.encode(self._encoding, "backslashreplace")
        with self._something:
            self._pieces.append(data)
            self._waiting += len(data)
            self._something.notify()

    def takes_frame(self) -> bool:
        """Whether there is room for one more frame; when there is not, ``caught_up`` is called once there is."""
        with self._something:
            if self._waiting < MOST_WAITING:
                return True
            self._missed = True
            return False

    def run(self) -> None:
        """Write until told to end and everything is written, or the terminal is gone."""
        while True:
            with self._something:
                while not self._pieces:
                    if self._ending:
                        return
                    self._something.wait()
                data = b"".join(self._pieces)
                self._pieces.clear()
            self._write_all(data)
            with self._something:
                self._waiting -= len(data)
                tell = self._missed and not self._waiting
                self._missed = self._missed and not tell
            if tell:
                self._caught_up()

    def _write_all(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self.fileno(), view) :]
            except BlockingIOError:  # someone has made the terminal non-blocking; it is shared with other programs
                select.select([], [self.fileno()], [], LONGEST_WAIT_S)
            except OSError:  # the terminal is gone: there is nobody to write to any more, and nothing to keep
                return

    def stop(self, patience_s: float = LAST_WORDS_S) -> None:
        """End once everything is written, or when the terminal has not taken it after ``patience_s`` seconds."""
        with self._something:
            self._ending = True
            self._something.notify()
        self.join(patience_s)


class TerminalDriver(LinuxDriver):
    """Textual's driver for POSIX terminals, with its reading and its writing made fit for a stop."""

    @property
    def _live(self) -> bool:
        return bool(getattr(self._app, "live", False))

    # Textual's start_application_mode makes a writer, keeps it here and starts it. Taking another one in its place is
    # the only way in without repeating the whole of it.
    @property
    def _writer_thread(self) -> WriterThread | None:
        return self._writer

    @_writer_thread.setter
    def _writer_thread(self, wanted: WriterThread | None) -> None:
        self._writer: Writer | None = None if wanted is None else Writer(self._file_to_write, self._tell_caught_up)

    @property
    def _file_to_write(self) -> TextIO:
        if self._file is None:
            raise RuntimeError("there is no terminal to write to: standard error is closed")
        return self._file

    def _tell_caught_up(self) -> None:
        app = cast(DrivenApp, self._app)
        if hasattr(app, "caught_up") and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(app.caught_up)

    def takes_frame(self) -> bool:
        """Whether a frame is to be drawn now; False while the terminal does not read what it was given before."""
        return self._writer is None or self._writer.takes_frame()

    def close(self) -> None:
        """Let go of the terminal. Does not wait for one that has stopped reading while a device may be running."""
        if self._writer is not None:
            self._writer.stop(0.0 if self._live else LAST_WORDS_S)

    def run_input_thread(self) -> None:
        """Read keys and pass them on, until the driver is told to end.

        Stands in for Textual's own (textual/drivers/linux_driver.py, LinuxDriver.run_input_thread, 8.2.8), whose
        ``selector.select(0.1)`` lets a lone escape byte wait for 0.1 s and more.
        """
        parser = PatientParser(self._debug)
        decode = getincrementaldecoder("utf-8")("replace").decode
        maybe_stop = False
        while not self.exit_event.is_set():
            wait_s = LONE_ESCAPE_S if maybe_stop else LONGEST_WAIT_S
            # Not poll(): macOS has none for terminals.
            if select.select([self.fileno], [], [], wait_s)[0]:
                data = os.read(self.fileno, 4096)
                if not data:  # no key can come any more, and so no stop either
                    self._app.call_later(self._app.action_quit)
                    break
                text = decode(data)
                self._pass_on(parser.feed(text) if text else ())
                maybe_stop = self._live and parser.waits and text.endswith(("\x1b", "\x1b "))
            elif maybe_stop:
                maybe_stop = False
                self._pass_on(parser.nothing_follows())
            self._pass_on(parser.tick())
        with contextlib.suppress(EOFError, ParseError):
            list(parser.feed(""))  # what is begun and not complete is for nobody

    def _pass_on(self, messages: Iterable[Message]) -> None:
        for message in messages:
            self.process_message(message)
