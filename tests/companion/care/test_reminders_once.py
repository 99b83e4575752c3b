"""Days of a computer that sleeps, restarts and changes its clocks, with two processes that tell: each reminder once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

from hypothesis import event, given, settings
from hypothesis import strategies as st

from companion.care.hydration import Drink, Goal, Hours, schedule
from companion.care.reminders import Agenda, Kind, Ledger, MemoryLedger, Reminder, Upcoming, claimed, due, next_due

HALF_HOUR = timedelta(minutes=30)

CHANGES = [
    ("Europe/Berlin", date(2026, 3, 29)),
    ("Europe/Berlin", date(2026, 10, 25)),
    ("America/New_York", date(2026, 3, 8)),
    ("America/New_York", date(2026, 11, 1)),
    ("Pacific/Auckland", date(2026, 4, 5)),
    ("Pacific/Auckland", date(2026, 9, 27)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),  # half an hour
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("America/Sao_Paulo", date(2018, 11, 4)),  # no midnight
    ("America/Sao_Paulo", date(2018, 2, 18)),  # two hours before midnight
    ("America/Havana", date(2026, 11, 1)),  # two midnights
    ("Pacific/Apia", date(2011, 12, 30)),  # a day that never was
    ("UTC", date(2026, 5, 4)),
]
"""Zones, each with a date around which its clocks change."""


class Crossed(MemoryLedger):
    """A ledger through which one process works while, at the ``turn``-th touch, the other one does all of its work."""

    def __init__(self, ledger: MemoryLedger, turn: int, other: Callable[[], object]) -> None:
        super().__init__()
        self._ledger, self._turn, self._other = ledger, turn, other

    def _touch(self) -> None:
        self._turn -= 1
        if self._turn == 0:
            self._other()

    def fired(self, since: datetime) -> Mapping[str, datetime]:
        seen = self._ledger.fired(since)
        self._touch()
        return seen

    def claim(self, key: str, at: datetime) -> bool:
        self._touch()
        return self._ledger.claim(key, at)


def reopened(ledger: MemoryLedger) -> MemoryLedger:
    """What a restart leaves: text."""
    rows = [(key, at.isoformat()) for key, at in ledger.fired(datetime.min.replace(tzinfo=UTC)).items()]
    again = MemoryLedger()
    for key, at in rows:
        assert again.claim(key, datetime.fromisoformat(at))
    return again


def shown(moment: datetime, zone: ZoneInfo, hours: Hours | None) -> bool:
    """Whether a clock on the wall of ``zone`` shows these hours, minute for minute and the long way round."""
    if hours is None:
        return False
    clock = moment.astimezone(zone)
    minute, start, end = (60 * one.hour + one.minute for one in (clock, hours.start, hours.end))
    return (minute - start) % 1440 < (end - start) % 1440


def some_hours(chance: Random) -> Hours:
    return Hours(*(time(*divmod(minute, 60)) for minute in chance.sample(range(1440), 2)))


def some_agenda(chance: Random, where: tuple[str, date]) -> tuple[datetime, Agenda]:
    """A moment a day or so before the change, and an agenda whose reminders fall around the change."""
    zone = ZoneInfo(where[0])
    change = datetime.combine(where[1], time(), zone).astimezone(UTC)

    def near() -> datetime:
        return (change + timedelta(minutes=chance.randint(-24 * 60, 36 * 60))).astimezone(zone)

    agenda = Agenda(
        zone=zone,
        session=Upcoming(near(), 12, "Full face"),
        session_lead=timedelta(minutes=chance.choice([0, 15])),
        goal=Goal(chance.randint(500, 3500), chance.randint(50, 250), some_hours(chance)),
        screened_at=near().astimezone(UTC) - timedelta(days=90),
        patch_at=near().astimezone(UTC) - timedelta(days=1),
        quiet=chance.choice([None, some_hours(chance), Hours(time(22), time(7))]),
    )
    return change - timedelta(minutes=chance.randint(20 * 60, 28 * 60)), agenda


def told_by_two(chance: Random, now: datetime, agenda: Agenda, ledger: MemoryLedger) -> list[Reminder]:
    """App and timer look at the same time: one of them does all of its work somewhere within the other's."""
    told: list[Reminder] = []
    crossed = Crossed(ledger, chance.randint(0, 5), lambda: told.extend(claimed(now, agenda, ledger)))
    told += claimed(now, agenda, crossed)
    return told


@settings(max_examples=20)
@given(st.integers(0, 2**32), st.sampled_from(CHANGES))
def test_each_is_told_once_and_never_in_quiet_hours(seed: int, where: tuple[str, date]) -> None:
    chance = Random(seed)
    now, agenda = some_agenda(chance, where)
    ledger = MemoryLedger()
    told: list[tuple[datetime, Reminder]] = []
    looked: list[datetime] = []
    for _ in range(70):
        now += timedelta(minutes=chance.choice([1, 5, 5, 5, 29, 30, 31]))
        if chance.random() < 0.03:
            now += timedelta(hours=chance.randint(1, 12))  # asleep
        if chance.random() < 0.05:
            ledger = reopened(ledger)
        if chance.random() < 0.1:
            agenda = replace(agenda, drinks=[*agenda.drinks, Drink(now, chance.choice([50, 200, 600]))])
        looked.append(now)
        told += [(now, one) for one in told_by_two(chance, now, agenda, ledger)]

    keys = [one.key for _, one in told]
    assert len(set(keys)) == len(keys)
    zone, goal = agenda.zone, agenda.goal
    assert isinstance(zone, ZoneInfo)
    assert goal is not None
    for at, one in told:
        assert not shown(at, zone, agenda.quiet)
        assert one.at <= at < one.until
        if one.ml:
            assert shown(at, zone, goal.waking)
            assert sum(other.ml for then, other in told if timedelta(0) <= at - then < HALF_HOUR) <= 250
    event(f"{sum(1 for _, one in told if one.ml)} glasses")

    # What had to be told, reckoned the plain way: somebody looked while it was of use and no quiet hours were shown.
    assert agenda.session is not None
    assert agenda.screened_at is not None
    assert agenda.patch_at is not None
    start = agenda.session.start.astimezone(UTC)
    uses: dict[Kind, Callable[[datetime], bool]] = {
        Kind.SESSION: lambda at: (
            start - agenda.session_lead <= at and at.astimezone(zone).date() <= start.astimezone(zone).date()
        ),
        Kind.SCREENING: lambda at: agenda.screened_at is not None and at - agenda.screened_at >= timedelta(days=90),
        Kind.PATCH: lambda at: agenda.patch_at is not None and at - agenda.patch_at >= timedelta(hours=24),
    }
    for kind, of_use in uses.items():
        chances = [at for at in looked if of_use(at) and not shown(at, zone, agenda.quiet)]
        times = [at for at, one in told if one.kind is kind]
        assert times == chances[:1], kind


@settings(max_examples=20)
@given(st.integers(0, 2**32), st.sampled_from(CHANGES))
def test_a_snooze_is_kept_to_and_brings_it_back_once(seed: int, where: tuple[str, date]) -> None:
    chance = Random(seed)
    now, agenda = some_agenda(chance, where)
    ledger = MemoryLedger()
    told: list[tuple[datetime, Reminder]] = []
    granted: dict[str, int] = {}
    for _ in range(70):
        now += timedelta(minutes=chance.choice([1, 5, 5, 10, 30]))
        assert sum(1 for one in due(now, agenda, {}) if one.ml) <= 1
        new = told_by_two(chance, now, agenda, ledger)
        for one in new:
            assert not shown(now, agenda.zone if isinstance(agenda.zone, ZoneInfo) else ZoneInfo("UTC"), agenda.quiet)
            until = agenda.snoozes.get(one.about)
            assert until is None or now >= until
            granted[one.about] = granted.get(one.about, 1) - 1
            assert granted[one.about] >= 0, "told again, though nobody asked for it"
            told.append((now, one))
            if chance.random() < 0.5:
                to = now + timedelta(minutes=chance.choice([5, 10, 30, 45, 90]))
                agenda = replace(agenda, snoozes={**agenda.snoozes, one.about: to})
                granted[one.about] += 1
            if one.ml:
                assert sum(other.ml for then, other in told if now - then < HALF_HOUR) <= 250
    event(f"{sum(1 for _, one in told if '~' in one.key)} told again")


@settings(max_examples=20)
@given(st.integers(0, 2**32), st.sampled_from(CHANGES))
def test_the_limit_holds_for_who_sets_everything_anew_and_travels(seed: int, where: tuple[str, date]) -> None:
    chance = Random(seed)
    now, agenda = some_agenda(chance, where)
    ledger = MemoryLedger()
    asked: list[tuple[datetime, int]] = []
    keys: list[str] = []
    for _ in range(70):
        now += timedelta(minutes=chance.choice([1, 5, 10, 29]))
        if chance.random() < 0.1:
            _, other = some_agenda(chance, where)
            elsewhere = ZoneInfo(chance.choice([where[0], "Asia/Kathmandu", "Pacific/Kiritimati", "Pacific/Pago_Pago"]))
            agenda = replace(other, zone=elsewhere)
        for one in told_by_two(chance, now, agenda, ledger):
            keys.append(one.key)
            asked.append((now, one.ml))
            assert sum(ml for at, ml in asked if now - at < HALF_HOUR) <= 250
    assert len(set(keys)) == len(keys)


def everything(now: datetime, until: datetime, agenda: Agenda, ledger: Ledger) -> list[tuple[datetime, str]]:
    """What is told by whoever sleeps until the next reminder is due."""
    told: list[tuple[datetime, str]] = []
    while (moment := next_due(now, agenda, ledger.fired(now - timedelta(days=15)))) is not None and moment < until:
        new = claimed(moment, agenda, ledger)
        assert new, f"nothing is due at {moment}, though it was foretold"
        told += [(moment, one.key) for one in new]
        now = moment
    return told


@settings(max_examples=10)
@given(st.integers(0, 2**32), st.sampled_from(CHANGES))
def test_sleeping_until_the_next_one_tells_what_looking_every_minute_tells(seed: int, where: tuple[str, date]) -> None:
    chance = Random(seed)
    begin, agenda = some_agenda(chance, where)
    begin += timedelta(hours=chance.randint(0, 36))
    length = 5 * 60
    every_minute = MemoryLedger()
    looked: list[tuple[datetime, str]] = []
    for minute in range(length):
        now = begin + timedelta(minutes=minute)
        looked += [(now, one.key) for one in claimed(now, agenda, every_minute)]
    assert everything(begin, begin + timedelta(minutes=length), agenda, MemoryLedger()) == looked


@settings(max_examples=20)
@given(st.integers(0, 2**32), st.sampled_from(CHANGES))
def test_who_is_awake_and_drinks_nothing_is_asked_for_every_glass(seed: int, where: tuple[str, date]) -> None:
    chance = Random(seed)
    begin, agenda = some_agenda(chance, where)
    agenda = replace(agenda, quiet=None, screened_at=None, patch_at=None)
    assert agenda.goal is not None
    assert agenda.session is not None
    days = sorted({(begin + timedelta(hours=hour)).astimezone(agenda.zone).date() for hour in range(30)})
    asks = [ask for day in days for ask in schedule(day, agenda.zone, agenda.goal, [agenda.session.span])]
    end = begin + timedelta(hours=26)
    glasses = [at for at, key in everything(begin, end, agenda, MemoryLedger()) if key.startswith("water")]
    assert glasses == [max(ask.at, begin) for ask in asks if ask.until > begin and ask.at < end]


@settings(max_examples=50)
@given(st.integers(0, 2**32), st.sampled_from(CHANGES))
def test_nothing_is_due_before_it_was_foretold(seed: int, where: tuple[str, date]) -> None:
    chance = Random(seed)
    now, agenda = some_agenda(chance, where)
    now += timedelta(minutes=chance.randint(0, 40 * 60))
    fired = {"water/2026-03-29/1": now - timedelta(minutes=chance.randint(0, 40))}
    foretold = next_due(now, agenda, fired)
    end = foretold or now + timedelta(days=1)
    for _ in range(10):
        between = now + (end - now) * chance.random()
        assert due(between, agenda, fired) == [] or between >= end
    assert foretold is None or due(foretold, agenda, fired) != []
