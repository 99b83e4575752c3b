"""In the machine: a process that has loaded the app's modules, and of which every ``companion`` is a copy (fork(2)).

An emulated processor loads them in ten seconds, which is most of a step. What is copied has run no line of the app yet:
no loop, no thread, no file. From its command line on each copy is the app as anybody starts it, in a process of its
own. A line of JSON on standard input asks for one; lines of JSON on standard output tell its process and its end.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import Any

import bleak.backends.bluezdbus.client
import bleak.backends.bluezdbus.scanner  # noqa: F401 - they are there when they are needed

import companion.commands.devices
import companion.commands.pair
import companion.device.bluez_agent
import companion.guard.keeper
import companion.headless  # noqa: F401 - as above
from companion.cli import main
from companion.config import DATA_VARIABLE


def serve() -> dict[str, Any] | None:
    """Start what is asked for until nobody asks any more. Returns in each copy, with what it is to do."""
    for line in sys.stdin:
        if os.fork() == 0:
            return _attended(json.loads(line))
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass  # those whose apps have ended
    return None


def _attended(wanted: dict[str, Any]) -> dict[str, Any]:
    """Have a process wait for the app; returns in the app's own."""
    app = os.fork()
    if app == 0:
        return wanted
    _tell(wanted["number"], pid=app)
    _, status = os.waitpid(app, 0)
    _tell(wanted["number"], code=os.waitstatus_to_exitcode(status))
    os._exit(0)


def _tell(number: int, **what: int) -> None:
    os.write(sys.stdout.fileno(), json.dumps({"number": number, **what}).encode() + b"\n")


def become(wanted: dict[str, Any]) -> int:
    """Be the app: with a command line, a data folder, no input, and files for what it says."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for descriptor, path in ((1, wanted["out"]), (2, wanted["err"])):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), descriptor)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - what the other one may have read ahead is not for it
    os.environ[DATA_VARIABLE] = wanted["data"]
    sys.argv = ["companion", *wanted["arguments"]]
    return main()


if __name__ == "__main__":
    asked = serve()
    sys.exit(0 if asked is None else become(asked))
