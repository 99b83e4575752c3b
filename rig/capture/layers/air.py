"""Packets of the LE link layer as a sniffer hands them on: access address, PDU, CRC, and what the sniffer says of them.

Knows the layout of an uncoded or coded packet without its preamble (Vol 6 Part B, 2.1 and 2.2) and how its CRC is made.
Refuses to know what a PDU means: that is :mod:`.link_layer`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

from rig.capture.layers.links import UNKNOWN_SIDE

ADVERTISING_ACCESS_ADDRESS: Final = 0x8E89BED6  # Vol 6 Part B, 2.1.2
ADVERTISING_CRC_INIT: Final = 0x555555  # Vol 6 Part B, 3.1.1

_ACCESS_ADDRESS = 4
_HEADER = 2
_CRC = 3
_CTE_INFO_PRESENT = 0x20  # the CP bit of a data PDU's header, Vol 6 Part B, 2.4


class Kind(IntEnum):
    """Which physical channel a packet was on, as far as its container says."""

    UNSPECIFIED = 0
    """The access address tells."""
    ADVERTISING = 1
    DATA = 2
    OTHER = 3
    """An isochronous or periodic channel, or nothing that was received on the air."""


class AirPacket(NamedTuple):
    """One packet without its preamble."""

    access_address: int
    pdu: bytes
    """Header (2 octets, any CTEInfo taken out) and payload, any MIC included, as far as recorded."""
    missing: int = 0
    """Octets at the end of the PDU that were not recorded."""
    crc: bytes = b""
    """As sent; empty where it was not recorded."""
    crc_ok: bool | None = None
    """What the sniffer found, None where it does not say."""
    kind: Kind = Kind.UNSPECIFIED
    side: int = UNKNOWN_SIDE
    """0 the central, 1 the peripheral, where the container says so."""
    clear: bool | None = None
    """Whether the payload is plain text: True decrypted, False encrypted, None where the container does not say."""
    channel: int = -1
    """Any number that is the same for packets on the same channel, -1 where the container has none."""
    clock_ns: int | None = None
    """The sniffer's own clock, wrapping or not, where it is better than the record's time."""
    cte_info: bytes = b""
    """The octet between header and payload that some data PDUs have (Vol 6 Part B, 2.4); the CRC is over it too."""

    is_as_received: bool = True
    """False for a format of crackle's, which writes packets that it has decrypted without a word about their CRC."""

    def has_crc_of(self, init: int) -> bool | None:
        """Whether the CRC is right for ``init``; None where there is none to compare.

        Three zeros are taken for a CRC that was not recorded: crackle writes them after what it has decrypted.
        """
        if not self.crc or self.missing or not any(self.crc):
            return None
        pdu = self.pdu
        return self.crc == crc24(pdu[:_HEADER] + self.cte_info + pdu[_HEADER:] if self.cte_info else pdu, init)


def split(
    data: bytes,
    at: int,
    *,
    is_data: bool | None = None,
    is_coded: bool = False,
    has_padding: bool = False,
    cut: int = 0,
    crc_ok: bool | None = None,
    kind: Kind = Kind.UNSPECIFIED,
    side: int = UNKNOWN_SIDE,
    clear: bool | None = None,
    channel: int = -1,
    clock_ns: int | None = None,
    is_as_received: bool = True,
) -> AirPacket | str:
    """Take a packet apart that begins with its access address at ``data[at]``; a string says why it cannot be.

    What else is given goes into the packet as it is.

    Args:
        data: the record.
        at: where its access address begins.
        is_data: whether it is on a data channel; None where the access address has to tell.
        is_coded: on the LE Coded PHY, where a coding indicator follows the access address (Vol 6 Part B, 2.2).
        has_padding: whether one octet too many is the one that nRF radios put after the header.
        cut: how many octets the recorder left out at the end.
        crc_ok: see :class:`AirPacket`, as all that follow.
        kind: which physical channel.
        side: who sent it.
        clear: whether it is plain text.
        channel: where.
        clock_ns: when.
        is_as_received: whether its CRC counts.
    """
    begin = at + _ACCESS_ADDRESS
    access_address = int.from_bytes(data[at:begin], "little")
    begin += is_coded
    payload = begin + _HEADER
    size = len(data)
    if size < payload:
        return "ends before its header does"
    end = payload + data[begin + 1]
    cte_info = b""
    if size + cut != end + _CRC:
        if is_data is None:
            is_data = access_address != ADVERTISING_ACCESS_ADDRESS
        if size + cut == end + 1 + _CRC:
            if is_data and data[begin] & _CTE_INFO_PRESENT:
                # Reserved before Core 5.1 and set by mistake in places, hence only believed where the length agrees.
                cte_info = data[payload : payload + 1]
                payload += 1
                end += 1
            elif has_padding:
                payload += 1
                end += 1
        missing = max(0, end - max(payload, size))
        if missing > cut:
            return f"is {missing} bytes shorter than its header says"
    else:
        missing = max(0, end - size)
    crc = data[end : end + _CRC]
    return AirPacket(
        access_address,
        data[begin : begin + _HEADER] + data[payload:end] if payload != begin + _HEADER else data[begin:end],
        missing,
        crc if len(crc) == _CRC else b"",
        crc_ok,
        kind,
        side,
        clear,
        channel,
        clock_ns,
        cte_info,
        is_as_received,
    )


_tables: list[tuple[int, ...]] = []


def _table() -> tuple[int, ...]:
    if not _tables:  # a third of a millisecond that only sniffed captures pay
        table = []
        for octet in range(256):
            register = octet
            for _ in range(8):
                register = register >> 1 ^ (0xDA6000 if register & 1 else 0)
            table.append(register)
        _tables.append(tuple(table))
    return _tables[0]


def crc24(pdu: bytes, init: int) -> bytes:
    """The CRC of a PDU in the order in which it is sent (Vol 6 Part B, 3.1.1).

    Args:
        pdu: header and payload; with CTEInfo, that too.
        init: CRCInit, bit 0 in position 0 of the shift register: as the integer of the CONNECT_IND field.
    """
    table = _table()
    # The register is kept the other way round (bit 23 first), as octets are sent with their bit 0 first.
    register = int(f"{init & 0xFFFFFF:024b}"[::-1], 2)
    for octet in pdu:
        register = register >> 8 ^ table[(register ^ octet) & 0xFF]
    return register.to_bytes(3, "little")
