"""ATT rows as text: TSV, JSON and JSON lines for programs, a table for eyes.

Knows columns. Refuses to know files and terminals: rows come in, text goes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from rig.capture import att

if TYPE_CHECKING:
    from rig.capture.rows import AttRow

COLUMNS: Final = ("frame", "time", "link", "sender", "opcode", "handle", "uuid", "value", "pdu")
TSV_HEADER: Final = "\t".join(COLUMNS) + "\n"
_NS: Final = 1_000_000_000


def seconds(time_ns: int) -> str:
    """A time in nanoseconds as seconds with 9 decimals, exact for any integer: -1 is ``-0.000000001``."""
    whole, rest = divmod(abs(time_ns), _NS)
    return f"{'-' if time_ns < 0 else ''}{whole}.{rest:09d}"


def tsv_line(row: AttRow) -> str:
    """One row of the documented table, with its line end; what is not known is empty."""
    frame, time_ns, link, sender, opcode, handle, uuid, value, pdu = row
    if time_ns >= 0:  # the usual case, spelled out: this runs once a row
        time = f"{time_ns // _NS}.{time_ns % _NS:09d}"
    else:
        time = seconds(time_ns)
    name = att.OPCODE_NAMES.get(opcode) or opcode_text(opcode)
    return (
        f"{frame}\t{time}\t{link}\t{sender}\t{name}\t{'' if handle is None else f'0x{handle:04x}'}\t{uuid}\t"
        f"{'' if value is None else value.hex()}\t{pdu.hex()}\n"
    )


def opcode_text(opcode: int) -> str:
    """The opcode's name; nothing for a PDU without any octet, which has none."""
    return att.opcode_name(opcode) if opcode >= 0 else ""


def tsv(rows: Iterable[AttRow]) -> Iterator[str]:
    """The documented table: a header and one line a row."""
    yield TSV_HEADER
    for row in rows:
        yield tsv_line(row)
