"""Takes the keys out of HCI packets while they are recorded, one packet after the other: zeros instead, as many.

Knows where HCI and SMP carry keys (:mod:`rig.capture.personal_fields`). Refuses to know files, and leaves addresses,
names and all that ATT carries as they are: :mod:`rig.capture.redact` replaces those in a capture that is there already.
"""

from __future__ import annotations

from typing import Final

from rig.capture.layers.hci import ACL, COMMAND, EVENT
from rig.capture.layers.l2cap import CID_BREDR_SMP, CID_SMP
from rig.capture.personal_fields import Kind, PersonalFields, smp_field
from rig.capture.writer import Direction

_ACL_HEADER: Final = 5  # packet type, handle and flags, length (Vol 4 Part E 5.4.2)
_L2CAP_HEADER: Final = 4  # length, channel (Vol 3 Part A 3.1)
_HEAD: Final = _L2CAP_HEADER + 1  # and the SMP code
_LONGEST_SMP: Final = 65  # Pairing Public Key (Vol 3 Part H 3.5.6), the longest of them


class KeyWipe:
    """Wipes the keys of one recorder's packets; what a PDU began with is remembered while its fragments come.

    Attributes:
        packets: in how many packets there was a key.
    """

    def __init__(self) -> None:
        self.packets = 0
        self._fields = PersonalFields()
        # By handle and direction, of a PDU that goes on in another packet: its first octets, and how many came.
        self._begun: dict[tuple[int, Direction], tuple[bytes, int]] = {}

    def wiped(self, packet_h4: bytes, direction: Direction) -> bytes:
        """Return the packet, its keys zeroed; the packet itself where there are none.

        Args:
            packet_h4: the packet with its H4 type octet in front.
            direction: which way it went, as seen from the host.
        """
        kind = packet_h4[0]
        if kind == ACL:
            secrets = self._of_acl(packet_h4, direction)
        elif kind in (COMMAND, EVENT):
            fields = self._fields.of(kind, 0, packet_h4[1:])
            secrets = [(field.start + 1, field.end + 1) for field in fields if field.kind is Kind.SECRET]
        else:
            return packet_h4
        if not secrets:
            return packet_h4
        self.packets += 1
        content = bytearray(packet_h4)
        for start, end in secrets:
            content[start:end] = bytes(end - start)
        return bytes(content)

    def _of_acl(self, packet: bytes, direction: Direction) -> list[tuple[int, int]]:
        if len(packet) <= _ACL_HEADER:
            return []
        head = packet[1] | packet[2] << 8
        key = (head & 0x0FFF, direction)
        # Packet boundary flag, bit 12: goes on with a PDU. A peer decides itself into how many pieces it cuts one.
        begun, before = self._begun.pop(key, (b"", 0)) if head & 0x1000 else (b"", 0)
        if head & 0x1000 and not before:
            return []  # of a channel that does not carry keys, or of a PDU whose beginning nobody recorded
        here = len(packet) - _ACL_HEADER
        begun += packet[_ACL_HEADER : _ACL_HEADER + _HEAD - len(begun)]
        if len(begun) >= _L2CAP_HEADER and begun[2] | begun[3] << 8 not in (CID_SMP, CID_BREDR_SMP):
            return []
        length = begun[0] | begun[1] << 8 if len(begun) >= 2 else 1
        if before + here < _L2CAP_HEADER + length:
            self._begun[key] = (begun, before + here)
        if len(begun) < _HEAD:
            return []
        field = smp_field(begun[_L2CAP_HEADER:] + bytes(_LONGEST_SMP))
        if field is None or field.kind is not Kind.SECRET:
            return []
        # What comes behind a key in the same PDU does not belong there, and is wiped with it.
        first = max(0, _L2CAP_HEADER + field.start - before)
        return [(_ACL_HEADER + first, len(packet))] if first < here else []
