"""From any capture to btsnoop, pcap or pcapng, with or without what is personal in it.

Knows how a conversion goes from file to file. Refuses to know containers (readers and writers do) and packets.
"""

from __future__ import annotations

import gzip
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from rig.capture.embedded_map import comments_of, embedded_map, map_in, other_comments
from rig.capture.hci_stream import HciStream, Packet
from rig.capture.progress import watched
from rig.capture.records import CaptureError, LinkType
from rig.capture.registry import open_reader
from rig.capture.writers import FORMATS, PacketWriter, UnrepresentableError, format_of, open_writer
from rig.capture.writers.pcapng import PcapngWriter

if TYPE_CHECKING:
    from rig.capture.handle_map import HandleMap
    from rig.capture.progress import Progress
    from rig.capture.records import CaptureReader
    from rig.capture.redact import Gathering, Replacing

STANDARD_INPUT: Final = "-"
_COPY_BYTES = 1 << 20
_NAME_KEPT = 60  # of a long name, in that of the temporary file
_BTSNOOP_FLAGS = frozenset[int]({LinkType.BTSNOOP_H1, LinkType.BTSNOOP_H4})
_EPB_FLAGS = frozenset[int]({LinkType.HCI_H4, LinkType.HCI_H4_WITH_PHDR})


@dataclass(slots=True)
class Conversion:
    """What became of a capture."""

    target: str
    """The file that was written."""
    format: str
    records: int = 0
    """How many records were read."""
    packets: int = 0
    """How many packets were written."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Records that are no HCI packet, by kind."""
    comments_left_out: int = 0
    """Comments, the handle map among them, that the format has no room for."""
    rounded_times: int = 0
    """Times that lost what is finer than the format's resolution."""
    synthetic: int = 0
    """ATT PDUs off the air, in packets that a host would have recorded."""
    guessed: int = 0
    """Packets whose direction the capture does not tell."""
    addresses: int = 0
    """How many addresses were replaced."""
    names: int = 0
    """How many names were replaced."""

    def __str__(self) -> str:
        told = [f"{self.target}: {_count(self.packets, 'packet')} of {_count(self.records, 'record')} ({self.format})"]
        if self.synthetic:
            told.append(f"{_count(self.synthetic, 'ATT PDU')} off the air in synthetic HCI")
        told += [f"{number} {kind} left out" for kind, number in sorted(self.left_out.items())]
        if self.comments_left_out:
            told.append(f"{_count(self.comments_left_out, 'comment')} left out, which only pcapng holds")
        if self.rounded_times:
            told.append(f"{_count(self.rounded_times, 'time')} rounded down to the microsecond")
        if self.guessed:
            told.append(f"{_count(self.guessed, 'direction')} guessed")
        if self.addresses or self.names:
            told.append(f"{_count(self.addresses, 'address', 'addresses')} and {_count(self.names, 'name')} replaced")
        return ", ".join(told)


class DamagedCaptureError(CaptureError):
    """The capture is damaged; what comes before the damage was converted, and is in the target.

    Args:
        error: what the reader said.
        conversion: what was written.
    """

    def __init__(self, error: CaptureError, conversion: Conversion) -> None:
        before = f"; what comes before is in {conversion.target} ({_count(conversion.packets, 'packet')})"
        super().__init__(error.path, error.problem + before, error.offset)
        self.conversion = conversion


class ConversionRefusedError(CaptureError):
    """What was asked for makes no sense, whatever the capture holds: a fault of the command line."""


def convert(
    in_path: str | Path,
    out_path: str | Path,
    *,
    format: str | None = None,  # noqa: A002 - what the option is called
    redact: bool = False,
    redact_seed: str | None = None,
    handle_map: HandleMap | None = None,
    progress: Progress | None = None,
) -> Conversion:
    """Write a capture as another container. HCI packets stay as they are, octet by octet, unless ``redact`` is given.

    What was sniffed on the air becomes the HCI traffic that the central's host would have recorded, with the same ATT
    PDUs. The target appears when all of it is written: a failure leaves what was there before. Memory does not grow
    with the capture.

    Args:
        in_path: a capture in any container, or ``-`` for standard input.
        out_path: where to write; compressed when it ends in ``.gz``.
        format: one of :data:`~rig.capture.writers.FORMATS`; None: what the suffix of ``out_path`` says.
        redact: replace addresses and names, and wipe keys (:mod:`rig.capture.redact`); reads the capture twice.
        redact_seed: makes the stand-ins the same in every file that is converted with it.
        handle_map: what handles mean; written into pcapng, in place of the one that the capture carries.
        progress: told now and then how far the capture was read.

    Returns:
        What was written, and what had no place in it.

    Raises:
        ConversionRefusedError: no format, or the target is the capture itself.
        DamagedCaptureError: the capture is damaged; what comes before was written.
        CaptureError: it cannot be read, holds what the format cannot, or the target cannot be written.
    """
    out = Path(out_path)
    chosen = format if format is not None else format_of(out)
    if chosen not in FORMATS:
        what = "its name does not say which format it is to be" if chosen is None else f"there is no format {chosen!r}"
        raise ConversionRefusedError(str(out), f"{what}: give --format {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")
    if out.is_dir():
        raise ConversionRefusedError(str(out), "this is a directory; name a file in it")
    if str(in_path) != STANDARD_INPUT and out.exists() and Path(in_path).exists() and out.samefile(in_path):
        raise ConversionRefusedError(str(out), "this is the capture itself; write to another file")
    conversion = Conversion(str(out), chosen)
    with _input(in_path, out, twice=redact) as source:
        replacing = None
        if redact:
            from rig.capture.pseudonyms import Pseudonyms  # noqa: PLC0415 - only when asked for
            from rig.capture.redact import Replacing  # noqa: PLC0415 - as above

            found = _gathered(source, handle_map, _part(progress, 0), conversion)
            replacing = Replacing(found, Pseudonyms(redact_seed))
            progress = _part(progress, 1)
        _run(source, out, conversion, replacing=replacing, handle_map=handle_map, progress=progress)
    return conversion


class UnwritableRecordError(CaptureError):
    """A record that the target's format cannot hold."""


class _Input:
    """A capture that can be read from its beginning, as often as it is asked for."""

    def __init__(self, path: str | Path, name: str | None = None) -> None:
        self._path = path
        self._name = name

    @contextmanager
    def reader(self) -> Iterator[CaptureReader]:
        try:
            reader = open_reader(self._path)
        except CaptureError as error:
            if self._name is None:
                raise
            raise CaptureError(self._name, error.problem, error.offset) from None
        with reader.source:
            if self._name is not None:
                reader.source.name = self._name
            yield reader


@contextmanager
def _input(path: str | Path, out: Path, *, twice: bool) -> Iterator[_Input]:
    if str(path) != STANDARD_INPUT or not twice:
        yield _Input(path)
        return
    with _beside(out) as (kept, file):
        try:
            with open(0, "rb", buffering=0, closefd=False) as pipe:
                shutil.copyfileobj(pipe, file, _COPY_BYTES)
            file.close()
        except OSError as error:
            raise CaptureError("standard input", f"it cannot be kept to be read twice: {error.strerror}") from error
        yield _Input(kept, "standard input")


def _gathered(
    source: _Input, handle_map: HandleMap | None, progress: Progress | None, conversion: Conversion
) -> Gathering:
    """Go through the capture once, for the addresses and names in it."""
    from rig.capture.redact import Gathering, Walk  # noqa: PLC0415 - only when asked for

    found = Gathering()
    with source.reader() as reader:
        packets = HciStream().packets(watched(reader.records(), reader.source, progress))
        # Damage comes again the second time through, and is told then.
        with suppress(CaptureError):
            for _ in Walk(found, handle_map or map_in(reader)).packets(packets):
                pass
    conversion.addresses = len(found.addresses)
    conversion.names = len(found.names)
    return found


def _run(
    source: _Input,
    out: Path,
    conversion: Conversion,
    *,
    replacing: Replacing | None,
    handle_map: HandleMap | None,
    progress: Progress | None,
) -> None:
    damage: CaptureError | None = None
    with source.reader() as reader, _target(out) as file:
        stream = HciStream()
        packets = stream.packets(watched(reader.records(), reader.source, progress))
        if replacing is not None:
            from rig.capture.redact import Walk  # noqa: PLC0415 - only when asked for

            packets = Walk(replacing, handle_map or map_in(reader)).packets(packets)
        output = _Output(file, conversion, reader, replacing, handle_map)
        try:
            for packet in packets:
                output.write(packet)
        except UnwritableRecordError:
            raise
        except CaptureError as error:
            if not conversion.packets:
                raise
            damage = error
        conversion.records = stream.records
        conversion.left_out = dict(stream.left_out)
        conversion.synthetic = stream.synthetic
        conversion.guessed = stream.guessed
        output.finish()
    if damage is not None:
        raise DamagedCaptureError(damage, conversion) from damage


class _Output:
    """The target's packets and comments."""

    def __init__(
        self,
        file: BinaryIO,
        conversion: Conversion,
        reader: CaptureReader,
        replacing: Replacing | None,
        handle_map: HandleMap | None,
    ) -> None:
        self._file = file
        self._conversion = conversion
        self._reader = reader
        self._replacing = replacing
        self._map = handle_map
        self._writer: PacketWriter | None = None
        self._taken = 0
        self._flags = frozenset[int]()
        if conversion.format == "btsnoop":
            self._flags = _BTSNOOP_FLAGS
        elif conversion.format == reader.format == "pcapng":
            self._flags = _EPB_FLAGS

    def write(self, packet: Packet) -> None:
        """Write one packet.

        Raises:
            UnwritableRecordError: the format cannot hold it.
        """
        comments = packet.comments
        if comments:
            comments = tuple(self._text(comment) for comment in comments)
            self._conversion.comments_left_out += len(comments) if self._conversion.format != "pcapng" else 0
        try:
            (self._writer or self._begin()).write(
                packet.data,
                packet.direction,
                packet.time_ns,
                original_length=packet.original_length,
                controller=packet.controller,
                comments=comments,
                flags=packet.flags if packet.link_type in self._flags else None,
            )
        except UnrepresentableError as error:
            name = self._reader.source.name
            raise UnwritableRecordError(name, f"record {packet.frame}: {error}", packet.offset) from error
        self._conversion.packets += 1

    def finish(self) -> None:
        """Write what is told only at the end; a capture without packets is one too."""
        writer = self._writer or self._begin()
        late = self._comments()
        if late and isinstance(writer, PcapngWriter):
            writer.add_comments(late)
        self._conversion.rounded_times = writer.rounded_times

    def _begin(self) -> PacketWriter:
        comments = self._comments()
        if self._map is not None:
            carried = comments_of(self._replaced(self._map))
            comments += carried
            self._conversion.comments_left_out += len(carried) if self._conversion.format != "pcapng" else 0
        self._writer = open_writer(self._conversion.format, self._file, comments)
        return self._writer

    def _comments(self) -> list[str]:
        """What the reader has found said of the capture since the last call, in the target's words."""
        found = self._reader.details.get("comments")
        texts = [text for text in found[self._taken :] if isinstance(text, str)] if isinstance(found, list) else []
        self._taken += len(texts)
        comments = [self._text(text) for text in other_comments(texts)]
        carried = embedded_map({"comments": texts}) if self._map is None else None
        if carried is not None:
            comments += comments_of(self._replaced(carried))
        if self._conversion.format != "pcapng":
            self._conversion.comments_left_out += len(comments)
        return comments

    def _text(self, text: str) -> str:
        return text if self._replacing is None else self._replacing.text(text)

    def _replaced(self, handle_map: HandleMap) -> HandleMap:
        if self._replacing is None:
            return handle_map
        from rig.capture.redact import redacted_map  # noqa: PLC0415 - only when asked for

        return redacted_map(handle_map, self._replacing)


@contextmanager
def _target(out: Path) -> Iterator[BinaryIO]:
    """A file to write the target's plain bytes to; it becomes the target when all went well.

    Raises:
        CaptureError: the target cannot be written.
    """
    try:
        if out.exists() and not out.is_file():  # a pipe, a device: there is nothing to put in its place
            with out.open("wb") as file:
                yield file
            return
        place = out.resolve()
        with _beside(place) as (written, file):
            yield file
            file.flush()
            if out.suffix.lower() != ".gz":
                file.close()
                written.replace(place)
                return
            file.seek(0)
            with _beside(place) as (packed, target):
                with gzip.GzipFile(filename="", fileobj=target, mode="wb", mtime=0) as zipped:
                    shutil.copyfileobj(file, zipped, _COPY_BYTES)
                target.close()
                packed.replace(place)
    except OSError as error:  # a reader's own come as CaptureError
        raise CaptureError(str(out), f"it cannot be written: {error.strerror or error}") from error


@contextmanager
def _beside(place: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """A new file in the folder of ``place``, gone afterwards unless it was moved."""
    path = place.with_name(f".{place.name[:_NAME_KEPT]}.{secrets.token_hex(4)}.part")
    try:
        opened = path.open("x+b")
    except OSError as error:
        raise CaptureError(str(place), f"it cannot be written: {error.strerror or error}") from error
    with opened as file:
        try:
            yield path, file
        finally:
            file.close()
            path.unlink(missing_ok=True)


def _part(progress: Progress | None, part: int) -> Progress | None:
    """The progress of one of two reads of the same file."""
    if progress is None:
        return None

    def told(position: int, size: int | None) -> None:
        progress(position if size is None else (part * size + position) // 2, size)

    return told


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
