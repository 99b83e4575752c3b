"""L2CAP: puts fragments together again, and knows which channel carries what (Vol 3 Part A).

Takes fragments of one link, in order, from whichever layer is below: HCI ACL packets or link-layer data PDUs. Refuses
to know where they came from, and what an attribute is.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from rig.capture.att import EXCHANGE_MTU_REQUEST, EXCHANGE_MTU_RESPONSE
from rig.capture.layers import signalling, smp
from rig.capture.layers.bearers import FIRST_BEARER, Bearers
from rig.capture.layers.links import UNKNOWN_SIDE, AttPdu, Link, Observations

# Channel identifiers, Vol 3 Part A, 2.1, tables 2.1 to 2.3.
CID_SIGNALLING: Final = 0x0001
CID_ATT: Final = 0x0004
CID_LE_SIGNALLING: Final = 0x0005
CID_SMP: Final = 0x0006
CID_BREDR_SMP: Final = 0x0007

_HEADER = 4  # length and channel identifier, Vol 3 Part A, 3.1
_DEFAULT_ATT_MTU = 23  # Vol 3 Part F, 3.2.8, table 3.1 for LE


class L2capPdu(NamedTuple):
    """One PDU of a channel, complete but for what the recorder cut."""

    cid: int
    payload: bytes
    """Without the L2CAP header; where the recorder cut a fragment, what came before the cut."""
    missing: int = 0
    """Bytes of the payload that are not here."""


class Reassembler:
    """Puts the fragments of ONE direction of ONE link together (Vol 3 Part A, 7.2.1). Holds at most one PDU (64 KiB).

    Args:
        observations: where oddities are counted: ``orphan_fragments`` (a continuation of nothing), ``incomplete_pdus``
            (a new PDU began before the last was complete), ``overlong_fragments`` (more bytes than the header said:
            discarded, as receivers do), ``headless_pdus`` (cut before the channel was known).
    """

    __slots__ = ("_buffer", "_cut", "_observations", "_received", "pending")

    def __init__(self, observations: Observations) -> None:
        self._observations = observations
        self._buffer = bytearray()
        self._received = 0
        self._cut = False
        self.pending = False
        """Whether a PDU has begun and is not complete."""

    @property
    def wanted(self) -> int:
        """Bytes still to come before the pending PDU is complete; 0 when nothing is pending, -1 when not yet known."""
        if not self.pending:
            return 0
        if len(self._buffer) < 2:
            return -1
        return _HEADER + (self._buffer[0] | self._buffer[1] << 8) - self._received

    def feed(self, frame: int, is_start: bool, fragment: bytes, missing: int = 0) -> L2capPdu | None:
        """Take one fragment; return the PDU that it completes.

        Args:
            frame: the record it is from, for oddities.
            is_start: whether it begins a PDU (HCI packet boundary flag, LLID 2) or continues one.
            fragment: its bytes, as far as recorded.
            missing: how many bytes the recorder cut off its end.
        """
        if is_start:
            if self.pending:
                self._observations.odd("incomplete_pdus", frame, "a new PDU begins before the last one is complete")
                self.reset()
            size = len(fragment)
            if size >= _HEADER and not missing:
                end = _HEADER + (fragment[0] | fragment[1] << 8)
                if size == end:  # by far the most: nothing to put together
                    return L2capPdu(fragment[2] | fragment[3] << 8, fragment[_HEADER:])
        elif not self.pending:
            self._observations.odd("orphan_fragments", frame, "continues a PDU whose beginning is not in the capture")
            return None
        return self._add(frame, fragment, missing)

    def reset(self) -> None:
        """Forget what is pending."""
        self._buffer = bytearray()
        self._received = 0
        self._cut = False
        self.pending = False

    def _add(self, frame: int, fragment: bytes, missing: int) -> L2capPdu | None:
        self.pending = True
        self._received += len(fragment) + missing
        if not self._cut:  # past a cut, bytes would stand in the wrong place: they are only counted
            self._buffer += fragment
            self._cut = missing > 0
        buffer = self._buffer
        if len(buffer) < _HEADER:
            if self._cut:
                self._observations.odd("headless_pdus", frame, "the recorder cut it before its channel is known")
                self.reset()
            return None
        end = _HEADER + (buffer[0] | buffer[1] << 8)
        if self._received < end:
            return None
        if self._received > end:
            extra = self._received - end
            self._observations.odd("overlong_fragments", frame, f"{extra} bytes more than the L2CAP header says")
            self.reset()
            return None
        pdu = L2capPdu(buffer[2] | buffer[3] << 8, bytes(buffer[_HEADER:end]), max(0, end - len(buffer)))
        self.reset()
        return pdu


class Channels:
    """The channels of one link: hands on ATT, and writes into the link's history what the others say about it.

    Args:
        link: the link; its history, and ``central_side`` where only one role may send what was seen.
        observations: where oddities are counted.
    """

    __slots__ = ("_bearers", "_mtu_requests", "_observations", "link")

    def __init__(self, link: Link, observations: Observations) -> None:
        self.link = link
        self._observations = observations
        self._mtu_requests: dict[int, int] = {}
        self._bearers: Bearers | None = None

    def deliver(self, frame: int, time_ns: int, side: int, pdu: L2capPdu) -> AttPdu | None:
        """Take one PDU of the link; return the ATT PDU that it is or completes, which is never empty.

        A fixed channel means what it means on the link's transport (Vol 3 Part A, 2.1): 4 is no ATT on BR/EDR.
        """
        cid, payload, missing = pdu
        if cid >= FIRST_BEARER:
            return self._dynamic(frame, time_ns, side, pdu)
        le = self.link.transport == "le"
        if cid == (CID_LE_SIGNALLING if le else CID_SIGNALLING):
            if le:
                signalling.observe(self.link, frame, time_ns, side, payload)
            if self._bearers is None:
                self._bearers = Bearers(self._observations)
            self._bearers.signal(frame, side, payload)
        elif cid == CID_ATT and le:
            if not payload:  # no opcode, no PDU (Vol 3 Part F, 3.3.1)
                self._observations.odd("empty_att", frame, "an ATT channel PDU without an opcode")
                return None
            if EXCHANGE_MTU_REQUEST <= payload[0] <= EXCHANGE_MTU_RESPONSE:
                self.mtu_exchange(frame, time_ns, side, payload)
            return AttPdu(frame, time_ns, self.link, side, payload, missing)
        elif cid == CID_SMP and le:
            smp.observe(self.link, frame, time_ns, side, payload)
        return None

    def _dynamic(self, frame: int, time_ns: int, side: int, pdu: L2capPdu) -> AttPdu | None:
        if self._bearers is None:
            return None
        found = self._bearers.receive(frame, side, *pdu)
        return (
            None
            if found is None
            else AttPdu(frame, time_ns, self.link, side, found.payload, found.missing, found.bearer)
        )

    def mtu_exchange(self, frame: int, time_ns: int, side: int, payload: bytes) -> None:
        """Note an Exchange MTU request or response (Vol 3 Part F, 3.4.2); other PDUs are not for here."""
        if len(payload) < 3:
            return
        receivable = payload[1] | payload[2] << 8
        if payload[0] == EXCHANGE_MTU_REQUEST:
            self._mtu_requests[side] = receivable
            return
        asked = self._mtu_requests.pop(side if side == UNKNOWN_SIDE else 1 - side, None)
        if asked is None:
            self.link.happened(frame, time_ns, "mtu", server_rx_bytes=receivable)
            return
        self.link.happened(
            frame,
            time_ns,
            "mtu",
            mtu_bytes=max(_DEFAULT_ATT_MTU, min(asked, receivable)),
            client_rx_bytes=asked,
            server_rx_bytes=receivable,
        )
