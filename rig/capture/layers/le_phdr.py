"""LINKTYPE_BLUETOOTH_LE_LL_WITH_PHDR (256): ten octets before the packet that say how it was received.

Knows https://www.tcpdump.org/linktypes/LINKTYPE_BLUETOOTH_LE_LL_WITH_PHDR.html; Ubertooth, Sniffle, WHAD and the like
write it.
"""

from __future__ import annotations

from typing import Final

from rig.capture.layers.air import ADVERTISING_ACCESS_ADDRESS, AirPacket, Kind, split
from rig.capture.layers.links import UNKNOWN_SIDE
from rig.capture.records import Record

_OCTETS: Final = 10
_ADVERTISING: Final = ADVERTISING_ACCESS_ADDRESS.to_bytes(4, "little")
_DEWHITENED: Final = 0x0001
_DECRYPTED: Final = 0x0008
_CRC_CHECKED: Final = 0x0400
_CRC_VALID: Final = 0x0800
_MIC_CHECKED: Final = 0x1000
_MIC_VALID: Final = 0x2000
_CODED_PHY: Final = 2

_KINDS: Final = (
    (Kind.UNSPECIFIED, UNKNOWN_SIDE),  # advertising, or data of unspecified direction
    (Kind.ADVERTISING, UNKNOWN_SIDE),  # auxiliary advertising; its MIC flags mean something else
    (Kind.DATA, 0),  # from the central
    (Kind.DATA, 1),  # from the peripheral
    (Kind.OTHER, 0),
    (Kind.OTHER, 1),
    (Kind.OTHER, UNKNOWN_SIDE),
    (Kind.OTHER, UNKNOWN_SIDE),
)


def read(record: Record) -> AirPacket | str:
    """The packet in a record; a string says what is wrong with it."""
    data = record.data
    if len(data) < _OCTETS + 4:
        return "ends within the pseudo-header or the access address"
    flags = data[8] | data[9] << 8
    if not flags & _DEWHITENED:
        return "is still whitened"
    kind, side = _KINDS[flags >> 7 & 7]
    is_data = None if kind is Kind.UNSPECIFIED else kind is not Kind.ADVERTISING
    clear: bool | None = None
    if kind is Kind.ADVERTISING:
        if data[_OCTETS : _OCTETS + 4] != _ADVERTISING:
            kind = Kind.OTHER  # a periodic advertising train
    elif flags & _DECRYPTED:
        clear = bool(flags & _MIC_VALID) or not flags & _MIC_CHECKED
    return split(
        data,
        _OCTETS,
        is_data=is_data,
        is_coded=flags >> 14 == _CODED_PHY,
        cut=max(0, record.original_length - len(data)),
        crc_ok=bool(flags & _CRC_VALID) if flags & _CRC_CHECKED else None,
        kind=kind,
        side=side,
        clear=clear,
        channel=data[0],
    )
