"""How far a long read has come: what readers tell, and the bar that shows it to whoever sits at a terminal.

What is done in other units than bytes has the same bar. Refuses to draw anything for what is done within a second, or
where nobody looks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final, Protocol, TextIO

if TYPE_CHECKING:
    from rig.capture.records import Record

Progress = Callable[[int, int | None], None]
"""Called now and then with the bytes read of the file on disk, and its size in bytes (None where nothing tells)."""

Told = Callable[[int, int | None], str]
"""How far something has come, in words: of a position, and of what there is in all (None where nothing tells)."""

_BEGIN_AFTER_S: Final = 1.0
_AGAIN_AFTER_S: Final = 0.1
_CELLS: Final = 30
_RECORDS_BETWEEN: Final = 2048  # a few milliseconds of decoding


class Place(Protocol):
    """What tells how far a file was read: :class:`rig.capture.source.Source`."""

    @property
    def position(self) -> int:
        """Bytes read of the file on disk."""
        ...

    @property
    def size(self) -> int | None:
        """Its size in bytes, None for a pipe."""
        ...


def watched(records: Iterable[Record], place: Place, progress: Progress | None) -> Iterator[Record]:
    """Yield ``records`` as they are and tell ``progress`` now and then how far ``place`` has come."""
    if progress is None:
        yield from records
        return
    left = _RECORDS_BETWEEN
    for record in records:
        yield record
        left -= 1
        if not left:
            left = _RECORDS_BETWEEN
            progress(place.position, place.size)


class Bar:
    """A bar on one line of a terminal, from the second second on; call it as :data:`Progress`, then :meth:`close` it.

    Args:
        terminal: where to draw, usually standard error.
        clock: seconds on a clock that never jumps.
        told: says in words how far it has come, of a position and what there is in all.
    """

    def __init__(
        self, terminal: TextIO, clock: Callable[[], float] = time.monotonic, *, told: Told | None = None
    ) -> None:
        self._terminal = terminal
        self._clock = clock
        self._told = _megabytes if told is None else told
        self._next = clock() + _BEGIN_AFTER_S
        self._drawn = 0

    def __call__(self, position: int, size: int | None) -> None:
        """Draw how far the read has come, if it is time to."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + _AGAIN_AFTER_S
        line = _line(position, size, self._told)
        self._terminal.write("\r" + line.ljust(self._drawn))
        self._terminal.flush()
        self._drawn = len(line)

    def close(self) -> None:
        """Take the bar off the terminal, as if it had never been there."""
        if self._drawn:
            self._terminal.write("\r" + " " * self._drawn + "\r")
            self._terminal.flush()
            self._drawn = 0


def _line(position: int, size: int | None, told: Told) -> str:
    words = told(position, size)
    if not size:
        return words
    share = min(position / size, 1.0)
    full = int(share * _CELLS)
    return f"{'█' * full}{'░' * (_CELLS - full)} {share:4.0%}  {words}"


def _megabytes(position: int, size: int | None) -> str:
    read = f"{position / 1e6:.1f}"
    return f"{read} of {size / 1e6:.1f} MB" if size else f"{read} MB read"
