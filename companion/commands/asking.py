"""Questions of the commands that forget and delete, asked of a person at a terminal and of nobody else."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TextIO


@dataclass(frozen=True, slots=True)
class Asking:
    """Whoever sits at ``questions`` and ``answers``."""

    answers: TextIO
    questions: TextIO

    @classmethod
    def of_this_process(cls) -> Asking | None:
        """The terminal of this process; None where there is none."""
        if sys.stdin is None or sys.stdout is None or not (sys.stdin.isatty() and sys.stdout.isatty()):
            return None
        return cls(sys.stdin, sys.stdout)

    def ask(self, question: str) -> str:
        """Ask; return the answer in small letters, with single spaces. The end of the input is no answer."""
        self.questions.write(question)
        self.questions.flush()
        return " ".join(self.answers.readline().split()).casefold()
