"""One OMP session record: its fields, its bytes, and the pieces in which it is notified.

A record is a CBOR map of whole-number keys, followed by the CRC-32 of that map. Refuses to know when records are
reported, aborted or deleted.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from protocols import omp_cbor
from protocols.omp_codec import RECORD_CHUNK_LAYOUT, OmpFormatError, Waveform, pack, size, unpack

CHUNK_BYTES = 12
"""Most bytes of a record in one notification: with its head 20, what the smallest ATT_MTU of 23 carries."""
MAX_RECORD_BYTES = 4096
"""Longest record that a host puts together; a run of 20 minutes takes some 400 bytes."""
SAMPLE_S = 10
"""How far apart the samples of a record are."""


class Ending(IntEnum):
    """How a run came to its end."""

    STOPPED = 0
    TIME_LIMIT = 1
    LINK_LOST = 2
    FAULT = 3
    CHARGING = 4
    POWER_LOST = 5


class Key(IntEnum):
    """Keys of the record's map. A key that is not known is passed over."""

    SESSION_ID = 0
    RUN_MS = 1
    HIGHEST_TARGET_UA = 2
    HIGHEST_DELIVERED_UA = 3
    CONTACT_LOSSES = 4
    ENDING = 5
    WAVEFORM = 6
    FREQUENCY_DHZ = 7
    DELIVERED_UA = 8


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """What one run came to.

    ``run_ms`` counts the time with a running output; ``delivered_ua`` is the mean delivered current of each
    :data:`SAMPLE_S` seconds of that time, the last of what is left; ``frequency_dhz`` is in 0.1 Hz.
    """

    session_id: int
    run_ms: int
    highest_target_ua: int
    highest_delivered_ua: int
    contact_losses: int
    ending: Ending
    waveform: Waveform
    frequency_dhz: int
    delivered_ua: tuple[int, ...] = ()

    def encode(self) -> bytes:
        """Return the map and its checksum.

        Raises:
            OmpFormatError: a number is below zero or beyond 64 bits.
        """
        values: dict[int | str, omp_cbor.Value] = {
            Key.SESSION_ID: self.session_id,
            Key.RUN_MS: self.run_ms,
            Key.HIGHEST_TARGET_UA: self.highest_target_ua,
            Key.HIGHEST_DELIVERED_UA: self.highest_delivered_ua,
            Key.CONTACT_LOSSES: self.contact_losses,
            Key.ENDING: self.ending,
            Key.WAVEFORM: self.waveform,
            Key.FREQUENCY_DHZ: self.frequency_dhz,
            Key.DELIVERED_UA: self.delivered_ua,
        }
        if any(isinstance(value, int) and value < 0 for value in (*values.values(), *self.delivered_ua)):
            raise OmpFormatError("a number below zero has no place in a record")
        try:
            body = omp_cbor.encode(values)
        except omp_cbor.CborError as error:
            raise OmpFormatError(f"record: {error}") from None
        return body + zlib.crc32(body).to_bytes(4, "little")

    @classmethod
    def decode(cls, data: bytes) -> SessionRecord:
        """Read it.

        Raises:
            OmpFormatError: the checksum is wrong, the CBOR is not strict, or a field is missing or of another kind.
        """
        body, crc = data[:-4], data[-4:]
        if len(crc) < 4 or zlib.crc32(body) != int.from_bytes(crc, "little"):
            raise OmpFormatError("record: its checksum is wrong")
        try:
            values = omp_cbor.decode(body)
        except omp_cbor.CborError as error:
            raise OmpFormatError(f"record: {error}") from None
        if not isinstance(values, dict):
            raise OmpFormatError("record: not a map")
        samples = values.get(Key.DELIVERED_UA)
        if not isinstance(samples, tuple):
            raise OmpFormatError("record: its samples are missing")
        try:
            return cls(
                session_id=_number(values.get(Key.SESSION_ID), "session id"),
                run_ms=_number(values.get(Key.RUN_MS), "running time"),
                highest_target_ua=_number(values.get(Key.HIGHEST_TARGET_UA), "highest target"),
                highest_delivered_ua=_number(values.get(Key.HIGHEST_DELIVERED_UA), "highest delivered current"),
                contact_losses=_number(values.get(Key.CONTACT_LOSSES), "number of contact losses"),
                ending=Ending(_number(values.get(Key.ENDING), "ending")),
                waveform=Waveform(_number(values.get(Key.WAVEFORM), "waveform")),
                frequency_dhz=_number(values.get(Key.FREQUENCY_DHZ), "frequency"),
                delivered_ua=tuple(_number(sample, "sample") for sample in samples),
            )
        except OmpFormatError:
            raise
        except ValueError as error:  # an ending or a waveform that is not known
            raise OmpFormatError(f"record: {error}") from None


def _number(value: omp_cbor.Value | None, what: str) -> int:
    if not isinstance(value, int) or value < 0:
        raise OmpFormatError(f"record: its {what} is missing or no number")
    return value


@dataclass(frozen=True, slots=True)
class RecordChunk:
    """One Session Record notification: a piece of 1 to 12 bytes of a record."""

    session_id: int
    index: int
    total: int
    piece: bytes

    def encode(self) -> bytes:
        """Return its bytes.

        Raises:
            OmpFormatError: a number has no place in its field, or the piece is empty or too long.
        """
        if not 1 <= len(self.piece) <= CHUNK_BYTES:
            raise OmpFormatError(f"a piece has 1 to {CHUNK_BYTES} bytes, not {len(self.piece)}")
        return pack(RECORD_CHUNK_LAYOUT, (self.session_id, self.index, self.total)) + self.piece

    @classmethod
    def decode(cls, data: bytes) -> RecordChunk:
        """Read it.

        Raises:
            OmpFormatError: it is too short or too long, or its index is not below its total.
        """
        head = size(RECORD_CHUNK_LAYOUT)
        session_id, index, total = unpack(RECORD_CHUNK_LAYOUT, data[:head], "record")
        if not 1 <= len(data) - head <= CHUNK_BYTES:
            raise OmpFormatError(f"record: a piece of {len(data) - head} bytes instead of 1 to {CHUNK_BYTES}")
        if index >= total:
            raise OmpFormatError(f"record: piece {index} of {total}")
        return cls(session_id, index, total, data[head:])


def chunks(session_id: int, record: bytes) -> tuple[RecordChunk, ...]:
    """Return the notifications that carry an encoded record, in their order.

    Raises:
        OmpFormatError: the record is empty or longer than :data:`MAX_RECORD_BYTES`.
    """
    if not 1 <= len(record) <= MAX_RECORD_BYTES:
        raise OmpFormatError(f"a record has 1 to {MAX_RECORD_BYTES} bytes, not {len(record)}")
    pieces = [record[at : at + CHUNK_BYTES] for at in range(0, len(record), CHUNK_BYTES)]
    return tuple(RecordChunk(session_id, index, len(pieces), piece) for index, piece in enumerate(pieces))


class Assembly:
    """Puts one record together from its notifications, which come in order or not at all (ATT has no other order)."""

    def __init__(self) -> None:
        self._session_id = 0
        self._total = 0
        self._data = bytearray()
        self._next = 0

    @property
    def under_way(self) -> bool:
        """True between the first piece of a record and its last."""
        return self._next > 0

    def take(self, chunk: RecordChunk) -> SessionRecord | None:
        """Add a piece; return the record with its last one.

        Raises:
            OmpFormatError: a piece is missing, the record is too long, or it is not one; what was gathered is dropped.
        """
        if chunk.index == 0:
            self._begin(chunk)
        elif (chunk.session_id, chunk.index, chunk.total) != (self._session_id, self._next, self._total):
            self._next = 0
            self._data.clear()
            raise OmpFormatError(f"record {chunk.session_id}: piece {chunk.index} of {chunk.total} is out of order")
        self._data += chunk.piece
        self._next = chunk.index + 1
        if self._next < chunk.total:
            return None
        data, self._next = bytes(self._data), 0
        self._data.clear()
        record = SessionRecord.decode(data)
        if record.session_id != chunk.session_id:
            raise OmpFormatError(f"record {chunk.session_id} says that it is {record.session_id}")
        return record

    def _begin(self, chunk: RecordChunk) -> None:
        self._next = 0
        self._data.clear()
        if chunk.total * CHUNK_BYTES > MAX_RECORD_BYTES + CHUNK_BYTES:
            raise OmpFormatError(f"record {chunk.session_id}: {chunk.total} pieces are too many")
        self._session_id, self._total = chunk.session_id, chunk.total


def assemble(pieces: Iterable[RecordChunk]) -> tuple[SessionRecord, ...]:
    """Return the records that whole runs of pieces make up.

    Raises:
        OmpFormatError: as :meth:`Assembly.take`.
    """
    assembly = Assembly()
    found = (assembly.take(piece) for piece in pieces)
    return tuple(record for record in found if record is not None)
