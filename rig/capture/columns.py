"""The public Python API to captures: records, ATT PDUs and GATT operations as numpy structured arrays.

Knows columns. Refuses to hold more than it is asked for: the methods that end in ``_windows`` read captures of any size
in constant memory, the others hold everything. Every call reads the file anew, from its beginning.

Times are Unix time in two columns, ``seconds`` (floor) and ``nanoseconds`` (0 to 999,999,999), because a btsnoop time
may lie in the year 0, which does not fit 64 bits of nanoseconds. Seconds beyond 64 bits are cut to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import numpy as np
import numpy.typing as npt

from rig.capture.fast.engine import Block, Engine, Kind
from rig.capture.fast.pieces import joined_pieces
from rig.capture.fast.stream import chunks
from rig.capture.fast.window import NS, Window
from rig.capture.layers.links import Link
from rig.capture.operations import GattOperation, OperationKind, operations
from rig.capture.reading import Reading
from rig.capture.records import CaptureError, Record
from rig.capture.rows import AttRow, value_of

if TYPE_CHECKING:
    from rig.capture.handle_map import HandleMap

RECORD: Final = np.dtype(
    [
        ("frame", "i8"),
        ("seconds", "i8"),
        ("nanoseconds", "u4"),
        ("link_type", "i4"),
        ("interface", "u4"),
        ("flags", "u4"),
        ("original_length", "u4"),
        ("offset", "i8"),
        ("start", "i8"),
        ("length", "u4"),
    ],
    align=True,
)
"""One record of the file, field by field as :class:`rig.capture.records.Record`.

``frame`` counts from 1. ``offset`` is in bytes from the start of the uncompressed file; ``original_length`` in bytes,
before the recorder cut it. The captured bytes are ``length`` bytes of :attr:`Records.data` from ``start`` on.
"""

ATT: Final = np.dtype(
    [
        ("frame", "i8"),
        ("seconds", "i8"),
        ("nanoseconds", "u4"),
        ("link", "u4"),
        ("sender", "u1"),
        ("opcode", "i2"),
        ("handle", "i4"),
        ("uuid", "u4"),
        ("start", "i8"),
        ("length", "u4"),
    ],
    align=True,
)
"""One ATT PDU, as a row of ``rig decode --att``.

``frame`` and the time are those of the record that completes it; ``link`` counts from 1; ``sender`` is an index into
:data:`SENDERS`, ``uuid`` one into :attr:`AttPdus.uuids`; ``handle`` is -1 for none. The PDU is ``length`` bytes of
:attr:`AttPdus.data` from ``start`` on.
"""

GATT: Final = np.dtype(
    [
        ("kind", "u1"),
        ("link", "u4"),
        ("sender", "u1"),
        ("frame", "i8"),
        ("seconds", "i8"),
        ("nanoseconds", "u4"),
        ("end_frame", "i8"),
        ("end_seconds", "i8"),
        ("end_nanoseconds", "u4"),
        ("handle", "i4"),
        ("uuid", "u4"),
        ("service", "u4"),
        ("characteristic", "u4"),
        ("error", "i2"),
        ("complete", "?"),
        ("offset", "u4"),
        ("client_mtu", "i4"),
        ("server_mtu", "i4"),
        ("start", "i8"),
        ("length", "i8"),
    ],
    align=True,
)
"""One GATT operation, field by field as :class:`rig.capture.operations.GattOperation`.

``kind`` is an index into :data:`KINDS`, ``sender`` one into :data:`SENDERS`; ``uuid``, ``service`` and
``characteristic`` are ones into :attr:`GattOperations.uuids`. What is not known or does not apply is -1: ``end_frame``
(whose times are then 0), ``handle``, ``error`` (an ATT error code), ``client_mtu`` and ``server_mtu`` (octets), and
``length``, where there is no value. The value is ``length`` bytes of :attr:`GattOperations.data` from ``start`` on, and
begins at octet ``offset`` of the attribute.
"""

SENDERS: Final = ("unknown", "central", "peripheral")
KINDS: Final[tuple[OperationKind, ...]] = get_args(OperationKind)
_OPERATIONS_AT_ONCE: Final = 1 << 14
_MOST_SECONDS: Final = (1 << 63) - 1


class _Table:
    """Rows, and the bytes that they point into."""

    def __init__(self, table: npt.NDArray[np.void], data: bytes) -> None:
        self.table = table
        self.data = data

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, column: str) -> npt.NDArray[Any]:
        """A column, by name."""
        return self.table[column]

    def octets(self, row: int) -> bytes:
        """The bytes that a row points to; none where it points to nothing."""
        start, length = int(self.table["start"][row]), int(self.table["length"][row])
        return self.data[start : start + max(length, 0)]


class Records(_Table):
    """Records as columns: :attr:`table` has the dtype :data:`RECORD`, shape ``(n,)``."""


class AttPdus(_Table):
    """ATT PDUs as columns: :attr:`table` has the dtype :data:`ATT`, shape ``(n,)``.

    Attributes:
        uuids: what the column ``uuid`` counts in; the first is empty.
    """

    def __init__(self, table: npt.NDArray[np.void], data: bytes, uuids: Sequence[str]) -> None:
        super().__init__(table, data)
        self.uuids = uuids

    def rows(self) -> Iterator[AttRow]:
        """Yield them as the scalar API has them."""
        for number, row in enumerate(self.table.tolist()):
            frame, seconds, nanoseconds, link, sender, opcode, handle, uuid, _, _ = row
            pdu = self.octets(number)
            yield AttRow(
                frame,
                seconds * NS + nanoseconds,
                link,
                SENDERS[sender],
                opcode,
                None if handle < 0 else handle,
                self.uuids[uuid],
                value_of(pdu),
                pdu,
            )


class GattOperations(_Table):
    """GATT operations as columns: :attr:`table` has the dtype :data:`GATT`, shape ``(n,)``.

    Attributes:
        uuids: what the columns ``uuid``, ``service`` and ``characteristic`` count in; the first is empty.
    """

    def __init__(self, table: npt.NDArray[np.void], data: bytes, uuids: Sequence[str]) -> None:
        super().__init__(table, data)
        self.uuids = uuids


class Capture:
    """A capture to be read as columns, as often as wanted.

    Args:
        path: a file in any container, gzip-compressed or not.
        handle_map: what handles mean where the capture's own discovery does not tell; without one, the map that the
            capture carries, if it does.

    Raises:
        CaptureError: there is no such file, it may not be read, or it is no capture.
    """

    def __init__(self, path: str | Path, *, handle_map: HandleMap | None = None) -> None:
        self._path = path
        self._handle_map = handle_map
        self.links: list[Link] = []
        """The links of the capture, as far as it was last read."""
        with self._reading() as reading:
            self.format: str = reading.reader.format
            """The container: ``btsnoop``, ``pcap``, ``pcapng``, ``packetlogger``, or a plug-in's."""

    @property
    def records(self) -> Records:
        """All records, and with them the whole file in memory.

        Raises:
            CaptureError: the file is damaged; :meth:`record_windows` gives what comes before.
        """
        tables, data = _collected(self.record_windows(), RECORD)
        return Records(tables, data)

    def att(self) -> AttPdus:
        """All ATT PDUs.

        Raises:
            CaptureError: the file is damaged; :meth:`att_windows` gives what comes before.
        """
        uuids = _Uuids()
        table, data = _collected(self._att(uuids), ATT)
        return AttPdus(table, data, uuids.texts)

    def gatt(self) -> GattOperations:
        """All GATT operations, each where it ends.

        Raises:
            CaptureError: the file is damaged; :meth:`gatt_windows` gives what comes before.
        """
        uuids = _Uuids()
        table, data = _collected(self._gatt(uuids), GATT)
        return GattOperations(table, data, uuids.texts)

    def record_windows(self) -> Iterator[Records]:
        """Yield the records in windows of some ten thousand.

        Raises:
            CaptureError: the file is damaged; every record before was delivered.
        """
        with self._reading() as reading:
            for chunk in chunks(reading.reader):
                yield _windowed_records(chunk) if isinstance(chunk, Window) else _listed_records(chunk)

    def att_windows(self) -> Iterator[AttPdus]:
        """Yield the ATT PDUs in windows of some ten thousand, all with the same (growing) :attr:`AttPdus.uuids`.

        Raises:
            CaptureError: the file is damaged; every PDU before was delivered.
        """
        uuids = _Uuids()
        for window in self._att(uuids):
            yield AttPdus(window.table, window.data, uuids.texts)

    def gatt_windows(self) -> Iterator[GattOperations]:
        """Yield the GATT operations in windows of some ten thousand, likewise.

        Raises:
            CaptureError: the file is damaged; every operation before was delivered.
        """
        uuids = _Uuids()
        for window in self._gatt(uuids):
            yield GattOperations(window.table, window.data, uuids.texts)

    def _reading(self) -> Reading:
        reading = Reading(self._path, self._handle_map)
        self.links = reading.stack.links
        return reading

    def _att(self, uuids: _Uuids) -> Iterator[_Table]:
        with self._reading() as reading:
            engine = Engine(reading.stack, reading.tracker)
            kinds = _KindColumns(uuids)
            for chunk in chunks(reading.reader):
                block = engine.block(chunk)
                if len(block):
                    yield _att_table(block, kinds)

    def _gatt(self, uuids: _Uuids) -> Iterator[_Table]:
        with self._reading() as reading:
            found = operations(reading.pdus(), reading.tracker)
            while True:
                damage: CaptureError | None = None
                batch: list[GattOperation] = []
                try:
                    for operation in islice(found, _OPERATIONS_AT_ONCE):
                        batch.append(operation)  # noqa: PERF402 - a comprehension would lose what came before damage
                except CaptureError as error:
                    damage = error
                if batch:
                    yield _gatt_table(batch, uuids)
                if damage is not None:
                    raise damage
                if len(batch) < _OPERATIONS_AT_ONCE:
                    return


class _Uuids:
    """Numbers UUIDs in the order in which they are met."""

    def __init__(self) -> None:
        self.texts = [""]
        self._numbers = {"": 0}

    def number(self, text: str) -> int:
        number = self._numbers.get(text)
        if number is None:
            number = self._numbers[text] = len(self.texts)
            self.texts.append(text)
        return number


_KIND: Final = np.dtype([("link", "u4"), ("sender", "u1"), ("opcode", "i2"), ("handle", "i4"), ("uuid", "u4")])


class _KindColumns:
    """What rows of one kind have in common, as columns that are looked up by the number of the kind."""

    def __init__(self, uuids: _Uuids) -> None:
        self._uuids = uuids
        self._kinds: list[Kind] = []
        self._columns = np.empty(0, _KIND)

    def of(self, kinds: list[Kind]) -> npt.NDArray[np.void]:
        """The columns of all kinds of a list, which only grows."""
        if kinds is not self._kinds:
            self._kinds = kinds
            self._columns = np.empty(0, _KIND)
        new = [
            (link, SENDERS.index(sender), opcode, -1 if handle is None else handle, self._uuids.number(uuid))
            for link, sender, opcode, handle, uuid in kinds[len(self._columns) :]
        ]
        if new:
            self._columns = np.concatenate([self._columns, np.array(new, _KIND)])
        return self._columns


def _att_table(block: Block, kinds: _KindColumns) -> _Table:
    table = np.empty(len(block), ATT)
    table["frame"] = block.frame
    _set_times(table, block.ticks, block.ticks_per_second)
    common = kinds.of(block.kinds)
    for name in _KIND.names or ():
        table[name] = common[name][block.kind]
    table["start"] = np.cumsum(block.length) - block.length
    table["length"] = block.length
    return _Table(table, joined_pieces(block.data, block.start, block.length))


def _set_times(table: npt.NDArray[np.void], ticks: npt.NDArray[Any], ticks_per_second: int, prefix: str = "") -> None:
    seconds = ticks // ticks_per_second
    table[f"{prefix}nanoseconds"] = (ticks - seconds * ticks_per_second) * (NS // ticks_per_second)
    if ticks.dtype == np.object_:  # beyond 64 bits
        seconds = np.clip(seconds, -_MOST_SECONDS, _MOST_SECONDS)
    table[f"{prefix}seconds"] = seconds


def _integers(numbers: list[int]) -> npt.NDArray[Any]:
    fit = all(-_MOST_SECONDS <= number <= _MOST_SECONDS for number in numbers)
    return np.array(numbers, np.int64 if fit else np.object_)


def _windowed_records(window: Window) -> Records:
    table = np.empty(len(window), RECORD)
    table["frame"] = np.arange(window.first_frame, window.first_frame + len(window))
    _set_times(table, window.ticks, window.ticks_per_second)
    table["link_type"] = window.link_type
    table["interface"] = window.interface
    table["flags"] = window.flags
    table["original_length"] = window.original
    table["offset"] = window.offset + window.starts
    table["start"] = window.bodies
    table["length"] = window.captured
    return Records(table, window.data)


def _listed_records(records: list[Record]) -> Records:
    table = np.empty(len(records), RECORD)
    _set_times(table, _integers([record.time_ns for record in records]), NS)
    for name, position in (
        ("frame", 0),
        ("link_type", 2),
        ("original_length", 4),
        ("flags", 5),
        ("interface", 6),
        ("offset", 7),
    ):
        table[name] = [record[position] for record in records]
    lengths = np.array([len(record.data) for record in records], np.int64)
    table["start"] = np.cumsum(lengths) - lengths
    table["length"] = lengths
    return Records(table, b"".join([record.data for record in records]))


def _gatt_table(found: list[GattOperation], uuids: _Uuids) -> _Table:
    table = np.empty(len(found), GATT)
    table["kind"] = [KINDS.index(operation.kind) for operation in found]
    table["sender"] = [SENDERS.index(operation.sender) for operation in found]
    for name in ("link", "frame", "offset", "complete"):
        table[name] = [getattr(operation, name) for operation in found]
    for name in ("end_frame", "handle", "error"):
        table[name] = [-1 if (value := getattr(operation, name)) is None else value for operation in found]
    for name in ("uuid", "service", "characteristic"):
        table[name] = [uuids.number(getattr(operation, name)) for operation in found]
    _set_times(table, _integers([operation.time_ns for operation in found]), NS)
    _set_times(table, _integers([operation.end_time_ns or 0 for operation in found]), NS, "end_")
    for place, name in enumerate(("client_mtu", "server_mtu")):
        mtus = [None if operation.mtu is None else operation.mtu[place] for operation in found]
        table[name] = [-1 if mtu is None else mtu for mtu in mtus]
    lengths = np.array([len(operation.value or b"") for operation in found], np.int64)
    table["start"] = np.cumsum(lengths) - lengths
    table["length"] = np.where([operation.value is None for operation in found], -1, lengths)
    return _Table(table, b"".join([operation.value or b"" for operation in found]))


def _collected(windows: Iterable[_Table], dtype: np.dtype[np.void]) -> tuple[npt.NDArray[np.void], bytes]:
    """All windows as one, with what they point to in one piece."""
    tables: list[npt.NDArray[np.void]] = [np.empty(0, dtype)]
    data: list[bytes] = []
    behind = 0
    for window in windows:
        window.table["start"] += behind
        tables.append(window.table)
        data.append(window.data)
        behind += len(window.data)
    return np.concatenate(tables), b"".join(data)


__all__ = [
    "ATT",
    "GATT",
    "KINDS",
    "RECORD",
    "SENDERS",
    "AttPdus",
    "Capture",
    "GattOperations",
    "Records",
]
