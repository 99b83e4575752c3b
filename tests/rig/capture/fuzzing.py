"""Mutated captures through everything that reads them: nothing may crash, hang, or break what the records promise.

Guided by behaviour: an input that shows something new (an error, an oddity, an opcode, a happening) joins those that
are mutated further. Every batch is worked out from its seed and number alone, so that one that fails can be repeated.

    scripts/fuzz captures --count 1000000 --seed 1    every container and layer
    scripts/fuzz windows --count 100000 --seed 1      windows of columns against the same records one by one
"""

from __future__ import annotations

import argparse
import contextlib
import random
import re
import resource
import signal
import struct
import sys
import time
import traceback
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from io import BytesIO
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from rig.capture.gatt import GattTracker
from rig.capture.layers.stack import Stack
from rig.capture.operations import Pairing
from rig.capture.records import CaptureError, LinkType, Record
from rig.capture.registry import open_reader, open_source
from rig.capture.rows import AttRow, rows, value_of
from rig.capture.source import Source
from rig.capture.text import tsv_line
from tests.rig.capture.containers import (
    KINDS,
    T0,
    UNIX_EPOCH_US,
    Packet,
    btsnoop,
    interface,
    option,
    packetlogger,
    pcap,
    section,
)
from tests.rig.capture.containers import enhanced as enhanced_packet
from tests.rig.capture.containers import obsolete as obsolete_packet
from tests.rig.capture.containers import simple as simple_packet

CAPTURES = Path(__file__).parents[2] / "captures"
LONGEST_S = 1.0
"""An input that takes more processor time is a fault."""
BATCH = 5000
_HANGS_S = 20
_RECORDS_OF_A_SEED = 24
_MOST_KEPT = 400
_MOST_BYTES = 8192
_INTERESTING = (0, 1, 2, 3, 4, 6, 7, 9, 0x7F, 0x80, 0xFE, 0xFF)
_INTERESTING_WIDE = (0, 1, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFF0, 0x01000000)

Stream = tuple[Record, ...]
Seed = bytes | Stream
"""A file, or the records that a reader would make of one."""


class Outcome(NamedTuple):
    """What one input did."""

    features: frozenset[str]
    records: int
    rows: int


class FaultError(Exception):
    """An input broke what is promised; ``data`` is the input."""

    def __init__(self, what: str, data: Seed) -> None:
        super().__init__(what)
        self.data = data


def run_file(data: bytes) -> Outcome:
    """Read a file in memory, through all layers.

    Raises:
        AssertionError: something promised does not hold.
    """
    features: set[str] = set()
    records: list[Record] = []
    error: CaptureError | None = None
    try:
        reader = open_source(Source(BytesIO(data), "input", len(data)))
        features.add(reader.format)
        records.extend(reader.records())
    except CaptureError as caught:
        error = caught
    if error is not None:
        assert "\n" not in str(error), error
        features.add("error " + re.sub(r"-?[0-9a-fx.^]*\d[0-9a-fx.^]*", "N", error.problem)[:60])
    before = Record(0, 0, 0, b"", 0)
    for record in records:
        assert record.frame > before.frame, (record, before)
        assert record.offset >= before.offset + len(before.data), (record, before)
        before = record
    if error is not None and error.offset is not None:
        assert error.offset >= before.offset + len(before.data), (error, before)
    outcome = run_records(records)
    return Outcome(outcome.features | features, len(records), outcome.rows)


def run_records(records: Sequence[Record]) -> Outcome:
    """Feed records through the layers, the tracker and the pairing of operations, and format the rows."""
    stack = Stack()
    tracker = GattTracker()
    pairing = Pairing(tracker)
    features: set[str] = set()
    count = 0
    for record in records:
        for pdu in stack.feed(record):
            handle, uuid = tracker.name(pdu)
            data = pdu.pdu
            opcode = data[0] if data else -1
            sender = pdu.link.sender(pdu.side)
            value = value_of(data)
            line = tsv_line(AttRow(pdu.frame, pdu.time_ns, pdu.link.number, sender, opcode, handle, uuid, value, data))
            assert line.isascii(), line
            assert line.count("\t") == 8, line
            assert line.find("\n") == len(line) - 1, line
            assert pdu.frame == record.frame, (pdu, record)
            count += 1
            features.add(f"{opcode} {sender} {bool(uuid)} {bool(pdu.missing)}")
            features.update(f"operation {operation.kind}" for operation in pairing.feed(pdu, handle, uuid))
    pairing.flush()
    assert [link.number for link in stack.links] == list(range(1, len(stack.links) + 1))
    assert len(stack.links) <= len(records), "more links than records"
    features.update(f"count {kind}" for kind in stack.observations.counts)
    for link in stack.links:
        features.update(f"happening {happening.kind}" for happening in link.history)
    features.add(f"links {min(len(stack.links), 4)}")
    for table in tracker.tables():
        features.update(f"attribute {attribute.kind}" for attribute in table.attributes.values())
    return Outcome(frozenset(features), len(records), count)


def run(data: Seed) -> Outcome:
    """Run one input of either sort."""
    return run_file(data) if isinstance(data, bytes) else run_records(data)


def run_windows(data: Seed) -> Outcome:
    """Decode a file in windows of columns, and one by one: rows and errors must be the same.

    Raises:
        AssertionError: they are not.
    """
    from rig.capture.fast.engine import Engine  # noqa: PLC0415 - numpy, which nothing else here needs
    from rig.capture.fast.lines import Lines  # noqa: PLC0415 - as above
    from rig.capture.fast.stream import chunks  # noqa: PLC0415 - as above

    file = data if isinstance(data, bytes) else _as_btsnoop(data)
    slow: list[str] = []
    slow_error = ""
    try:
        reader = open_source(Source(BytesIO(file), "input", len(file)))
        slow.extend(map(tsv_line, rows(reader.records(), Stack(), GattTracker())))
    except CaptureError as caught:
        slow_error = str(caught)
    fast: list[bytes] = []
    fast_error = ""
    windows = 0
    # Windows so small that a short input has several, and columns for however few records.
    records = 3 + zlib.crc32(file) % 20
    try:
        reader = open_source(Source(BytesIO(file), "input", len(file)))
        engine = Engine(Stack(), GattTracker(), few_records=1)
        lines = Lines()
        for chunk in chunks(reader, window_bytes=64 * records, window_records=records):
            windows += not isinstance(chunk, list)
            fast.append(bytes(lines.text(engine.block(chunk))))
    except CaptureError as caught:
        fast_error = str(caught)
    assert b"".join(fast).decode() == "".join(slow), (b"".join(fast).decode(), "".join(slow))
    assert fast_error == slow_error
    features = {f"windows {min(windows, 3)}"}
    for line in slow:
        cells = line.split("\t")
        features.add(f"row {cells[4]} {cells[3]} {bool(cells[6])}")
    if slow_error:
        features.add("error " + re.sub(r"\d+", "N", slow_error)[:60])
    return Outcome(frozenset(features), len(slow), len(slow))


def _as_btsnoop(stream: Stream) -> bytes:
    """The stream as a file that can be read in windows, as far as a file can hold it."""
    link_type = stream[0].link_type if stream else LinkType.BTSNOOP_H4
    datalink = link_type if link_type in (LinkType.BTSNOOP_H1, LinkType.BTSNOOP_MONITOR) else LinkType.BTSNOOP_H4
    parts = [btsnoop((), datalink)]
    for record in stream:
        stamp = (record.time_ns // 1000 + UNIX_EPOCH_US) & 0x7FFF_FFFF_FFFF_FFFF
        original = record.original_length
        parts.append(struct.pack(">IIIIq", original, len(record.data), record.flags, 0, stamp) + record.data)
    return b"".join(parts)


# Seeds


def seeds() -> list[Seed]:
    """Small inputs with much in them: the parts of real captures that make rows or change links, in every container."""
    streams = [stream for path in sorted(CAPTURES.iterdir()) if (stream := _telling(path))]
    files: list[Seed] = []
    for stream in streams:
        packets = [Packet(max(record.time_ns, 0), record.data) for record in stream]
        link_type = stream[0].link_type
        if link_type < 1000:
            files.append(pcap(packets, link_type=link_type))
            files.append(
                section() + interface(link_type) + b"".join(enhanced_packet(p.data, p.time_ns // 1000) for p in packets)
            )
        elif link_type != LinkType.PACKETLOGGER:
            body = (
                btsnoop([packet], link_type, record.flags)[16:] for packet, record in zip(packets, stream, strict=True)
            )
            files.append(btsnoop((), link_type) + b"".join(body))
            if link_type == LinkType.BTSNOOP_H4:
                kinds = {(1, 0): 0, (4, 1): 1, (2, 0): 2, (2, 1): 3}
                files.append(
                    b"".join(
                        packetlogger([Packet(p.time_ns, p.data[1:])], ">", kinds.get((p.data[0], r.flags & 1), 0xFC))
                        for p, r in zip(packets, stream, strict=True)
                        if p.data
                    )
                )
    few = [Packet(T0 + number, bytes([2, number, 0x20, 5, 0, 1, 0, 4, 0, 0x0B])) for number in range(3)]
    files += [kind.make(few) for kind in KINDS]
    files.append(_every_block())
    files += [zlib.compress(file, wbits=31) for file in files[:3] if isinstance(file, bytes)]
    return [*streams, *files]


def _telling(path: Path) -> Stream:
    """The first records of a capture that make a row or change a link."""
    if not path.is_file() or path.suffix in {".tsv", ".md"}:
        return ()
    reader = open_reader(path)
    stack = Stack()
    found: list[Record] = []
    seen: Counter[object] = Counter()
    with reader.source:
        for record in reader.records():
            happened = sum(len(link.history) for link in stack.links)
            pdus = stack.feed(record)
            kinds: list[object] = [pdu.pdu[:1] for pdu in pdus]
            if sum(len(link.history) for link in stack.links) > happened:
                kinds.append("happened")
            if any(seen[kind] < 4 for kind in kinds):
                found.append(record._replace(data=record.data[:600]))
                seen.update(kinds)
            if len(found) == _RECORDS_OF_A_SEED:
                break
    return tuple(found)


def _every_block() -> bytes:
    parts = []
    for order, resolution in (("<", 6), (">", 9), ("<", 0x8A)):
        options = option(2, b"hci0", order) + option(9, bytes([resolution]), order) + option(14, bytes(8), order)
        said = option(1, b"said", order) + option(2, bytes(4), order) + option(0, b"", order)
        parts += [
            section(order, option(1, b"section", order) + option(4, b"tool", order)),
            interface(options=options, order=order, snapshot=64),
            interface(LinkType.LE_LL, order=order),
            enhanced_packet(b"\4\x0e\4\1\3\x0c\0", 5, 0, said, order),
            simple_packet(b"\4\x0e\4\1\3\x0c\0\0", order),
            obsolete_packet(b"\xd6\xbe\x89\x8e\0\0\0\0\0", 6, 1, said, order),
        ]
    return b"".join(parts)


# Mutations


def mutated(data: Seed, others: Sequence[Seed], chance: random.Random) -> Seed:
    """Return ``data`` with one to a few things changed."""
    for _ in range(chance.choice((1, 1, 1, 2, 2, 4, 8))):
        if isinstance(data, bytes):
            other = others[chance.randrange(len(others))]
            data = _mutated_bytes(data, other if isinstance(other, bytes) else b"", chance)[:_MOST_BYTES]
        else:
            data = _mutated_stream(data, others, chance)
    return data


def _mutated_bytes(data: bytes, other: bytes, chance: random.Random) -> bytes:
    if not data:
        return other or b"\0"
    at = chance.randrange(len(data))
    length = chance.choice((1, 2, 4, 8, 24, 64))
    way = chance.randrange(9)
    if way == 0:
        return data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :]
    if way == 1:
        return data[:at] + bytes([chance.choice(_INTERESTING)]) + data[at + 1 :]
    if way == 2:
        width = chance.choice((2, 4))
        wide = chance.choice(_INTERESTING_WIDE) & ((1 << 8 * width) - 1)
        return data[:at] + wide.to_bytes(width, chance.choice(("big", "little"))) + data[at + width :]
    if way == 3:
        return data[:at]
    if way == 4:
        return data[:at] + data[at + length :]
    if way == 5:
        return data[:at] + data[at : at + length] + data[at:]
    if way == 6:
        return data[:at] + chance.randbytes(length) + data[at + length * chance.randrange(2) :]
    if way == 7 and other:
        start = chance.randrange(len(other))
        return data[:at] + other[start : start + chance.choice((16, 64, 1024))] + data[at:]
    small = (data[at] + chance.choice((-1, 1, -4, 4))) & 0xFF
    return data[:at] + bytes([small]) + data[at + 1 :]


def _mutated_stream(stream: Stream, others: Sequence[Seed], chance: random.Random) -> Stream:
    at = chance.randrange(len(stream)) if stream else 0
    way = chance.randrange(10)
    if not stream or way == 0:
        other = others[chance.randrange(len(others))]
        if isinstance(other, bytes):
            return stream
        start = chance.randrange(len(other)) if other else 0
        piece = other[start : start + chance.randrange(1, 9)]
        return _numbered(stream[:at] + piece + stream[at:])
    record = stream[at]
    if way == 1:
        return _numbered(stream[:at] + stream[at + 1 :])
    if way == 2:
        return _numbered((*stream[:at], record, *stream[at:]))
    if way == 3:
        to = chance.randrange(len(stream))
        moved = stream[:at] + stream[at + 1 :]
        return _numbered((*moved[:to], record, *moved[to:]))
    if way == 4:
        changed = record._replace(
            flags=chance.choice((0, 1, 2, 3, record.flags ^ 1, chance.getrandbits(32))),
            link_type=chance.choice((record.link_type, *LinkType)),
            interface=chance.choice((record.interface, 0, 1)),
            time_ns=chance.choice((record.time_ns, 0, -1, 10**30)),
        )
    elif way == 5:
        cut = chance.randrange(len(record.data) + 1)
        changed = record._replace(data=record.data[:cut], original_length=max(record.original_length, cut))
    else:
        other = stream[chance.randrange(len(stream))].data
        data = _mutated_bytes(record.data, other, chance)[:2048]
        changed = record._replace(data=data, original_length=len(data))
    return (*stream[:at], changed, *stream[at + 1 :])


def _numbered(stream: Stream) -> Stream:
    return tuple(record._replace(frame=number + 1) for number, record in enumerate(stream[: 3 * _RECORDS_OF_A_SEED]))


# Runs


class Report(NamedTuple):
    """What a batch came to."""

    inputs: int
    records: int
    rows: int
    features: frozenset[str]
    worst_s: float
    worst_input: int
    errors: int


def batch(
    number: int, seed: int, count: int, starts: Sequence[Seed], target: Callable[[Seed], Outcome] = run
) -> Report:
    """Run ``count`` inputs through ``target``, worked out from ``seed``, ``number`` and ``starts`` alone.

    Raises:
        FaultError: an input crashed or took too long; the message says which, and how to repeat it.
    """
    chance = random.Random(f"{seed}/{number}")
    pool = list(starts)
    seen: set[str] = set()
    records = rows = errors = worst_input = 0
    worst_s = 0.0
    with contextlib.suppress(Exception):  # what is imported on the way is no input's fault
        target(starts[0])
    for index in range(count):
        data = mutated(pool[chance.randrange(len(pool))], pool, chance)
        begun = time.process_time()  # of this process, so that a busy machine accuses nobody
        try:
            outcome = target(data)
        except Exception as error:
            where = f"seed {seed} batch {number} input {index}"
            raise FaultError(f"{where}: {type(error).__name__}: {error}\n{traceback.format_exc()}", data) from error
        taken_s = time.process_time() - begun
        if taken_s > worst_s:
            worst_s, worst_input = taken_s, index
        if taken_s > LONGEST_S:
            raise FaultError(f"seed {seed} batch {number} input {index}: took {taken_s:.2f} s", data)
        records += outcome.records
        rows += outcome.rows
        if not outcome.features <= seen:
            seen |= outcome.features
            if len(pool) < _MOST_KEPT:
                pool.append(data)
        errors += any(feature.startswith("error") for feature in outcome.features)
    return Report(count, records, rows, frozenset(seen), worst_s, worst_input, errors)


TARGETS: dict[str, Callable[[Seed], Outcome]] = {"captures": run, "windows": run_windows}
_starts: list[Seed] = []


def _work(what: str, number: int, seed: int, count: int) -> tuple[int, Report | FaultError]:
    """Run a batch in a process of its own, where something that hangs is interrupted."""
    if not _starts:
        _starts.extend(seeds())

    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"hangs: no end after {_HANGS_S} s and more")

    # A batch takes seconds; one that takes twenty times as long has an input that does not end.
    signal.signal(signal.SIGALRM, interrupt)
    signal.alarm(max(_HANGS_S, count // 50))
    try:
        return number, batch(number, seed, count, _starts, TARGETS[what])
    except FaultError as fault:
        return number, fault
    finally:
        signal.alarm(0)


def _reports(
    what: str, numbers: Sequence[int], seed: int, counts: Sequence[int], processes: int
) -> Iterator[tuple[int, Report | FaultError]]:
    if processes == 1:
        for number, count in zip(numbers, counts, strict=True):
            yield _work(what, number, seed, count)
        return
    with ProcessPoolExecutor(processes) as workers:
        yield from workers.map(_work, [what] * len(numbers), numbers, [seed] * len(numbers), counts)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code: 0, or 1 when an input failed."""
    parser = argparse.ArgumentParser(
        prog="scripts/fuzz", description="Mutated captures through every reader and layer."
    )
    parser.add_argument("what", choices=list(TARGETS), help="what to feed mutated inputs to")
    parser.add_argument("--count", type=int, default=100_000, help="how many inputs (default: 100,000)")
    parser.add_argument("--seed", type=int, default=1, help="where the inputs come from (default: 1)")
    parser.add_argument("--processes", type=int, default=2, help="how many at a time (default: 2)")
    parser.add_argument("--batch", type=int, help="run this batch alone, as a failure names it")
    asked = parser.parse_args(arguments)
    begun = time.perf_counter()
    counts = [min(BATCH, asked.count - at) for at in range(0, asked.count, BATCH)]
    numbers = list(range(len(counts)))
    if asked.batch is not None:
        numbers, counts = [asked.batch], [BATCH]
    total = Report(0, 0, 0, frozenset(), 0.0, 0, 0)
    worst_batch = 0
    failed = 0
    for number, report in _reports(asked.what, numbers, asked.seed, counts, asked.processes):
        if isinstance(report, FaultError):
            failed += 1
            _show(report, asked.what, asked.seed, number)
            continue
        if report.worst_s > total.worst_s:
            worst_batch = number
        total = Report(
            total.inputs + report.inputs,
            total.records + report.records,
            total.rows + report.rows,
            total.features | report.features,
            max(total.worst_s, report.worst_s),
            report.worst_input if worst_batch == number else total.worst_input,
            total.errors + report.errors,
        )
        if sys.stderr.isatty():
            print(f"\r{total.inputs:,} of {sum(counts):,}", end="", file=sys.stderr, flush=True)
    taken_s = time.perf_counter() - begun
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) // 1024
    print(
        f"seed {asked.seed}: {total.inputs:,} inputs, {total.records:,} records, {total.rows:,} rows, "
        f"{total.errors:,} inputs with an error of one line, {len(total.features)} behaviours, {failed} failed; "
        f"worst {total.worst_s * 1000:.1f} ms (batch {worst_batch}, input {total.worst_input}), "
        f"peak {peak} MiB, {taken_s:.0f} s"
    )
    return 1 if failed else 0


def _show(fault: FaultError, what: str, seed: int, number: int) -> None:
    path = Path(f"fuzz-{seed}-{number}.{'bin' if isinstance(fault.data, bytes) else 'txt'}")
    path.write_bytes(fault.data if isinstance(fault.data, bytes) else repr(fault.data).encode())
    print(f"\n{fault}", file=sys.stderr)
    print(f"The input is in {path}. Again: scripts/fuzz {what} --seed {seed} --batch {number}", file=sys.stderr)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
