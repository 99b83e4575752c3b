"""The LE link layer as sniffers record it: from packets on the air to links and ATT PDUs (Vol 6 Part B).

Decides which link a packet belongs to, leaves out what was received wrongly or sent again, and puts fragments together.
Refuses to know containers (:mod:`.le_phdr`, :mod:`.nordic`, :mod:`.ppi`) and to decrypt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rig.capture.layers import advertised, le_phdr, ll_control, nordic, ppi
from rig.capture.layers.air import ADVERTISING_ACCESS_ADDRESS, ADVERTISING_CRC_INIT, AirPacket, Kind
from rig.capture.layers.l2cap import CID_ATT, CID_LE_SIGNALLING, CID_SMP, Channels, L2capPdu, Reassembler
from rig.capture.layers.links import UNKNOWN_SIDE, Address, AttPdu, Link, Observations
from rig.capture.layers.turns import Turns
from rig.capture.records import LinkType, Record

MAX_LINKS: Final = 4096
"""Links kept from one capture: noise taken for packets could make up any number of access addresses."""

# Advertising physical channel PDUs, Vol 6 Part B, 2.3, table 2.3
_CONNECT_IND: Final = 5
_EXTENDED: Final = 7
_WITH_DATA: Final = frozenset({0, 2, 4, 6})  # ADV_IND, ADV_NONCONN_IND, SCAN_RSP, ADV_SCAN_IND: AdvA, then data
_TX_ADD: Final = 0x40
_RX_ADD: Final = 0x80
_CONNECT_OCTETS: Final = 34  # InitA, AdvA, LLData; AUX_CONNECT_REQ is the same (2.3.3)

# LLID, Vol 6 Part B, 2.4
_CONTINUATION: Final = 1
_START: Final = 2
_CONTROL: Final = 3

_MIC: Final = 4
_CHANNELS: Final = frozenset({CID_ATT, CID_LE_SIGNALLING, CID_SMP})
_LONGEST_SUPERVISION_NS: Final = 32_000_000_000  # Vol 6 Part B, 4.5.2
_REPETITION_NS: Final = 1_000_000_000
_LOST_EVENTS: Final = 4


class _Direction:
    """What one end of a link sent last, and what it has begun to send."""

    __slots__ = ("expected", "llid", "order", "payload", "reassembler", "sequence", "time_ns")

    def __init__(self, observations: Observations) -> None:
        self.sequence = -1  # SN, -1 before the first
        self.expected = 0  # NESN
        self.llid = 0
        self.payload = b""
        self.order = 0  # of that PDU on the link, both directions counted
        self.time_ns = 0
        self.reassembler = Reassembler(observations)


class _AirLink:
    """A link with what it takes to read it."""

    __slots__ = (
        "begun_ns",
        "channels",
        "crc_init",
        "directions",
        "encrypted",
        "encryption_begins",
        "has_mic",
        "interval_ns",
        "is_plain",
        "link",
        "oddities",
        "order",
        "request",
        "terminated",
        "time_ns",
        "turns",
    )

    def __init__(self, link: Link, observations: Observations, time_ns: int, *, request: bytes = b"") -> None:
        self.link = link
        self.begun_ns = time_ns
        self.channels = Channels(link, observations)
        # By side; and two more for PDUs whose sender is unknown, told apart by SN + NESN modulo 2 (see turns.py).
        self.directions = tuple(_Direction(observations) for _ in range(4))
        self.request = request
        self.crc_init = int.from_bytes(request[16:19], "little") if request else None
        self.interval_ns = int.from_bytes(request[22:24], "little") * 1_250_000 if request else 0
        self.turns = Turns(from_beginning=bool(request), interval_ns=self.interval_ns)
        self.order = 0  # of the last PDU, both directions counted
        self.oddities = 0  # PDUs in a row that look like ciphertext
        self.time_ns = time_ns
        self.terminated = False
        self.encryption_begins = False
        self.encrypted = False
        self.is_plain = False  # encrypted on the air, decrypted in the file although its container does not say so
        self.has_mic: bool | None = None  # whether decrypted PDUs still end with their MIC

    def may_be_repeated(self, time_ns: int) -> bool:
        """Whether the same CONNECT_IND would be this one again: heard by two interfaces, or nothing had come of it.

        Some tools connect with the same numbers each time, hence not for ever.
        """
        return not self.order or abs(time_ns - self.begun_ns) < _REPETITION_NS

    def seems_encrypted(self, frame: int, time_ns: int, llid: int, payload: bytes) -> bool:
        """Whether what was taken for plain text is ciphertext, because its encryption began where nobody listened.

        It takes two PDUs in a row that no plain text can be.
        """
        if llid == _CONTROL:
            # Core 6 has opcodes up to 0x3D; the shortest ciphertext is one octet and its MIC.
            is_odd = payload[0] > 0x3F or len(payload) != ll_control.SIZES.get(payload[0], len(payload))
            is_odd = is_odd and len(payload) > _MIC
        elif llid == _START and len(payload) > _MIC:
            length, channel = int.from_bytes(payload[:2], "little"), int.from_bytes(payload[2:4], "little")
            # Fixed and dynamic channels of LE, Vol 3 Part A, 2.1, tables 2.2 and 2.3.
            is_odd = length + 4 < len(payload) or not (4 <= channel <= 6 or 0x20 <= channel <= 0x7F)
        else:
            return False
        self.oddities = self.oddities + 1 if is_odd else 0
        if self.oddities == 2:
            self.encrypted = True
            self.reset_fragments()
            self.link.happened(frame, time_ns, "encryption", state="on", beginning_seen=False)
        return self.oddities >= 2

    def reset_fragments(self) -> None:
        for direction in self.directions:
            direction.reassembler.reset()


class LinkLayer:
    """Records of a sniffer in, ATT PDUs out; several links at once, by access address.

    Args:
        links: every link of the capture, in order of appearance; new ones are added here.
        observations: where oddities are counted: ``crc_errors``, ``retransmissions``, ``encrypted_pdus``,
            ``sequence_gaps`` (PDUs before one were missed), ``unjoined_pdus`` (fragments right after a gap),
            ``direction_conflicts`` (the sniffer names the wrong end), ``crc_mismatches`` (delivered, see
            :attr:`.air.AirPacket.is_as_received`), ``malformed_packets``, ``isochronous_packets``, ``stray_packets``
            (no access address that a link could have), ``links_left_out`` (more than :data:`MAX_LINKS`).
    """

    def __init__(self, links: list[Link], observations: Observations) -> None:
        self._links = links
        self._observations = observations
        self._by_address: dict[int, _AirLink] = {}
        self._made = 0

    def feed(self, record: Record) -> Sequence[AttPdu]:
        """Take one record; return the ATT PDUs that it completes. Never raises on any bytes."""
        packet = _read(record)
        if packet is None:
            return ()
        if isinstance(packet, str):
            self._observations.odd("malformed_packets", record.frame, f"a packet that {packet}")
            return ()
        if packet.crc_ok is False:
            self._bad_crc(record)
            return ()
        if packet.kind is Kind.OTHER:
            self._observations.odd("isochronous_packets", record.frame, "a packet of no link and no advertiser")
            return ()
        if packet.kind is Kind.ADVERTISING or packet.access_address == ADVERTISING_ACCESS_ADDRESS:
            if packet.crc_ok is None and packet.is_as_received and packet.has_crc_of(ADVERTISING_CRC_INIT) is False:
                self._bad_crc(record)
            else:
                self._advertising(record, packet)
            return ()
        pdu = self._data(record, packet)
        return () if pdu is None else (pdu,)

    def _bad_crc(self, record: Record) -> None:
        self._observations.odd("crc_errors", record.frame, "received with a wrong CRC")

    # Advertising

    def _advertising(self, record: Record, packet: AirPacket) -> None:
        header, payload = packet.pdu[0], packet.pdu[2:]
        kind = header & 0xF
        if kind == _CONNECT_IND:
            if len(payload) != _CONNECT_OCTETS:
                self._observations.odd("malformed_packets", record.frame, f"a CONNECT_IND of {len(payload)} bytes")
                return
            self._connect(record, header, payload)
        elif kind in _WITH_DATA and len(payload) >= 6:
            advertised.learn(self._observations, address_text(payload[:6]), payload[6:])
        elif kind == _EXTENDED:
            _extended(self._observations, payload)

    def _connect(self, record: Record, header: int, payload: bytes) -> None:
        access_address = int.from_bytes(payload[12:16], "little")
        known = self._by_address.get(access_address)
        if known is not None and known.request == payload and known.may_be_repeated(record.time_ns):
            known.link.last_frame = record.frame
            return
        link = self._new_link(record, access_address)
        if link is None:
            return
        link.beginning_seen = True
        link.addresses = [
            Address(address_text(payload[:6]), bool(header & _TX_ADD)),
            Address(address_text(payload[6:12]), bool(header & _RX_ADD)),
        ]
        interval, latency, timeout = (int.from_bytes(payload[at : at + 2], "little") for at in (22, 24, 26))
        link.happened(
            record.frame,
            record.time_ns,
            "connected",
            **ll_control.parameters(interval, latency, timeout),
            channels=ll_control.channels(payload[28:33]),
            hop_increment=payload[33] & 0x1F,
        )
        self._by_address[access_address] = _AirLink(link, self._observations, record.time_ns, request=payload)

    def _new_link(self, record: Record, access_address: int) -> Link | None:
        if self._made >= MAX_LINKS:
            self._observations.odd("links_left_out", record.frame, f"access address 0x{access_address:08x}")
            return None
        self._made += 1
        link = Link(
            number=len(self._links) + 1,
            transport="le",
            controller=record.interface,
            access_address=access_address,
            first_frame=record.frame,
            last_frame=record.frame,
            central_side=0,
        )
        self._links.append(link)
        return link

    @staticmethod
    def _is_over(known: _AirLink, time_ns: int) -> bool:
        """Whether a link has ended for certain: after its termination only repetitions of that are to come."""
        return known.terminated and abs(time_ns - known.time_ns) > _LONGEST_SUPERVISION_NS

    # Data

    def _data(self, record: Record, packet: AirPacket) -> AttPdu | None:
        known = self._link_of(record, packet)
        if known is None:
            return None
        frame = record.frame
        header, sent, missing = packet.pdu[0], packet.pdu[2:], packet.missing
        llid = header & 3
        known.link.last_frame = frame
        known.order += 1
        known.time_ns = record.time_ns
        payload, is_clear = self._plain(known, record, packet, llid, sent)
        side = self._side(known, record, packet, payload if is_clear else b"")
        number = side if side != UNKNOWN_SIDE else 2 + (header >> 3 & 1 ^ header >> 2 & 1)
        direction = known.directions[number]
        fate = _sequence(known, number, header, sent, record.time_ns)
        if fate == _AGAIN:
            self._observations.counts["retransmissions"] += 1
            return None
        if fate == _AFTER_GAP:
            self._observations.odd("sequence_gaps", frame, "PDUs before this one are not in the capture")
            direction.reassembler.reset()
        if not packet.pdu[1]:  # an empty PDU
            return None
        if not is_clear:
            self._observations.odd("encrypted_pdus", frame, "encrypted, and not decrypted by who captured it")
            direction.reassembler.reset()
            if llid == _CONTROL and known.encryption_begins and len(payload) == 1 + _MIC:
                known.encrypted, known.encryption_begins = True, False  # an encrypted LL_START_ENC_RSP
            return None
        if llid == _CONTROL:
            if not missing:
                self._control(known, record, side, payload)
            return None
        whole = self._join(direction.reassembler, frame, fate, payload, missing, is_start=llid == _START)
        return None if whole is None else known.channels.deliver(frame, record.time_ns, side, whole)

    def _join(
        self, reassembler: Reassembler, frame: int, fate: int, fragment: bytes, missing: int, *, is_start: bool
    ) -> L2capPdu | None:
        size = len(fragment) + missing
        if is_start:
            if fate == _AFTER_GAP and size < 4 + int.from_bytes(fragment[:2], "little"):
                # Where SN has just not added up, nothing is joined; Wireshark does not either. What needs no joining
                # is whole by its own length and CRC.
                self._observations.odd("unjoined_pdus", frame, "begins a PDU of several fragments right after a gap")
                return None
        elif reassembler.pending and 0 < reassembler.wanted < size:
            # Fragments of two PDUs: what lies between was missed, and the sequence numbers happen to agree.
            self._observations.odd("sequence_gaps", frame, "more bytes than the PDU that has begun lacks")
            reassembler.reset()
        return reassembler.feed(frame, is_start, fragment, missing)

    def _link_of(self, record: Record, packet: AirPacket) -> _AirLink | None:
        """The link of a data packet that is fit to be read; None where it is not, which is counted."""
        known = self._by_address.get(packet.access_address)
        if known is None or self._is_over(known, record.time_ns):
            return self._met(record, packet)
        has_crc = None
        if packet.crc_ok is None and packet.clear is None and known.crc_init is not None:
            has_crc = packet.has_crc_of(known.crc_init)
        if has_crc is False and packet.is_as_received:
            self._bad_crc(record)
            return None
        if has_crc is False:
            self._observations.odd("crc_mismatches", record.frame, "its CRC is wrong, or older than its payload")
        if not packet.pdu[0] & 3:
            self._observations.odd("malformed_packets", record.frame, "a data PDU of the reserved kind (LLID 0)")
            return None
        return known

    def _met(self, record: Record, packet: AirPacket) -> _AirLink | None:
        """A data PDU of a link whose CONNECT_IND was not seen: the capture began in mid-connection."""
        access_address = packet.access_address
        if (access_address ^ ADVERTISING_ACCESS_ADDRESS).bit_count() <= 1 or not packet.pdu[0] & 3:
            # Reserved for links by Vol 6 Part B, 2.1.2: it is an advertisement received with a wrong bit.
            self._observations.odd("stray_packets", record.frame, f"access address 0x{access_address:08x}")
            return None
        link = self._new_link(record, access_address)
        if link is None:
            return None
        known = self._by_address[access_address] = _AirLink(link, self._observations, record.time_ns)
        return known

    def _plain(
        self, known: _AirLink, record: Record, packet: AirPacket, llid: int, payload: bytes
    ) -> tuple[bytes, bool]:
        """The payload as sent by the upper layer, and whether it is that rather than ciphertext."""
        if not payload or packet.clear is False:
            return payload, not payload
        if packet.clear is None:
            if not known.encrypted:
                if known.encryption_begins and llid == _CONTROL and len(payload) == 1 + _MIC:
                    return payload, payload[0] == ll_control.PHY_UPDATE_IND
                if packet.missing:
                    return payload, True
                return payload, not known.seems_encrypted(record.frame, record.time_ns, llid, payload)
            return payload, self._looks_plain(known, llid, payload)
        if llid == _START and len(payload) >= 4 + _MIC and not packet.missing:
            # Some decryptors leave the MIC where it was. A PDU that is complete in itself tells.
            spare = len(payload) - 4 - int.from_bytes(payload[:2], "little")
            if spare in (0, _MIC):
                known.has_mic = spare == _MIC
        if known.has_mic and len(payload) > _MIC:
            payload = payload[: max(0, len(payload) - max(0, _MIC - packet.missing))]
        return payload, True

    @staticmethod
    def _looks_plain(known: _AirLink, llid: int, payload: bytes) -> bool:
        """Whether a PDU of an encrypted link was decrypted without its container saying so, as crackle does in PPI.

        Ciphertext is at least 5 octets; that it begins with its own length and a channel of LE is one chance in 2**30.
        """
        size = len(payload)
        if llid == _CONTROL:
            fits = size == ll_control.SIZES.get(payload[0])
            # No encrypted control PDU is as long as LL_ENC_REQ: the link was paused, and begins anew in plain text.
            return fits and (known.is_plain or size <= _MIC or payload[0] == ll_control.ENC_REQ)
        if llid == _START and size >= 4:
            length, channel = int.from_bytes(payload[:2], "little"), int.from_bytes(payload[2:4], "little")
            if channel in _CHANNELS and length + 4 == size:
                known.is_plain = True
        return known.is_plain

    def _side(self, known: _AirLink, record: Record, packet: AirPacket, payload: bytes) -> int:
        llid = packet.pdu[0] & 3
        told = UNKNOWN_SIDE
        if payload and llid == _CONTROL and len(payload) == ll_control.SIZES.get(payload[0]):
            told = ll_control.SENT_BY.get(payload[0], UNKNOWN_SIDE)
        elif llid == _START:
            told = _told_by_channel(payload)
        time_ns = record.time_ns if packet.clock_ns is None else packet.clock_ns
        side = known.turns.sender(time_ns, packet.channel, packet.pdu, told=told, flagged=packet.side)
        if side == 1 - packet.side:  # of 0 and 1; an unknown one is -1
            self._observations.odd("direction_conflicts", record.frame, "the sniffer took it for the other end's")
        return side

    def _control(self, known: _AirLink, record: Record, side: int, payload: bytes) -> None:
        opcode = payload[0]
        if len(payload) != ll_control.SIZES.get(opcode, len(payload)):
            self._observations.odd("malformed_packets", record.frame, f"a control PDU 0x{opcode:02x} of another size")
            return
        ll_control.observe(known.link, record.frame, record.time_ns, side, payload)
        if opcode == ll_control.TERMINATE_IND:
            known.terminated = True
        elif opcode == ll_control.ENC_REQ:
            known.encryption_begins, known.encrypted, known.is_plain = True, False, False
        elif opcode == ll_control.START_ENC_REQ:
            known.encryption_begins, known.encrypted = False, True
            known.reset_fragments()
        elif opcode in (ll_control.PAUSE_ENC_RSP, ll_control.REJECT_IND, ll_control.REJECT_EXT_IND):
            if opcode == ll_control.PAUSE_ENC_RSP:
                known.encrypted = False
            known.encryption_begins = False
        elif opcode == ll_control.PHY_UPDATE_IND:
            known.turns.phy_changes()
        elif opcode == ll_control.CONNECTION_UPDATE_IND:
            # From some instant on: until then the old one holds, so the longer of both is waited for.
            interval_ns = int.from_bytes(payload[4:6], "little") * 1_250_000
            known.interval_ns = max(known.interval_ns, interval_ns)
            known.turns.interval_changes(interval_ns)


_NEW: Final = 0
_AGAIN: Final = 1
_AFTER_GAP: Final = 2


def _sequence(known: _AirLink, number: int, header: int, payload: bytes, time_ns: int) -> int:
    """What a PDU is to the one before in its direction: new, the same sent again, or new after some that were missed.

    The receiver knows by SN alone (Vol 6 Part B, 4.5.9). A sniffer misses PDUs that the receiver did not: the same SN
    with other contents, or after an acknowledgement that its sender is seen to have received, is a new PDU.
    """
    direction, other = known.directions[number], known.directions[number ^ 1]
    sequence, expected, llid = header >> 3 & 1, header >> 2 & 1, header & 3
    fate = _NEW
    if direction.sequence == sequence:
        is_same = direction.llid == llid and direction.payload == payload
        was_answered = (
            other.order > direction.order
            and other.expected != sequence  # acknowledged it …
            and other.sequence == direction.expected  # … in a PDU that was new …
            and expected != other.sequence  # … and has been received since
        )
        fate = _AGAIN if is_same and not was_answered else _AFTER_GAP
    elif direction.reassembler.pending and abs(time_ns - direction.time_ns) > _LOST_EVENTS * known.interval_ns > 0:
        fate = _AFTER_GAP  # an even number of missed PDUs leaves no trace in SN, but takes its time
    direction.sequence, direction.expected, direction.llid = sequence, expected, llid
    direction.payload, direction.order, direction.time_ns = payload, known.order, time_ns
    return fate


def _told_by_channel(payload: bytes) -> int:
    """The side that must have sent an L2CAP PDU, where its channel and code are for one role only."""
    if len(payload) < 5:
        return UNKNOWN_SIDE
    channel, code = int.from_bytes(payload[2:4], "little"), payload[4]
    if channel == CID_LE_SIGNALLING:
        # Connection Parameter Update: only the peripheral asks (Vol 3 Part A, 4.20), only the central answers (4.21).
        return {0x12: 1, 0x13: 0}.get(code, UNKNOWN_SIDE)
    if channel == CID_SMP:
        # Pairing Request, Pairing Response, Security Request (Vol 3 Part H, 2.4.6, 3.5.1, 3.5.2, 3.6.7).
        return {0x01: 0, 0x02: 1, 0x0B: 1}.get(code, UNKNOWN_SIDE)
    return UNKNOWN_SIDE


def _read(record: Record) -> AirPacket | str | None:
    link_type = record.link_type
    if link_type == LinkType.NORDIC_BLE:
        return nordic.read(record)
    if link_type == LinkType.LE_LL_WITH_PHDR:
        return le_phdr.read(record)
    if link_type == LinkType.PPI:
        return ppi.read(record)
    return ppi.read_bare(record)


def _extended(observations: Observations, payload: bytes) -> None:
    """Learn from an extended advertising PDU that names its advertiser (Vol 6 Part B, 2.3.4)."""
    length = payload[0] & 0x3F if payload else 0
    if length < 7 or len(payload) < 1 + length or not payload[1] & 1:
        return
    advertised.learn(observations, address_text(payload[2:8]), payload[1 + length :])


def address_text(wire: bytes) -> str:
    """A device address of six octets, least significant first, as people write it."""
    return ":".join(f"{octet:02X}" for octet in wire[::-1])
