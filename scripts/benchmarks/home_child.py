"""The app of somebody who has years behind them, in the bench's terminal; the device that is near is a simulated one.

Started by home.py, never by hand: data folder, seed. Everything but the radio is what a person has: their sessions are
of a real device, and the screening, the skin checks and the rest between sessions count.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import ClassVar

import companion.app
from companion.app import CompanionApp
from companion.demo import open_demo
from companion.device.radio import Radio
from companion.household import Household


class PersonsHousehold(Household):
    """A household whose radio hears a simulated Dr-05 and nothing else."""

    async def _switch_on(self) -> Radio:
        return await open_demo("dr05", self._seed, None, self._calendar)


class PersonsApp(CompanionApp):
    """The app, whose sheets are looked for beside this file otherwise."""

    CSS_PATH: ClassVar = [Path(companion.app.__file__).parent / path for path in CompanionApp.CSS_PATH]


async def main() -> None:
    app = PersonsApp(PersonsHousehold(folder=Path(sys.argv[1]), seed=int(sys.argv[2])))
    try:
        await app.run_async()
    finally:
        await app.let_go()


if __name__ == "__main__":
    asyncio.run(main())
