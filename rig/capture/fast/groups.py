"""ACL data of a stretch of records, put together: which fragments make which L2CAP PDU, and which are plain ATT.

Knows reassembly (Vol 3 Part A, 7.2.1) and which request a response answers (Vol 3 Part F, 3.3.2) where nothing is odd.
Refuses to decide anything else: a PDU that is not plain is left to the layers, with all that depends on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from rig.capture import att
from rig.capture.fast.packets import DATA, FEED, Bools, Bytes, Packets
from rig.capture.fast.pieces import joined_pieces
from rig.capture.fast.window import Int64s, reordered
from rig.capture.layers.l2cap import CID_ATT

_CIDS_OF_BREDR: Final = (0x0001, 0x0002, 0x0007)  # Vol 3 Part A, 2.1, table 2.2
_TOO_MANY: Final = 1 << 17  # octets: the longest PDU that a header can announce has half as many
_CONTINUES: Final = 0x1000  # low bit of the packet boundary flag: a continuing fragment

# What a plain PDU is, by opcode. All else is for the tracker to name: discovery, errors, prepared and signed writes …
_ODD, _SERVER_SAYS, _CLIENT_SAYS, _REQUEST, _RESPONSE, _INDICATION, _CONFIRMATION = range(7)
_PLAIN_REQUESTS: Final = (att.READ_REQUEST, att.READ_BLOB_REQUEST, att.WRITE_REQUEST)
_PLAIN_RESPONSES: Final = (att.READ_RESPONSE, att.READ_BLOB_RESPONSE, att.WRITE_RESPONSE)


def _by_opcode(*groups: tuple[tuple[int, ...], int]) -> Bytes:
    table = np.zeros(256, np.uint8)
    for opcodes, value in groups:
        table[list(opcodes)] = value
    return table


_WAY: Final = _by_opcode(
    ((att.HANDLE_VALUE_NOTIFICATION,), _SERVER_SAYS),
    ((att.WRITE_COMMAND,), _CLIENT_SAYS),
    (_PLAIN_REQUESTS, _REQUEST),
    (_PLAIN_RESPONSES, _RESPONSE),
    ((att.HANDLE_VALUE_INDICATION,), _INDICATION),
    ((att.HANDLE_VALUE_CONFIRMATION,), _CONFIRMATION),
)
_NAMES_HANDLE: Final = _by_opcode(
    ((att.HANDLE_VALUE_NOTIFICATION, att.WRITE_COMMAND, *_PLAIN_REQUESTS, att.HANDLE_VALUE_INDICATION), 1)
)
# What takes part in a transaction, plain or not: 1 from the client and 2 from the server, 3 and 4 for indications.
_PART: Final = _by_opcode(
    (tuple(att.RESPONSE_TO.values()), 1),
    ((*att.RESPONSE_TO, att.ERROR_RESPONSE), 2),
    ((att.HANDLE_VALUE_INDICATION,), 3),
    ((att.HANDLE_VALUE_CONFIRMATION,), 4),
)
_ANSWERS: Final = np.zeros(256, np.uint8)
_ANSWERS[list(att.RESPONSE_TO)] = list(att.RESPONSE_TO.values())
_FROM_SERVER: Final = _by_opcode((tuple(att.SENT_BY_SERVER), 1))


class Answered(NamedTuple):
    """A transaction that was answered in columns, so that the tracker must forget what it has waiting there."""

    handle: int
    """Connection handle."""
    client: int
    indication: bool


class Connections(NamedTuple):
    """What is known of the connections of a stretch at its beginning."""

    ready: Bools
    """By connection handle, whether it is an LE link that is up."""
    assured: Bools
    """By connection handle, whether an event told its transport; else the channels in use may change it."""
    expected: Bools
    """By stream (connection handle and side), whether the PDU that is pending there is known to be ATT."""

    @classmethod
    def none(cls) -> Connections:
        """Of nothing known."""
        return cls(np.zeros(1 << 12, np.bool_), np.zeros(1 << 12, np.bool_), np.zeros(1 << 13, np.bool_))


@dataclass(slots=True)
class Groups:
    """What became of a stretch of records."""

    plain: PlainPdus
    fed: list[tuple[int, bool]]
    """Records that the layers are to see, in order: index in the window, and whether it may change links or senders."""
    answered_before: dict[int, list[Answered]]
    """Index of a record among those to what was answered in columns since the last of its kind."""
    answered_last: list[Answered]
    """What was answered in columns at the end of the stretch."""
    unfinished: npt.NDArray[np.uint16]
    """Streams whose last PDU is ATT and goes on beyond the stretch."""


@dataclass(slots=True)
class PlainPdus:
    """Plain ATT PDUs in the order of the records that complete them."""

    record: Int64s
    """Index in the window of the record that completes it."""
    key: Int64s
    """Connection handle, sending side, opcode and attribute handle, see :func:`unpacked`."""
    start: Int64s
    """Where it begins in the window's data, or, from there on, in :attr:`joined`."""
    length: Int64s
    joined: bytes
    """Those that came in pieces, to be appended to the data."""


def unpacked(key: int) -> tuple[int, int, int, int]:
    """Connection handle, side, opcode and attribute handle."""
    return key >> 25, key >> 24 & 1, key >> 16 & 0xFF, key & 0xFFFF


def from_server(opcode: int) -> bool:
    """Whether only servers send it."""
    return bool(_FROM_SERVER[opcode])


def grouped(packets: Packets, data: bytes, stretch: tuple[int, int], connections: Connections) -> Groups:
    """Put the ACL data of a stretch together, in which no record is to be cut at.

    A PDU is plain when all that it depends on is in the stretch: so the first of each stream (one direction of one
    connection) never is, nor one after something odd, nor a response whose request is not the plain PDU before it.
    Whatever state reaches beyond the stretch is therefore that of the layers and the tracker.

    Args:
        packets: those of the window.
        data: the window's bytes.
        stretch: first record, and the one behind the last.
        connections: what is known of them at its beginning.
    """
    first, end = stretch
    what = packets.what[first:end]
    acl = np.flatnonzero(what == DATA) + first
    aside = np.flatnonzero(what == FEED) + first
    if not len(acl):
        nothing = np.empty(0, np.int64)
        fed = [(record, True) for record in aside.tolist()]
        none = PlainPdus(nothing, nothing, nothing, nothing, b"")
        return Groups(none, fed, {}, [], np.empty(0, np.uint16))

    pdus = _assembled(packets, acl)
    way, special = _judged(pdus, connections)
    handle = pdus.heads["handle"].astype(np.int64)
    before, last = _transactions(pdus, way, special=special, handle=handle)

    unfinished = pdus.unfinished & (pdus.heads["cid"] == CID_ATT)
    to_feed = np.flatnonzero(special)
    loud = ~(pdus.is_att | unfinished)[to_feed]
    fed_records = np.concatenate([pdus.records[pdus.fragments_of(to_feed)], aside])
    fed_loud = np.concatenate([np.repeat(loud, pdus.counts[to_feed]), np.ones(len(aside), np.bool_)])
    order = np.argsort(fed_records)
    fed = list(zip(fed_records[order].tolist(), fed_loud[order].tolist(), strict=True))
    plain = _plain(packets, data, pdus, special=special, handle=handle)
    return Groups(plain, fed, before, last, pdus.stream[unfinished])


@dataclass(slots=True)
class _Pdus:
    """L2CAP PDUs, stream after stream; the arrays have one element a PDU where it is not said otherwise."""

    records: Int64s
    """One element a fragment: its index in the window."""
    is_start: Bools
    """One element a fragment."""
    fragments: Int64s
    """One element a fragment: its length in octets."""
    counts: Int64s
    """How many fragments there are of it."""
    at: npt.NDArray[np.intp]
    """Where in :attr:`records` they begin."""
    first: Int64s
    """Index in the window of its first fragment."""
    completed: Int64s
    """Index in the window of its last one."""
    order: npt.NDArray[np.intp]
    """The PDUs in the order in which they are complete."""
    heads: npt.NDArray[np.void]
    """The headers of its first fragment."""
    in_first: Int64s
    """Octets in that."""
    length: Int64s
    """Octets of its payload, as its header says."""
    stream: npt.NDArray[np.uint16]
    connection: Int64s
    side: Int64s
    begins_stream: Bools
    begins: Bools
    """Whether it has a beginning."""
    exact: Bools
    """It is there, from its first octet to its last, and nothing else is."""
    unfinished: Bools
    """It goes on beyond the stretch."""
    unclear: Bools
    """Neither: the layers will find out what it is, and when it is complete."""
    is_att: Bools
    """It is exact, and ATT."""

    def fragments_of(self, which: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """Where in :attr:`records` the fragments of some of them are."""
        counts = self.counts[which]
        ends = np.cumsum(counts)
        return np.repeat(self.at[which] - (ends - counts), counts) + np.arange(counts.sum())


def _assembled(packets: Packets, acl: Int64s) -> _Pdus:
    """Put streams one after the other, each in order, and find where PDUs begin in them."""
    stream = ((packets.heads["head"] & 0xFFF) << 1 | packets.side).astype(np.uint16)[acl]
    order = np.argsort(stream, kind="stable")
    records = acl[order]
    stream = stream[order]
    heads = reordered(packets.heads, records)
    is_start = heads["head"] & _CONTINUES == 0
    is_new = np.empty(len(records), np.bool_)
    is_new[0] = True
    np.not_equal(stream[1:], stream[:-1], out=is_new[1:])
    first = np.flatnonzero(is_start | is_new)
    counts = np.diff(first, append=len(records))
    fragments = heads["size"].astype(np.int64)
    # One fragment that is not whole, and there is more of the PDU than there can be.
    octets = np.add.reduceat(np.where(packets.whole[records], fragments, _TOO_MANY), first)
    heads = reordered(heads, first)
    in_first = fragments[first]
    length = heads["length"].astype(np.int64)
    begins_stream = is_new[first]

    sound = is_start[first] & (in_first >= 4)
    is_att = heads["cid"] == CID_ATT
    exact = sound & (octets == length + 4)
    exact &= ~(is_att & ((length < 1) | (in_first < 5)))
    unfinished = sound & (octets < length + 4)
    unfinished[:-1] &= begins_stream[1:]
    stream = stream[first]
    completed = records[first + counts - 1]
    return _Pdus(
        records=records,
        is_start=is_start,
        fragments=fragments,
        counts=counts,
        at=first,
        first=records[first],
        completed=completed,
        order=_ascending(completed),
        heads=heads,
        in_first=in_first,
        length=length,
        stream=stream,
        connection=(stream >> 1).astype(np.int64),
        side=(stream & 1).astype(np.int64),
        begins_stream=begins_stream,
        begins=is_start[first],
        exact=exact,
        unfinished=unfinished,
        unclear=~exact & ~unfinished,
        is_att=is_att & exact,
    )


def _judged(pdus: _Pdus, connections: Connections) -> tuple[Bytes, Bools]:
    """Say of each PDU what it is, and whether the layers are to see it."""
    opcode = pdus.heads["opcode"]
    way = np.where(pdus.is_att, _WAY[opcode], np.uint8(_ODD))
    way[(_NAMES_HANDLE[opcode] == 1) & ((pdus.length < 3) | (pdus.in_first < 7))] = _ODD
    special = ~pdus.exact | pdus.begins_stream | (way == _ODD) | ~connections.ready[pdus.connection]
    special[1:] |= ~pdus.exact[:-1]
    unsure = ~connections.assured[pdus.connection]
    if unsure.any():
        goes_on = ~pdus.begins & connections.expected[pdus.stream]
        moving = np.zeros(1 << 12, np.bool_)
        moving[pdus.connection[(pdus.unclear & ~goes_on) | np.isin(pdus.heads["cid"], _CIDS_OF_BREDR)]] = True
        special |= unsure & moving[pdus.connection]
    return way, special


def _plain(packets: Packets, data: bytes, pdus: _Pdus, *, special: Bools, handle: Int64s) -> PlainPdus:
    """The PDUs that are not special: in the data if they came in one piece, else joined behind it."""
    start = packets.bodies[pdus.first] + 8
    in_pieces = np.flatnonzero(~special & (pdus.counts > 1))
    joined = b""
    if len(in_pieces):
        of_pieces = pdus.fragments_of(in_pieces)
        l2cap = 4 * pdus.is_start[of_pieces]
        pieces = packets.bodies[pdus.records[of_pieces]] + 4 + l2cap
        joined = joined_pieces(data, pieces, pdus.fragments[of_pieces] - l2cap)
        lengths = pdus.length[in_pieces]
        start[in_pieces] = len(data) + np.cumsum(lengths) - lengths
    plain = pdus.order[~special[pdus.order]]
    opcode = pdus.heads["opcode"].astype(np.int64)
    key = pdus.connection << 25 | pdus.side << 24 | opcode << 16 | handle
    return PlainPdus(pdus.completed[plain], key[plain], start[plain], pdus.length[plain], joined)


def _ascending(records: Int64s) -> npt.NDArray[np.intp]:
    """``argsort`` of indices of records, no two of which are alike: by their places, many times faster."""
    places = np.full(int(records.max(initial=-1)) + 1, -1, np.intp)
    places[records] = np.arange(len(records))
    return places[places >= 0]


def _transactions(
    pdus: _Pdus, way: Bytes, *, special: Bools, handle: Int64s
) -> tuple[dict[int, list[Answered]], list[Answered]]:
    """Find the requests that are answered by the very next PDU of their kind, and give their handle to the answers.

    All others that take part in a transaction become special.

    Returns:
        What the tracker must forget before it sees a special PDU, by the record that completes it; and at the end.
    """
    opcode = pdus.heads["opcode"]
    part = np.where(pdus.is_att, _PART[opcode], np.uint8(0))
    taking = pdus.order[part[pdus.order] != 0]
    part = part[taking]
    from_client = (part == 1) | (part == 4)
    client = np.where(from_client, pdus.side[taking], 1 - pdus.side[taking])
    key = (pdus.connection[taking] << 2 | client << 1 | (part >= 3)).astype(np.uint16)
    order = np.argsort(key, kind="stable")
    taking, key = taking[order], key[order]
    earlier, later = taking[:-1], taking[1:]
    same = key[1:] == key[:-1]
    answered = same & (_ANSWERS[opcode[later]] == opcode[earlier]) & ~special[earlier] & ~special[later]
    unclear = np.flatnonzero(pdus.unclear)
    if len(unclear):  # what these were, and when they were complete, the layers will find out
        until = np.full(1 << 12, -1, np.int64)
        np.maximum.at(until, pdus.connection[unclear], pdus.completed[unclear])
        answered &= pdus.completed[earlier] > until[pdus.connection[earlier]]
    is_answer = np.zeros(len(way), np.bool_)
    is_answer[later[answered]] = True
    handle[later[answered]] = handle[earlier[answered]]
    alone = way >= _REQUEST
    alone[later[answered]] = False
    alone[earlier[answered]] = False
    special |= alone

    before: dict[int, list[Answered]] = {}
    for at in np.flatnonzero(same & is_answer[earlier] & special[later]).tolist():
        before.setdefault(int(pdus.completed[later[at]]), []).append(_answered(int(key[at])))
    ends = np.flatnonzero(np.append(~same, True)) if len(taking) else np.empty(0, np.int64)
    last = [_answered(int(key[at])) for at in ends.tolist() if is_answer[taking[at]]]
    return before, last


def _answered(key: int) -> Answered:
    return Answered(key >> 2, key >> 1 & 1, bool(key & 1))
