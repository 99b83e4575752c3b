"""A capture as windows, with whatever no window can hold as single records between them, all in file order.

Knows the record headers of btsnoop, pcap and pcapng well enough to read thousands at once. Refuses to judge them: the
first header that is not plain ends the window, and the container's own reader takes over from there.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rig.capture.fast import LINK_TYPES
from rig.capture.fast.index import Framing, Likely, Offsets, starts
from rig.capture.fast.window import NS, Int64s, Window, gathered
from rig.capture.formats.btsnoop import EPOCH_US, BtsnoopReader
from rig.capture.formats.pcap import PcapReader
from rig.capture.formats.pcapng import ENHANCED_PACKET, Interface, PcapngReader
from rig.capture.records import CaptureError, CaptureReader, Record

WINDOW_BYTES: Final = 1 << 21
WINDOW_RECORDS: Final = 1 << 16
"""Limits of a window: large enough that the overhead of numpy is small; small enough for the processor's caches."""
_KEPT_BYTES: Final = 24 << 20
"""More than any array of a window, or its text; glibc adapts to nothing that is larger than 32 MB."""
FEW_RECORDS: Final = 64
"""So many records are decoded faster one by one."""
_SINGLE_RECORDS: Final = 1024
_PLAIN_BYTES: Final = 1 << 17
"""HCI packets are shorter by far (65,539 bytes at most): what announces more is for the reader to judge."""
_PLAIN_TICKS: Final = 1 << 62

_BTSNOOP = Framing(24, 4, ">", 24)

_Take = Callable[[bytes, int], tuple[Window, int]]
"""Read the plain records that some bytes begin with, up to a number of them; return them and the bytes they take."""


def chunks(
    reader: CaptureReader, *, window_bytes: int = WINDOW_BYTES, window_records: int = WINDOW_RECORDS
) -> Iterator[Window | list[Record]]:
    """Yield all records of a capture in file order: windows, and lists of single records.

    Args:
        reader: at its beginning.
        window_bytes: how many bytes to ask for at a time.
        window_records: the most records in one window, or list.

    Raises:
        CaptureError: the file is damaged; every record before the damage was delivered.
    """
    _keep_memory()
    source = reader.source
    at_once = window_records if source.size is not None else 1  # a pipe may be live: nothing waits for company
    if isinstance(reader, PcapngReader):
        yield from _pcapng_chunks(reader, window_bytes, window_records, at_once)
        return
    if isinstance(reader, BtsnoopReader | PcapReader) and reader.link_type in LINK_TYPES:
        take = _btsnoop(reader) if isinstance(reader, BtsnoopReader) else _pcap(reader)
        while len(window := _windowed(reader, take, window_bytes, window_records)):
            yield _chunk(window, window_records)
    yield from _singles(reader, at_once)


def _keep_memory() -> None:
    """Have the C library keep the memory of one window for the next.

    By itself glibc gives it back to the system after each, and gets it again page by page: 75,000 page faults in a
    million records, a sixth of all time. It adapts to the largest block that it ever got and gave back; one that is
    never written to costs nothing. Other C libraries do not mind.
    """
    np.empty(_KEPT_BYTES, np.uint8)


def _pcapng_chunks(
    reader: PcapngReader, window_bytes: int, window_records: int, at_once: int
) -> Iterator[Window | list[Record]]:
    """Windows of enhanced packets in a row; the reader takes what stands between, and can be left after any record."""
    take = _pcapng(reader)
    singles = 1
    while (yield from _singles(reader, at_once, singles)):
        count = 0
        while len(window := _windowed(reader, take, window_bytes, window_records)):
            count += len(window)
            yield _chunk(window, window_records)
        singles = 1 if count >= FEW_RECORDS else _SINGLE_RECORDS


def _windowed(
    reader: BtsnoopReader | PcapReader | PcapngReader, take: _Take, window_bytes: int, window_records: int
) -> Window:
    """Take the next window off the reader's source; an empty one where what comes is not plain, or not whole."""
    source = reader.source
    if source.size is not None:
        window, used = take(source.window(window_bytes), window_records)
    else:  # a pipe may be live: what is at hand comes first, and what is missing is waited for, but nothing beyond
        data = source.window(0)
        while len(data) < window_bytes and source.ready():
            have = len(data)
            data = source.window(have + 1)
            if len(data) == have:
                break
        window, used = take(data, window_records)
        while not len(window) and len(data) < window_bytes:
            have = len(data)
            data = source.window(have + 1)
            if len(data) == have:
                break
            window, used = take(data, window_records)
    reader.frames += len(window)
    source.advance(used)
    return window


def _chunk(window: Window, window_records: int) -> Window | list[Record]:
    if len(window) < min(FEW_RECORDS, window_records):
        return [window.record(index) for index in range(len(window))]
    return window


def _singles(reader: CaptureReader, at_once: int, most: int | None = None) -> Generator[list[Record], None, bool]:
    """Yield records as the reader gives them, in lists; return whether it was left before its end."""
    records = reader.records()
    batch: list[Record] = []
    damage: CaptureError | None = None
    taken = 0
    more = False
    try:
        for record in records:
            batch.append(record)
            taken += 1
            if taken == most:
                more = True
                break
            if len(batch) == at_once:
                yield batch
                batch = []
    except CaptureError as error:  # what came before it goes first
        damage = error
    if isinstance(records, Generator):
        records.close()
    if batch:
        yield batch
    if damage is not None:
        raise damage
    return more


# --- what each container writes ---------------------------------------------------------------------------------------


def _plain(offsets: Offsets, after: int, plain: npt.NDArray[np.bool_], most: int) -> tuple[int, int]:
    """How many records from the first on are plain, at most ``most`` of them, and the bytes that they take."""
    count = len(offsets)
    if not plain.all():
        count = int(plain.argmin())
    count = min(count, most)
    return count, after if count == len(offsets) else int(offsets[count])


def _int64(column: npt.NDArray[Any]) -> Int64s:
    return column.astype(np.int64)


def _btsnoop(reader: BtsnoopReader) -> _Take:
    header = np.dtype([("original", ">u4"), ("captured", ">u4"), ("flags", ">u4"), ("drops", ">u4"), ("stamp", ">i8")])

    def take(data: bytes, most: int) -> tuple[Window, int]:
        # What all headers of a few days have in common: the first bytes of the time.
        common = tuple((place, data[place : place + 1]) for place in (16, 17, 18))
        offsets, after = starts(data, _BTSNOOP, Likely(1, common))
        headers = gathered(data, header, offsets)
        captured = _int64(headers["captured"])
        stamps = _int64(headers["stamp"])
        count, used = _plain(offsets, after, (captured < _PLAIN_BYTES) & (np.abs(stamps) < _PLAIN_TICKS), most)
        window = Window(
            data=data,
            first_frame=reader.frames + 1,
            offset=reader.source.offset,
            link_type=reader.link_type,
            interface=0,
            ticks_per_second=1_000_000,
            starts=offsets,
            bodies=offsets + header.itemsize,
            captured=captured,
            original=_int64(headers["original"]),
            flags=_int64(headers["flags"]),
            ticks=stamps - EPOCH_US,
        ).first(count)
        if count:
            reader.details["dropped_records"] = int(headers["drops"][count - 1])
        return window, used

    return take


def _pcap(reader: PcapReader) -> _Take:
    order = reader.order
    header = np.dtype(
        [("seconds", f"{order}u4"), ("fraction", f"{order}i4"), ("captured", f"{order}u4"), ("original", f"{order}u4")]
    )
    framing = Framing(header.itemsize, 8, order, header.itemsize)
    upper = (2, 3, 10, 14) if order == "<" else (0, 1, 9, 13)

    def take(data: bytes, most: int) -> tuple[Window, int]:
        # What all headers of a few hours have in common: the upper half of the seconds, and two short lengths.
        common = tuple((place, data[place : place + 1]) for place in upper)
        offsets, after = starts(data, framing, Likely(1, common))
        headers = gathered(data, header, offsets)
        captured = _int64(headers["captured"])
        original = _int64(headers["original"])
        plain = captured < _PLAIN_BYTES
        if reader.swapped:
            plain &= captured <= original
        count, used = _plain(offsets, after, plain, most)
        window = Window(
            data=data,
            first_frame=reader.frames + 1,
            offset=reader.source.offset,
            link_type=reader.link_type,
            interface=0,
            ticks_per_second=NS,
            starts=offsets,
            bodies=offsets + header.itemsize,
            captured=captured,
            original=original,
            flags=np.zeros(len(offsets), np.int64),
            ticks=_int64(headers["seconds"]) * NS + _int64(headers["fraction"]) * reader.unit_ns,
        ).first(count)
        return window, used

    return take


def _pcapng(reader: PcapngReader) -> _Take:
    return lambda data, most: _take_pcapng(reader, data, most)


def _take_pcapng(reader: PcapngReader, data: bytes, most: int) -> tuple[Window, int]:
    """Take enhanced packet blocks of one interface, without options or with nothing but flags."""
    order = reader.order
    word = f"{order}u4"
    header = np.dtype([(name, word) for name in ("kind", "total", "interface", "high", "low", "captured", "original")])
    interface = None
    if len(data) >= header.itemsize:
        first = np.frombuffer(data, header, 1)[0]
        if first["kind"] == ENHANCED_PACKET and first["interface"] < len(reader.section):
            interface = reader.section[int(first["interface"])]
    if interface is None or interface.link_type not in LINK_TYPES or not _exact(interface):
        return _empty(data), 0
    # What the blocks of an interface have in common: their kind and its number.
    likely = Likely(4, ((0, data[:4]), (8, data[8:12])))
    offsets, after = starts(data, Framing(header.itemsize, 4, order, 0), likely)
    if not len(offsets):
        return _empty(data), 0
    headers = gathered(data, header, offsets)
    total = _int64(headers["total"])
    captured = _int64(headers["captured"])
    ends = np.append(offsets[1:], after)
    words = np.ndarray((len(data) - 3,), word, data, strides=(1,))
    options = total - 32 - (captured + 3 & ~3)
    at = np.clip(offsets + total - 4 - np.maximum(options, 0), 0, len(words) - 1)
    flagged = (options == 12) & (words[at] == _FLAGS_OPTION[order]) & (words[np.minimum(at + 8, len(words) - 1)] == 0)
    ticks = (_int64(headers["high"]) << 32) + _int64(headers["low"])
    plain = (
        (headers["kind"] == ENHANCED_PACKET)
        & (headers["interface"] == headers["interface"][0])
        & (captured < _PLAIN_BYTES)
        & (total & 3 == 0)
        & (ends - offsets == total)
        & ((options == 0) | flagged)
        & (words[np.clip(offsets + total - 4, 0, len(words) - 1)] == headers["total"])
        & (headers["high"] < _PLAIN_HIGH)
    )
    count, used = _plain(offsets, after, plain, most)
    per_second = NS // interface.multiplier
    window = Window(
        data=data,
        first_frame=reader.frames + 1,
        offset=reader.source.offset,
        link_type=interface.link_type,
        interface=interface.number,
        ticks_per_second=per_second,
        starts=offsets,
        bodies=offsets + header.itemsize,
        captured=captured,
        original=_int64(headers["original"]),
        flags=np.where(flagged, words[np.minimum(at + 4, len(words) - 1)], 0).astype(np.int64),
        ticks=ticks + interface.offset_ns // interface.multiplier,
    ).first(count)
    return window, used


_FLAGS_OPTION: Final = {"<": 0x0004_0002, ">": 0x0002_0004}
"""Code and length of the option ``epb_flags``, as one number (section 4.3.1 of the draft)."""
_PLAIN_HIGH: Final = 1 << 28
"""Times that stay far from the limits of 64 bits, in nanoseconds."""


def _exact(interface: Interface) -> bool:
    """Whether its clock counts micro- or nanoseconds, from somewhere near 1970."""
    return interface.divisor == 1 and interface.multiplier in {1, 1000} and abs(interface.offset_ns) < _PLAIN_TICKS


def _empty(data: bytes) -> Window:
    none = np.empty(0, np.int64)
    return Window(data, 0, 0, 0, 0, NS, none, none, none, none, none, none)
