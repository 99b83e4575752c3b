"""LINKTYPE_NORDIC_BLE (272): what the nRF Sniffer sends to its host, in header versions 1, 2 and 3.

Knows https://www.tcpdump.org/linktypes/LINKTYPE_NORDIC_BLE.html and, for versions 2 and 3, the description at the head
of Wireshark's packet-nordic_ble.c.
"""

from __future__ import annotations

from typing import Final

from rig.capture.layers.air import ADVERTISING_ACCESS_ADDRESS, AirPacket, Kind, split
from rig.capture.layers.links import UNKNOWN_SIDE
from rig.capture.records import Record

_BOARD: Final = 1
_HEADER: Final = 6
_EVENT: Final = 10  # what comes before the packet in EVENT_PACKET: its own length, flags, channel, RSSI, counter, time
_LEGACY_MARKER: Final = b"\xbe\xef"  # firmware 0.9.7 and before, which had no version

_ADVERTISING: Final = ADVERTISING_ACCESS_ADDRESS.to_bytes(4, "little")
_ADVERTISING_PACKET: Final = 0x02
_PACKET: Final = 0x06  # any packet before version 3, a data channel's since

_CRC_OK: Final = 0x01
_FROM_CENTRAL: Final = 0x02
_ENCRYPTED: Final = 0x04
_MIC_OK: Final = 0x08
_CODED_PHY: Final = 2


def read(record: Record) -> AirPacket | str | None:
    """The packet in a record, None for the sniffer's talk with its host; a string says what is wrong with it."""
    data = record.data
    if data[:2] == _LEGACY_MARKER:
        return "has the header of an nRF Sniffer before version 1: capture with a newer firmware"
    if len(data) < _BOARD + _HEADER:
        return "ends within the nRF Sniffer header"
    version = data[3]
    if not 1 <= version <= 3:
        return f"has version {version} of the nRF Sniffer header, 1 to 3 are known"
    header = _BOARD + (max(data[1], _HEADER) if version == 1 else _HEADER)
    payload = data[2] if version == 1 else data[1] | data[2] << 8
    packet_id = data[6]
    if packet_id != _PACKET and (version < 3 or packet_id != _ADVERTISING_PACKET):
        return None
    event = data[header] if len(data) > header else 0
    if event < _EVENT or len(data) < header + event + 4:
        return "ends within the nRF Sniffer header or the access address"
    if header + payload != max(record.original_length, len(data)):
        return f"is {record.original_length} bytes long, its header says {header + payload}"
    flags, channel = data[header + 1], data[header + 2]
    begin = header + event
    is_advertising = data[begin : begin + 4] == _ADVERTISING
    is_data = packet_id == _PACKET if version == 3 else not is_advertising
    side, clear = UNKNOWN_SIDE, None
    if is_data:
        side = 0 if flags & _FROM_CENTRAL else 1
        if flags & _ENCRYPTED:
            clear = bool(flags & _MIC_OK)
    packet = split(
        data,
        begin,
        is_data=is_data,
        is_coded=flags >> 4 & 7 == _CODED_PHY,
        # The radio writes an octet between header and payload that was not on the air; the host software of the maker
        # takes it out before it writes a file, others have left it in.
        has_padding=True,
        cut=max(0, record.original_length - len(data)),
        crc_ok=bool(flags & _CRC_OK),
        kind=Kind.DATA if is_data else Kind.ADVERTISING if is_advertising else Kind.OTHER,
        side=side,
        clear=clear,
        channel=channel,
    )
    if isinstance(packet, str) and not flags & _CRC_OK:
        # What the radio misheard may have any length: the sniffer's verdict is known all the same.
        return AirPacket(0, b"", crc_ok=False, kind=Kind.OTHER)
    return packet
