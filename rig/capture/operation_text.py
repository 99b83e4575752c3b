"""GATT operations as text: TSV, JSON and JSON lines for programs, a table for eyes.

Knows columns. Refuses to know how operations come about: :mod:`rig.capture.operations`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Final

from rig.capture import att
from rig.capture.text import ARROWS, LEGEND, aligned, date, seconds, value_text

if TYPE_CHECKING:
    from rig.capture.operations import GattOperation

COLUMNS: Final = (
    *("frame", "time", "end_frame", "end_time", "link", "sender", "operation", "handle", "uuid", "service"),
    *("characteristic", "value", "offset", "complete", "error", "client_mtu", "server_mtu"),
)
_QUOTED: Final = frozenset({"sender", "operation", "handle", "uuid", "service", "characteristic", "value", "error"})
HEADINGS: Final = ("frame", "time", "took", "link", "", "what", "handle", "attribute", "value")
_RIGHT: Final = frozenset({"frame", "time", "took", "link"})


def cells(operation: GattOperation) -> tuple[str | None, ...]:
    """The operation in the order of :data:`COLUMNS`; None for what is not known or does not apply."""
    client_mtu, server_mtu = operation.mtu or (None, None)
    return (
        str(operation.frame),
        seconds(operation.time_ns),
        _number(operation.end_frame),
        None if operation.end_time_ns is None else seconds(operation.end_time_ns),
        str(operation.link),
        operation.sender,
        operation.kind,
        None if operation.handle is None else f"0x{operation.handle:04x}",
        operation.uuid or None,
        operation.service or None,
        operation.characteristic or None,
        None if operation.value is None else operation.value.hex(),
        str(operation.offset),
        "true" if operation.complete else "false",
        error_name(operation.error),
        _number(client_mtu),
        _number(server_mtu),
    )


def tsv(operations: Iterable[GattOperation]) -> Iterator[str]:
    """A header and one line an operation; what is not known is empty."""
    yield "\t".join(COLUMNS) + "\n"
    for operation in operations:
        yield "\t".join(cell or "" for cell in cells(operation)) + "\n"


def json_object(operation: GattOperation) -> str:
    """The operation as a JSON object with the columns as keys; what is not known is null, ``complete`` a boolean."""
    pairs = (
        f'"{name}": ' + ("null" if cell is None else f'"{cell}"' if name in _QUOTED else cell)
        for name, cell in zip(COLUMNS, cells(operation), strict=True)
    )  # nothing in a cell has to be escaped: names, digits and UUIDs
    return f"{{{', '.join(pairs)}}}"


def table(
    operations: Iterable[GattOperation], name_of: Callable[[str], str], width: int | None = None, *, live: bool = False
) -> Iterator[str]:
    """The operations for eyes: as :func:`rig.capture.text.table`, with the milliseconds until the answer."""
    operations = iter(operations)
    first = next(operations, None)
    if first is None:
        yield "no ATT in this capture\n"
        return
    yield f"times are seconds since {date(first.time_ns)}, an answer took milliseconds\n{LEGEND}\n\n"
    shown = (_shown(operation, first.time_ns, name_of) for operation in chain((first,), operations))
    yield from aligned(HEADINGS, shown, _RIGHT, width, live=live)


def _shown(operation: GattOperation, zero_ns: int, name_of: Callable[[str], str]) -> tuple[str, ...]:
    took = ""
    if operation.end_time_ns is not None and operation.end_frame != operation.frame:
        took = seconds((operation.end_time_ns - operation.time_ns) * 1000)[:-6]
    return (
        str(operation.frame),
        seconds(operation.time_ns - zero_ns)[:-3],
        took,
        str(operation.link),
        ARROWS[operation.sender],
        operation.kind,
        "" if operation.handle is None else f"0x{operation.handle:04x}",
        attribute_text(operation.uuid, operation.characteristic, name_of),
        _outcome(operation),
    )


def attribute_text(uuid: str, characteristic: str, name_of: Callable[[str], str]) -> str:
    """An attribute with its assigned name; a descriptor with the characteristic that it is of."""
    if not uuid:
        return ""
    text = f"{uuid} {name_of(uuid)}".rstrip()
    return f"{text} of {characteristic}" if characteristic and characteristic != uuid else text


def _outcome(operation: GattOperation) -> str:
    parts = []
    if operation.mtu is not None:
        client, server = operation.mtu
        parts.append(f"client {'?' if client is None else client}, server {'?' if server is None else server}")
    elif operation.value is not None:
        parts.append(value_text(operation.value))
    if operation.offset:
        parts.append(f"from octet {operation.offset}")
    if operation.error is not None:
        parts.append(error_name(operation.error) or "")
    elif not operation.answered:
        parts.append("no answer in the capture")
    elif not operation.complete:
        parts.append("not all of it is in the capture")
    return "  ".join(part for part in parts if part)


def error_name(error: int | None) -> str | None:
    """An ATT error code by its name in the Core Specification, as ``0x80`` where it has none."""
    return None if error is None else att.ERROR_NAMES.get(error) or f"0x{error:02x}"


def _number(number: int | None) -> str | None:
    return None if number is None else str(number)
