"""GATT operations out of ATT PDUs: requests with their responses or errors, long values whole again, what was pushed.

Knows which PDU answers which (Core Specification Vol 3 Part F, 3.3 and 3.4). Refuses to know what a value means.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from rig.capture import att
from rig.capture.gatt import GattTracker
from rig.capture.layers.links import LOCAL, REMOTE, UNKNOWN_SIDE, AttPdu, Link, Sender

if TYPE_CHECKING:
    from types import MappingProxyType

OperationKind = Literal[
    "mtu",
    "find_information",
    "find_by_type_value",
    "read_by_group_type",
    "read_by_type",
    "read",
    "read_multiple",
    "write",
    "long_write",
    "cancelled_write",
    "write_command",
    "signed_write_command",
    "notification",
    "indication",
    "unknown",
]

MAX_OPEN: Final = 4096
"""How many clients may have something under way at once; beyond, the oldest is taken for unanswered."""
MAX_PREPARED: Final = 1024
"""How many prepared writes one client may have queued; 512 octets (Vol 3 Part F, 3.2.9) never take as many."""

_KINDS: Final[dict[int, OperationKind]] = {
    att.EXCHANGE_MTU_REQUEST: "mtu",
    att.FIND_INFORMATION_REQUEST: "find_information",
    att.FIND_BY_TYPE_VALUE_REQUEST: "find_by_type_value",
    att.READ_BY_GROUP_TYPE_REQUEST: "read_by_group_type",
    att.READ_BY_TYPE_REQUEST: "read_by_type",
    att.READ_REQUEST: "read",
    att.READ_BLOB_REQUEST: "read",
    att.READ_MULTIPLE_REQUEST: "read_multiple",
    att.READ_MULTIPLE_VARIABLE_REQUEST: "read_multiple",
    att.WRITE_REQUEST: "write",
    att.PREPARE_WRITE_REQUEST: "long_write",
    att.EXECUTE_WRITE_REQUEST: "long_write",
    att.WRITE_COMMAND: "write_command",
    att.SIGNED_WRITE_COMMAND: "signed_write_command",
    att.HANDLE_VALUE_NOTIFICATION: "notification",
    att.MULTIPLE_HANDLE_VALUE_NOTIFICATION: "notification",
    att.HANDLE_VALUE_INDICATION: "indication",
}
_REQUESTS: Final = frozenset(att.RESPONSE_TO.values()) - {att.HANDLE_VALUE_INDICATION}
_RESPONSE_TO: Final[MappingProxyType[int, int]] = att.RESPONSE_TO
_OTHER: Final = (REMOTE, LOCAL, UNKNOWN_SIDE)
_SHORTEST_FULL_READ: Final = 22  # ATT_MTU - 1 with the least MTU there is
_END_OF_VALUE: Final = frozenset({0x07, 0x0B})  # invalid offset, attribute not long: the client had it all

_Client = tuple[int, int, int]  # link number, side, bearer


class GattOperation(NamedTuple):
    """One GATT operation: what began it, and how it ended where the capture shows that."""

    kind: OperationKind
    link: int
    """Number of the link."""
    frame: int
    """Record of the PDU that began it."""
    time_ns: int
    """Unix time of that record in nanoseconds."""
    end_frame: int | None
    """Record of the response, confirmation or error; ``frame`` where none is due; None where none came."""
    end_time_ns: int | None
    sender: Sender
    """Who began it: the client of a request, the server of a notification or an indication."""
    side: int
    """The side of ``sender``."""
    handle: int | None = None
    """The attribute it is about, None for discovery and the MTU."""
    uuid: str = ""
    """What the handle means, as the ``uuid`` column has it."""
    service: str = ""
    """UUID of the attribute's service; empty where not known."""
    characteristic: str = ""
    """UUID of the characteristic that the attribute is the value of, declares or describes; empty where not known."""
    value: bytes | None = None
    """The attribute value read, written or pushed; of discovery the response without its opcode; else None."""
    offset: int = 0
    """Where in the attribute ``value`` begins, in octets: not 0 for a read that began in the middle."""
    complete: bool = True
    """False where the recorder cut the value, a piece of it is missing, or it filled the response to the brim and the
    client did not ask whether there is more."""
    error: int | None = None
    """ATT error code (Vol 3 Part F, 3.4.1.1) where it was refused."""
    mtu: tuple[int | None, int | None] | None = None
    """Of an MTU exchange: what the client and what the server can receive, in octets; None for the side not seen."""

    @property
    def answered(self) -> bool:
        """Whether the capture shows its end."""
        return self.end_frame is not None


class _Begun(NamedTuple):
    """A request or an indication under way."""

    pdu: AttPdu
    handle: int | None
    uuid: str


class _Reading:
    """A read that filled its response: more may follow by Read Blob."""

    __slots__ = ("begun", "cut", "end", "offset", "value")

    def __init__(self, begun: _Begun, offset: int, value: bytes, end: AttPdu) -> None:
        self.begun = begun
        self.offset = offset
        self.value = value
        self.end = end
        self.cut = end.missing > 0


class _Prepared(NamedTuple):
    """One prepared write that the server has taken."""

    begun: _Begun
    offset: int
    value: bytes
    whole: bool


class Pairing:
    """Pairs PDUs into operations, for all links of a capture at once.

    Args:
        tracker: has named the PDUs that are fed; asked for services and characteristics.
    """

    def __init__(self, tracker: GattTracker) -> None:
        self._tracker = tracker
        self._requests: dict[_Client, _Begun] = {}
        self._indications: dict[_Client, _Begun] = {}
        self._readings: dict[_Client, _Reading] = {}
        self._prepared: dict[_Client, list[_Prepared]] = {}
        self._mtu: dict[int, int] = {}

    def feed(self, pdu: AttPdu, handle: int | None, uuid: str) -> list[GattOperation]:
        """Take the next PDU and what the tracker called it; return the operations that end with it. Never raises."""
        data = pdu.pdu
        if not data:
            return []
        opcode = data[0]
        if opcode in _REQUESTS:
            return self._request(pdu, handle, uuid)
        if opcode in (att.HANDLE_VALUE_NOTIFICATION, att.WRITE_COMMAND, att.SIGNED_WRITE_COMMAND):
            end = -att.SIGNATURE_OCTETS if opcode == att.SIGNED_WRITE_COMMAND else None
            return [self._operation(_Begun(pdu, handle, uuid), pdu, value=data[3:end], complete=not pdu.missing)]
        if opcode == att.HANDLE_VALUE_INDICATION:
            client = (pdu.link.number, _OTHER[pdu.side], pdu.bearer)
            unconfirmed = self._indications.pop(client, None)
            self._indications[client] = _Begun(pdu, handle, uuid)
            found = [] if unconfirmed is None else [self._indication(unconfirmed, None)]
            return found + self._oldest_given_up()
        if opcode == att.HANDLE_VALUE_CONFIRMATION:
            begun = _take(self._indications, pdu.link.number, pdu.side, pdu.bearer)
            return [] if begun is None else [self._indication(begun, pdu)]
        if opcode == att.MULTIPLE_HANDLE_VALUE_NOTIFICATION:
            return self._notifications(pdu)
        if opcode == att.ERROR_RESPONSE:
            return self._error(pdu, handle, uuid)
        if opcode in _RESPONSE_TO:
            return self._response(pdu, handle, uuid)
        return [self._operation(_Begun(pdu, handle, uuid), pdu, value=data[1:], complete=not pdu.missing)]

    def flush(self) -> list[GattOperation]:
        """What is still under way when the capture ends."""
        found = [self._read(reading) for reading in self._readings.values()]
        found += [self._unanswered(begun) for begun in self._requests.values()]
        found += [self._indication(begun, None) for begun in self._indications.values()]
        for queue in self._prepared.values():
            found += self._written(queue, None)
        for held in (self._readings, self._requests, self._indications, self._prepared):
            held.clear()
        found.sort(key=lambda operation: operation.frame)
        return found

    # --- requests -----------------------------------------------------------------------------------------------------

    def _request(self, pdu: AttPdu, handle: int | None, uuid: str) -> list[GattOperation]:
        client = (pdu.link.number, pdu.side, pdu.bearer)
        found = []
        reading = self._readings.get(client)
        if reading is not None and not _goes_on(reading, pdu.pdu, handle):
            found.append(self._read(self._readings.pop(client)))
        unanswered = self._requests.pop(client, None)
        if unanswered is not None:
            found.append(self._unanswered(unanswered))
        self._requests[client] = _Begun(pdu, handle, uuid)
        return found + self._oldest_given_up()

    def _oldest_given_up(self) -> list[GattOperation]:
        found = []
        if len(self._requests) > MAX_OPEN:
            found.append(self._unanswered(self._requests.pop(next(iter(self._requests)))))
        if len(self._indications) > MAX_OPEN:
            found.append(self._indication(self._indications.pop(next(iter(self._indications))), None))
        return found

    def _unanswered(self, begun: _Begun) -> GattOperation:
        data = begun.pdu.pdu
        value: bytes | None = None
        if data[0] == att.WRITE_REQUEST:
            value = data[3:]
        elif data[0] == att.PREPARE_WRITE_REQUEST:
            value = data[5:]
        mtu = (_u16(data, 1), None) if data[0] == att.EXCHANGE_MTU_REQUEST else None
        return self._operation(begun, None, value=value, complete=False, mtu=mtu)

    # --- responses ----------------------------------------------------------------------------------------------------

    def _response(self, pdu: AttPdu, handle: int | None, uuid: str) -> list[GattOperation]:
        data = pdu.pdu
        opcode = data[0]
        number, client_side, bearer = pdu.link.number, _OTHER[pdu.side], pdu.bearer
        begun = _take(self._requests, number, client_side, bearer)
        found = []
        if begun is not None and begun.pdu.pdu[0] != _RESPONSE_TO[opcode]:
            found.append(self._unanswered(begun))  # one request at a time: this response belongs to one that is missing
            begun = None
        if begun is None:
            return [*found, self._without_request(pdu, handle, uuid)]
        client = (number, begun.pdu.side, bearer)
        if handle is not None:
            begun = begun._replace(handle=handle, uuid=uuid)  # by what is known now
        whole = not pdu.missing and not begun.pdu.missing
        match opcode:
            case att.EXCHANGE_MTU_RESPONSE:
                mtu = (_u16(begun.pdu.pdu, 1), _u16(data, 1))
                if len(self._mtu) > MAX_OPEN:
                    self._mtu.clear()
                if mtu[0] is not None and mtu[1] is not None:
                    self._mtu[number] = max(min(mtu[0], mtu[1]), _SHORTEST_FULL_READ + 1)
                return [self._operation(begun, pdu, mtu=mtu, complete=whole)]
            case att.READ_RESPONSE | att.READ_BLOB_RESPONSE:
                return self._read_response(client, begun, pdu)
            case att.WRITE_RESPONSE:
                return [self._operation(begun, pdu, value=begun.pdu.pdu[3:], complete=whole)]
            case att.PREPARE_WRITE_RESPONSE:
                return self._prepared_response(client, begun, pdu)
            case att.EXECUTE_WRITE_RESPONSE:
                return self._executed(client, begun, pdu)
            case att.READ_MULTIPLE_VARIABLE_RESPONSE:
                return self._read_several(begun, pdu)
        return [self._operation(begun, pdu, value=data[1:], complete=whole)]

    def _without_request(self, pdu: AttPdu, handle: int | None, uuid: str) -> GattOperation:
        """A response whose request was not recorded: all that is known is that there was one before."""
        data = pdu.pdu
        request = _RESPONSE_TO[data[0]]
        value: bytes | None = data[1:]
        if data[0] in (att.WRITE_RESPONSE, att.EXECUTE_WRITE_RESPONSE, att.EXCHANGE_MTU_RESPONSE):
            value = None
        elif data[0] == att.PREPARE_WRITE_RESPONSE:
            value = data[5:]
        mtu = (None, _u16(data, 1)) if data[0] == att.EXCHANGE_MTU_RESPONSE else None
        asked = pdu._replace(side=_OTHER[pdu.side], pdu=bytes((request,)))
        return self._operation(_Begun(asked, handle, uuid), pdu, value=value, complete=False, mtu=mtu)

    def _error(self, pdu: AttPdu, handle: int | None, uuid: str) -> list[GattOperation]:
        data = pdu.pdu
        number, client_side, bearer = pdu.link.number, _OTHER[pdu.side], pdu.bearer
        code = data[4] if len(data) > 4 else None
        begun = _take(self._requests, number, client_side, bearer)
        found = []
        if begun is not None and len(data) > 1 and begun.pdu.pdu[0] != data[1]:
            found.append(self._unanswered(begun))
            begun = None
        if begun is None:
            asked = pdu._replace(side=client_side, pdu=data[1:2] or b"\0")
            return [*found, self._operation(_Begun(asked, handle, uuid), pdu, error=code, complete=False)]
        client = (number, begun.pdu.side, bearer)
        request = begun.pdu.pdu
        reading = self._readings.pop(client, None)
        if reading is not None:
            if code in _END_OF_VALUE:
                reading.end = pdu
                return [self._read(reading, ended=True)]
            reading.cut = True
            found.append(self._read(reading))
        if request[0] == att.EXECUTE_WRITE_REQUEST:
            queue = self._prepared.pop(client, [])
            if queue:
                return found + self._written(queue, pdu, error=code)
        value: bytes | None = None
        if request[0] in (att.WRITE_REQUEST, att.PREPARE_WRITE_REQUEST):
            value = request[att.VALUE_OFFSET[request[0]] :]
        mtu = (_u16(request, 1), None) if request[0] == att.EXCHANGE_MTU_REQUEST else None
        return [*found, self._operation(begun, pdu, value=value, error=code, mtu=mtu)]

    # --- values in pieces ---------------------------------------------------------------------------------------------

    def _read_response(self, client: _Client, begun: _Begun, pdu: AttPdu) -> list[GattOperation]:
        """Take a (further) piece of a value; a read ends with a piece that does not fill its response."""
        request, value = begun.pdu.pdu, pdu.pdu[1:]
        reading = self._readings.pop(client, None)
        if reading is None:
            offset = (_u16(request, 3) or 0) if request[0] == att.READ_BLOB_REQUEST else 0
            reading = _Reading(begun, offset, value, pdu)
        else:
            reading.value += value
            reading.end = pdu
            reading.cut |= pdu.missing > 0
        if self._fills(client[0], value) and not reading.cut:
            self._readings[client] = reading
            if len(self._readings) > MAX_OPEN:
                return [self._read(self._readings.pop(next(iter(self._readings))))]
            return []
        return [self._read(reading, ended=True)]

    def _fills(self, number: int, value: bytes) -> bool:
        mtu = self._mtu.get(number)
        return len(value) >= _SHORTEST_FULL_READ if mtu is None else len(value) >= mtu - 1

    def _read(self, reading: _Reading, *, ended: bool = False) -> GattOperation:
        known = reading.begun.pdu.link.number in self._mtu
        return self._operation(
            reading.begun,
            reading.end,
            value=reading.value,
            offset=reading.offset,
            complete=not reading.cut and (ended or not known),
        )

    def _prepared_response(self, client: _Client, begun: _Begun, pdu: AttPdu) -> list[GattOperation]:
        request = begun.pdu.pdu
        whole = not begun.pdu.missing and request[1:] == pdu.pdu[1:]  # the server says what it took (3.4.6.2)
        queue = self._prepared.setdefault(client, [])
        found = []
        if len(self._prepared) > MAX_OPEN:
            found = self._written(self._prepared.pop(next(iter(self._prepared))), None)
        if len(queue) < MAX_PREPARED:
            queue.append(_Prepared(begun, _u16(request, 3) or 0, request[5:], whole))
        else:
            queue[-1] = queue[-1]._replace(whole=False)
        return found

    def _executed(self, client: _Client, begun: _Begun, pdu: AttPdu) -> list[GattOperation]:
        queue = self._prepared.pop(client, [])
        cancelled = begun.pdu.pdu[1:2] == b"\0"  # 3.4.6.3: 0x00 cancels, 0x01 writes
        if not queue:
            kind: OperationKind = "cancelled_write" if cancelled else "long_write"
            return [self._operation(begun, pdu, kind=kind, complete=cancelled)]
        return self._written(queue, pdu, cancelled=cancelled)

    def _written(
        self, queue: list[_Prepared], end: AttPdu | None, *, cancelled: bool = False, error: int | None = None
    ) -> list[GattOperation]:
        """Put the prepared pieces together, one operation for each attribute in order of its first piece."""
        by_handle: dict[int | None, list[_Prepared]] = {}
        for piece in queue:
            by_handle.setdefault(piece.begun.handle, []).append(piece)
        found = []
        for pieces in by_handle.values():
            value, offset, whole = _joined(pieces)
            found.append(
                self._operation(
                    pieces[0].begun,
                    end,
                    kind="cancelled_write" if cancelled else "long_write",
                    value=value,
                    offset=offset,
                    complete=whole and end is not None,
                    error=error,
                )
            )
        return found

    def _read_several(self, begun: _Begun, pdu: AttPdu) -> list[GattOperation]:
        """Read Multiple Variable: a length before each value, in the order asked for (Vol 3 Part F, 3.4.4.12)."""
        request, data = begun.pdu.pdu, pdu.pdu
        found = []
        at = 1
        for position in range(1, len(request) - 1, 2):
            handle, length = _u16(request, position), _u16(data, at)
            if handle is None or length is None:
                break
            value = data[at + 2 : at + 2 + length]
            at += 2 + length
            uuid = self._name(pdu.link, pdu.side, handle)
            asked = _Begun(begun.pdu, handle, uuid)
            # The last value is cut short where the response has no more room.
            found.append(self._operation(asked, pdu, kind="read", value=value, complete=len(value) == length))
        return found or [self._operation(begun, pdu, value=data[1:], complete=False)]

    def _notifications(self, pdu: AttPdu) -> list[GattOperation]:
        data = pdu.pdu
        found = []
        at = 1
        while (handle := _u16(data, at)) is not None and (length := _u16(data, at + 2)) is not None:
            value = data[at + 4 : at + 4 + length]
            at += 4 + length
            begun = _Begun(pdu, handle, self._name(pdu.link, pdu.side, handle))
            found.append(self._operation(begun, pdu, value=value, complete=len(value) == length))
        return found

    def _indication(self, begun: _Begun, end: AttPdu | None) -> GattOperation:
        return self._operation(begun, end, value=begun.pdu.pdu[3:], complete=not begun.pdu.missing)

    # --- putting it down ----------------------------------------------------------------------------------------------

    def _name(self, link: Link, side: int, handle: int) -> str:
        table = self._tracker.table(link, side)
        return "" if table is None else table.name(handle)

    def _operation(
        self,
        begun: _Begun,
        end: AttPdu | None,
        *,
        kind: OperationKind | None = None,
        value: bytes | None = None,
        offset: int = 0,
        complete: bool = True,
        error: int | None = None,
        mtu: tuple[int | None, int | None] | None = None,
    ) -> GattOperation:
        pdu, handle = begun.pdu, begun.handle
        link, side, opcode = pdu.link, pdu.side, pdu.pdu[0]
        kind = kind or _KINDS.get(opcode, "unknown")
        service = characteristic = ""
        if handle is not None and kind in _ABOUT_ATTRIBUTES:
            server = side if kind in ("notification", "indication") else _OTHER[side]
            table = self._tracker.table(link, server)
            attribute = None if table is None else table.attribute(handle)
            if attribute is not None and attribute.uuid == begun.uuid:
                service, characteristic = attribute.service, attribute.characteristic
        elif kind not in _ABOUT_ATTRIBUTES:
            handle = None
        return GattOperation(
            kind,
            link.number,
            pdu.frame,
            pdu.time_ns,
            None if end is None else end.frame,
            None if end is None else end.time_ns,
            link.sender(side),
            side,
            handle,
            begun.uuid if handle is not None else "",
            service,
            characteristic,
            value,
            offset,
            complete,
            error,
            mtu,
        )


_ABOUT_ATTRIBUTES: Final = frozenset(
    {
        *("read", "write", "long_write", "cancelled_write"),
        *("write_command", "signed_write_command", "notification", "indication"),
    }
)


def operations(pdus: Iterable[AttPdu], tracker: GattTracker) -> Iterator[GattOperation]:
    """Yield the GATT operations of a capture, each when it has ended.

    A request without a response is delivered too, once its client asks something else or the capture is over; so is a
    response without a request. Reads are put together over Read Blob, and prepared writes when they are executed.

    Args:
        pdus: in the order of the capture. What they raise comes through, after what was under way has been delivered.
        tracker: not yet told of these PDUs.
    """
    pairing = Pairing(tracker)
    try:
        for pdu in pdus:
            handle, uuid = tracker.name(pdu)
            yield from pairing.feed(pdu, handle, uuid)
    except Exception:
        yield from pairing.flush()
        raise
    yield from pairing.flush()


def _take(waiting: dict[_Client, _Begun], number: int, client: int, bearer: int) -> _Begun | None:
    """Take what waits for that client; where a sniffer could not tell a sender, the only thing that waits."""
    begun = waiting.pop((number, client, bearer), None)
    if begun is not None:
        return begun
    if client != UNKNOWN_SIDE:
        return waiting.pop((number, UNKNOWN_SIDE, bearer), None)
    clients = [key for side in (LOCAL, REMOTE) if (key := (number, side, bearer)) in waiting]
    return waiting.pop(clients[0]) if len(clients) == 1 else None


def _goes_on(reading: _Reading, request: bytes, handle: int | None) -> bool:
    return (
        request[0] == att.READ_BLOB_REQUEST
        and handle == reading.begun.handle
        and _u16(request, 3) == reading.offset + len(reading.value)
    )


def _joined(pieces: list[_Prepared]) -> tuple[bytes, int, bool]:
    """Lay the pieces over each other as a server does; value, offset of its first octet, whether nothing is missing."""
    first = min(piece.offset for piece in pieces)
    value = bytearray()
    filled = bytearray()
    for piece in pieces:
        start = piece.offset - first
        if start + len(piece.value) > len(value):
            more = start + len(piece.value) - len(value)
            value.extend(bytes(more))
            filled.extend(bytes(more))
        value[start : start + len(piece.value)] = piece.value
        filled[start : start + len(piece.value)] = b"\1" * len(piece.value)
    return bytes(value), first, all(piece.whole for piece in pieces) and 0 not in filled


def _u16(data: bytes, at: int) -> int | None:
    return data[at] | data[at + 1] << 8 if at + 1 < len(data) else None
