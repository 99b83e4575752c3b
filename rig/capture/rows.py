"""The rows of ``rig decode --att``: one per ATT PDU, named by what its handle means. The scalar path, and its meaning.

Every faster way to the same rows (:mod:`rig.capture.fast`) is tested against this one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from rig.capture import att
from rig.capture.gatt import GattTracker
from rig.capture.layers.links import AttPdu, Link, Observations, Sender
from rig.capture.layers.stack import Stack
from rig.capture.records import Record


class AttRow(NamedTuple):
    """One row of the documented table ``frame time link sender opcode handle uuid value pdu``."""

    frame: int
    time_ns: int
    link: int
    sender: Sender
    opcode: int
    handle: int | None
    """The attribute it is about; for a response and a confirmation, that of what it answers."""
    uuid: str
    """What the handle means: four hex digits, or the dashed form; empty when discovery has not told."""
    value: bytes | None
    """The attribute value it carries, None where its kind carries none."""
    pdu: bytes


def value_of(pdu: bytes) -> bytes | None:
    """The attribute value in a PDU that carries the value of one attribute, else None."""
    start = att.VALUE_OFFSET.get(pdu[0]) if pdu else None
    if start is None:
        return None
    if pdu[0] == att.SIGNED_WRITE_COMMAND:
        return pdu[start : max(start, len(pdu) - att.SIGNATURE_OCTETS)]
    return pdu[start:]


def rows(records: Iterable[Record], stack: Stack, tracker: GattTracker) -> Iterator[AttRow]:
    """Yield the rows of ``records`` in file order; what the records cannot deliver because of damage is raised through.

    Raises:
        CaptureError: as the reader raises it, after every row before the damage.
    """
    for record in records:
        for pdu in stack.feed(record):
            handle, uuid = tracker.name(pdu)
            data = pdu.pdu
            yield AttRow(
                pdu.frame,
                pdu.time_ns,
                pdu.link.number,
                pdu.link.sender(pdu.side),
                data[0] if data else -1,
                handle,
                uuid,
                value_of(data),
                data,
            )


__all__ = ["AttPdu", "AttRow", "Link", "Observations", "rows", "value_of"]
