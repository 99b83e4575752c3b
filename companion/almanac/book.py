"""The almanac: what one person chose, did and noted, brought before the pure rules of ``companion.care``.

Every answer is as of the calendar's now, in the zone where the person is. Refuses to know how anything is shown; judges
nothing by itself, and nothing in it starts a session.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import dropwhile, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal
from zoneinfo import ZoneInfo

from companion.care import calendar_file, hydration, plan, reminders
from companion.care.hydration import Goal, Hours, Span, Water
from companion.care.plan import Mark, Outlook, Proposal, Today
from companion.care.plans import Chosen, Pause, PauseReason
from companion.care.reminders import Agenda, Kind, Ledger, MemoryLedger, Reminder, Upcoming
from companion.care.screening import judge
from companion.care.skin import (
    LOOK_BACK,
    PATCH_WAIT,
    PEELS,
    RESTS,
    RESTS_NOTED,
    SPECIAL_CARE,
    Advice,
    RestNoted,
    SpecialCare,
    noted_today,
    skin_today,
    with_special,
)
from companion.config import CompanionError, Exit
from companion.session.interlocks import PastSession, rest_refusal
from companion.session.model import NOT_BEGUN
from companion.words import almanac as words
from companion.words import plan as plan_words

if TYPE_CHECKING:
    from companion.dates import Calendar
    from companion.session.model import Reason
    from companion.store.database import Store
    from companion.store.diary import Drink, PatchOutcome, PatchTest, Place, Remark, SkinCheck
    from companion.store.rows import Held, SessionRecord, Status

_PLAN: Final = "plan"
_GOAL: Final = "water-goal"
_NOT_TODAY: Final = "not-today"
_CALENDAR: Final = "calendar-file"
_CALENDAR_KEY: Final = "calendar-key"
_TOLD_AGAIN: Final = "session-told-again"

_DAY = timedelta(days=1)
_FACE = frozenset({"face"})  # whatever the zones: the plan asks whether the skin as a whole has rested
CALENDAR_DAYS: Final = 56
"""How far a calendar file looks ahead."""


class NoPlanError(CompanionError):
    """The person has chosen no plan yet; one line that says how."""

    def __init__(self) -> None:
        super().__init__(words.NO_PLAN, Exit.USAGE)


@dataclass(frozen=True, slots=True)
class Session:
    """One row of the history, of whatever end.

    ``minutes`` is how long it took in all, ``output_minutes`` how long there was output (None where it was cut off and
    nobody counted). ``zones`` maps the zones that had output to seconds of it; of a session that was cut off, to None.
    ``reason`` is None unless it came to an end of its own. ``text`` and ``photos`` are the person's.
    """

    id: int
    started_at: datetime
    ended_at: datetime | None
    routine: str
    device: str
    demo: bool
    status: Status
    reason: Reason | None
    minutes: float
    output_minutes: float | None
    zones: dict[str, float | None]
    highest_percent: int | None
    text: str = ""
    photos: tuple[str, ...] = ()

    @property
    def begun(self) -> bool:
        """Whether there was a session at all: the device was reached and, where it must be, paired."""
        return self.reason not in NOT_BEGUN


@dataclass(frozen=True, slots=True)
class Facts:
    """A few numbers for whoever shows no more: nothing of the screening, no words of the person's.

    Moments are aware. ``minutes_this_week`` counts the sessions since Monday, by the calendar where the person is.
    ``goal_ml`` is None where fluids are limited.
    """

    next_session: datetime | None
    last_session: datetime | None
    minutes_this_week: float
    water_today_ml: int
    goal_ml: int | None


@dataclass(frozen=True, slots=True)
class _ToldAgain:
    day: date
    number: int


class Almanac:
    """One person's, as the open ``store`` has them.

    ``zone`` is where the person is; set it anew when they travel. In a ``demo`` simulated sessions are what was done,
    and reminders last as long as this object; else they count for nothing. ``quiet`` (None: none) and ``lead``, how
    long before a session to remind of it, are the person's settings. ``token`` makes the id that tells calendar files
    of different people apart.

    Every method raises ``StoreError`` where the database cannot be read or written.
    """

    def __init__(
        self,
        store: Store,
        calendar: Calendar,
        *,
        zone: ZoneInfo,
        demo: bool,
        quiet: Hours | None = reminders.QUIET,
        lead: timedelta = timedelta(0),
        token: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self.zone = zone
        self.demo = demo
        self.quiet = quiet
        self.lead = lead
        self._store = store
        self._diary = store.diary
        self._calendar = calendar
        self._token = token
        self._ledger: Ledger = MemoryLedger() if demo else store.diary
        # What can change no more is read once: the faces ask again and again, and one day of thousands of sessions.
        self._over: list[Held] = []
        self._by_end: list[Held] = []
        self._done: tuple[plan.Done, ...] = ()
        self._unfit: set[date] = set()
        self._looked: datetime | None = None
        self._proposed: tuple[object, tuple[Proposal, ...]] | None = None

    @property
    def now(self) -> datetime:
        """This moment, by the clock where the person is."""
        return self._calendar.now().astimezone(self.zone)

    # --- the plan -----------------------------------------------------------------------------------------------------

    def chosen(self) -> Chosen | None:
        """The plan that the person chose; None until they chose one."""
        return self._diary.choice(_PLAN, Chosen)

    def choose_plan(self, chosen: Chosen) -> None:
        """Follow that plan from now on, in place of an earlier one."""
        before = self.chosen()
        if before is not None and before.at != chosen.at:
            self._tell_again()
        self._diary.choose(_PLAN, chosen)

    def pause(
        self, first: date | None = None, last: date | None = None, reason: PauseReason = PauseReason.OTHER
    ) -> None:
        """Pause the plan from ``first`` (today) to ``last``, both included; None: until :meth:`resume`.

        Raises:
            NoPlanError: there is no plan.
            ValueError: it would end before it begins.
        """
        chosen = self._plan()
        pause = Pause(first or self.now.date(), last, reason)
        self._diary.choose(_PLAN, replace(chosen, pauses=(*chosen.pauses, pause)))

    def resume(self) -> bool:
        """Carry on with the plan today; False where it was not paused today. Pauses that are to come stay.

        Raises:
            NoPlanError: there is no plan.
        """
        chosen, today = self._plan(), self.now.date()
        pauses = []
        for pause in chosen.pauses:
            if pause.first > today or (pause.last is not None and pause.last < today):
                pauses.append(pause)
            elif pause.first < today:
                pauses.append(replace(pause, last=today - _DAY))
        if tuple(pauses) == chosen.pauses:
            return False
        self._diary.choose(_PLAN, replace(chosen, pauses=tuple(pauses)))
        return True

    def put_off(self, day: date | None = None) -> None:
        """Note that a skin check or one of today's questions said not today (``day``: today)."""
        self._note_day(_NOT_TODAY, day or self.now.date())

    def note_rest(self, kind: Literal["peel", "sunburn"], day: date | None = None) -> None:
        """Note a peel or a sunburn on ``day`` (today; a coming peel too): plan and door leave the skin its week."""
        day = day or self.now.date()
        special, care = self._special(), SpecialCare(kind, day)
        if care not in special:  # what was noted before is no mistake of today's
            self._diary.choose(RESTS_NOTED, (*self._rests_noted(), RestNoted(kind, day, self.now)))
        self._diary.choose(SPECIAL_CARE, with_special(special, care))
        # The door forgets a peel after two months; the plan must not hold its week against the person then.
        self._note_day(PEELS, day)

    def noted_today(self) -> tuple[RestNoted, ...]:
        """The peels and sunburns that were noted today: what can be taken back as a mistake."""
        return noted_today(self._rests_noted(), self.now)

    def take_back_rest(self, kind: str, day: date) -> bool:
        """Take back a peel or a sunburn on ``day`` that was noted today by mistake; False where it was not.

        Note and mistake are kept, each with its moment; plan and door go by what is left. Nothing else is taken back:
        a skin check, a reaction to a patch test and what a session was stopped for stay as they are.
        """
        mistaken = next((one for one in self.noted_today() if (one.kind, one.on) == (kind, day)), None)
        if mistaken is None:
            return False
        corrected = replace(mistaken, taken_back=self.now)
        # What was a mistake is written down before the skin's rest ends, so that no rest ends without a trace.
        self._diary.choose(RESTS_NOTED, [corrected if one == mistaken else one for one in self._rests_noted()])
        left = tuple(one for one in self._special() if one != SpecialCare(mistaken.kind, day))
        if not any(one.on == day and one.kind in RESTS for one in left):
            self._diary.choose(PEELS, [one for one in self._diary.choice(PEELS, list[date]) or () if one != day])
        self._diary.choose(SPECIAL_CARE, left)
        return True

    def outlook(self, first: date | None = None, days: int = 35) -> Outlook:
        """The plan as of now, on ``days`` days from ``first`` (today) on.

        Raises:
            NoPlanError: there is no plan.
            ValueError: ``days`` is less than 1.
        """
        return plan.outlook(
            self._plan(), self._happened(), self._calendar.now(), zone=self.zone, first=first, days=days
        )

    def today(self) -> Today:
        """Whether a session is a good idea now. Advice alone: the door to a session judges for itself."""
        chosen, now = self.chosen(), self._calendar.now()
        if chosen is not None:
            return plan.may_today(chosen, self._happened(), now, zone=self.zone)
        past = [PastSession(held.ended_at, _FACE) for held in self._held()]
        refusal = rest_refusal(now.astimezone(self.zone), past, _FACE)
        return Today(allowed=refusal is None, mark=Mark.FREE, reason=refusal or plan_words.WHY_FREE)

    def milestone(self) -> str:
        """What to say between the fifth session and the sixth; empty at any other time, and without a plan."""
        return "" if self.chosen() is None else self.outlook(days=1).milestone

    def barred(self) -> bool:
        """Whether the answers to the health questions speak against any session, however old. Never in a demo."""
        screening = None if self.demo else self._store.screening()
        if screening is None:
            return False
        verdict = judge(screening.answers, screening.at, screening.at, version=screening.version)
        return verdict.blocked and verdict.completed

    def proposals(self) -> tuple[Proposal, ...]:
        """The sessions of the next eight weeks that the plan proposes, the next first, as of the last five minutes.

        None without a plan, or where all are barred.
        """
        chosen = self.chosen()
        if chosen is None or self.barred():
            return ()
        happened, now = self._happened(), self.now
        # Proposals are for whole five minutes, too. Earlier than now is stricter: the skin has rested less by then.
        now = now.replace(minute=now.minute - now.minute % 5, second=0, microsecond=0)
        asked = (chosen, happened, now.astimezone(UTC), self.zone)
        if self._proposed is None or self._proposed[0] != asked:
            seen = plan.outlook(chosen, happened, now, zone=self.zone, days=CALENDAR_DAYS)
            self._proposed = (asked, seen.proposals)
        return self._proposed[1]

    # --- the calendar file --------------------------------------------------------------------------------------------

    def calendar_path(self) -> Path | None:
        """The calendar file that is kept up to date; None where there is none."""
        path = self._diary.choice(_CALENDAR, str)
        return None if path is None else Path(path)

    def subscribe(self, path: Path) -> None:
        """Write the plan to a calendar file, and keep it up to date from now on.

        Raises:
            CompanionError: there is another file of that name, or it cannot be written.
            NoPlanError: there is no plan.
        """
        self.export_calendar(path)
        self._diary.choose(_CALENDAR, str(path.absolute()))

    def unsubscribe(self) -> Path | None:
        """Keep no calendar file up to date any more; return the one that was. It stays where it is."""
        path = self.calendar_path()
        self._diary.choose(_CALENDAR, None)
        return path

    def refresh_calendar(self) -> bool:
        """Bring the calendar file up to date, if there is one; True when it was written.

        To be called after whatever changes the plan, and after a session.

        Raises:
            CompanionError: it cannot be written, or another file has taken its place.
        """
        path = self.calendar_path()
        return path is not None and self.chosen() is not None and self.export_calendar(path)

    def export_calendar(self, path: Path) -> bool:
        """Write the plan to a calendar file once; True when it was not up to date.

        Raises:
            CompanionError: there is another file of that name, or it cannot be written.
            NoPlanError: there is no plan.
        """
        return calendar_file.write_calendar(path, self.proposals(), self._calendar.now(), key=self._calendar_key())

    def calendar(self) -> bytes:
        """The plan as the content of a calendar file.

        Raises:
            NoPlanError: there is no plan.
        """
        return calendar_file.calendar_bytes(self.proposals(), self._calendar.now(), key=self._calendar_key())

    def _calendar_key(self) -> str:
        """What tells this person's plan from all others, and is the same for each file of it."""
        chosen = self._plan()
        key = self._diary.choice(_CALENDAR_KEY, str)
        if key is None:
            key = self._token()
            self._diary.choose(_CALENDAR_KEY, key)
        return f"{key}/{chosen.start.isoformat()}"

    # --- water --------------------------------------------------------------------------------------------------------

    def goal(self) -> Goal:
        """What the person wants to drink in a day; the usual until they chose."""
        return self._diary.choice(_GOAL, Goal) or Goal()

    def set_goal(self, goal: Goal) -> None:
        """Keep what the person wants to drink in a day."""
        self._diary.choose(_GOAL, goal)

    def water(self) -> Water:
        """The day so far, and what may be asked."""
        now = self._calendar.now()
        told = reminders.water_told(self._ledger.fired(now - reminders.KEPT))
        return hydration.water(now, self.zone, self.goal(), self._drinks_of_late(), sessions=self._spans(), told=told)

    def drink(self, ml: int | None = None) -> None:
        """Log a drink of ``ml``, a glass when not told.

        Raises:
            ValueError: nobody drinks as much.
        """
        self._diary.drink(self.goal().glass_ml if ml is None else ml)

    def undo_drink(self) -> Drink | None:
        """Take the drink back that was logged last; None where there is none."""
        return self._diary.undo_drink()

    def drinks_of(self, day: date) -> list[Drink]:
        """What was drunk on ``day``, by the date where the person is now."""
        since = datetime.combine(day, time(), self.zone)
        return [one for one in self._diary.drinks(since) if one.at.astimezone(self.zone).date() == day]

    def water_week(self) -> dict[date, int]:
        """What was drunk on each of the last seven days, today the last, in mL."""
        today = self.now.date()
        days = {today + ahead * _DAY: 0 for ahead in range(-6, 1)}
        for one in self._diary.drinks(datetime.combine(today - 6 * _DAY, time(), self.zone)):
            day = one.at.astimezone(self.zone).date()
            if day in days:
                days[day] += one.ml
        return days

    # --- reminders ----------------------------------------------------------------------------------------------------

    def agenda(self) -> Agenda:
        """Everything that reminders follow from.

        Water is asked for once the person has chosen a goal or a plan: whoever only looks around is left in peace.
        """
        screening = None if self.demo else self._store.screening()
        patch = self.patch_test()
        # A demo waits no day, and nobody has forgotten what they did a moment ago.
        waits = not self.demo and patch is not None and patch.outcome is None and patch.place != "declined"
        goal = self._diary.choice(_GOAL, Goal) or (Goal() if self.chosen() is not None else None)
        return Agenda(
            zone=self.zone,
            session=self._upcoming(),
            session_lead=self.lead,
            goal=goal,
            drinks=self._drinks_of_late(),
            done=self._done_of_late(),
            screened_at=None if screening is None else screening.at,
            patch_at=patch.at if patch is not None and waits else None,
            quiet=self.quiet,
            snoozes=self._diary.snoozed(),
        )

    def due(self) -> list[Reminder]:
        """What is to be told now. Whoever tells it claims it first: :meth:`claimed`."""
        now = self._calendar.now()
        return reminders.due(now, self.agenda(), self._ledger.fired(now - reminders.KEPT))

    def claimed(self) -> list[Reminder]:
        """What the caller, and nobody else, is to tell now; it counts as told."""
        return reminders.claimed(self._calendar.now(), self.agenda(), self._ledger)

    def next_due(self) -> datetime | None:
        """When something is due next (UTC), as things stand; None for nothing in sight: look again tomorrow."""
        now, agenda = self._calendar.now(), self.agenda()
        fired = self._ledger.fired(now - reminders.KEPT)
        moments = [reminders.next_due(now, agenda, fired)]
        # Today's session stays the next one until midnight; once it was told, the one after it is to be waited for.
        for following in self.proposals()[1:2]:
            then = Agenda(
                zone=self.zone,
                session=Upcoming(following.at, following.minutes),
                session_lead=self.lead,
                quiet=self.quiet,
                snoozes=agenda.snoozes,
            )
            moments.append(reminders.next_due(now, then, fired))
        return min((moment for moment in moments if moment is not None), default=None)

    def snooze(self, about: str, until: datetime) -> None:
        """Tell a reminder (its ``about``) once more at ``until`` (aware), and not before."""
        self._diary.forget_snoozes(self._calendar.now() - reminders.KEPT)
        self._diary.snooze(about, until)

    def told_of_late(self) -> dict[str, datetime]:
        """The reminders that were told within the last day, by their keys: what can be snoozed."""
        return dict(self._ledger.fired(self._calendar.now() - _DAY))

    # --- skin ---------------------------------------------------------------------------------------------------------

    def check_skin(self, dryness: int, redness: int, irritation: int) -> None:
        """Keep how the skin is now, each from 1 (not at all) to 5 (very).

        Raises:
            ValueError: one of them is outside 1 to 5.
        """
        self._diary.check_skin(dryness, redness, irritation)

    def skin_checks(self) -> list[SkinCheck]:
        """Every skin check, in order."""
        return self._diary.skin_checks()

    def last_skin_checks(self, count: int) -> list[SkinCheck]:
        """The ``count`` skin checks that were made last, in order."""
        return self._diary.last_skin_checks(count)

    def begin_patch_test(self, place: Place, note: str = "") -> None:
        """Keep that the patch test was done now at ``place``, or declined with a note.

        In a demo its day of waiting has passed at once: nobody comes back tomorrow to see what is next.
        """
        self._diary.begin_patch_test(place, note, self.now - PATCH_WAIT if self.demo else None)

    def end_patch_test(self, outcome: PatchOutcome, note: str = "") -> bool:
        """Keep what came of the patch test; False where none waits for an outcome."""
        return self._diary.end_patch_test(outcome, note)

    def patch_test(self) -> PatchTest | None:
        """The newest patch test; None where there was none."""
        return self._diary.patch_test()

    # --- history ------------------------------------------------------------------------------------------------------

    def count_sessions(self, *, begun: bool = False) -> int:
        """How many rows :meth:`sessions` has in all; with ``begun``, without the sessions that never began."""
        return self._store.count_sessions(begun=begun)

    def sessions(self, limit: int | None = None, before: int | None = None) -> list[Session]:
        """The newest sessions first, whatever their end, at most ``limit``: simulated ones in a demo, else all.

        ``before``: only those of a lower number.
        """
        records = self._store.sessions(limit, before)
        remarks = self._diary.remarks(since=min((record.id for record in records), default=0))
        return [self._row(record, remarks.get(record.id)) for record in records]

    def facts(self) -> Facts:
        """A few numbers: what may be told to other machines of this household."""
        monday = self.now.date() - self.now.weekday() * _DAY
        of_late = self._held_since(datetime.combine(monday - _DAY, time(), self.zone))
        of_week = [one for one in of_late if one.ended_at.astimezone(self.zone).date() >= monday]
        upcoming = self._upcoming()
        goal = self.goal()
        return Facts(
            next_session=None if upcoming is None else upcoming.start,
            last_session=max((one.ended_at for one in (*of_late, *self._by_end[:1])), key=_instant, default=None),
            minutes_this_week=sum(one.minutes for one in of_week),
            water_today_ml=hydration.total_ml(self._drinks_of_late(), self.now.date(), self.zone),
            goal_ml=None if goal.limited else goal.ml,
        )

    # --- out of the store ---------------------------------------------------------------------------------------------

    def _plan(self) -> Chosen:
        chosen = self.chosen()
        if chosen is None:
            raise NoPlanError
        return chosen

    def _note_day(self, name: str, day: date) -> None:
        days = self._diary.choice(name, list[date]) or []
        if day not in days:
            self._diary.choose(name, sorted([*days, day]))

    def _held(self) -> list[Held]:
        """The sessions with output, the newest first."""
        newer = self._store.held(demo=self.demo, after=self._over[0].id if self._over else 0)
        # Whatever began before another one is over: there is one session at a time.
        over = list(dropwhile(lambda one: one.running, newer))
        if over:
            self._over = over + self._over
            self._by_end = sorted(self._over, key=lambda one: _instant(one.ended_at), reverse=True)
            self._done = tuple(plan.Done(one.ended_at) for one in over) + self._done
        return newer[: len(newer) - len(over)] + self._over

    def _held_since(self, moment: datetime) -> list[Held]:
        """The sessions with output that ended at ``moment`` (aware) or later."""
        since, held = _instant(moment), self._held()
        running = held[: len(held) - len(self._over)]
        over = takewhile(lambda one: _instant(one.ended_at) >= since, self._by_end)
        return [*(one for one in running if _instant(one.ended_at) >= since), *over]

    def _special(self) -> tuple[SpecialCare, ...]:
        return self._diary.choice(SPECIAL_CARE, tuple[SpecialCare, ...]) or ()

    def _rests_noted(self) -> tuple[RestNoted, ...]:
        return self._diary.choice(RESTS_NOTED, tuple[RestNoted, ...]) or ()

    def _happened(self) -> plan.Diary:
        special, held = self._special(), self._held()
        return plan.Diary(
            done=tuple(plan.Done(one.ended_at) for one in held[: len(held) - len(self._over)]) + self._done,
            not_today=self._not_today(special),
            peels={one.on for one in special if one.kind in RESTS}.union(self._diary.choice(PEELS, list[date]) or ()),
        )

    def _not_today(self, special: Sequence[SpecialCare]) -> set[date]:
        """Days that were put off in words, and those on which a skin check said so, by the date it had then."""
        # Whatever was noted since the last look, here or elsewhere, and a little more.
        since = None if self._looked is None else min(self._looked, self.now) - LOOK_BACK - _DAY
        recent = self._diary.skin_checks(None if since is None else since - LOOK_BACK - _DAY)
        self._unfit |= _unfit_days(recent, special, since=since)
        self._looked = self.now
        days = set(self._unfit)
        if skin_today(recent, self.now, special).advice is Advice.NOT_TODAY:
            days.add(self.now.date())
        return days.union(self._diary.choice(_NOT_TODAY, list[date]) or ())

    def _upcoming(self) -> Upcoming | None:
        proposals = self.proposals()
        if not proposals:
            return None
        again = self._diary.choice(_TOLD_AGAIN, _ToldAgain)
        start = proposals[0].at
        number = again.number if again is not None and again.day == start.date() else 1
        return Upcoming(start, proposals[0].minutes, number=number)

    def _tell_again(self) -> None:
        """Whoever moves today's session after they were reminded of it is reminded once more, at its new time."""
        today = self.now.date()
        again = self._diary.choice(_TOLD_AGAIN, _ToldAgain)
        number = again.number if again is not None and again.day == today else 1
        if f"{Kind.SESSION}/{today.isoformat()}/{number}" in self.told_of_late():
            self._diary.choose(_TOLD_AGAIN, _ToldAgain(today, number + 1))

    def _drinks_of_late(self) -> tuple[hydration.Drink, ...]:
        since = self._calendar.now() - 2 * _DAY
        return tuple(hydration.Drink(one.at, one.ml) for one in self._diary.drinks(since))

    def _done_of_late(self) -> tuple[Span, ...]:
        held = self._held_since(self._calendar.now() - 2 * _DAY)
        return tuple(Span(min(one.started_at, one.ended_at, key=_instant), one.ended_at) for one in held)

    def _spans(self) -> Sequence[Span]:
        upcoming = self._upcoming()
        return self._done_of_late() if upcoming is None else (*self._done_of_late(), upcoming.span)

    def _row(self, record: SessionRecord, remark: Remark | None) -> Session:
        summary = record.summary
        zones: dict[str, float | None] = {}
        if summary is None:
            zones |= dict.fromkeys(sorted(self._store.zones_with_output(record.id)))
        else:
            zones |= {zone: seconds for zone, seconds in summary.zone_seconds.items() if seconds > 0}
        return Session(
            id=record.id,
            started_at=record.started_at,
            ended_at=record.ended_at,
            routine=record.routine,
            device=record.device_name,
            demo=record.demo,
            status=record.status,
            reason=None if summary is None else summary.reason,
            minutes=_minutes(record, record.ended_at or self._calendar.now()),
            output_minutes=None if summary is None else summary.output_s / 60,
            zones=zones,
            highest_percent=None if summary is None else summary.highest_percent,
            text="" if remark is None else remark.text,
            photos=() if remark is None else remark.photos,
        )


def _unfit_days(
    checks: Sequence[SkinCheck], special: Sequence[SpecialCare], since: datetime | None = None
) -> set[date]:
    """The days of those ``checks`` (from ``since`` on) that said not today; earlier ones are what they go by."""
    days: set[date] = set()
    ordered = sorted(checks, key=lambda check: _instant(check.at))
    first = 0
    for index, check in enumerate(ordered):
        while _instant(check.at) - _instant(ordered[first].at) > LOOK_BACK + _DAY:
            first += 1
        if since is not None and _instant(check.at) < _instant(since):
            continue
        if skin_today(ordered[first : index + 1], check.at, special).advice is Advice.NOT_TODAY:
            days.add(check.at.date())
    return days


def _instant(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


def _minutes(record: SessionRecord, ended_at: datetime) -> float:
    if record.summary is not None:
        return record.summary.elapsed_s / 60
    return max(0.0, (_instant(ended_at) - _instant(record.started_at)).total_seconds() / 60)
