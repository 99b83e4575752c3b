"""What the tests of the recorded app have in common: a plain pacer, places, and short transcripts."""

from __future__ import annotations

import asyncio

from protocols.gatt import uuid
from rig.replay.exchanges import By, Does, Exchange, Place, Transcript

ECHO = Place(uuid("ffe0"), uuid("ffe1"))
METER = Place(uuid("ffe0"), uuid("ffe2"))
FUSSY = Place(uuid("ffe0"), uuid("ffe3"))


class LoopPacer:
    """Due times on the loop's clock, counted from the first wait; ``speed`` divides them."""

    def __init__(self, transcript: Transcript, speed: float = 1.0) -> None:
        self._due_s = [exchange.at_ns / 1e9 / speed for exchange in transcript.exchanges]
        self._origin: float | None = None

    async def wait(self, index: int) -> int:
        now = asyncio.get_running_loop().time()
        if self._origin is None:
            self._origin = now
        due = self._origin + self._due_s[index]
        await asyncio.sleep(max(0.0, due - now))
        return max(0, round((asyncio.get_running_loop().time() - due) * 1e9))


def exchange(
    at_s: float,
    by: By,
    does: Does,
    to: Place | None = ECHO,
    value: bytes | None = None,
    *,
    answered_s: float | None = None,
    error: int | None = None,
) -> Exchange:
    answered_ns = None if answered_s is None else round(answered_s * 1e9)
    return Exchange(round(at_s * 1e9), by, does, to, value, answered_ns, error)


def transcript(*exchanges: Exchange, name: str = "Echo", protocol: str = "") -> Transcript:
    return Transcript("a test", exchanges, name=name, protocol=protocol)
