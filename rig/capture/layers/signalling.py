"""What L2CAP signalling on LE says about a link: connection parameters asked for, and what came of it.

Knows the layout of LE signalling packets (Vol 3 Part A, 4).
"""

from __future__ import annotations

import struct
from typing import Final

from rig.capture.layers.links import UNKNOWN_SIDE, Link

_PARAMETER_REQUEST: Final = 0x12
_PARAMETER_RESPONSE: Final = 0x13
_REQUEST = struct.Struct("<HHHH")
_RESPONSE = struct.Struct("<H")
_HEADER = 4  # code, identifier, length


def observe(link: Link, frame: int, time_ns: int, side: int, payload: bytes) -> None:
    """Write into the history what one LE signalling packet tells; malformed ones are passed by."""
    if len(payload) < _HEADER:
        return
    code = payload[0]
    if code == _PARAMETER_REQUEST:
        # "shall only be sent from the Peripheral to the Central", Vol 3 Part A, 4.20
        if link.central_side is None and side != UNKNOWN_SIDE:
            link.central_side = 1 - side
        if len(payload) >= _HEADER + _REQUEST.size:
            low, high, latency, timeout = _REQUEST.unpack_from(payload, _HEADER)
            link.happened(
                frame,
                time_ns,
                "parameters_requested",
                interval_min_ms=low * 1.25,
                interval_max_ms=high * 1.25,
                latency_events=latency,
                supervision_timeout_ms=timeout * 10,
            )
    elif code == _PARAMETER_RESPONSE:
        # Only the central answers it, Vol 3 Part A, 4.21.
        if link.central_side is None and side != UNKNOWN_SIDE:
            link.central_side = side
        if len(payload) >= _HEADER + _RESPONSE.size:
            accepted = _RESPONSE.unpack_from(payload, _HEADER)[0] == 0
            link.happened(frame, time_ns, "parameters_answered", accepted=accepted)
