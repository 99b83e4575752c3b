"""Floods a companion's topics by way of a broker, at a steady rate, until its standard input is closed.

Started by home.py, never by hand: port, device id, messages a second. Waits until the companion has said that it is
online; says then and at the end, as one JSON object a line, how many messages went out in how many seconds.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from itertools import cycle

import aiomqtt

STEPS_PER_S = 100


async def main(port: int, device: str, rate: float) -> None:
    # To what the link listens to: a Stop that is none, and Home Assistant's word that it has come back.
    said = cycle(
        [
            (f"microcurrent-companion/{device}/stop", b"not a stop"),
            ("homeassistant/status", b"online"),
        ]
    )
    async with aiomqtt.Client("127.0.0.1", port) as client:
        await client.subscribe(f"microcurrent-companion/{device}/availability")
        async for message in client.messages:
            if message.payload == b"online":
                break
        print(json.dumps({"event": "online"}), flush=True)
        closed = asyncio.ensure_future(asyncio.to_thread(sys.stdin.read))
        begun, sent = time.monotonic(), 0
        while not closed.done():
            while sent < (time.monotonic() - begun) * rate:
                topic, payload = next(said)
                await client.publish(topic, payload, qos=0)
                sent += 1
            await asyncio.sleep(1 / STEPS_PER_S)
        print(json.dumps({"event": "over", "sent": sent, "seconds": time.monotonic() - begun}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3])))
