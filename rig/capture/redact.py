"""Takes addresses, names and keys out of a capture: what they stand for stays the same one throughout, and as long.

Two passes over the same packets: the first gathers every address and name (:class:`Gathering`), the second puts
stand-ins in their places and wherever else they occur (:class:`Redaction`). Knows where HCI, SMP and ATT carry them.
Refuses to know files. Of the content of other protocols (classic Bluetooth's calls, contacts and audio among them)
nothing but known addresses and names is replaced.
"""

from __future__ import annotations

import re
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from rig.capture import att
from rig.capture.gatt import CHARACTERISTIC, INCLUDE, GattTracker, uuid_text
from rig.capture.hci_stream import Packet
from rig.capture.layers.hci import ACL, COMMAND, EVENT, HciLayer
from rig.capture.layers.l2cap import CID_BREDR_SMP, CID_SMP
from rig.capture.layers.links import Address, AttPdu, Observations
from rig.capture.personal_fields import ADDRESS_OCTETS, Field, Kind, PersonalFields, smp_field
from rig.capture.records import LinkType, Record
from rig.capture.writer import Direction

if TYPE_CHECKING:
    from rig.capture.handle_map import HandleMap
    from rig.capture.pseudonyms import Pseudonyms

SHORTEST_NAME: Final = 4
"""A name of fewer octets is replaced where names are, but not searched for: it would be found in any content."""
MOST_IDENTITIES: Final = 1 << 16
"""How many addresses, and how many names, are searched for in content; more than any place on Earth has around it."""

_DEVICE_NAME, _RECONNECTION_ADDRESS = "2a00", "2a03"
_MOST_HELD = 4096  # packets that wait for the rest of a fragmented PDU
_MOST_VALUES = 1024  # names that are read or written in parts, and requests that wait
_KEPT_OF_REQUEST = 32
_PHDR = {Direction.SENT: b"\0\0\0\0", Direction.RECEIVED: b"\0\0\0\1"}
_TEXT_ADDRESS = re.compile(
    r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{2}(?:([:-])[0-9A-Fa-f]{2})(?:\1[0-9A-Fa-f]{2}){4}(?![0-9A-Fa-f])"
)


class _Edits(Protocol):
    """What is done about what is found. Everything keeps its length."""

    def address(self, octets: bytes) -> bytes: ...

    def name(self, name: bytes) -> bytes: ...

    def secret(self, octets: bytes) -> bytes: ...

    def free(self, content: bytearray, start: int, end: int, *, names: bool = True) -> None: ...


class Gathering:
    """Every address and name of a capture."""

    def __init__(self) -> None:
        self.addresses: set[bytes] = set()
        """Six octets each, the least significant first."""
        self.names: set[bytes] = set()

    def address(self, octets: bytes) -> bytes:
        """Note an address; nothing but zeros, or ones, is none."""
        if len(set(octets)) > 1 and len(self.addresses) < MOST_IDENTITIES:
            self.addresses.add(octets)
        return octets

    def name(self, name: bytes) -> bytes:
        """Note a name."""
        bare = name.rstrip(b"\0")
        if bare and len(self.names) < MOST_IDENTITIES:
            self.names.add(bare)
        return name

    def secret(self, octets: bytes) -> bytes:
        """Leave a key where it is."""
        return octets

    def free(self, content: bytearray, start: int, end: int, *, names: bool = True) -> None:
        """Leave content as it is."""


class Replacing:
    """Puts stand-ins for what was gathered.

    Args:
        gathered: what to search content for.
        pseudonyms: the stand-ins.
    """

    def __init__(self, gathered: Gathering, pseudonyms: Pseudonyms) -> None:
        self._pseudonyms = pseudonyms
        # By their first four octets: (what, what instead, whether it is a name).
        self._index: dict[bytes, list[tuple[bytes, bytes, bool]]] = {}
        for octets in sorted(gathered.addresses):
            # Two values of octet or less (00:00:00:00:00:01) are no address that anybody has, but are in any content.
            if len(set(octets)) > 2:
                for old, new in _spellings(octets, pseudonyms.address(octets)):
                    self._index.setdefault(old[:SHORTEST_NAME], []).append((old, new, False))
        for name in sorted(gathered.names):
            if len(name) >= SHORTEST_NAME and len(set(name)) > 1:
                self._index.setdefault(name[:SHORTEST_NAME], []).append((name, pseudonyms.name(name), True))
        for found in self._index.values():
            found.sort(key=lambda entry: -len(entry[0]))

    def address(self, octets: bytes) -> bytes:
        """The stand-in of an address."""
        return self._pseudonyms.address(octets)

    def name(self, name: bytes) -> bytes:
        """The stand-in of a name."""
        return self._pseudonyms.name(name)

    def secret(self, octets: bytes) -> bytes:
        """Zero octets instead of a key."""
        return bytes(len(octets))

    def free(self, content: bytearray, start: int, end: int, *, names: bool = True) -> None:
        """Replace the addresses and names in content, in place."""
        index = self._index
        place = start
        last = min(end, len(content)) - SHORTEST_NAME
        whole = bytes(content)
        while place <= last:
            for old, new, is_name in index.get(whole[place : place + SHORTEST_NAME], ()):
                stop = place + len(old)
                if stop <= end and whole[place:stop] == old and (names or not is_name):
                    content[place:stop] = new
                    place = stop - 1
                    break
            place += 1

    def text(self, text: str) -> str:
        """Replace the addresses and names in what people wrote, and whatever else looks like an address."""
        content = bytearray(self.addresses_in(text).encode("utf-8", "replace"))
        self.free(content, 0, len(content))
        return content.decode("utf-8", "replace")

    def addresses_in(self, text: str) -> str:
        """Replace whatever looks like an address in a text."""

        def other(found: re.Match[str]) -> str:
            old = found.group()
            octets = bytes.fromhex(old.replace(found.group(1), ""))[::-1]
            new = self.address(octets)[::-1].hex(found.group(1))
            return new if old == old.lower() else new.upper()

        return _TEXT_ADDRESS.sub(other, text)


def _spellings(octets: bytes, other: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The ways in which devices write an address into their values, each with its stand-in's."""
    for old, new in ((octets, other), (octets[::-1], other[::-1])):
        yield old, new
        # System ID (GATT Specification Supplement, 3.211): the two halves around FF FE, or around zeros.
        for middle in (b"\xff\xfe", b"\xfe\xff", b"\0\0"):
            yield old[:3] + middle + old[3:], new[:3] + middle + new[3:]
    for separator in (":", "-", ""):
        old_text, new_text = ((o[::-1].hex(separator) if separator else o[::-1].hex()) for o in (octets, other))
        yield old_text.encode(), new_text.encode()
        if old_text != old_text.upper():
            yield old_text.upper().encode(), new_text.upper().encode()


class _Held:
    """A packet on its way; ``waits`` while it is part of a PDU that is not complete."""

    __slots__ = ("content", "packet", "waits")

    def __init__(self, packet: Packet) -> None:
        self.packet = packet
        self.content = bytearray(packet.data)
        self.waits = False


class _Pending:
    """An L2CAP PDU being put together: its fragments, and where they are in their packets."""

    __slots__ = ("cut", "pieces", "received", "size")

    def __init__(self) -> None:
        self.pieces: list[tuple[_Held, int, int]] = []
        self.received = 0
        self.size: int | None = None
        self.cut: int | None = None
        """How many pieces are whole in front of what the recorder cut off."""

    def content(self) -> bytearray:
        """What was recorded without a gap, the L2CAP header in front."""
        return bytearray().join(held.content[start:end] for held, start, end in self.pieces[: self.cut])


class Walk:
    """Goes through the packets of a capture in order and has everything personal in them edited.

    Packets leave in the order in which they came, each as soon as all of its fragments are there.

    Args:
        edits: :class:`Gathering` or :class:`Replacing`.
        handle_map: what handles mean where the capture does not tell: which of them holds the device's name.
    """

    def __init__(self, edits: _Edits, handle_map: HandleMap | None = None) -> None:
        self._edits = edits
        self._fields = PersonalFields()
        self._hci = HciLayer([], Observations())
        self._tracker = GattTracker(handle_map)
        self._held: deque[_Held] = deque()
        self._pending: dict[tuple[int, int, Direction], _Pending] = {}
        self._values: OrderedDict[tuple[int, int, int], bytes] = OrderedDict()
        self._requests: OrderedDict[tuple[int, int, int], bytes] = OrderedDict()

    def packets(self, packets: Iterable[Packet]) -> Iterator[Packet]:
        """Yield every packet, edited.

        Raises:
            CaptureError: as ``packets`` raise it, after every packet before.
        """
        held = self._held
        try:
            for packet in packets:
                waiting = _Held(packet)
                held.append(waiting)
                self._take(waiting)
                if len(held) > _MOST_HELD:
                    self._release()
                while held and not held[0].waits:
                    yield self._done(held.popleft())
        except Exception:
            self._release()
            while held:
                yield self._done(held.popleft())
            raise
        self._release()
        while held:
            yield self._done(held.popleft())

    def _done(self, held: _Held) -> Packet:
        return held.packet._replace(data=bytes(held.content))

    def _take(self, held: _Held) -> None:
        packet = held.packet
        named: _Named | None = None
        for pdu in self._hci.feed(_record(packet)):
            handle, uuid = self._tracker.name(pdu)
            named = _Named(pdu, handle, uuid, self._request(pdu))
        content = held.content
        if not content:
            return
        kind = content[0]
        if kind in (COMMAND, EVENT):
            body = bytes(content[1:])
            fields = self._fields.of(kind, packet.controller, body)
            self._edit(content, 1, fields)
            # Addresses in a layout that is not known here: a newer command, a vendor's.
            self._edits.free(content, 3 if kind == EVENT else 4, len(content), names=False)
        elif kind == ACL and len(content) >= 5:
            self._fragment(held, named)

    def _edit(self, content: bytearray, base: int, fields: list[Field]) -> None:
        edits = self._edits
        for kind, start, end, before in fields:
            old = bytes(content[base + start : base + end])
            if kind is Kind.ADDRESS:
                new = edits.address(old)
            elif kind is Kind.SECRET:
                new = edits.secret(old)
            elif kind is Kind.NAME:
                new = edits.name(before + old)[len(before) :]
            elif kind is Kind.PADDED_NAME:
                name = old.split(b"\0", 1)[0]
                new = edits.name(name) + edits.secret(old[len(name) :])
            else:
                continue
            content[base + start : base + end] = new
        for kind, start, end, _ in fields:
            if kind is Kind.FREE:
                edits.free(content, base + start, base + end)

    # ---- ACL data: fragments to PDUs and back ------------------------------------------------------------------------

    def _fragment(self, held: _Held, named: _Named | None) -> None:
        content = held.content
        head = content[1] | content[2] << 8
        size = content[3] | content[4] << 8
        end = min(5 + size, len(content))
        self._edits.free(content, end, len(content))
        key = (held.packet.controller, head & 0xFFF, held.packet.direction)
        pending = self._pending.get(key)
        if not head & 0x1000:  # packet boundary flag: begins a PDU (Vol 4 Part E, 5.4.2)
            if pending is not None:
                self._finish(key, None)
            pending = self._pending[key] = _Pending()
        elif pending is None:
            self._edits.free(content, 5, end)
            return
        held.waits = True
        pending.pieces.append((held, 5, end))
        pending.received += size
        if end < 5 + size and pending.cut is None:
            pending.cut = len(pending.pieces)
        if pending.size is None:
            begun = pending.content()
            if len(begun) >= 2:
                pending.size = 4 + (begun[0] | begun[1] << 8)
        if (pending.size is not None and pending.received >= pending.size) or (pending.cut and pending.size is None):
            self._finish(key, named)

    def _release(self) -> None:
        """Wait no longer for what is not complete."""
        for key in list(self._pending):
            self._finish(key, None)

    def _finish(self, key: tuple[int, int, Direction], named: _Named | None) -> None:
        pending = self._pending.pop(key)
        content = pending.content()
        if len(content) >= 4:
            self._pdu(content, named)
        place = 0
        for number, (held, start, end) in enumerate(pending.pieces):
            if pending.cut is None or number < pending.cut:
                held.content[start:end] = content[place : place + end - start]
                place += end - start
            else:
                self._edits.free(held.content, start, end)
            held.waits = False

    def _pdu(self, content: bytearray, named: _Named | None) -> None:
        cid = content[2] | content[3] << 8
        if cid in (CID_SMP, CID_BREDR_SMP):
            field = smp_field(bytes(content[4:]))
            if field is not None:
                self._edit(content, 4, [field])
        elif named is not None and (base := _place_of(named.pdu.pdu, content)):
            self._att(content, base, named)
        else:
            if named is not None:  # in several segments of an Enhanced ATT channel: only what is known can be found
                self._att(bytearray(named.pdu.pdu), 0, named)
            self._edits.free(content, 4, len(content))

    # ---- ATT ---------------------------------------------------------------------------------------------------------

    def _request(self, pdu: AttPdu) -> bytes:
        """The request that ``pdu`` is or answers."""
        opcode = pdu.pdu[0]
        if opcode not in att.SENT_BY_SERVER:
            self._requests[pdu.link.number, pdu.side, pdu.bearer] = pdu.pdu[:_KEPT_OF_REQUEST]
            _bound(self._requests)
            return pdu.pdu
        request = self._requests.get((pdu.link.number, 1 - pdu.side, pdu.bearer), b"")
        return request if request[:1] == bytes((att.RESPONSE_TO.get(opcode, 0),)) else b""

    def _att(self, content: bytearray, base: int, named: _Named) -> None:
        data, handle, uuid = named.pdu.pdu, named.handle, named.uuid
        opcode = data[0]
        end = base + len(data)
        if opcode in _DISCOVERY or uuid_text(named.request[5:]) in (CHARACTERISTIC, INCLUDE):
            if opcode == att.FIND_BY_TYPE_VALUE_REQUEST and uuid_text(data[5:7]) == _DEVICE_NAME:
                self._edit(content, base, [Field(Kind.NAME, 7, len(data))])
            # A name in a UUID would be part of the attribute table; an address in one is still an address.
            self._edits.free(content, base + 1, end, names=False)
            return
        start = att.VALUE_OFFSET.get(opcode)
        if opcode == att.READ_BY_TYPE_RESPONSE:
            self._edit(content, base, self._listed(named.pdu))
        elif start is not None and handle is not None and len(data) > start:
            if uuid == _DEVICE_NAME:
                before = self._before(named, handle, data[start:])
                self._edit(content, base, [Field(Kind.NAME, start, len(data), before)])
            elif uuid == _RECONNECTION_ADDRESS and len(data) == start + ADDRESS_OCTETS:
                self._edit(content, base, [Field(Kind.ADDRESS, start, len(data))])
        self._edits.free(content, base + 1, end)

    def _listed(self, pdu: AttPdu) -> list[Field]:
        """Names among the values of a Read By Type response (Vol 3 Part F, 3.4.4.2)."""
        data = pdu.pdu
        size = data[1] if len(data) > 1 else 0
        table = self._tracker.table(pdu.link, pdu.side)
        if size <= 2 or table is None:
            return []
        return [
            Field(Kind.NAME, place + 2, min(place + size, len(data)))
            for place in range(2, len(data) - 2, size)
            if table.name(data[place] | data[place + 1] << 8) == _DEVICE_NAME
        ]

    def _before(self, named: _Named, handle: int, value: bytes) -> bytes:
        """What comes before this part of a name that is read or written in parts."""
        pdu = named.pdu
        opcode = pdu.pdu[0]
        offset = 0
        if opcode == att.READ_BLOB_RESPONSE and len(named.request) >= 5:
            offset = named.request[3] | named.request[4] << 8
        elif opcode in (att.PREPARE_WRITE_REQUEST, att.PREPARE_WRITE_RESPONSE):
            offset = pdu.pdu[3] | pdu.pdu[4] << 8
        server = pdu.side if opcode in att.SENT_BY_SERVER else 1 - pdu.side
        key = (pdu.link.number, server, handle)
        before = self._values.get(key, b"")[:offset]
        if len(before) < offset:
            before = b""  # its beginning is not in the capture
        self._values[key] = before + value
        self._values.move_to_end(key)
        _bound(self._values)
        return before


class _Named(NamedTuple):
    """An ATT PDU, what it is about, and the request that it is or answers (empty: not in the capture)."""

    pdu: AttPdu
    handle: int | None
    uuid: str
    request: bytes


def _place_of(pdu: bytes, content: bytearray) -> int:
    """Where an ATT PDU is in its L2CAP PDU: behind the header, or behind its length too on an enhanced channel."""
    if content[4 : 4 + len(pdu)] == pdu:
        return 4
    return len(content) - len(pdu) if content.endswith(pdu) else 0


def _bound(kept: OrderedDict[tuple[int, int, int], bytes]) -> None:
    if len(kept) > _MOST_VALUES:
        kept.popitem(last=False)


def redacted_map(handle_map: HandleMap, replacing: Replacing) -> HandleMap:
    """The map with stand-ins for the addresses and names of its devices."""
    from rig.capture.handle_map import HandleMap as Map  # noqa: PLC0415 - JSON, which few conversions need

    tables = []
    for table in handle_map.tables:
        address = table.address
        if address is not None:
            address = Address(replacing.addresses_in(address.text), address.is_random)
        name = replacing.name(table.name.encode("utf-8", "replace")).decode("ascii")
        tables.append(table._replace(address=address, name=name))
    return Map(tables)


_DISCOVERY = frozenset(
    {
        att.FIND_INFORMATION_REQUEST,
        att.FIND_INFORMATION_RESPONSE,
        att.FIND_BY_TYPE_VALUE_REQUEST,
        att.FIND_BY_TYPE_VALUE_RESPONSE,
        att.READ_BY_TYPE_REQUEST,
        att.READ_BY_GROUP_TYPE_REQUEST,
        att.READ_BY_GROUP_TYPE_RESPONSE,
    }
)


def _record(packet: Packet) -> Record:
    """The packet as the layers take it."""
    return Record(
        packet.frame,
        packet.time_ns,
        LinkType.HCI_H4_WITH_PHDR,
        _PHDR[packet.direction] + packet.data,
        packet.original_length + 4,
        0,
        packet.controller,
    )
