"""Bytes that a host draws by chance, and the device echoes: another run of the same app draws others.

Refuses to know which they are: the protocol says (:attr:`protocols.recorded.Recorded.drawn`).
"""

from __future__ import annotations

from protocols.recorded import Recorded
from rig.replay.exchanges import Exchange


def drawn_in(exchange: Exchange, recorded: Recorded) -> slice | None:
    """Return where the drawn bytes of an exchange's value are, None where it has none."""
    if exchange.to is None or exchange.to.descriptor or exchange.value is None:
        return None
    return recorded.drawn(exchange.to.characteristic, exchange.value)


def without_chance(exchange: Exchange, recorded: Recorded) -> bytes | None:
    """Return the value of an exchange with zeros where something was drawn."""
    where = drawn_in(exchange, recorded)
    if where is None or exchange.value is None:
        return exchange.value
    return replaced(exchange.value, where, bytes(len(exchange.value[where])))


def replaced(value: bytes, where: slice, by: bytes) -> bytes:
    """Return ``value`` with other bytes in one place."""
    changed = bytearray(value)
    changed[where] = by
    return bytes(changed)


class Drawn:
    """What the app has drawn in this run in the stead of what was drawn in the recording.

    Args:
        recorded: what the protocol says of its recordings.
    """

    def __init__(self, recorded: Recorded) -> None:
        self._recorded = recorded
        self._now: dict[bytes, bytes] = {}

    def note(self, recorded: Exchange, came: Exchange) -> None:
        """The app did ``came``, which is ``recorded`` in the recording."""
        was, now = drawn_in(recorded, self._recorded), drawn_in(came, self._recorded)
        if was is not None and now is not None and recorded.value is not None and came.value is not None:
            self._now[recorded.value[was]] = came.value[now]

    def echoed(self, said: Exchange) -> bytes | None:
        """Return the value that the device says, with what was drawn in this run."""
        where = drawn_in(said, self._recorded)
        if where is None or said.value is None:
            return said.value
        return replaced(said.value, where, self._now.get(said.value[where], said.value[where]))
