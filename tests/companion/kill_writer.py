"""A program for test_kill.py: writes sessions down, as fast as it can, until it is killed.

Reads ``FOLDER COUNT`` from standard input, a line a victim; forks a fresh process for each, which has imported
everything already but opened nothing. The victim says what it did only after the store has said so. With a COUNT above
0 it kills itself inside SQLite, after that many of its virtual machine's instructions.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from companion.dates import Calendar
from companion.session.model import JournalEntry, JournalKind, Reason, Summary
from companion.store.database import Store

STEPS = 12
SUMMARY = Summary(Reason.COMPLETED, {"chin": 1.0}, 30, 1.0, 2.0)


def say(line: str) -> None:
    os.write(1, line.encode() + b"\n")


def write_sessions(folder: Path, instructions: int) -> None:
    with Store.open(folder, Calendar.fixed(datetime(2026, 3, 1, tzinfo=UTC))) as store:
        if instructions:
            left = iter(range(instructions))

            def count_down() -> int:
                if next(left, None) is None:
                    os.kill(os.getpid(), signal.SIGKILL)
                return 0

            store._connection.set_progress_handler(count_down, 1)
        store.recover()
        while True:
            writer = store.begin_session("full-face", "Dr-05", "dr05", "dr05", demo=False)
            say(f"begun {writer.session_id} 0")
            for step in range(STEPS):
                writer.append(
                    [JournalEntry(JournalKind.STEP, {"index": step, "half": half}) for half in range(2)], float(step)
                )
                say(f"step {writer.session_id} {step}")
            writer.finish(SUMMARY)
            say(f"finished {writer.session_id} 0")


def main() -> None:
    for line in sys.stdin:
        folder, instructions = line.rsplit(maxsplit=1)
        victim = os.fork()
        if not victim:
            try:
                write_sessions(Path(folder), int(instructions))
            finally:
                os._exit(1)  # nothing but SIGKILL is expected to end it
        say(f"victim {victim} 0")
        _, status = os.waitpid(victim, 0)
        say(f"dead {os.waitstatus_to_exitcode(status)} 0")


if __name__ == "__main__":
    main()
