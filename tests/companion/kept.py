"""A person's weeks on a temporary store, and a stage to show one screen on: real almanac, real store, no radio.

Used by the tests of plan, water and history. Everything is as of one moment, and the same every time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar
from zoneinfo import ZoneInfo

from textual.app import App
from textual.filter import Monochrome, NoColor
from textual.screen import Screen

import companion.app
from companion import themes
from companion.almanac import Almanac
from companion.care.plans import Chosen
from companion.dates import Calendar
from companion.session.model import JournalEntry, JournalKind, Reason, Scalar, Summary
from companion.store.database import Store
from companion.store.writer import SessionWriter

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 19, 14, 10, tzinfo=BERLIN)
"""A Thursday."""

ZONES = (
    *("chin", "left-jawline", "right-jawline", "left-nasolabial", "right-nasolabial", "left-cheek", "right-cheek"),
    *("left-cheekbone", "right-cheekbone", "left-under-eye", "right-under-eye", "left-temple", "right-temple"),
    "forehead",
)


class Stage(App[None]):
    """An app with the companion's themes, sheets and breakpoints, and nothing else of it."""

    CSS_PATH: ClassVar = [Path(companion.app.__file__).parent / one for one in ("app.tcss", "widgets/keyline.tcss")]
    HORIZONTAL_BREAKPOINTS = companion.app.CompanionApp.HORIZONTAL_BREAKPOINTS
    VERTICAL_BREAKPOINTS = companion.app.CompanionApp.VERTICAL_BREAKPOINTS

    def __init__(self, shown: Screen[object], theme: str = "dark") -> None:
        super().__init__()
        for one in themes.THEMES:
            self.register_theme(one)
        self.theme = themes.LIGHT_NAME if theme == "light" else themes.DARK_NAME
        if self.no_color:
            self._filters = [NoColor() if isinstance(one, Monochrome) else one for one in self._filters]
        self._shown = shown

    async def on_mount(self) -> None:
        """Show the screen."""
        await self.push_screen(self._shown)

    @property
    def text(self) -> str:
        """What the terminal shows, line by line."""
        return "\n".join(strip.text for strip in self.screen._compositor.render_strips(self.size))


class Kept(Almanac):
    """An almanac that gives the journal of a session as well, and takes what a person says of it."""

    def __init__(self, store: Store, now: datetime = NOW) -> None:
        super().__init__(store, Calendar.fixed(now), zone=BERLIN, demo=False, token=lambda: "token")
        self.store = store

    def entries(self, session_id: int) -> Sequence[tuple[float, JournalEntry]]:
        """The journal of a session."""
        return self.store.entries(session_id)

    def say(self, session_id: int, text: str, photos: Sequence[str] = ()) -> bool:
        """Keep words and photos on a session."""
        return self.store.diary.say(session_id, text, photos)


def journalled(writer: SessionWriter, zones: Sequence[str], level: int) -> tuple[dict[str, float], float]:
    """Write the journal of a session; return the seconds of output in each zone, and those of the whole."""
    t = 0.0
    seconds: dict[str, float] = {}
    writer.append([JournalEntry(JournalKind.CONNECTED, {"device": "Dr-05", "firmware": None, "again": False})], t)
    for number, zone in enumerate(zones):
        t += 4.0
        lasts = 36.0 + 6 * (number % 3)
        begin: dict[str, Scalar] = {"state": "begin", "zone": zone, "index": number, "seconds": lasts}
        writer.append([JournalEntry(JournalKind.ZONE, begin)], t)
        top = level // 2 if zone in {"forehead", "left-under-eye", "right-under-eye"} else level
        for percent in range(5, top + 1, 5):
            told: dict[str, Scalar] = {
                "command": "level",
                "percent": percent,
                "target": top,
                "zone": zone,
                "mode": None,
            }
            at = t + percent / 5
            writer.append([JournalEntry(JournalKind.INTENSITY, {**told, "state": "asked"})], at)
            writer.append([JournalEntry(JournalKind.INTENSITY, {**told, "state": "acknowledged"})], at + 0.03)
        t += lasts
        off: dict[str, Scalar] = {"command": "stop", "percent": 0, "target": top, "zone": zone, "mode": None}
        writer.append([JournalEntry(JournalKind.INTENSITY, {**off, "state": "asked"})], t)
        writer.append([JournalEntry(JournalKind.INTENSITY, {**off, "state": "acknowledged"})], t + 0.03)
        end: dict[str, Scalar] = {
            "state": "end",
            "zone": zone,
            "index": number,
            "seconds": lasts,
            "outcome": "done",
        }
        writer.append([JournalEntry(JournalKind.ZONE, end)], t + 0.03)
        seconds[zone] = lasts
    return seconds, t


class Household:
    """A store in a folder whose date can be set."""

    def __init__(self, folder: Path) -> None:
        self.now = NOW
        self.store = Store.open(folder, Calendar(lambda: self.now))

    def almanac(self, now: datetime = NOW) -> Kept:
        """The almanac as of ``now``."""
        self.now = now
        return Kept(self.store, now)

    def session(
        self,
        day: date,
        *,
        hour: int = 19,
        routine: str = "full-face",
        reason: Reason | None = Reason.COMPLETED,
        zones: Sequence[str] = ZONES,
        level: int = 40,
    ) -> int:
        """Hold a session on ``day``, with a journal; ``reason`` None: it was cut off."""
        self.now = datetime(day.year, day.month, day.day, hour, 5, tzinfo=BERLIN)
        writer = self.store.begin_session(routine, "Dr-05", "dr05", "dr05", demo=False)
        seconds, t = journalled(writer, zones, level)
        if reason is None:
            writer.close()
            self.now += timedelta(seconds=t)
            self.store.recover()
        else:
            self.now += timedelta(seconds=t)
            total = sum(seconds.values())
            writer.finish(Summary(reason, MappingProxyType(seconds), level, total, t, ()))
        self.now = NOW
        return self.store.sessions(1)[0].id

    def never_began(self, at: datetime, reason: Reason, *, demo: bool = False) -> int:
        """Keep a session at a moment whose device was not reached, or not paired: nothing of it but how it ended."""
        self.now = at
        self.store.begin_session("full-face", "OMP", "omp", "omp", demo).finish(Summary(reason, {}, 0, 0.0, 0.0))
        self.now = NOW
        return self.store.sessions(1)[0].id


@contextmanager
def household(folder: Path) -> Iterator[Household]:
    """A household that is closed afterwards."""
    made = Household(folder)
    try:
        yield made
    finally:
        made.store.close()


def weeks(kept: Household) -> Mapping[date, int]:
    """Two and a half weeks of the usual plan: six sessions, some on other days, skin checks, and what was drunk."""
    kept.almanac(datetime(2026, 11, 2, 9, 0, tzinfo=BERLIN)).choose_plan(Chosen(date(2026, 11, 2)))
    found: dict[date, int] = {}
    for number, day in enumerate((2, 4, 7, 9, 12, 17)):
        on = date(2026, 11, day)
        kept.now = datetime(2026, 11, day, 18, 55, tzinfo=BERLIN)
        kept.store.diary.check_skin(4 - number // 2, max(1, 3 - number // 2), 1 + number % 2)
        routine = "five-minute-lift" if number == 3 else "full-face"
        zones = ZONES[1:9] if number == 3 else ZONES[:5] if number == 2 else ZONES
        reason = Reason.STOPPED if number == 2 else Reason.COMPLETED
        found[on] = kept.session(on, routine=routine, zones=zones, reason=reason, level=30 + 2 * number)
    for back, amounts in enumerate(
        [(200, 250, 330, 200), (200,) * 6, (250,) * 8, (200,) * 4, (), (200,) * 9, (330,) * 3]
    ):
        for number, ml in enumerate(amounts):
            at = NOW.replace(hour=8, minute=20) - timedelta(days=back) + timedelta(minutes=95 * number)
            kept.store.diary.drink(ml, at)
    kept.now = NOW
    return found
