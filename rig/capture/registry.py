"""Finds the reader for a capture by what the file begins with, never by its name.

Knows the containers by their first bytes. Refuses to know what they hold. Other packages add containers by the
entry-point group ``microcurrent.capture_readers``: each entry names a :class:`Container`, an object or a module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, Protocol

from rig.capture import foreign
from rig.capture.formats import btsnoop, packetlogger, pcap, pcapng
from rig.capture.records import CaptureError, CaptureReader, Record
from rig.capture.source import Source

if TYPE_CHECKING:
    from pathlib import Path

GROUP = "microcurrent.capture_readers"
HEAD_BYTES = 4096
"""How much of its beginning a plug-in is shown of a file that no built-in reader knows by its magic number."""
_MAGIC_BYTES = 12

problems: list[str] = []
"""Plug-ins that could not be used, one line each; none of them stops what else can be read."""


class Container(Protocol):
    """One kind of file, as a plug-in offers it."""

    @property
    def name(self) -> str:
        """What to call it, one lower-case word."""
        ...

    @property
    def detect(self) -> Callable[[bytes], bool]:
        """Say whether a file that begins with these bytes (up to :data:`HEAD_BYTES`) is one; never raises."""
        ...

    @property
    def open(self) -> Callable[[Source], CaptureReader]:
        """Return a reader for a source that stands at the file's beginning; it raises CaptureError for a bad header."""
        ...


class _BuiltIn(NamedTuple):
    name: str
    detect: Callable[[bytes], bool]
    open: Callable[[Source], CaptureReader]


_BY_MAGIC = (
    _BuiltIn(btsnoop.NAME, btsnoop.detect, btsnoop.BtsnoopReader),
    _BuiltIn(pcapng.NAME, pcapng.detect, pcapng.PcapngReader),
    _BuiltIn(pcap.NAME, pcap.detect, pcap.PcapReader),
)
# Without a magic number of its own: asked only about what no magic number explains.
_PACKETLOGGER = _BuiltIn(packetlogger.NAME, packetlogger.detect, packetlogger.PacketLoggerReader)


def open_reader(path: str | Path) -> CaptureReader:
    """Open a capture by its content; ``-`` is standard input. Close the reader's ``source`` when done.

    Raises:
        CaptureError: it cannot be opened, or is none that can be read; the message says what it is and what to do.
    """
    return open_source(Source.open(path))


def open_source(source: Source) -> CaptureReader:
    """Find the reader for what ``source`` begins with. The source is closed when there is none.

    Raises:
        CaptureError: as :func:`open_reader`.
    """
    try:
        return _chosen(source).open(source)
    except BaseException:
        source.close()
        raise


def detect(head: bytes) -> str | None:
    """Return the name of the container that a file beginning with ``head`` is, None where no reader knows it."""
    container = _built_in(head) or _find(head)
    return None if container is None else container.name


def _built_in(head: bytes) -> Container | None:
    for container in _BY_MAGIC:
        if container.detect(head):
            return container
    return None


def _find(head: bytes) -> Container | None:
    if foreign.by_magic(head) is None and packetlogger.detect(head):
        return _PACKETLOGGER
    for container in _plug_ins():
        try:
            if container.detect(head):
                return container
        except Exception as error:  # noqa: BLE001 - another's code: whatever it does, the file may be another's still
            _problem(f"the capture reader {container.name!r} failed to look at a file: {error!r}")
    return None


def _chosen(source: Source) -> Container:
    container = _built_in(source.peek(_MAGIC_BYTES)) or _find(source.peek(HEAD_BYTES))
    if container is None:
        source.end()
        advice = foreign.advice(source.peek(HEAD_BYTES), source.name)
        raise CaptureError(source.name, "; ".join([advice, *problems]))
    return container


def _problem(told: str) -> None:
    if told not in problems:
        problems.append(told)


@cache  # what is installed does not change while a program runs
def _plug_ins() -> list[Container]:
    from importlib.metadata import entry_points  # noqa: PLC0415 - slow, and only a file that nobody knows needs it

    found: list[Container] = []
    for entry in sorted(entry_points(group=GROUP)):
        try:
            found.append(_PlugIn(entry.load()))
        except Exception as error:  # noqa: BLE001 - another's code: a broken plug-in must not stop the others
            _problem(f"the capture reader {entry.name!r} ({entry.value}) could not be loaded: {error!r}")
    return found


class _PlugIn:
    """Another's container, whose faults become errors of one line."""

    def __init__(self, container: Container) -> None:
        self.name = str(container.name)
        self.detect = container.detect
        self._open = container.open

    def open(self, source: Source) -> CaptureReader:
        """Return its reader for ``source``."""
        try:
            return _PlugInReader(self._open(source), source)
        except CaptureError:
            raise
        except Exception as error:
            raise _failed(self.name, source) from error


class _PlugInReader:
    def __init__(self, reader: CaptureReader, source: Source) -> None:
        self._reader = reader
        self.source = source
        self.format = reader.format

    @property
    def details(self) -> dict[str, object]:
        """What the plug-in's reader says of the file."""
        return self._reader.details

    def records(self) -> Iterator[Record]:
        """Yield what the plug-in's reader yields."""
        try:
            yield from self._reader.records()
        except CaptureError:
            raise
        except Exception as error:
            raise _failed(self.format, self.source) from error


def _failed(name: str, source: Source) -> CaptureError:
    return source.damage(f"the capture reader {name!r} failed here; see --debug, and its maker")
