"""The seal on the screening: a digest of the answers that were given last, kept outside the data folder.

Answers whose seal is broken are no answers: a row that was edited, or a backup from before something was answered
otherwise, leads to the questions again and never past them (H10). It keeps honest people safe from mistakes; whoever
wants to lie to the questions can do so in answering them. Knows digests alone, no answer.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path

_NAME = "screenings.json"


class Seals:
    """The seals of one data folder, one for each person, by id."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _NAME

    def matches(self, person: int, at: str, version: int, answers: str) -> bool:
        """Whether these answers, as kept, are the ones that this person gave last."""
        return self._read().get(str(person)) == _digest(at, version, answers)

    def seal(self, person: int, at: str, version: int, answers: str) -> None:
        """Seal the answers that this person has just given.

        Raises:
            OSError: it cannot be written; then nothing counts as answered.
        """
        self._write({**self._read(), str(person): _digest(at, version, answers)})

    def forget(self, person: int) -> None:
        """Forget one person's seal.

        Raises:
            OSError: it cannot be written.
        """
        kept = self._read()
        if kept.pop(str(person), None) is not None:
            self._write(kept)

    def delete(self) -> None:
        """Delete the seals, and their folder where nothing else is in it.

        Raises:
            OSError: they cannot be deleted.
        """
        self._path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # not there, or not empty
            self._path.parent.rmdir()

    def _read(self) -> dict[str, str]:
        """What is kept; nothing where it cannot be read, so that whatever is wrong with it leads to the questions."""
        try:
            found = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _write(self, seals: dict[str, str]) -> None:
        folder = self._path.parent
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
        beside = self._path.with_name(f"{_NAME}.new")
        # Made by os.open for its mode, from the first byte on.
        with os.fdopen(os.open(beside, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(seals, file, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)


def _digest(at: str, version: int, answers: str) -> str:
    return hashlib.sha256(json.dumps([at, version, answers]).encode()).hexdigest()
