"""A FOREO device overheard: pulsation levels, battery and skin readings out of a recording.

Knows what :mod:`protocols.foreo` knows of the devices. Refuses to speak: see :mod:`protocols.listening`.
"""

from __future__ import annotations

from protocols import model
from protocols.foreo import BATTERY, PULSATION, SKIN
from protocols.listening import Heard, Listener
from protocols.model import Command

ANSWER_S = 30.0  # ATT gives a transaction as long (Core Specification Vol 3 Part F 3.3.3)
MAX_WAITING = 16

_LEVELS = 10


class ForeoListener(Listener):
    """Overhears one link to one FOREO device. Its acknowledgement of a write is ATT's own."""

    def __init__(self) -> None:
        self._asked: list[tuple[str, bytes, float]] = []

    def written(self, characteristic: str, data: bytes, now: float) -> tuple[Heard, ...]:
        """A pulsation level, or the question for a skin reading. See :class:`Listener`."""
        if characteristic not in (PULSATION, SKIN):
            return ()
        command = _command(characteristic, data)
        if command is None:
            return (Heard("host", "unrecognised", data, reason="no command known of this device"),)
        self._asked = [*self._asked[-MAX_WAITING + 1 :], (characteristic, data, now)]
        return (Heard("host", "command", data, command),)

    def write_answered(self, characteristic: str, data: bytes, error: str, now: float) -> tuple[Heard, ...]:
        """The response to a write, the only acknowledgement that there is. See :class:`Listener`."""
        command = _command(characteristic, data)
        if command is None:
            return ()
        latency = None
        for asked in self._asked:
            if asked[:2] == (characteristic, data) and 0 <= now - asked[2] <= ANSWER_S:
                latency = now - asked[2]
                self._asked.remove(asked)
                break
        if error:
            return (Heard("device", "refused", data, command, error, latency),)
        return (Heard("device", "acknowledged", data, command, latency_s=latency),)

    def received(self, characteristic: str, data: bytes, now: float) -> tuple[Heard, ...]:  # noqa: ARG002 - no timers
        """A battery level or a skin reading. See :class:`Listener`."""
        if characteristic == BATTERY and len(data) == 1 and data[0] <= 100:
            return (Heard("device", "event", data, model.Battery(data[0])),)
        if characteristic == SKIN and len(data) == 2:
            return (Heard("device", "event", data, model.SkinReading(int.from_bytes(data, "big"))),)
        if characteristic in (BATTERY, SKIN):
            return (Heard("device", "unrecognised", data, reason="not a value known of this device"),)
        return ()


def _command(characteristic: str, data: bytes) -> Command | None:
    if characteristic == SKIN:
        return model.MeasureSkin() if data == b"\xef" else None
    if characteristic != PULSATION or len(data) != 3 or data[0] != 0x01 or data[2] > _LEVELS:
        return None
    return model.SetIntensity(data[2] * 100 // _LEVELS) if data[2] else model.StopOutput()
