"""Where a test's transcript and golden files are: beside the test file, one file a test id, names safe everywhere.

Knows names, folders and how a file is written whole. Refuses to know what is in them.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

TRANSCRIPTS: Final = "transcripts"
"""Folder beside the test file."""
GOLDEN: Final = "golden"
"""Folder beside the test file."""

_LONGEST: Final = 100  # characters; file systems allow 255 octets, and other parts are added
_READABLE: Final = 60
_PLAIN: Final = re.compile(r"[a-z0-9_]+")
_RESERVED: Final = re.compile(r"con|prn|aux|nul|com\d|lpt\d")  # no file can have these names on Windows
_DIGITS: Final = 10  # of a SHA-256: 40 bits, among the tests of one file


def name_of(test_id: str) -> str:
    """Return the file name, without suffix, for a test id: no two ids share one, whatever the file system folds.

    A plain lower-case function name stays as it is. Any other id keeps what is readable of it, and a hash of the whole
    behind a hyphen, which no plain name has.

    Args:
        test_id: what stands behind the file in the node id, ``TestLamp::test_on[red]``.
    """
    if _PLAIN.fullmatch(test_id) and len(test_id) <= _LONGEST and not _RESERVED.fullmatch(test_id):
        return test_id
    readable = re.sub(r"[^a-z0-9_]+", "-", test_id.lower()).strip("-")[:_READABLE]
    return f"{readable}-{hashlib.sha256(test_id.encode()).hexdigest()[:_DIGITS]}"


def transcript_path(test_file: Path, test_id: str) -> Path:
    """Return where the transcript of a test is kept."""
    return test_file.parent / TRANSCRIPTS / test_file.stem / f"{name_of(test_id)}.jsonl"


def golden_path(test_file: Path, test_id: str, name: str, suffix: str) -> Path:
    """Return where a golden file of a test is kept; ``name`` tells apart several of one test."""
    own = f".{name_of(name)}" if name else ""
    return test_file.parent / GOLDEN / test_file.stem / f"{name_of(test_id)}{own}{suffix}"


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that nobody ever sees half of it, and make its folder.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).chmod(0o666 & ~_umask())  # mkstemp's are for the owner alone
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    current = os.umask(0)  # there is no way to ask but to set
    os.umask(current)
    return current


def stale(test_files: Iterable[Path], used: frozenset[Path]) -> list[Path]:
    """Return the transcripts beside test files that no test has.

    Args:
        test_files: those that were collected whole.
        used: every transcript that a test of theirs has.
    """
    collected = set(test_files)
    in_use = {path.resolve() for path in used}
    found: set[Path] = set()
    for folder in {test_file.parent / TRANSCRIPTS for test_file in collected}:
        for own in folder.iterdir() if folder.is_dir() else ():
            test_file = folder.parent / f"{own.name}.py"
            # A test file that is there and was not collected is somebody else's matter today.
            if own.is_dir() and (test_file in collected or not test_file.exists()):
                found |= {path for path in own.glob("*.jsonl") if path.resolve() not in in_use}
    return sorted(found)
