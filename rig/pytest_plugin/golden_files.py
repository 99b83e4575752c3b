"""The fixture ``golden``: text, lines or bytes, compared with a file beside the test.

Nothing is written without ``--rig-update``. Refuses to know what the text means.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import unified_diff
from itertools import zip_longest
from pathlib import Path
from typing import Final

from rig.pytest_plugin.bench import Bench
from rig.pytest_plugin.files import golden_path, write_whole

_MOST_LINES: Final = 80  # of a difference
_ROW: Final = 16  # octets in a line of a hex dump


class Golden:
    """Compares values with golden files of one test.

    Call it with text, with bytes, or with an iterable of what becomes a line each (events, say, by ``str``)::

        def test_events(golden):
            golden(decode(data))          # golden/test_lamp/test_events.txt
            golden(image, name="picture")  # golden/test_lamp/test_events.picture.bin
    """

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._names: set[str] = set()

    def __call__(self, value: str | bytes | Iterable[object], *, name: str = "") -> None:
        """Compare a value with its file; with ``--rig-update``, write the file.

        Args:
            value: text, bytes, or what becomes one line each.
            name: tells it apart from another one in the same test.

        Raises:
            AssertionError: they differ, with the difference.
            ValueError: two values in one test have one name.
        """
        __tracebackhide__ = True
        if name in self._names:
            raise ValueError("two golden values in one test need names: golden(value, name=…)")
        self._names.add(name)
        is_bytes = isinstance(value, bytes | bytearray | memoryview)
        data = bytes(value) if is_bytes else _text(value).encode()  # type: ignore[arg-type]
        bench = self._bench
        path = golden_path(bench.item.path, bench.test_id, name, ".bin" if is_bytes else ".txt")
        kept = _read(path)
        if kept is not None and not is_bytes and b"\r" not in data:
            kept = kept.replace(b"\r\n", b"\n")  # as Git may have it on Windows
        if kept == data:
            return
        if bench.item.config.getoption("rig_update"):
            write_whole(path, data)
            bench.note("written", path)
            return
        again = f"`pytest --rig-update {bench.command}`"
        shown = bench.shown(path)
        if kept is None:
            bench.fail(f"{shown}: there is no golden file yet; make it with {again}")
        difference = "\n".join(_bytes_apart(kept, data) if is_bytes else _lines_apart(kept, data))
        raise AssertionError(
            f"{shown}: not as in the golden file; if it is right now, write it with {again}\n{difference}"
        )


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _text(value: str | Iterable[object]) -> str:
    return value if isinstance(value, str) else "".join(f"{line}\n" for line in value)


def _lines_apart(kept: bytes, came: bytes) -> list[str]:
    before, now = (data.decode("utf-8", "backslashreplace").splitlines() for data in (kept, came))
    found = list(unified_diff(before, now, "golden", "now", lineterm="")) or ["they differ in their line ends alone"]
    return (
        found if len(found) <= _MOST_LINES else [*found[:_MOST_LINES], f"… and {len(found) - _MOST_LINES} lines more"]
    )


def _bytes_apart(kept: bytes, came: bytes) -> list[str]:
    """The rows of sixteen that differ, and the first byte that does."""
    pairs = zip_longest(kept, came)
    first = next(at for at, (before, now) in enumerate(pairs) if before != now)
    found = [f"{len(came)} bytes, golden {len(kept)}; the first that differs is byte {first}"]
    for at in range(first - first % _ROW, max(len(kept), len(came)), _ROW):
        before, now = kept[at : at + _ROW], came[at : at + _ROW]
        if before != now:
            found += [f"- {at:06x}  {before.hex(' ')}", f"+ {at:06x}  {now.hex(' ')}"]
        if len(found) > _MOST_LINES:
            return [*found, "…"]
    return found
