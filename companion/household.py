"""The real household behind the app: store, calendar, radio, protocols and routines, each brought in on first use.

The only place where the app's questions meet the parts that answer them. Draws nothing and decides nothing: who may
treat what is judged behind the one door of ``companion.session.opening``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, cast

from companion.config import CompanionError, data_folder, routines_folder
from companion.dates import Calendar
from companion.home import Choice, Device, NotFoundError, NotTodayError, Past, Question, Started
from companion.words import history as history_words
from companion.words import today as today_words

if TYPE_CHECKING:
    from companion.care.screening import Verdict
    from companion.device.finder import Found
    from companion.device.radio import Radio
    from companion.routines.library import Library
    from companion.session.model import SessionPlan, View
    from companion.store.database import Store
    from protocols.model import DeviceProfile

LOOK_S = 8.0
"""How long to listen for devices; the nearest one usually shows in the first second."""


class Household:
    """See :class:`companion.home.Home`. ``folder`` None is the usual data folder (a demo's own one in a demo).

    ``person`` is whose data it shows, None for whoever's turn it is.
    """

    def __init__(
        self,
        *,
        demo: str | None = None,
        seed: int = 0,
        record: Path | None = None,
        folder: Path | None = None,
        calendar: Calendar | None = None,
        person: str | None = None,
    ) -> None:
        self.demo = demo
        self._person = person
        self._seed = seed
        self._record = record
        self._folder = folder or data_folder(demo=demo is not None)
        self._calendar = calendar or Calendar.system()
        self._store: Store | None = None
        self._radio: Radio | None = None
        self._library: Library | None = None

    # --- what is kept -------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Open what is kept, and mark what an earlier run could not finish."""
        from companion.store.database import Store  # noqa: PLC0415 - sqlite after the first frame

        self._store = Store.open(self._folder, self._calendar, person=self._person)
        self._store.recover()

    @property
    def _kept(self) -> Store:
        if self._store is None:
            self.open()
        return cast("Store", self._store)

    def _verdict(self) -> Verdict | None:
        from companion.care.screening import judge  # noqa: PLC0415 - with the store

        screening = self._kept.screening()
        if screening is None:
            return None
        return judge(screening.answers, screening.at, self._calendar.now(), version=screening.version)

    def screening_needed(self) -> bool:
        """Whether the questions have to be answered; a demo's imagined person has answered them."""
        if self.demo is not None:
            return False
        verdict = self._verdict()
        return verdict is None or not verdict.completed

    def screening_questions(self) -> Sequence[Question]:
        """The questions of the screening, the blocking ones first."""
        from companion.care.screening import QUESTIONS  # noqa: PLC0415 - with the store

        return [Question(one.id, one.text, one.gate.value) for one in QUESTIONS]

    def today_questions(self) -> Sequence[Question]:
        """The questions of today."""
        from companion.care.screening import TODAY_QUESTIONS  # noqa: PLC0415 - with the store

        return [Question(one.id, one.text, one.gate.value) for one in TODAY_QUESTIONS]

    def save_screening(self, answers: Mapping[str, str], agreed: Sequence[str]) -> None:
        """Keep the answers; where a doctor has agreed, that is the answer."""
        from companion.care.screening import VERSION, Answer  # noqa: PLC0415 - with the store

        kept = {question: Answer.AGREED.value if question in agreed else answer for question, answer in answers.items()}
        self._kept.save_screening(kept, VERSION)

    def blocked(self) -> tuple[str, ...]:
        """Why the screening forbids every session; empty when it does not, and in a demo."""
        if self.demo is not None:
            return ()
        verdict = self._verdict()
        return verdict.reasons if verdict is not None and verdict.blocked else ()

    def history(self) -> Sequence[Past]:
        """What has been done, the newest first."""
        rows = []
        for record in self._kept.sessions(limit=200):
            summary = record.summary
            ended = history_words.INTERRUPTED if summary is None else summary.reason.value
            minutes = 0.0 if summary is None else summary.elapsed_s / 60
            zones = {} if summary is None else summary.zone_seconds
            title = self._title(record.routine)
            rows.append(Past(record.started_at, title, record.device_name, ended, minutes, zones, record.demo))
        return rows

    def note(self) -> str:
        """When the last session was, or how to begin."""
        last = self._kept.sessions(limit=1)
        if not last:
            return today_words.FIRST_TIME
        when = f"{last[0].started_at:%d %B}"
        return today_words.LAST_TIME.format(when=when, title=self._title(last[0].routine).lower())

    # --- devices ------------------------------------------------------------------------------------------------------

    async def look(self, on_device: Callable[[Device], None]) -> list[Device]:
        """Look for devices; the radio is switched on at the first look."""
        # Off the loop: the radio's libraries take a tenth of a second to load (a demo's half a second), and the screen
        # is already there to take keys.
        await asyncio.to_thread(_load_radio, demo=self.demo is not None)
        from companion.device.finder import find  # noqa: PLC0415 - loaded just now
        from companion.device.radio import RadioError  # noqa: PLC0415 - as above
        from protocols.registry import Registry  # noqa: PLC0415 - as above

        try:
            if self._radio is None:
                self._radio = await self._switch_on()
            settle_s = 1.5 if self.demo is not None else None
            found = await find(
                self._radio, Registry.default(), LOOK_S, lambda one: on_device(_device(one)), settle_s=settle_s
            )
        except RadioError as error:
            raise NotFoundError(error.reason, error.advice) from error
        return [_device(one) for one in found]

    async def _switch_on(self) -> Radio:
        if self.demo is not None:
            from companion.demo import open_demo  # noqa: PLC0415 - the bench is loaded for a demo only

            return await open_demo(self.demo, self._seed, self._record, self._calendar)
        from companion.device.radio import SystemRadio  # noqa: PLC0415 - brings bleak

        return SystemRadio()

    # --- routines and sessions ----------------------------------------------------------------------------------------

    @property
    def _routines(self) -> Library:
        if self._library is None:
            from companion.routines.library import Library  # noqa: PLC0415 - with the first choice

            self._library = Library([routines_folder()])
        return self._library

    def _title(self, name: str) -> str:
        from companion.routines.library import UnknownRoutineError  # noqa: PLC0415 - loaded with the library
        from companion.routines.model import RoutineError  # noqa: PLC0415 - as above

        try:
            return self._routines.get(name).title
        except (UnknownRoutineError, RoutineError):
            return name.replace("-", " ").capitalize()

    def choices(self, profile: DeviceProfile) -> Sequence[Choice]:
        """The routines, those that fit first and the shortest first among them."""
        from companion.routines.model import RoutineError  # noqa: PLC0415 - with the first choice
        from companion.session.opening import Blocked, plan_for  # noqa: PLC0415 - as above

        choices: list[Choice] = []
        for name in self._routines.names():
            try:
                routine = self._routines.get(name)
            except RoutineError as error:
                choices.append(Choice(name, name.replace("-", " ").capitalize(), "", 0.0, (), (), str(error)))
                continue
            try:
                plan = plan_for(self._kept, routine, profile)
            except Blocked as refused:
                choices.append(Choice(name, routine.title, routine.summary, 0.0, (), (), refused.reason))
                continue
            choices.append(_choice(name, routine.summary, plan))
        return sorted(choices, key=lambda choice: (bool(choice.refusal), choice.minutes, choice.title))

    def start(
        self, choice: Choice, device: Device, today: Mapping[str, bool], on_change: Callable[[View], None]
    ) -> Started:
        """Open the one door to a session; the session connects by itself when it is run."""
        from companion.device.connection import Connection  # noqa: PLC0415 - brings bleak
        from companion.routines.library import UnknownRoutineError  # noqa: PLC0415 - with the first session
        from companion.routines.model import RoutineError  # noqa: PLC0415 - as above
        from companion.session.opening import Blocked, open_session  # noqa: PLC0415 - with the first session
        from companion.session.runner import GuidedSession  # noqa: PLC0415 - as above

        if self._radio is None:
            raise CompanionError("the radio is off: look for your device first")
        found = cast("Found", device.handle)
        try:
            opening = open_session(
                self._kept,
                self._calendar,
                self._routines.get(choice.name),
                profile=device.profile,
                protocol=found.entry.key,
                device_name=device.name,
                today=today,
                now=asyncio.get_running_loop().time(),
                demo=self.demo is not None,
                stand_in=self.demo is not None,
            )
        except Blocked as refused:
            raise NotTodayError(refused.reason) from refused
        except (RoutineError, UnknownRoutineError) as error:  # the file was changed since it was listed
            raise NotTodayError(str(error)) from error
        connection = Connection(self._radio, found)
        session = GuidedSession(opening.engine, connection, opening.journal, on_change, opening=opening.entries)
        return Started(session, opening.plan, device.name, opening.journal.close)

    async def close(self) -> None:
        """Give the radio and the store back."""
        if self._radio is not None:
            await self._radio.close()
            self._radio = None
        if self._store is not None:
            self._store.close()
            self._store = None


def _load_radio(*, demo: bool) -> None:
    import companion.device.connection  # noqa: PLC0415 - the point of this function is to do it elsewhere
    import companion.device.finder  # noqa: F401, PLC0415 - as above

    if demo:
        from companion.demo import load_bench  # noqa: PLC0415 - as above

        load_bench()


def _device(found: Found) -> Device:
    return Device(found.device.address, found.name, found.rssi, found.entry.profile, found)


def _choice(name: str, summary: str, plan: SessionPlan) -> Choice:
    from companion.session.engine import guided_s  # noqa: PLC0415 - loaded with the plan
    from companion.session.model import StepKind  # noqa: PLC0415 - as above

    first = frozenset({StepKind.PREPARE, StepKind.CHECK})
    seconds = sum(guided_s(step) for step in plan.steps)
    zones = tuple(dict.fromkeys(step.zone for step in plan.steps if step.zone))
    prepare = tuple(takewhile(lambda step: step.kind in first, plan.steps))
    return Choice(name, plan.title, summary, seconds / 60, zones, prepare)
