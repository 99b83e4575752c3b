"""A capture reader for a container of one's own: H4 packets in lines of `seconds < hex` (received) or `seconds > hex`.

As a plug-in it needs an entry point, and then `rig decode`, `rig info` and `rig convert` read such files as any other:

    [project.entry-points."microcurrent.capture_readers"]
    hexlines = "my_package.hex_lines_reader"
"""

from collections.abc import Iterator
from decimal import Decimal

from rig.capture.records import LinkType, Record
from rig.capture.source import Source

name = "hexlines"
LONGEST_LINE = 1 << 16
MAGIC = b"# hex lines\n"


def detect(head: bytes) -> bool:
    """By content, never by the file's name: this sees the first bytes."""
    return head.startswith(MAGIC)


def parsed(line: str) -> tuple[int, str, bytes]:
    """Unix time in nanoseconds, direction and packet of a line."""
    seconds, direction, digits = line.split()
    time = Decimal(seconds)
    if not abs(time) < 10**12:  # as an integer, 1e999999999 would fill the memory
        raise ValueError(seconds)
    return int(time * 10**9), direction, bytes.fromhex(digits)


class HexLinesReader:
    """Reads from a source that stands at the file's beginning."""

    format = name

    def __init__(self, source: Source) -> None:
        self.source = source
        self.details: dict[str, object] = {}  # what the file says of itself, for rig info
        source.advance(len(source.peek(len(MAGIC))))

    def records(self) -> Iterator[Record]:
        frame = 0
        while line := self._line():
            frame += 1
            offset = self.source.offset
            try:
                time_ns, direction, packet = parsed(line.decode("ascii"))
            except (ArithmeticError, ValueError):
                # one line that says where and what; every record before it has been delivered
                raise self.source.damage("not a line of `seconds direction hex`") from None
            yield Record(
                frame,
                time_ns,
                LinkType.BTSNOOP_H4,
                packet,
                len(packet),
                flags=1 if direction == "<" else 0,  # bit 0 of btsnoop's flags: received
                offset=offset,
            )
            self.source.advance(len(line))

    def _line(self) -> bytes:
        """The next line, not yet consumed. A file of other people's making may have no line end at all."""
        size = 256
        while True:
            head = self.source.peek(size)
            end = head.find(b"\n") + 1
            if end or len(head) < size:
                return head[:end] if end else head
            if size >= LONGEST_LINE:
                raise self.source.damage(f"a line of more than {LONGEST_LINE} bytes: that is damage")
            size *= 2


def open(source: Source) -> HexLinesReader:  # noqa: A001 - what the registry asks for
    """What the registry calls once `detect` has said yes."""
    return HexLinesReader(source)
