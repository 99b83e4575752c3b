"""The browser under the app: packets instead of a terminal, and the same care for a stop as on a terminal.

Textual's own driver for browsers lets the app run on when the server behind it is gone, ends it behind whatever waits
in the queue, keeps a lone escape for 0.1 s and more, and blocks the event loop once nobody reads. None of that may be
while a device may be running. Knows no session, only whether one is live. For POSIX alone.
"""

from __future__ import annotations

import signal
import sys
from codecs import getincrementaldecoder
from collections.abc import Iterable
from typing import Any, TextIO, cast

from textual import log
from textual.app import App
from textual.drivers._byte_stream import ByteStream
from textual.drivers.web_driver import WebDriver
from textual.message import Message

from companion.driver import DrivenApp, PatientParser, Writer
from companion.widgets.keyline import CanStop


class PacketWriter(Writer):
    """Writes whole packets in a thread of its own; whoever hands one over never waits for the browser."""

    def write_packet(self, packet: bytes) -> None:
        """Take a packet; it is written after everything before it."""
        with self._something:
            self._pieces.append(packet)
            self._waiting += len(packet)
            self._something.notify()


class BrowserDriver(WebDriver):
    """Textual's driver for browsers (textual/drivers/web_driver.py, 8.2.8), made fit for a stop.

    The process that started this one speaks to it over standard input and output. When it says quit, or when it is
    gone, nobody is left who could stop: the output goes off before anything else.
    """

    def __init__(
        self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        # Textual's own is a plain os.write from the event loop.
        self._packets = PacketWriter(cast(TextIO, sys.__stdout__), self._tell_caught_up)
        self._write = self._packets.write_packet  # type: ignore[assignment]  # a partial of os.write there

    @property
    def _live(self) -> bool:
        return bool(getattr(self._app, "live", False))

    # --- to the browser -----------------------------------------------------------------------------------------------

    def _tell_caught_up(self) -> None:
        app = cast(DrivenApp, self._app)
        if hasattr(app, "caught_up") and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(app.caught_up)

    def takes_frame(self) -> bool:
        """Whether a frame is to be drawn now; False while the browser does not take what it was given before."""
        return self._packets.takes_frame()

    def start_application_mode(self) -> None:
        """Begin to write and to read."""
        self._packets.start()
        super().start_application_mode()
        # Textual's own puts the end of the app behind whatever waits in the queue.
        for number in (signal.SIGINT, signal.SIGTERM):
            self._loop.add_signal_handler(number, self._leave)

    def close(self) -> None:
        """Let go of the browser. Does not wait for one that takes nothing while a device may be running."""
        if self._live:
            self._packets.stop(0.0)
        else:
            self._packets.stop()

    # --- from the browser ---------------------------------------------------------------------------------------------

    def run_input_thread(self) -> None:
        """Read keys and pass them on until the app ends, or nobody is left to press one.

        Stands in for Textual's own (WebDriver.run_input_thread), which ends without a word when its input does.
        """
        parser = PatientParser(self._debug)
        decode = getincrementaldecoder("utf-8")("replace").decode
        stream = ByteStream()
        try:
            for data in self._input_reader:
                for kind, payload in stream.feed(data) if data else ():
                    if kind == "D":
                        self._typed(parser, decode(payload))
                    else:
                        self._on_meta(kind, payload)
                self._pass_on(parser.tick())
        except Exception as error:  # noqa: BLE001 - what cannot be read is as good as no reader: the output goes off
            log.error(f"the browser's input cannot be read: {error!r}")
        finally:
            self._input_reader.close()
            if not self.exit_event.is_set() and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._leave)

    def _typed(self, parser: PatientParser, text: str) -> None:
        """Take what was typed. A page sends each sequence whole, so an escape at the end is the escape key, at once."""
        if text:
            self._pass_on(parser.feed(text))
        if self._live and parser.waits and text.endswith(("\x1b", "\x1b ")):
            self._pass_on(parser.nothing_follows())

    def _pass_on(self, messages: Iterable[Message]) -> None:
        for message in messages:
            self.process_message(message)

    def on_meta(self, packet_type: str, payload: dict[str, object]) -> None:
        """Take what the server says: the tab is gone, or how large it is."""
        if packet_type == "quit":
            self._loop.call_soon_threadsafe(self._leave)
        else:
            super().on_meta(packet_type, payload)

    def _leave(self) -> None:
        """Stop at once, then leave. On the event loop."""
        if isinstance(self._app, CanStop):
            self._app.stop_now()
        self._app.call_later(self._app.action_quit)
