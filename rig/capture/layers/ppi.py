"""PPI (192) around LE link-layer packets, as Ubertooth and crackle write it; also bare packets (147 and 251).

Knows the Per-Packet Information header (https://web.archive.org/web/2013/http://www.cacetech.com/documents/PPI%20Header%20format%201.0.7.pdf)
and the one field that libbtbb puts into it for Bluetooth LE.
"""

from __future__ import annotations

import struct
from typing import Final

from rig.capture.layers.air import AirPacket, split
from rig.capture.records import LinkType, Record

_HEADER = struct.Struct("<BBHI")
_FIELD = struct.Struct("<HH")
_BTLE = struct.Struct("<BHBI")
"""Of field 30006: version, channel in MHz, high octet of the clock, clock in 100 ns (libbtbb, pcap.c: ppi_btle)."""
_BTLE_FIELD: Final = 30006


def read(record: Record) -> AirPacket | str:
    """The packet in a record that begins with a PPI header; a string says what is wrong with it."""
    data = record.data
    if len(data) < _HEADER.size:
        return "ends within the PPI header"
    version, _, length, link_type = _HEADER.unpack_from(data)
    if version != 0 or length < _HEADER.size or length > len(data):
        return "has no PPI header that makes sense"
    if link_type not in (LinkType.LE_LL_IN_PPI, LinkType.LE_LL):
        return f"has link type {link_type} inside PPI, which is not the LE link layer"
    channel, clock_ns = -1, None
    at = _HEADER.size
    while at + _FIELD.size <= length:
        kind, size = _FIELD.unpack_from(data, at)
        at += _FIELD.size
        if kind == _BTLE_FIELD and size >= _BTLE.size and at + size <= length:
            _, channel, _, clock = _BTLE.unpack_from(data, at)
            clock_ns = clock * 100
        at += size
    return _bare(record, length, link_type, channel, clock_ns)


def read_bare(record: Record) -> AirPacket | str:
    """The packet in a record that begins with its access address; a string says what is wrong with it."""
    return _bare(record, 0, record.link_type)


def _bare(record: Record, at: int, link_type: int, channel: int = -1, clock_ns: int | None = None) -> AirPacket | str:
    data = record.data
    if len(data) < at + 4:
        return "ends within the access address"
    return split(
        data,
        at,
        cut=max(0, record.original_length - len(data)),
        channel=channel,
        clock_ns=clock_ns,
        is_as_received=link_type != LinkType.LE_LL_IN_PPI,
    )
