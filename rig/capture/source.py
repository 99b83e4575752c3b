"""One forward-only source of bytes over a file, a pipe or a gzip stream, handed out in windows of bounded size.

Knows files, standard input and gzip (found by content). Refuses to know containers, and never asks for more memory
than a window because some length in the file says so.
"""

from __future__ import annotations

import os
import stat
from io import BytesIO, FileIO
from typing import TYPE_CHECKING

from rig.capture.records import CaptureError

if TYPE_CHECKING:
    import zlib
    from pathlib import Path
    from types import TracebackType
    from typing import Self

WINDOW_BYTES = 1 << 18
"""How much is asked of the file, or of the decompressor, at a time."""
LONGEST_RECORD_BYTES = 1 << 24
"""A record that announces more than this is damage: the longest HCI packet is of 65,539, Wireshark's limit 256 KiB."""
STANDARD_INPUT = "-"
_GZIP_MAGIC = b"\x1f\x8b"
_SALVAGED_AT_ONCE = 4096
_GZIP_WBITS = 31  # zlib: a gzip header and trailer are expected, and the CRC is checked


class Source:
    """Bytes from the beginning of a capture to its end, uncompressed, once.

    What cannot be read (a gzip stream that is cut, a disk that fails) does not raise where it is met: everything before
    it is handed out first, and :attr:`failure` tells. :meth:`end` raises it.

    Args:
        raw: an open file, unbuffered, or bytes in memory; it is closed at its end and by :meth:`close`.
        name: what to call it in errors.
        size: its length on disk in bytes, None for a pipe.
    """

    __slots__ = (
        "_at",
        "_buffer",
        "_consumed",
        "_inflate",
        "_packed",
        "_produced",
        "_raw",
        "failure",
        "name",
        "position",
        "size",
    )

    def __init__(self, raw: FileIO | BytesIO, name: str, size: int | None) -> None:
        self.name = name
        self.size = size
        self.position = 0
        """Bytes read of the file on disk, compressed ones where it is compressed: what a progress bar shows."""
        self.failure: CaptureError | None = None
        """Why the bytes end where they do, None where the file simply ends there."""
        self._raw = raw
        self._buffer = b""
        self._at = 0
        self._consumed = 0
        self._produced = 0
        self._inflate: zlib._Decompress | None = None
        self._packed = b""
        if self.window(len(_GZIP_MAGIC))[:2] == _GZIP_MAGIC:
            self._start_gzip()

    @classmethod
    def open(cls, path: str | Path) -> Source:
        """Open a file by name, or standard input as ``-``.

        Raises:
            CaptureError: there is no such file, it is a directory, or it may not be read.
        """
        name = os.fspath(path)
        try:
            if name == STANDARD_INPUT:
                name = "standard input"
                raw = FileIO(0, closefd=False)
            else:
                raw = FileIO(name)
        except FileNotFoundError:
            raise CaptureError(name, "there is no such file") from None
        except IsADirectoryError:
            raise CaptureError(name, "this is a directory; name a capture file in it") from None
        except PermissionError:
            if os.path.isdir(name):  # noqa: PTH112 - how Windows refuses a directory; pathlib is slow to import
                raise CaptureError(name, "this is a directory; name a capture file in it") from None
            raise CaptureError(name, "you may not read it (permission denied)") from None
        except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
            raise CaptureError(name, f"it cannot be opened: {_reason(error)}") from None
        status = os.fstat(raw.fileno())
        return cls(raw, name, status.st_size if stat.S_ISREG(status.st_mode) else None)

    @property
    def offset(self) -> int:
        """Bytes of the (uncompressed) file that were consumed so far."""
        return self._consumed

    @property
    def compressed(self) -> bool:
        """Whether the file on disk is a gzip stream."""
        return self._inflate is not None

    def window(self, least: int) -> bytes:
        """Return all bytes at hand from :attr:`offset` on, without consuming any.

        At least ``least`` of them, unless the file ends before or cannot be read on. A pipe is not waited for once
        there are that many. What is returned stays valid: it is never written over.
        """
        if self._at:
            self._buffer = self._buffer[self._at :]
            self._at = 0
        have = len(self._buffer)
        if have < least:
            parts = [self._buffer]
            while have < least and (more := self._more()):
                parts.append(more)
                have += len(more)
                self._produced += len(more)
            self._buffer = b"".join(parts)
        return self._buffer

    def ready(self) -> bool:
        """Whether more can be had of a pipe without waiting for it, as far as the system tells."""
        if self._inflate is not None or not isinstance(self._raw, FileIO) or self._raw.closed:
            return False
        from select import select  # noqa: PLC0415 - for pipes alone

        try:
            return bool(select([self._raw], [], [], 0)[0])
        except OSError:  # Windows asks sockets alone
            return False

    def advance(self, count: int) -> None:
        """Consume ``count`` bytes of the last :meth:`window`.

        Raises:
            ValueError: there are not that many at hand.
        """
        if not 0 <= count <= len(self._buffer) - self._at:
            raise ValueError(f"{count} bytes cannot be consumed of {len(self._buffer) - self._at} at hand")
        self._at += count
        self._consumed += count

    def peek(self, count: int) -> bytes:
        """Return the next ``count`` bytes without consuming them; fewer where the file ends before."""
        return self.window(count)[:count]

    def read(self, count: int) -> bytes:
        """Consume and return the next ``count`` bytes; fewer where the file ends before."""
        data = self.window(count)[:count]
        self.advance(len(data))
        return data

    def damage(self, problem: str, offset: int | None = None) -> CaptureError:
        """Return the error that says what is wrong at ``offset``, by default at :attr:`offset`."""
        return CaptureError(self.name, problem, self._consumed if offset is None else offset)

    def cut(self, problem: str) -> CaptureError:
        """Return the error to raise where the bytes end before a record does: :attr:`failure`, or else ``problem``."""
        return self.failure or self.damage(problem)

    def end(self) -> None:
        """Say that every byte at hand was used.

        Raises:
            CaptureError: what kept the file from being read on, if anything did: :attr:`failure`.
        """
        if self.failure is not None:
            raise self.failure

    def end_after(self, left: bytes, record: int, *, header_bytes: int, counted_from: int, need: int) -> None:
        """Say that the file ends here, with what is left of a record that is not whole; nothing where none was begun.

        Args:
            left: the bytes of it that are there.
            record: its number.
            header_bytes: the length of a record's header.
            counted_from: from which byte of the record its length counts.
            need: how many bytes the whole record has, by its header.

        Raises:
            CaptureError: there is something left, or something kept the file from being read on.
        """
        if left and len(left) < header_bytes:
            raise self.cut(f"cut in the header of record {record}: {len(left)} of {header_bytes} bytes")
        if left:
            announced, remain = need - counted_from, len(left) - counted_from
            raise self.cut(f"cut in record {record}: it announces {announced} bytes, and {remain} remain")
        self.end()

    def close(self) -> None:
        """Close the file. Safe to call twice; bytes at hand stay."""
        self._raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    def _more(self) -> bytes:
        """Return the next bytes, at most a window; none at the end, or at what :attr:`failure` then tells."""
        if self.failure is not None:
            return b""
        return self._read_raw() if self._inflate is None else self._unpack()

    def _read_raw(self) -> bytes:
        if self._raw.closed:
            return b""
        try:
            data = self._raw.read(WINDOW_BYTES)
            while data is None:  # a pipe that somebody made non-blocking has nothing yet
                from select import select  # noqa: PLC0415 - rare

                select([self._raw], [], [])
                data = self._raw.read(WINDOW_BYTES)
        except OSError as error:
            self._fail(f"it cannot be read on: {_reason(error)}")
            return b""
        if not data:
            self._raw.close()
        self.position += len(data)
        return data

    def _start_gzip(self) -> None:
        self._packed = self._buffer
        self._buffer = b""
        self._produced = 0
        self._inflate = _decompressor()

    def _unpack(self) -> bytes:
        from zlib import error as corrupt  # noqa: PLC0415 - only a compressed capture pays for it

        while True:
            inflate = self._inflate
            if inflate is None or (inflate.eof and not self._next_member(inflate.unused_data)):
                return b""
            if inflate.eof:
                continue
            packed = self._packed or self._read_raw()
            if not packed:
                self._fail("the gzip stream is cut: its end is missing")
                return b""
            before = inflate.copy()
            try:
                data = inflate.decompress(packed, WINDOW_BYTES)
            except corrupt as error:
                data = _salvage(before, packed)
                self._fail(f"the gzip stream is damaged: {str(error).rpartition(': ')[2]}", len(data))
                return data
            self._packed = inflate.unconsumed_tail
            if data:
                return data

    def _next_member(self, packed: bytes) -> bool:
        """Go on to the next member of the gzip file; False where there is none."""
        # RFC 1952 section 2.2: a file is a series of members. gzip itself lets zeros follow (blocks of a tape).
        packed = packed.lstrip(b"\0")
        while len(packed) < len(_GZIP_MAGIC) and (more := self._read_raw()):
            packed = (packed + more).lstrip(b"\0")
        if packed[:2] != _GZIP_MAGIC:
            if packed:
                self._fail("something that is not gzip follows the compressed data")
            return False
        self._packed = packed
        self._inflate = _decompressor()
        return True

    def _fail(self, problem: str, more: int = 0) -> None:
        if self.failure is None:
            self.failure = CaptureError(self.name, problem, self._produced + more)
        self._raw.close()


def _decompressor() -> zlib._Decompress:
    from zlib import decompressobj  # noqa: PLC0415 - see above

    return decompressobj(_GZIP_WBITS)


def _salvage(inflate: zlib._Decompress, packed: bytes) -> bytes:
    """Return what can be had of ``packed`` before zlib gives up: it keeps nothing of the call that fails."""
    from zlib import error as corrupt  # noqa: PLC0415 - see above

    parts = []
    while True:
        before = inflate.copy()
        try:
            data = inflate.decompress(packed, _SALVAGED_AT_ONCE)
        except corrupt:
            break
        packed = inflate.unconsumed_tail
        parts.append(data)
    # The rest is short. Byte by byte, the last of it comes out before the checksum behind it is found to be wrong.
    for at in range(len(packed)):
        try:
            parts.append(before.decompress(packed[at : at + 1]))
        except corrupt:
            break
    return b"".join(parts)


def _reason(error: OSError | ValueError) -> str:
    """Say what the system said, without the number and the name that it puts around it."""
    return str(getattr(error, "strerror", None) or error)
