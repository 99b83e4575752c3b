"""Rows of whole windows: plain ATT PDUs by the thousand, everything else by the layers and the tracker, in order.

Knows how the two come together. Refuses to know containers and text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from rig.capture import att
from rig.capture.fast.groups import Answered, Connections, PlainPdus, from_server, grouped, unpacked
from rig.capture.fast.packets import CUT, DATA, NOTHING, Packets, packets
from rig.capture.fast.window import NS, Int64s, Window
from rig.capture.gatt import LEARNING_OPCODES, GattTracker
from rig.capture.layers.links import AttPdu, Link, Sender
from rig.capture.layers.stack import Stack
from rig.capture.records import Record

FEW_RECORDS: Final = 192
"""A stretch between two cuts that is shorter is decoded faster record by record."""
_FEW_KEYS: Final = 64
_MOST_KINDS: Final = 4096
_SLOT_BITS: Final = 12
_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio: multiples of it are far from each other
_NO_KEY: Final = np.iinfo(np.int64).max
"""Greater than all keys."""


class Kind(NamedTuple):
    """What rows of a block have in common."""

    link: int
    sender: Sender
    opcode: int
    """-1 for a PDU without any octet."""
    handle: int | None
    uuid: str


@dataclass(slots=True)
class Block:
    """The rows of some consecutive records, in file order; the arrays have one element a row."""

    data: bytes
    """Where the PDUs are."""
    kinds: list[Kind]
    """What :attr:`kind` counts in; of several blocks the same list, which only grows."""
    kind: Int64s
    frame: Int64s
    ticks: Int64s | npt.NDArray[np.object_]
    """Unix time; Python's integers where one does not fit 64 bits in nanoseconds."""
    ticks_per_second: int
    start: Int64s
    """Where the PDU begins in :attr:`data`."""
    length: Int64s

    def __len__(self) -> int:
        return len(self.frame)


class Engine:
    """Turns windows and lists of records, given in file order, into blocks of rows.

    Args:
        stack: the layers, as the scalar path uses them.
        tracker: what handles mean, likewise.
        few_records: stretches that are shorter are decoded record by record.
    """

    def __init__(self, stack: Stack, tracker: GattTracker, *, few_records: int = FEW_RECORDS) -> None:
        self.stack = stack
        self.tracker = tracker
        self.unfinished: tuple[int, npt.NDArray[np.uint16]] | None = None
        """Controller and streams whose pending PDU is ATT, as the columns before left them; None when not known."""
        self.keys = _Keys()
        self._few_records = few_records
        self._kinds: list[Kind] = []
        self._by_kind: dict[Kind, int] = {}

    def block(self, chunk: Window | list[Record]) -> Block:
        """Decode the next records of the capture."""
        if len(self._kinds) > _MOST_KINDS:  # a capture can make up new ones without end
            self._kinds = []
            self._by_kind = {}
        if isinstance(chunk, list):
            self.unfinished = None
            return self._singles(chunk)
        return _WindowRows(self, chunk, self._few_records).block()

    def number_of(self, kind: Kind) -> int:
        """The place of a kind in the list of all."""
        number = self._by_kind.get(kind)
        if number is None:
            number = self._by_kind[kind] = len(self._kinds)
            self._kinds.append(kind)
        return number

    def kind_of(self, pdu: AttPdu) -> int:
        """Name a PDU, which is the next in the capture's order; return the place of its kind."""
        handle, uuid = self.tracker.name(pdu)
        data = pdu.pdu
        link = pdu.link
        return self.number_of(Kind(link.number, link.sender(pdu.side), data[0] if data else -1, handle, uuid))

    def assembled(
        self,
        data: bytes,
        rows: tuple[Int64s, Int64s, Int64s | npt.NDArray[np.object_], Int64s, Int64s],
        ticks_per_second: int,
    ) -> Block:
        """A block of these rows: kind, frame, ticks, start and length."""
        kind, frame, ticks, start, length = rows
        return Block(data, self._kinds, kind, frame, ticks, ticks_per_second, start, length)

    def _singles(self, records: list[Record]) -> Block:
        pdus = [(pdu, self.kind_of(pdu)) for record in records for pdu in self.stack.feed(record)]
        times = [pdu.time_ns for pdu, _ in pdus]
        fit = all(-_NS_LIMIT < time_ns < _NS_LIMIT for time_ns in times)
        lengths = np.array([len(pdu.pdu) for pdu, _ in pdus], np.int64)
        return self.assembled(
            b"".join([pdu.pdu for pdu, _ in pdus]),
            (
                np.array([kind for _, kind in pdus], np.int64),
                np.array([pdu.frame for pdu, _ in pdus], np.int64),
                _integers(times, fit=fit),
                np.cumsum(lengths) - lengths,
                lengths,
            ),
            NS,
        )


_NS_LIMIT: Final = 1 << 63


def _integers(numbers: list[int], *, fit: bool) -> Int64s | npt.NDArray[np.object_]:
    return np.array(numbers, np.int64) if fit else np.array(numbers, np.object_)


class _Kinds:
    """The kinds of plain PDUs by their key, for as long as no link and no name changes."""

    def __init__(self, engine: Engine, links: dict[int, Link]) -> None:
        self._engine = engine
        self._links = links
        self._known: dict[int, int] = {}

    def clear(self) -> None:
        """Something may have changed."""
        self._known.clear()

    def of(self, keys: Int64s) -> Int64s:
        """The kind of each key."""
        if len(keys) < _FEW_KEYS:
            return np.array([self._of(key) for key in keys.tolist()], np.int64)
        distinct, places = self._engine.keys.numbered(keys)
        kinds = np.zeros(len(distinct), np.int64)
        for place in np.flatnonzero(np.bincount(places)).tolist():
            kinds[place] = self._of(int(distinct[place]))
        return kinds[places]

    def _of(self, key: int) -> int:
        number = self._known.get(key)
        if number is None:
            connection, side, opcode, handle = unpacked(key)
            engine = self._engine
            link = self._links[connection]
            server = side if from_server(opcode) else 1 - side
            # Any PDU about the handle is named alike; a notification needs no request, and leaves nothing behind.
            asked = bytes((att.HANDLE_VALUE_NOTIFICATION, handle & 0xFF, handle >> 8))
            _, uuid = engine.tracker.name(AttPdu(0, 0, link, server, asked))
            number = engine.number_of(Kind(link.number, link.sender(side), opcode, handle, uuid))
            self._known[key] = number
        return number


class _Keys:
    """The keys that were met so far, which are few, and nothing of what they mean: that changes."""

    def __init__(self) -> None:
        self._met: Int64s
        self._slots: npt.NDArray[np.intp]
        self._meet(np.full(1, _NO_KEY, np.int64))

    def numbered(self, keys: Int64s) -> tuple[Int64s, npt.NDArray[np.intp]]:
        """All keys that were met, ascending, and the place of each of these in them."""
        places, missed = self._places(keys)
        if len(missed):
            new = keys[missed]
            if len(self._met) > _MOST_KINDS:
                self._met = np.full(1, _NO_KEY, np.int64)
                new = keys
            # As np.union1d does, which imports numpy.ma for it: a fortieth of a large file's time.
            met = np.sort(np.concatenate((self._met, new)))
            self._meet(met[np.flatnonzero(np.diff(met, prepend=met[0] - 1))])
            places, _ = self._places(keys)
        return self._met, places

    def _meet(self, met: Int64s) -> None:
        self._met = met
        self._slots = np.zeros(1 << _SLOT_BITS, np.intp)
        self._slots[_slots(met)] = np.arange(len(met))

    def _places(self, keys: Int64s) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """The place of each key among those that were met, and which of them were not."""
        places = self._slots[_slots(keys)]
        others = np.flatnonzero(self._met[places] != keys)  # two keys in one slot, or a new one
        if len(others):
            places[others] = self._met.searchsorted(keys[others])
            others = others[self._met[places[others]] != keys[others]]
        return places, others


def _slots(keys: Int64s) -> npt.NDArray[np.uint64]:
    """A number for each key, alike for like keys: to look up what is found by halving only many times slower."""
    return (keys.view(np.uint64) * _SPREAD) >> np.uint64(64 - _SLOT_BITS)


class _Naming:
    """Names the plain PDUs of a stretch, no sooner than all before them are."""

    def __init__(self, engine: Engine, data: bytes, plain: PlainPdus, known: dict[int, Link]) -> None:
        self._engine = engine
        self._tracker = engine.tracker
        self._data = data
        self._plain = plain
        self._known = known
        self._kind_of = _Kinds(engine, known)
        self._done = 0
        self.kinds: Int64s = np.empty(len(plain.key), np.int64)
        """Of the PDUs that are settled."""

    def clear(self) -> None:
        """Links, senders or names may have changed."""
        self._kind_of.clear()

    def settle(self, upto: int) -> None:
        """Name all plain PDUs before a record, by what is known now."""
        keys = self._plain.key
        behind = int(self._plain.record.searchsorted(upto))
        while self._done < behind and self._tracker.learns_from_reads:
            key = keys[self._done : self._done + 1]
            if unpacked(int(key[0]))[2] == att.READ_RESPONSE:
                self.kinds[self._done] = self._taught(self._done)
                self.clear()
            else:
                self.kinds[self._done] = self._kind_of.of(key)[0]
            self._done += 1
        if self._done < behind:
            self.kinds[self._done : behind] = self._kind_of.of(keys[self._done : behind])
            self._done = behind

    def forget(self, answered: list[Answered]) -> None:
        """What was answered in columns no longer waits in the tracker."""
        for handle, client, indication in answered:
            waiting = self._tracker.indications if indication else self._tracker.pending
            waiting.pop((self._known[handle].number, client), None)

    def _taught(self, row: int) -> int:
        """Have the tracker read a plain read response, as its contents may tell what a handle means."""
        plain = self._plain
        connection, side, _, handle = unpacked(int(plain.key[row]))
        link = self._known[connection]
        start, length = int(plain.start[row]), int(plain.length[row])
        behind = start - len(self._data)
        pdu = self._data[start : start + length] if behind < 0 else plain.joined[behind : behind + length]
        request = bytes((att.READ_REQUEST, handle & 0xFF, handle >> 8))
        self._tracker.pending[link.number, 1 - side] = request  # the plain PDU that it answers
        return self._engine.kind_of(AttPdu(0, 0, link, side, pdu))


class _WindowRows:
    """The rows of one window, in the making."""

    def __init__(self, engine: Engine, window: Window, few_records: int) -> None:
        self._engine = engine
        self._window = window
        self._few_records = few_records
        self._plain: list[tuple[Int64s, Int64s, Int64s, Int64s]] = []  # record, kind, start, length
        self._fed: list[tuple[int, int, int]] = []  # record, kind, length
        self._joined: list[bytes] = []
        self._joined_bytes = len(window.data)
        self._fed_pdus: list[bytes] = []

    def block(self) -> Block:
        window = self._window
        read = packets(window)
        if read is None:
            for index in range(len(window)):
                self._feed(index)
        else:
            cuts = np.flatnonzero(read.what == CUT).tolist()
            begin = 0
            for cut in cuts:
                self._stretch(read, begin, cut)
                self._feed(cut)
                begin = cut + 1
            self._stretch(read, begin, len(window))
        return self._assembled()

    def _stretch(self, read: Packets, begin: int, end: int) -> None:
        """Decode records between which no connection begins or ends by an event."""
        hci = self._engine.stack.hci
        while end - begin >= self._few_records:
            acl = read.heads["head"][begin:end][read.what[begin:end] == DATA] & 0xFFF
            handles = np.flatnonzero(np.bincount(acl, minlength=1)).tolist()
            links = {handle: hci.link_of(read.controller, handle) for handle in handles}
            known = {handle: link for handle, link in links.items() if link is not None}
            if len(known) == len(links):
                self._columns(read, begin, end, known)
                return
            # The capture began in mid-connection: a little of it makes the links known.
            self._one_by_one(read, begin, begin + self._few_records)
            begin += self._few_records
        self._one_by_one(read, begin, end)

    def _one_by_one(self, read: Packets, begin: int, end: int) -> None:
        for index in (np.flatnonzero(read.what[begin:end] != NOTHING) + begin).tolist():
            self._feed(index)

    def _feed(self, index: int) -> None:
        engine = self._engine
        engine.unfinished = None
        for pdu in engine.stack.feed(self._window.record(index)):
            self._named(index, pdu)

    def _named(self, index: int, pdu: AttPdu) -> None:
        self._fed.append((index, self._engine.kind_of(pdu), len(pdu.pdu)))
        self._fed_pdus.append(pdu.pdu)

    def _columns(self, read: Packets, begin: int, end: int, known: dict[int, Link]) -> None:
        engine = self._engine
        tracker = engine.tracker
        connections = Connections.none()
        for handle, link in known.items():
            connections.ready[handle] = link.transport == "le"
            connections.assured[handle] = link.beginning_seen
        if engine.unfinished is not None and engine.unfinished[0] == read.controller:
            connections.expected[engine.unfinished[1]] = True
        groups = grouped(read, self._window.data, (begin, end), connections)
        plain = groups.plain
        naming = _Naming(engine, self._window.data, plain, known)
        for index, loud in groups.fed:
            if loud:
                naming.settle(index)
            for pdu in engine.stack.feed(self._window.record(index)):
                teaches = pdu.pdu[0] in LEARNING_OPCODES or tracker.learns_from_reads
                if teaches:
                    naming.settle(index)
                naming.forget(groups.answered_before.get(index, []))
                self._named(index, pdu)
                if teaches:
                    naming.clear()
            if loud:
                naming.clear()
        naming.settle(end)
        naming.forget(groups.answered_last)
        engine.unfinished = read.controller, groups.unfinished

        start = plain.start
        if plain.joined and self._joined_bytes != len(self._window.data):
            start = np.where(
                start >= len(self._window.data), start + self._joined_bytes - len(self._window.data), start
            )
        self._plain.append((plain.record, naming.kinds, start, plain.length))
        self._joined.append(plain.joined)
        self._joined_bytes += len(plain.joined)

    def _assembled(self) -> Block:
        """Put both kinds of rows together, in order."""
        window = self._window
        lengths = np.array([length for _, _, length in self._fed], np.int64)
        data = window.data
        if self._joined or self._fed_pdus:
            data = b"".join([data, *self._joined, *self._fed_pdus])
        record = np.concatenate([*(part[0] for part in self._plain), np.array([f[0] for f in self._fed], np.int64)])
        kind = np.concatenate([*(part[1] for part in self._plain), np.array([f[1] for f in self._fed], np.int64)])
        start = np.concatenate([*(part[2] for part in self._plain), self._joined_bytes + np.cumsum(lengths) - lengths])
        length = np.concatenate([*(part[3] for part in self._plain), lengths])
        order = np.argsort(record, kind="stable")
        record = record[order]
        return self._engine.assembled(
            data,
            (kind[order], record + window.first_frame, window.ticks[record], start[order], length[order]),
            window.ticks_per_second,
        )
