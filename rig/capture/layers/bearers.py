"""ATT beside the fixed channel: over BR/EDR on a dynamic channel, and Enhanced ATT on credit-based ones.

Knows how such channels are set up and taken down (Vol 3 Part A, 4) and how their payload is cut into K-frames (3.4.3).
Channels whose setting up is not in the capture cannot be told from any other and stay unread.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from rig.capture.layers.links import UNKNOWN_SIDE, Observations

PSM_ATT: Final = 0x001F
PSM_EATT: Final = 0x0027
FIRST_BEARER: Final = 0x40
"""Bearers beside the fixed channel are numbered from here, link by link; below are the fixed channels."""

_MAX_BEARERS = 64  # open at once on one link; a device opens five at a time, and few devices more than once

_CONNECTION_REQUEST: Final = 0x02
_CONNECTION_RESPONSE: Final = 0x03
_CONFIGURATION_REQUEST: Final = 0x04
_DISCONNECTION_REQUEST: Final = 0x06
_DISCONNECTION_RESPONSE: Final = 0x07
_CREDIT_BASED_REQUEST: Final = 0x17
_CREDIT_BASED_RESPONSE: Final = 0x18
_PENDING: Final = 1  # another response with the same identifier follows, Vol 3 Part A, 4.3
_MODE_OPTION: Final = 0x04  # retransmission and flow control, Vol 3 Part A, 5.4

_TWO = struct.Struct("<HH")
_FOUR = struct.Struct("<HHHH")


class _Direction:
    """One direction of a bearer: which it is of, and the service data unit in progress."""

    __slots__ = ("bearer", "buffer", "cut", "received", "segmented", "total")

    def __init__(self, bearer: int, *, segmented: bool) -> None:
        self.bearer = bearer
        self.segmented = segmented
        self.clear()

    def clear(self) -> None:
        self.buffer = b""
        self.received = 0
        self.total = -1  # none begun
        self.cut = False


class _Asked(NamedTuple):
    """A request for channels that waits for its response."""

    segmented: bool
    sources: tuple[int, ...]


class BearerPdu(NamedTuple):
    """One complete ATT PDU of such a channel."""

    bearer: int
    payload: bytes
    missing: int


class Bearers:
    """The ATT bearers of one link beside the fixed channel.

    Args:
        observations: where oddities are counted.
    """

    __slots__ = ("_asked", "_directions", "_last", "_observations")

    def __init__(self, observations: Observations) -> None:
        self._observations = observations
        self._asked: dict[tuple[int, int], _Asked] = {}
        # By sender and the channel identifier in its PDUs, which is the receiver's (Vol 3 Part A, 2.1).
        self._directions: dict[tuple[int, int], _Direction] = {}
        self._last = FIRST_BEARER - 1

    def signal(self, frame: int, side: int, packet: bytes) -> None:
        """Take one signalling PDU, which on BR/EDR may hold several commands (4.1); what is malformed is passed by."""
        at = 0
        while side != UNKNOWN_SIDE and at + 4 <= len(packet):
            code = packet[at]
            identifier = packet[at + 1]
            end = at + 4 + (packet[at + 2] | packet[at + 3] << 8)
            body = packet[at + 4 : end]
            at = end
            if len(body) < 4:
                continue
            if code in (_CONNECTION_REQUEST, _CREDIT_BASED_REQUEST):
                self._requested(code, side, identifier, body)
            elif code == _CONNECTION_RESPONSE:
                self._connected(frame, side, identifier, body)
            elif code == _CREDIT_BASED_RESPONSE:
                self._credit_based(frame, side, identifier, body)
            elif code == _CONFIGURATION_REQUEST:
                self._configured(frame, side, body)
            elif code == _DISCONNECTION_REQUEST:
                self._close(side, body)
            elif code == _DISCONNECTION_RESPONSE:
                self._close(1 - side, body)

    def receive(self, frame: int, side: int, cid: int, payload: bytes, missing: int) -> BearerPdu | None:
        """Take one PDU on a dynamic channel; return the ATT PDU that it completes, if the channel carries ATT."""
        direction = self._directions.get((side, cid))
        if direction is None:
            return None
        if not direction.segmented:
            return BearerPdu(direction.bearer, payload, missing) if payload else None
        if direction.total < 0:
            if len(payload) < 2:
                self._observations.odd("headless_pdus", frame, "a K-frame without its SDU length")
                return None
            direction.total = payload[0] | payload[1] << 8
            payload = payload[2:]
        direction.received += len(payload) + missing
        if not direction.cut:
            direction.buffer += payload
            direction.cut = missing > 0
        if direction.received < direction.total:
            return None
        total, received, data = direction.total, direction.received, direction.buffer
        direction.clear()
        if received > total:
            self._observations.odd(
                "overlong_fragments", frame, f"{received - total} bytes more than the SDU length says"
            )
            return None
        return BearerPdu(direction.bearer, data, total - len(data)) if data else None

    def _requested(self, code: int, side: int, identifier: int, body: bytes) -> None:
        psm, source = _TWO.unpack_from(body)
        if code == _CONNECTION_REQUEST and psm == PSM_ATT:
            self._asked[side, identifier] = _Asked(segmented=False, sources=(source,))
        elif code == _CREDIT_BASED_REQUEST and psm == PSM_EATT:
            self._asked[side, identifier] = _Asked(segmented=True, sources=_words(body[8:18]))

    def _connected(self, frame: int, side: int, identifier: int, body: bytes) -> None:
        if len(body) < 8:
            return
        destination, source, result, _ = _FOUR.unpack_from(body)
        asked = self._asked.get((1 - side, identifier))
        if asked is None or asked.sources != (source,) or result == _PENDING:
            return
        del self._asked[1 - side, identifier]
        if result == 0:
            self._open(frame, 1 - side, source, destination, segmented=False)

    def _credit_based(self, frame: int, side: int, identifier: int, body: bytes) -> None:
        asked = self._asked.pop((1 - side, identifier), None)
        if asked is not None:
            for source, destination in zip(asked.sources, _words(body[8:18]), strict=False):
                self._open(frame, 1 - side, source, destination, segmented=True)

    def _open(self, frame: int, asker: int, source: int, destination: int, *, segmented: bool) -> None:
        if not source or not destination:  # 0 in a credit-based response: this one was refused (4.26)
            return
        if len(self._directions) >= 2 * _MAX_BEARERS:
            self._observations.odd("unread_bearers", frame, f"more than {_MAX_BEARERS} ATT channels on one link")
            return
        self._last += 1
        self._directions[asker, destination] = _Direction(self._last, segmented=segmented)
        self._directions[1 - asker, source] = _Direction(self._last, segmented=segmented)

    def _close(self, asker: int, body: bytes) -> None:
        destination, source = _TWO.unpack_from(body)
        self._directions.pop((asker, destination), None)
        self._directions.pop((1 - asker, source), None)

    def _configured(self, frame: int, side: int, body: bytes) -> None:
        """A mode other than basic puts its own header before each payload: such a channel is not read."""
        direction = self._directions.get((side, body[0] | body[1] << 8))
        at = 4
        while direction is not None and at + 2 < len(body):
            if body[at] & 0x7F == _MODE_OPTION and body[at + 2]:
                self._observations.odd("unread_bearers", frame, "ATT in a retransmission mode is not read")
                for key in [key for key, one in self._directions.items() if one.bearer == direction.bearer]:
                    del self._directions[key]
                return
            at += 2 + body[at + 1]


def _words(data: bytes) -> tuple[int, ...]:
    return tuple(data[at] | data[at + 1] << 8 for at in range(0, len(data) - 1, 2))
