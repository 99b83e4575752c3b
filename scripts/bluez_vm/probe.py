"""In the machine: the app's own way to a device through BlueZ, measured: scan, connect, write and answer.

Prints one JSON object. Uses what the app uses (:mod:`companion.device`), the guard included.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from companion.device.connection import Connection
from companion.device.finder import find
from companion.device.radio import RadioError, SystemRadio
from companion.session.model import DeviceSaid, LinkLost, LinkReady, ReconnectFailed
from protocols.model import QueryTemperature, Temperature
from protocols.registry import Registry

LOOK_S = 60.0
ROUND_TRIPS = 30
ANSWER_S = 10.0


async def main() -> dict[str, Any]:
    """Measure, and return what was seen: seconds of each step."""
    radio = SystemRadio()
    began = time.monotonic()
    found = await find(radio, Registry.default(), LOOK_S, settle_s=0.0)
    if not found:
        raise RadioError("no device was found", "see bluetoothd.log")
    told: dict[str, Any] = {"scan_s": time.monotonic() - began, "name": found[0].name}

    answers: asyncio.Queue[None] = asyncio.Queue()

    def listen(news: LinkReady | LinkLost | ReconnectFailed | DeviceSaid) -> None:
        if isinstance(news, DeviceSaid) and isinstance(news.event, Temperature):
            answers.put_nowait(None)

    connection = Connection(radio, found[0], listen)
    began = time.monotonic()
    await connection.connect()
    told["connect_s"] = time.monotonic() - began
    try:
        while not answers.empty():
            answers.get_nowait()
        trips = []
        for _ in range(ROUND_TRIPS):
            began = time.monotonic()
            connection.submit(QueryTemperature())
            async with asyncio.timeout(ANSWER_S):
                await answers.get()
            trips.append(time.monotonic() - began)
        told["round_trips_s"] = trips
    finally:
        began = time.monotonic()
        await connection.aclose()
        told["disconnect_s"] = time.monotonic() - began
    return told


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main())))
