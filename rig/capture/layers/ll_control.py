"""LL Control PDUs (Vol 6 Part B, 2.4.2): which role sends which, and what they tell about a link.

Knows their layout. Refuses to know how they were received, and keeps nothing that goes into a key.
"""

from __future__ import annotations

import struct
from types import MappingProxyType
from typing import Final

from rig.capture.layers.hci_codes import error_name
from rig.capture.layers.links import Link

CONNECTION_UPDATE_IND: Final = 0x00
CHANNEL_MAP_IND: Final = 0x01
TERMINATE_IND: Final = 0x02
ENC_REQ: Final = 0x03
ENC_RSP: Final = 0x04
START_ENC_REQ: Final = 0x05
START_ENC_RSP: Final = 0x06
FEATURE_REQ: Final = 0x08
PAUSE_ENC_REQ: Final = 0x0A
PAUSE_ENC_RSP: Final = 0x0B
VERSION_IND: Final = 0x0C
REJECT_IND: Final = 0x0D
PERIPHERAL_FEATURE_REQ: Final = 0x0E
CONNECTION_PARAM_REQ: Final = 0x0F
CONNECTION_PARAM_RSP: Final = 0x10
REJECT_EXT_IND: Final = 0x11
LENGTH_REQ: Final = 0x14
LENGTH_RSP: Final = 0x15
PHY_UPDATE_IND: Final = 0x18
MIN_USED_CHANNELS_IND: Final = 0x19
CIS_REQ: Final = 0x1F
CIS_RSP: Final = 0x20
CIS_IND: Final = 0x21

SENT_BY: Final = MappingProxyType(
    dict.fromkeys(
        (
            CONNECTION_UPDATE_IND,
            CHANNEL_MAP_IND,
            ENC_REQ,
            FEATURE_REQ,
            PAUSE_ENC_REQ,
            PHY_UPDATE_IND,
            CIS_REQ,
            CIS_IND,
        ),
        0,
    )
    | dict.fromkeys((ENC_RSP, START_ENC_REQ, PERIPHERAL_FEATURE_REQ, MIN_USED_CHANNELS_IND, CIS_RSP), 1)
)
"""Opcodes that only one role sends (the sections of Vol 6 Part B, 2.4.2 and 5.1): 0 the central, 1 the peripheral."""

SIZES: Final = MappingProxyType(
    {
        0x00: 12,
        0x01: 8,
        0x02: 2,
        0x03: 23,
        0x04: 13,
        0x05: 1,
        0x06: 1,
        0x07: 2,
        0x08: 9,
        0x09: 9,
        0x0A: 1,
        0x0B: 1,
        0x0C: 6,
        0x0D: 2,
        0x0E: 9,
        0x0F: 24,
        0x10: 24,
        0x11: 3,
        0x12: 1,
        0x13: 1,
        0x14: 9,
        0x15: 9,
        0x16: 3,
        0x17: 3,
        0x18: 5,
        0x19: 3,
    }
)
"""Octets of the payload, opcode included, of each control PDU that Core 5.0 has."""

_UPDATE = struct.Struct("<BHHHHH")
_PARAMETERS = struct.Struct("<HHHHB")
_LENGTHS = struct.Struct("<HHHH")
_VERSION = struct.Struct("<BHH")
_PHYS: Final = MappingProxyType({1: "1M", 2: "2M", 4: "coded"})


def observe(link: Link, frame: int, time_ns: int, side: int, payload: bytes) -> None:
    """Write into the history what one control PDU in plain text tells; ones of a wrong size are passed by."""
    if not payload or len(payload) != SIZES.get(payload[0]):
        return
    opcode = payload[0]
    if opcode == CONNECTION_UPDATE_IND:
        _, _, interval, latency, timeout, instant = _UPDATE.unpack_from(payload, 1)
        link.happened(frame, time_ns, "parameters", **parameters(interval, latency, timeout), instant_event=instant)
    elif opcode == CHANNEL_MAP_IND:
        instant = int.from_bytes(payload[6:8], "little")
        link.happened(frame, time_ns, "channel_map", channels=channels(payload[1:6]), instant_event=instant)
    elif opcode == TERMINATE_IND:
        reason = payload[1]
        link.happened(frame, time_ns, "disconnected", reason=error_name(reason), reason_code=reason)
    elif opcode in _ENCRYPTION_STATES:
        link.happened(frame, time_ns, "encryption", state=_ENCRYPTION_STATES[opcode])
    elif opcode == REJECT_IND:
        link.happened(frame, time_ns, "rejected", reason=error_name(payload[1]))
    elif opcode == REJECT_EXT_IND:
        link.happened(frame, time_ns, "rejected", reason=error_name(payload[2]), opcode=payload[1])
    elif opcode == VERSION_IND:
        version, company, subversion = _VERSION.unpack_from(payload, 1)
        link.happened(
            frame,
            time_ns,
            "version",
            of=_ROLES.get(side, "unknown"),
            link_layer_version=version,
            company=company,
            subversion=subversion,
        )
    elif opcode == CONNECTION_PARAM_REQ:
        low, high, latency, timeout, _ = _PARAMETERS.unpack_from(payload, 1)
        link.happened(
            frame,
            time_ns,
            "parameters_requested",
            interval_min_ms=low * 1.25,
            interval_max_ms=high * 1.25,
            latency_events=latency,
            supervision_timeout_ms=timeout * 10,
        )
    elif opcode in (LENGTH_REQ, LENGTH_RSP):
        rx_octets, rx_time, tx_octets, tx_time = _LENGTHS.unpack_from(payload, 1)
        link.happened(
            frame,
            time_ns,
            "data_length",
            of=_ROLES.get(side, "unknown"),
            tx_bytes=tx_octets,
            tx_time_us=tx_time,
            rx_bytes=rx_octets,
            rx_time_us=rx_time,
        )
    elif opcode == PHY_UPDATE_IND:
        # A field of 0 leaves that direction as it is.
        to_peripheral, to_central = (_PHYS.get(octet, "unchanged") for octet in payload[1:3])
        link.happened(frame, time_ns, "phy", central_to_peripheral=to_peripheral, peripheral_to_central=to_central)


_ENCRYPTION_STATES: Final = MappingProxyType(
    {ENC_REQ: "requested", START_ENC_REQ: "on", PAUSE_ENC_REQ: "pause_requested", PAUSE_ENC_RSP: "paused"}
)
_ROLES: Final = MappingProxyType({0: "central", 1: "peripheral"})


def parameters(interval: int, latency: int, timeout: int) -> dict[str, object]:
    """Connection parameters for the history, from the numbers of the specification (1.25 ms, events, 10 ms)."""
    return {"interval_ms": interval * 1.25, "latency_events": latency, "supervision_timeout_ms": timeout * 10}


def channels(channel_map: bytes) -> int:
    """How many of the 37 data channels a channel map uses."""
    return (int.from_bytes(channel_map, "little") & (1 << 37) - 1).bit_count()
