"""The guard's whole work: listen to the app, and end the link when it falls silent, is gone, or the computer slept.

Short enough to be read in two minutes, because everything rests on it. Knows no protocol, no session, no person.

The app writes lines: first the hand to use, as JSON; then ``.`` four times a second; ``stops`` and JSON once it knows
them; ``bye`` when the link is down. The guard answers ``holding`` or ``failed`` and why, ``.`` to every ``.``, and
``acted`` and why before it ends the link.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Callable

from companion.guard.hands import AppsProcess, Hand
from companion.guard.sleep import slept_s

HANG_S = 1.5
"""Without a word of the app for this long, in seconds, the app hangs."""
LOOK_S = 0.25
"""How often it is looked whether the computer has slept, in seconds."""
SLEPT_S = 0.5
"""More seconds of sleep than this are a suspend; the two clocks are read one after the other."""


async def watch(lines: asyncio.StreamReader, hand: Hand, say: Callable[[str], None]) -> str:
    """Watch until the app says that the link is down; returns why the link was ended here, or nothing."""
    await hand.take()
    say("holding")
    try:
        why = await _reason_to_act(lines, hand, say)
    except Exception as error:  # noqa: BLE001 - a guard that cannot go on watching acts while it can
        why = f"the guard failed ({error})"
    if why:
        say(f"acted {why}")
        await hand.let_go()
    return why


async def _reason_to_act(lines: asyncio.StreamReader, hand: Hand, say: Callable[[str], None]) -> str:
    now = asyncio.get_running_loop().time
    slept, heard = slept_s(), now()
    while True:
        try:
            line = await asyncio.wait_for(lines.readline(), LOOK_S)
        except TimeoutError:
            line = None
        if line == b"bye\n":
            return ""
        if line == b"":
            return "the app has ended"
        if slept_s() - slept > SLEPT_S:
            return "this computer was asleep"
        if line is None:
            if now() - heard > HANG_S:
                return "the app does not answer"
            continue
        heard = now()
        if line.startswith(b"stops "):
            hand.stops(json.loads(line.removeprefix(b"stops ")))
        else:
            say(".")


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # nobody listens any more, which is what a guard is for
        os.write(sys.stdout.fileno(), f"{text}\n".encode())


def _read(loop: asyncio.AbstractEventLoop, lines: asyncio.StreamReader) -> None:
    """Hand on what the app writes; a thread, because not every platform's loop can wait for such a pipe."""
    with contextlib.suppress(RuntimeError):  # the loop has ended, and the guard with it
        while data := os.read(sys.stdin.fileno(), 4096):
            loop.call_soon_threadsafe(lines.feed_data, data)
        loop.call_soon_threadsafe(lines.feed_eof)


async def _run() -> int:
    if sys.platform == "linux":
        import companion.guard.bluez  # noqa: F401, PLC0415 - D-Bus takes long to load: now, while the app connects
    lines = asyncio.StreamReader()
    threading.Thread(target=_read, args=(asyncio.get_running_loop(), lines), daemon=True).start()
    try:
        wanted = json.loads(await lines.readline())
        await watch(lines, _hand(wanted), _say)
    except Exception as error:  # noqa: BLE001 - the app must hear of it: without its guard there is no output
        _say(f"failed {str(error) or type(error).__name__}")
        return 1
    return 0


def _hand(wanted: dict[str, str]) -> Hand:
    if wanted["hand"] == "bluez":
        from companion.guard.bluez import BlueZLink  # noqa: PLC0415 - there is no D-Bus elsewhere

        return BlueZLink(wanted["device"])
    return AppsProcess(os.getppid())


def main() -> int:
    """Run as the app's guard, on the pipes that it gave."""
    for name in ("SIGINT", "SIGHUP", "SIGTERM"):  # whatever ends the app must not end its guard first
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    return asyncio.run(_run())
