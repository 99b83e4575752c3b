"""Somebody for whom a session with a real device is open: their data folder, made with the app's own store.

The app lets nobody past screening, skin check and patch test, and ``--yes`` answers none of them for a real device. So
the lane answers them beforehand, as a person would in the app. Needs no Bluetooth.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from companion.care.screening import ASK_QUESTIONS, BLOCK_QUESTIONS, Answer
from companion.dates import Calendar
from companion.store.database import Store

SHORT = "lane-short"
"""A routine with ten seconds of output."""
LONG = "lane-long"
"""A routine with a minute and a half of output, to be cut short."""

_ROUTINE = """\
format = 1
name = "{name}"
title = "{title}"
summary = "One cheek, for a machine that has none."

[needs]
output = "microcurrent"

[[steps]]
kind = "treat"
zone = "left-cheek"
passes = {passes}
seconds_per_pass = {seconds}
share = 0.2
"""


def make(folder: Path) -> None:
    """Make the data folder of somebody who may have a session now.

    Raises:
        StoreError: it cannot be written.
    """
    calendar = Calendar.system()
    with Store.open(folder, calendar) as store:
        store.save_screening({question.id: Answer.NO for question in (*BLOCK_QUESTIONS, *ASK_QUESTIONS)})
        store.diary.check_skin(1, 1, 1)
        store.diary.begin_patch_test("jaw", at=calendar.now() - timedelta(days=2))
        store.diary.end_patch_test("calm")
    routines = folder / "routines"
    routines.mkdir(exist_ok=True)
    for name, title, passes, seconds in ((SHORT, "A short one", 1, 10), (LONG, "A long one", 3, 30)):
        text = _ROUTINE.format(name=name, title=title, passes=passes, seconds=seconds)
        (routines / f"{name}.toml").write_text(text, encoding="utf-8")
