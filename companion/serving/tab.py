"""The program behind one browser tab, started by :mod:`companion.serving.process`: the app on its two pipes.

Whom it is for comes in the environment, which other users of the computer cannot read, unlike a command line. Knows no
server and no browser.
"""

from __future__ import annotations

import os
import sys
from typing import Final, NamedTuple

from companion.commands.start import set_up_logging
from companion.config import CompanionError, data_folder

DEMO_VARIABLE: Final = "COMPANION_TAB_DEMO"
PERSON_VARIABLE: Final = "COMPANION_TAB_PERSON"


class Wanted(NamedTuple):
    """What a tab shows: ``demo`` is the key of a virtual device or None, ``person`` whose turn it is or None."""

    demo: str | None = None
    person: str | None = None

    def environment(self) -> dict[str, str]:
        """The variables that tell the program so."""
        told = {DEMO_VARIABLE: self.demo, PERSON_VARIABLE: self.person}
        return {name: value for name, value in told.items() if value is not None}


def main() -> int:
    """Show the app until the person leaves or the tab is gone; return the exit code."""
    set_up_logging(debug=False)
    demo, person = os.environ.pop(DEMO_VARIABLE, None), os.environ.pop(PERSON_VARIABLE, None)
    from companion.app import run_app  # noqa: PLC0415 - Textual reads the environment when it is imported

    try:
        return run_app(demo, 0, 1.0, None, data_folder(demo=demo is not None), person=person)
    except CompanionError as error:
        sys.stderr.write(f"companion: {error}\n")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
