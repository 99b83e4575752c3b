"""ATT rows as text: TSV, JSON and JSON lines for programs, a table for eyes.

Knows columns. Refuses to know files and terminals: rows come in, text goes out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Final

from rig.capture import att
from rig.capture.records import CaptureError

if TYPE_CHECKING:
    from rig.capture.rows import AttRow

COLUMNS: Final = ("frame", "time", "link", "sender", "opcode", "handle", "uuid", "value", "pdu")
TSV_HEADER: Final = "\t".join(COLUMNS) + "\n"
_NS: Final = 1_000_000_000
_MEASURED: Final = 1000  # rows that a table looks at before it begins, to know how wide its columns are
_USUAL: Final = {"frame": 6, "time": 12, "took": 8, "what": 27, "handle": 6, "attribute": 36, "octets": 38}
_LAST_LEAST: Final = 32  # columns of a terminal that are kept for what comes last, which is what matters
_SHRINKING: Final = (("attribute", 9), ("octets", 9), ("what", 16))  # what gives way to it, and down to how much
_OCTETS_SHOWN: Final = 20  # of a value in a table: what one default-sized ATT PDU (MTU 23) carries


def seconds(time_ns: int) -> str:
    """A time in nanoseconds as seconds with 9 decimals, exact for any integer: -1 is ``-0.000000001``."""
    whole, rest = divmod(abs(time_ns), _NS)
    return f"{'-' if time_ns < 0 else ''}{whole}.{rest:09d}"


def opcode_text(opcode: int) -> str:
    """The opcode's name; nothing for a PDU without any octet, which has none."""
    return att.OPCODE_NAMES.get(opcode) or (att.opcode_name(opcode) if opcode >= 0 else "")


# --- for programs -----------------------------------------------------------------------------------------------------


def tsv_line(row: AttRow) -> str:
    """One row of the documented table, with its line end; what is not known is empty."""
    frame, time_ns, link, sender, opcode, handle, uuid, value, pdu = row
    # a time after 1970 is the usual case, and spelled out: this runs once a row
    time = f"{time_ns // _NS}.{time_ns % _NS:09d}" if time_ns >= 0 else seconds(time_ns)
    return (
        f"{frame}\t{time}\t{link}\t{sender}\t{att.OPCODE_NAMES.get(opcode) or opcode_text(opcode)}\t"
        f"{'' if handle is None else f'0x{handle:04x}'}\t{uuid}\t{'' if value is None else value.hex()}\t{pdu.hex()}\n"
    )


def json_object(row: AttRow) -> str:
    """One row as a JSON object with the table's columns as keys; what is not known is null.

    ``time`` is a number with all 9 decimals: exact for a reader of decimals, and to 0.3 µs as a double.
    """
    frame, time_ns, link, sender, opcode, handle, uuid, value, pdu = row
    return (
        f'{{"frame": {frame}, "time": {seconds(time_ns)}, "link": {link}, "sender": "{sender}", '
        f'"opcode": {_quoted(opcode_text(opcode) or None)}, '
        f'"handle": {_quoted(None if handle is None else f"0x{handle:04x}")}, "uuid": {_quoted(uuid or None)}, '
        f'"value": {_quoted(None if value is None else value.hex())}, "pdu": "{pdu.hex()}"}}'
    )


def _quoted(text: str | None) -> str:  # names, digits and UUIDs: nothing in them has to be escaped
    return "null" if text is None else f'"{text}"'


def tsv(rows: Iterable[AttRow]) -> Iterator[str]:
    """The documented table: a header and one line a row."""
    yield TSV_HEADER
    for row in rows:
        yield tsv_line(row)


def json_lines(objects: Iterable[str]) -> Iterator[str]:
    """One JSON object a line."""
    for text in objects:
        yield text + "\n"


def json_array(objects: Iterable[str]) -> Iterator[str]:
    """One JSON array, an object a line; whole and closed even when the file turns out to be damaged."""
    before = "[\n"
    try:
        for text in objects:
            yield before + text
            before = ",\n"
    except CaptureError:
        yield "[]\n" if before == "[\n" else "\n]\n"
        raise
    yield "[]\n" if before == "[\n" else "\n]\n"


# --- for eyes ---------------------------------------------------------------------------------------------------------

HEADINGS: Final = ("frame", "time", "link", "", "what", "handle", "attribute", "value")
ARROWS: Final = {"central": ">", "peripheral": "<", "unknown": "?"}
LEGEND: Final = "> from the central, < from the peripheral"
_RIGHT: Final = frozenset({"frame", "time", "link"})


def table(
    rows: Iterable[AttRow], name_of: Callable[[str], str], width: int | None = None, *, live: bool = False
) -> Iterator[str]:
    """The rows for eyes: the date once, times relative to the first row, names beside UUIDs, values as hex and text.

    Args:
        rows: what to show.
        name_of: a UUID of the ``uuid`` column to its assigned name, ``""`` where it has none.
        width: columns of the terminal, to which lines are cut; None for whole lines.
        live: show each row as it comes, in columns of the usual width.
    """
    rows = iter(rows)
    first = next(rows, None)
    if first is None:
        yield "no ATT in this capture\n"
        return
    yield f"times are seconds since {date(first.time_ns)}\n{LEGEND}\n\n"
    cells = (_cells(row, first.time_ns, name_of) for row in chain((first,), rows))
    yield from aligned(HEADINGS, cells, _RIGHT, width, live=live)


def aligned(
    headings: Sequence[str],
    cells: Iterable[Sequence[str]],
    right: frozenset[str],
    width: int | None = None,
    *,
    live: bool = False,
) -> Iterator[str]:
    """Lines with aligned columns, as wide as the first thousand rows need; the last column is as wide as it is.

    In a terminal of ``width`` columns some give way, so that there is room for the last, and lines are cut to it.

    Holds no more than those rows: a table of any length is printed as it comes. A live one holds none, and has columns
    of the usual width.
    """
    cells = iter(cells)
    damage: CaptureError | None = None
    head: list[Sequence[str]] = []
    try:
        for row in islice(cells, 0 if live else _MEASURED):
            head.append(row)  # noqa: PERF402 - a comprehension would lose what came before the damage
    except CaptureError as error:  # what came before the damage is shown first
        damage = error
    widths = [
        max(_USUAL.get(column[0], 0) if live else 0, *map(len, column)) for column in zip(headings, *head, strict=True)
    ]
    widths[-1] = 0
    shrunk = _shrunk(headings, widths, width)

    def line(row: Sequence[str]) -> str:
        padded = (
            cell.rjust(size)
            if heading in right
            else _cut(cell, size).ljust(size)
            if heading in shrunk
            else cell.ljust(size)
            for cell, size, heading in zip(row, widths, headings, strict=True)
        )
        text = printable("  ".join(padded).rstrip())
        return (text if width is None else _cut(text, width)) + "\n"

    yield line(headings)
    for row in head:
        yield line(row)
    if damage is not None:
        raise damage
    for row in cells:
        yield line(row)


def _shrunk(headings: Sequence[str], widths: list[int], width: int | None) -> set[str]:
    """Make columns narrower where the last would have no room on the terminal; return which."""
    shrunk: set[str] = set()
    if width is None:
        return shrunk
    excess = sum(widths) + 2 * (len(widths) - 1) + _LAST_LEAST - width
    for heading, least in _SHRINKING:
        if excess > 0 and heading in headings[:-1]:
            at = headings.index(heading)
            less = max(0, min(excess, widths[at] - least))
            widths[at] -= less
            excess -= less
            shrunk.add(heading)
    return shrunk


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def _cells(row: AttRow, zero_ns: int, name_of: Callable[[str], str]) -> tuple[str, ...]:
    name = name_of(row.uuid) if row.uuid else ""
    return (
        str(row.frame),
        seconds(row.time_ns - zero_ns)[:-3],  # microseconds are enough for eyes
        str(row.link),
        ARROWS[row.sender],
        opcode_text(row.opcode).removeprefix("handle_value_"),
        "" if row.handle is None else f"0x{row.handle:04x}",
        f"{row.uuid} {name}".rstrip(),
        value_text(row.value) if row.value is not None else said_by(row.pdu),
    )


def date(time_ns: int) -> str:
    """A Unix time in nanoseconds as date and time in UTC, to the microsecond; as seconds where no calendar reaches."""
    from datetime import UTC, datetime, timedelta  # noqa: PLC0415 - tables alone need a calendar

    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_ns // 1000)
    except OverflowError:
        return f"Unix time {seconds(time_ns)}"
    return f"{moment:%Y-%m-%d %H:%M:%S.%f} UTC" if moment.year >= 1000 else f"{moment.isoformat(' ')} UTC"


def value_text(value: bytes) -> str:
    """A value as hex, and as text where it is one; a long one cut, with what is left out."""
    text = readable(value)
    return f'{octets(value)}  "{text}"' if text else octets(value)


def octets(value: bytes) -> str:
    """The first octets of a value in hex, and how many there are where those are not all."""
    shown = value[:_OCTETS_SHOWN].hex(" ")
    return shown if len(value) <= _OCTETS_SHOWN else f"{shown} … ({len(value)} octets)"


def readable(value: bytes) -> str:
    """The text in a value, cut to what fits beside its hex; ``""`` when it is not text of two characters or more."""
    try:
        text = value.rstrip(b"\0").decode()
    except UnicodeDecodeError:
        return ""
    if len(text) < 2 or not text.isprintable():  # a terminal obeys what is not printable
        return ""
    return text if len(text) <= 2 * _OCTETS_SHOWN else text[: 2 * _OCTETS_SHOWN] + "…"


def said_by(pdu: bytes) -> str:
    """What a PDU without the value of one attribute says, for eyes (Core Specification, Vol 3 Part F, 3.4)."""
    opcode = pdu[0] if pdu else -1
    if opcode == att.ERROR_RESPONSE and len(pdu) >= 5:
        why = att.ERROR_NAMES.get(pdu[4]) or f"error 0x{pdu[4]:02x}"
        return f"{why} (to {opcode_text(pdu[1])} 0x{_u16(pdu, 2):04x})"
    if opcode in {att.EXCHANGE_MTU_REQUEST, att.EXCHANGE_MTU_RESPONSE} and len(pdu) >= 3:
        return f"MTU {_u16(pdu, 1)}"
    if opcode in _RANGES and len(pdu) >= 5:
        asked = f"0x{_u16(pdu, 1):04x} to 0x{_u16(pdu, 3):04x}"
        return f"{asked}  {_type_of(opcode, pdu[5:])}".rstrip()
    return octets(pdu[1:])


_RANGES: Final = frozenset(
    {
        att.FIND_INFORMATION_REQUEST,
        att.FIND_BY_TYPE_VALUE_REQUEST,
        att.READ_BY_TYPE_REQUEST,
        att.READ_BY_GROUP_TYPE_REQUEST,
    }
)


def _type_of(opcode: int, rest: bytes) -> str:
    """The attribute type that a request about a range ends with; Find By Type Value adds the value it looks for."""
    if opcode == att.FIND_BY_TYPE_VALUE_REQUEST:
        return f"{rest[1::-1].hex()} {rest[2:].hex()}".strip()
    return rest[::-1].hex()


def printable(text: str) -> str:
    """``text`` with whatever is not printable spelled out by its code: a terminal obeys it."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _u16(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "little")
