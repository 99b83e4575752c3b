"""``companion serve``: the app in a browser, on this computer; a demo of it elsewhere, when asked for.

Knows which hosts may be served what. The server itself is in :mod:`companion.serving` and needs the ``serve`` extra.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from companion.config import CompanionError, Exit, UsageError, data_folder
from companion.words import serve as words

if TYPE_CHECKING:
    from companion.serving.server import BrowserFace

ENDING = ("SIGINT", "SIGTERM", "SIGHUP")


def serve(
    *,
    host: str | None = None,
    port: int | None = None,
    demo: str | None = None,
    person: str | None = None,
    debug: bool = False,
) -> int:
    """Serve the app until told to end (Ctrl+C), and return the exit code. What is None is as in the settings.

    Raises:
        UsageError: a real device is to be served beyond this computer.
        CompanionError: a part is missing, or host and port cannot be used.
        PersonError: nobody is called so.
        StoreError: a person was named, and the data cannot be read.
    """
    if sys.platform == "win32":  # what watches over a stop is not known to work there
        raise CompanionError(words.NOT_ON_WINDOWS)
    if find_spec("textual_serve") is None:
        raise CompanionError(words.MISSING)
    from companion.serving.gate import is_this_computer  # noqa: PLC0415 - only what is needed, when it is
    from companion.settings.file import settings_file  # noqa: PLC0415 - as above

    folder = data_folder(demo=demo is not None)
    usual = settings_file(folder).read().settings.serve
    where, number = usual.host if host is None else host, usual.port if port is None else port
    here = is_this_computer(where)
    if demo is None and not here:  # H9: nobody else drives the device
        raise UsageError((words.HERE_ONLY_SETTING if host is None else words.HERE_ONLY).format(host=where))
    if person is not None:
        from companion.dates import Calendar  # noqa: PLC0415 - who is named is looked for before anything is served
        from companion.store.database import Store  # noqa: PLC0415 - as above

        Store.open(folder, Calendar.system(), person=person).close()
    from companion.serving.server import BrowserFace  # noqa: PLC0415 - the web server: 400 ms
    from companion.serving.tab import Wanted  # noqa: PLC0415 - as above

    face = BrowserFace(
        where, reached_as(where), environment=Wanted(demo, person).environment(), tell=_tell, debug=debug
    )
    asyncio.run(_serve(face, where, number, here=here))
    return Exit.FINISHED


async def _serve(face: BrowserFace, host: str, port: int, *, here: bool) -> None:
    enough = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in ENDING:
        loop.add_signal_handler(getattr(signal, name), enough.set)
    async with contextlib.AsyncExitStack() as serving:
        try:
            address = await serving.enter_async_context(face.listening(port))
        except OSError as error:
            reason = error.strerror or str(error)
            raise CompanionError(words.CANNOT_LISTEN.format(host=host, port=port, reason=reason)) from error
        if not here:
            _tell(words.WARNING)
        sys.stdout.write(f"{words.ADDRESS.format(address=address)}\n{words.KEEP}\n{words.CLOSE}\n")
        sys.stdout.flush()
        await enough.wait()


def reached_as(host: str) -> str:
    """How other computers reach a server at ``host``: all addresses of this computer are one of them."""
    if host not in {"0.0.0.0", "::"}:  # noqa: S104 - told apart, not listened at
        return host
    family, elsewhere = (socket.AF_INET6, "2001:db8::1") if ":" in host else (socket.AF_INET, "192.0.2.1")
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as asking:
        asking.connect((elsewhere, 9))  # sends nothing: the system only says which way it would go (RFC 5737, 3849)
        return str(asking.getsockname()[0])
    return socket.gethostname()


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
