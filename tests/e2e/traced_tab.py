"""The program behind a tab with a witness: what the simulated device's output did goes to a socket when it ends.

``COMPANION_TEST_WITNESS`` is the path of a Unix socket; one JSON line, a list of (time, percent) on the computer's
monotonic clock.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from typing import Any

import companion.demo
from companion.demo import DemoRadio
from companion.serving import tab

opened: list[DemoRadio] = []
open_demo = companion.demo.open_demo


async def remembered(*arguments: Any, **named: Any) -> DemoRadio:
    opened.append(await open_demo(*arguments, **named))
    return opened[-1]


if __name__ == "__main__":
    companion.demo.open_demo = remembered
    with socket.socket(socket.AF_UNIX) as witness:
        witness.connect(os.environ["COMPANION_TEST_WITNESS"])
        code = tab.main()
        trace = [(entry.time, entry.output_percent) for radio in opened for entry in radio.device.trace]
        witness.sendall(json.dumps(trace).encode() + b"\n")
    sys.exit(code)
