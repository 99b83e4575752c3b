"""The real household behind the app: store, calendar, radio, protocols and routines, each brought in on first use.

The only place where the app's questions meet the parts that answer them. Draws nothing and decides nothing: who may
treat what is judged behind the one door of ``companion.session.opening``.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, cast

from companion.config import CompanionError, data_folder, routines_folder
from companion.dates import Calendar
from companion.home import (
    After,
    Choice,
    Device,
    Glance,
    NotFoundError,
    NotTodayError,
    OptionalStep,
    Patch,
    Preferences,
    Proposed,
    Question,
    Skin,
    Started,
    Wish,
)
from companion.words import choosing as choosing_words
from companion.words import people as people_words

if TYPE_CHECKING:
    from datetime import date, time

    from companion.almanac import Almanac
    from companion.beside import Teller
    from companion.care.consultation import Advice
    from companion.care.screening import Verdict
    from companion.care.skin import PatchState
    from companion.device.finder import Found
    from companion.device.pairing import Pairer
    from companion.device.radio import Radio
    from companion.glance import Wanted
    from companion.integrations.mqtt_settings import MqttSettings
    from companion.past import Past
    from companion.profile import Profile
    from companion.routines.library import Library
    from companion.routines.model import Routine
    from companion.session.model import JournalEntry, SessionPlan, Summary, View
    from companion.settings.file import SettingsFile
    from companion.settings.schema import Settings
    from companion.store.database import Store
    from companion.store.rows import SessionRecord
    from protocols.model import DeviceProfile

LOOK_S = 8.0
"""How long to listen for devices; the nearest one usually shows in the first second."""

_OF_LATE = 20
"""How many sessions back it is looked for the last one with output."""

_FOR_TODAY = ("skin", "alcohol")
"""A yes to one of these is for the rest of the day; out of a bath, or without jewellery, one may ask again."""


@dataclass(frozen=True, slots=True)
class _Handle:
    """What the household keeps of a session that runs: the person's answers, and whether it is the patch test."""

    felt: list[str]
    patch_test: bool


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
        with_keys: bool = False,
        folder: Path | None = None,
        calendar: Calendar | None = None,
        person: str | None = None,
    ) -> None:
        self.demo = demo
        self._person = person
        self._seed = seed
        self._record = record
        self._with_keys = with_keys
        self.keys_left_out = False
        """After :meth:`close`: whether there are zeros in the recording where a key was."""
        self._pairer: Pairer | None = None
        self._displayed: Callable[[int], object] = lambda _number: None
        self._folder = folder or data_folder(demo=demo is not None)
        self._calendar = calendar or Calendar.system()
        self._store: Store | None = None
        self._radio: Radio | None = None
        self._library: Library | None = None
        self._almanac: Almanac | None = None
        self._teller: Teller | None = None
        self._fits: dict[str, frozenset[str]] = {}  # by the keys of devices' profiles

    # --- what is kept -------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Open what is kept, and mark what an earlier run could not finish."""
        from companion.store.database import Store  # noqa: PLC0415 - sqlite after the first frame

        self._store = Store.open(self._folder, self._calendar, person=self._person)
        self._store.recover()
        if self.demo is not None:
            self._store.diary.forget_skin()  # an imagined skin: what was tried last time must not end this one
        self._almanac = None

    @property
    def _kept(self) -> Store:
        if self._store is None:
            self.open()
        return cast("Store", self._store)

    @property
    def almanac(self) -> Almanac:
        """Plan, water, skin and reminders of the person whose turn it is."""
        if self._almanac is None:
            from companion.almanac import Almanac, local_place  # noqa: PLC0415 - with the store

            self._almanac = Almanac(
                self._kept,
                self._calendar,
                zone=local_place(self._calendar.now()).zone,
                demo=self.demo is not None,
                quiet=self.settings.read().settings.quiet.hours,
            )
        return self._almanac

    @property
    def past(self) -> Past:
        """What was done, to be seen again."""
        from companion.past import Past  # noqa: PLC0415 - after the first frame

        return Past(self.almanac, self._kept)

    @property
    def settings(self) -> SettingsFile[Settings]:
        """The settings file of the data folder."""
        from companion.settings.file import settings_file  # noqa: PLC0415 - after the first frame

        return settings_file(self._folder)

    def home_assistant(self) -> MqttSettings:
        """What is set for the link to Home Assistant; a demo has settings of its own, and so has its link."""
        from companion.beside import link_settings  # noqa: PLC0415 - after the first frame

        return link_settings(self.settings)

    def tells_the_day(self) -> bool:
        """Whether this program tells Home Assistant the day: the first that asked, of those that are open at once."""
        if self._teller is None:
            from companion.beside import Teller  # noqa: PLC0415 - for a link alone

            self._teller = Teller(self._folder)
        return self._teller.is_this()

    def preferences(self) -> Preferences:
        """What the app itself follows of the settings; quiet hours are the almanac's, from now on."""
        settings = self.settings.read().settings
        if self._almanac is not None:
            self._almanac.quiet = settings.quiet.hours
        look, outside = settings.appearance, settings.notifications
        return Preferences(
            look.theme,
            look.face == "mirror",
            look.motion == "full",
            settings.sound.cues,
            outside.system != "off",
            outside.only_when_away,
        )

    # --- whose turn it is ---------------------------------------------------------------------------------------------

    def people(self) -> Sequence[str]:
        """Everyone of this household."""
        return self._kept.people.names()

    def whose_turn(self) -> str:
        """Whose data this is."""
        return self._kept.person().name

    def choose_person(self, name: str) -> None:
        """Make it that person's turn: the store is opened anew for them, and nothing of the other's is kept here."""
        from companion.store.database import Store  # noqa: PLC0415 - loaded with the first opening

        before = self._kept
        before.people.choose(name)
        store = Store.open(self._folder, self._calendar, person=name)
        before.close()
        self._person = name
        self._store, self._almanac = store, None
        self._fits.clear()

    def add_person(self, name: str) -> None:
        """Add a person."""
        self._kept.people.add(name)

    def rename_person(self, name: str, new: str) -> None:
        """Call a person something else."""
        mine = self._kept.person().name == name
        self._kept.people.rename(name, new)
        if mine and self._person is not None:
            self._person = self._kept.person().name

    def remove_person(self, name: str) -> None:
        """Forget a person and all that is theirs, the calendar file too; the store is opened anew for whose turn it is.

        Should nobody else be left, somebody without a name begins anew.
        """
        from companion.leaving import remove  # noqa: PLC0415 - seldom
        from companion.store.database import Store  # noqa: PLC0415 - loaded with the first opening

        stays = self.whose_turn()
        self._close_store()  # nobody reads while it is deleted, so that nothing of it is left in the database's journal
        try:
            remove(self._folder, self._calendar, name, successor=people_words.NOBODY_YET, demo=self.demo is not None)
        finally:
            self._store = Store.open(self._folder, self._calendar)
            there = stays in self._store.people.names()
            if self._person is not None and there:
                self._store.close()
                self._store = Store.open(self._folder, self._calendar, person=stays)
            self._person = stays if self._person is not None and there else None

    @property
    def profile(self) -> Profile:
        """Limits, zones, a doctor's word and what the skin rests after."""
        from companion.profile import Profile  # noqa: PLC0415 - after the first frame

        return Profile(self._kept, self.almanac, self._calendar)

    # --- screening ----------------------------------------------------------------------------------------------------

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

    def titles(self) -> Mapping[str, str]:
        """The names of the routines there are, by their ids."""
        return {name: self._title(name) for name in self._routines.names()}

    def note(self) -> str:
        """When the last session was, or how to begin."""
        last = next(
            (one for one in self._kept.sessions(limit=_OF_LATE) if one.summary is None or _had_output(one)), None
        )
        if last is None:
            return choosing_words.FIRST_TIME
        when = f"{last.started_at.day} {last.started_at:%B}"
        return choosing_words.LAST_TIME.format(when=when, title=self._title(last.routine).lower())

    # --- today and consultation ---------------------------------------------------------------------------------------

    def glance(self, profile: DeviceProfile | None) -> Glance:
        """Today in a few values."""
        from companion.care.skin import PatchState  # noqa: PLC0415 - after the first frame
        from companion.glance import glance  # noqa: PLC0415 - as above

        several = len(self.people()) > 1
        state, refusal = self._patch_state(is_test=True)
        return glance(
            self.almanac,
            self._wanted(profile),
            person=self.whose_turn() if several else "",
            patch=refusal or "",
            patch_look=state in (PatchState.LOOK, PatchState.REACTION),
        )

    def _advice(self, fits: Collection[str] | None) -> Advice | None:
        """What the consultation came to, for a device that can do these (None: unknown); None where there was none."""
        from companion.care.consultation import KEPT_AS, ConsultationError, advise  # noqa: PLC0415 - with the store
        from companion.care.screening import Verdict  # noqa: PLC0415 - as above

        answers = self._kept.diary.choice(KEPT_AS, dict[str, list[str]])
        verdict = self._verdict() if self.demo is None else Verdict(blocked=False, reasons=())
        if answers is None or verdict is None:
            return None
        try:
            return advise(answers, verdict, fits=fits)
        except ConsultationError:  # answers to an earlier version's questions: as if they had not been given
            return None

    def _wanted(self, profile: DeviceProfile | None) -> Wanted:
        """The routine to do next: what was advised, else the last one, else the shortest that fits."""
        from companion.glance import Wanted  # noqa: PLC0415 - after the first frame

        fits = None if profile is None else self._fitting(profile)
        advice = self._advice(fits)
        last = self._last_routine()
        name = last or "first-touch"
        if advice is not None:
            name = advice.first if last is None else advice.routine
        choice = self._choice_of(name, profile)
        if choice is None or choice.refusal:
            choice = next((one for one in self.choices(profile) if not one.refusal), None)
        if choice is None:
            return Wanted(name, self._title(name), 0.0, ())
        return Wanted(choice.name, choice.title, choice.minutes, choice.zones)

    def _last_routine(self) -> str | None:
        """The routine of the last session with output, as far as it was of late."""
        for record in self._kept.sessions(limit=_OF_LATE):
            if record.demo is (self.demo is not None) and _had_output(record):
                return record.routine
        return None

    def _fitting(self, profile: DeviceProfile) -> Collection[str]:
        """The routines that this device can do for this person, as they were first asked for.

        Today is drawn often, and planning every routine each time is not for free. What has changed meanwhile is found
        where a routine is chosen.
        """
        if profile.key not in self._fits:
            self._fits[profile.key] = frozenset(one.name for one in self.choices(profile) if not one.refusal)
        return self._fits[profile.key]

    def wishes(self) -> Sequence[Wish]:
        """The questions of the consultation."""
        from companion.care.consultation import QUESTIONS  # noqa: PLC0415 - with the store

        return [
            Wish(one.id, one.text, tuple((choice.id, choice.text) for choice in one.choices), one.several, one.note)
            for one in QUESTIONS
        ]

    def propose(self, answers: Mapping[str, Sequence[str]]) -> Proposed:
        """Keep the answers, and return the plan that suits them."""
        from companion.care.consultation import KEPT_AS  # noqa: PLC0415 - with the store
        from companion.care.plans import Chosen, plan_of  # noqa: PLC0415 - as above

        self._kept.diary.choose(KEPT_AS, {name: list(given) for name, given in answers.items()})
        advice = self._advice(None)
        if advice is None:
            raise CompanionError(choosing_words.NO_ADVICE)
        today = self.almanac.now.date()
        chosen = Chosen(
            start=today, plan=advice.plan, weekdays=advice.weekdays, minutes=advice.minutes, custom=advice.custom
        )
        plan = plan_of(chosen)
        reasons = (*advice.why_plan[:1], *advice.why_routine, *advice.why_plan[1:])
        title = self._title(advice.routine)
        return Proposed(
            plan.title, plan.summary, title, plan.minutes, reasons, today, today, chosen.weekdays, chosen.at, chosen
        )

    def follow(self, proposed: Proposed, start: date, weekdays: Sequence[int], at: time) -> None:
        """Follow a proposed plan from ``start`` on."""
        from dataclasses import replace  # noqa: PLC0415 - after the first frame

        from companion.care.plans import Chosen  # noqa: PLC0415 - as above

        chosen = replace(cast("Chosen", proposed.handle), start=start, weekdays=tuple(weekdays), at=at)
        before = self.almanac.chosen()
        if before is not None:
            chosen = replace(chosen, pauses=before.pauses)
        self.almanac.choose_plan(chosen)
        self._keep_calendar()

    def _keep_calendar(self) -> None:
        """Bring the calendar file up to date; where it cannot be written, `companion plan` says so."""
        with contextlib.suppress(CompanionError):
            self.almanac.refresh_calendar()

    # --- skin ---------------------------------------------------------------------------------------------------------

    def skin_questions(self) -> Sequence[Question]:
        """The questions of the skin check."""
        from companion.care.skin import SCORES  # noqa: PLC0415 - with the store
        from companion.words import skin as words  # noqa: PLC0415 - as above

        return [Question(name, words.QUESTIONS[name], "skin", words.SCALE) for name in SCORES]

    def check_skin(self, scores: Mapping[str, int]) -> Skin:
        """Keep a skin check, and say what it means; the plan hears of it by itself."""
        from companion.care.skin import SPECIAL_CARE, Advice, SpecialCare, skin_today  # noqa: PLC0415 - with the store

        almanac = self.almanac
        almanac.check_skin(scores["dryness"], scores["redness"], scores["irritation"])
        special = self._kept.diary.choice(SPECIAL_CARE, tuple[SpecialCare, ...]) or ()
        word = skin_today(almanac.skin_checks(), self._calendar.now(), special)
        if word.advice is Advice.NOT_TODAY:
            self._keep_calendar()
        return Skin(word.advice is not Advice.NOT_TODAY, word.reasons)

    def _patch_state(self, *, is_test: bool) -> tuple[PatchState, str | None]:
        """Where the patch test stands, and what it has against a session now, in words."""
        from datetime import datetime  # noqa: PLC0415 - after the first frame

        from companion.care.skin import PATCH_AGREED, patch_refusal, patch_state  # noqa: PLC0415 - as above

        diary, now = self._kept.diary, self._calendar.now()
        tests = diary.patch_tests()
        agreed_at = diary.choice(PATCH_AGREED, datetime)
        refusal = patch_refusal(
            tests, now, agreed_at=agreed_at, is_test=is_test, asked=self._kept.person().first_session
        )
        return patch_state(tests, now, agreed_at=agreed_at), refusal

    def patch(self, choice: Choice) -> Patch | None:
        """What the patch test asks for before this routine."""
        from companion.care.skin import PatchState, may_decline  # noqa: PLC0415 - with the store
        from companion.words import skin as words  # noqa: PLC0415 - as above

        if not self._has_output(choice.name):
            return None
        state, refusal = self._patch_state(is_test=self._is_test(choice.name))
        if refusal is None:
            return None
        if state in (PatchState.LOOK, PatchState.REACTION):
            return self.patch_to_look_at()
        answers: tuple[tuple[str, str], ...] = ()
        text = refusal
        if state is PatchState.NEEDED:
            text = words.PATCH_OFFER
            places = [one for one in words.PATCH_PLACES if one != "jaw"]  # that one is the routine's
            if not may_decline(self._kept.diary.patch_tests()):
                places.remove("declined")
            answers = tuple((one, words.PATCH_PLACES[one]) for one in places)
        test = "first-touch" if state in (PatchState.NEEDED, PatchState.AGAIN) else ""
        return Patch(words.PATCH_TITLE, text, answers, test)

    def patch_to_look_at(self) -> Patch | None:
        """The patch test whose 24 hours are over, or that the skin reacted to."""
        from companion.care.skin import PatchState  # noqa: PLC0415 - with the store
        from companion.words import reminders as reminder_words  # noqa: PLC0415 - as above
        from companion.words import skin as words  # noqa: PLC0415 - as above

        state, refusal = self._patch_state(is_test=True)
        if state is PatchState.REACTION:
            return Patch(words.PATCH_REACTED, refusal or "", tuple(words.PATCH_DOCTOR.items()))
        if state is not PatchState.LOOK:
            return None
        text = words.PATCH_LOOK if self.demo is None else f"{words.PATCH_DEMO} {words.PATCH_LOOK}"
        return Patch(reminder_words.PATCH_TITLE, text, tuple(words.PATCH_OUTCOMES.items()))

    def answer_patch(self, answer: str) -> None:
        """Keep where the patch test was done, that it is left out, or how it looks."""
        match answer:
            case "calm" | "reaction":
                self.almanac.end_patch_test(answer)
            case "forearm" | "declined":
                self.almanac.begin_patch_test(answer)
            case "agreed":
                from companion.profile import PATCH  # noqa: PLC0415 - seldom

                self.profile.agree([PATCH])
            case "not agreed":
                pass
            case _:
                raise ValueError(f"{answer!r} is no answer to a patch test")

    def _is_test(self, name: str) -> bool:
        routine = self._routine(name)
        return routine is not None and routine.patch_test

    def _has_output(self, name: str) -> bool:
        routine = self._routine(name)
        return routine is not None and bool(routine.zones)

    def _routine(self, name: str) -> Routine | None:
        from companion.routines.library import UnknownRoutineError  # noqa: PLC0415 - loaded with the library
        from companion.routines.model import RoutineError  # noqa: PLC0415 - as above

        try:
            return self._routines.get(name)
        except (UnknownRoutineError, RoutineError):
            return None

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

    def pair_with(self, pairer: Pairer, displayed: Callable[[int], object]) -> None:
        """Let this be who is asked; see :class:`companion.home.Home`."""
        self._pairer = pairer
        self._displayed = displayed

    async def _switch_on(self) -> Radio:
        if self.demo is not None:
            from companion.demo import open_demo  # noqa: PLC0415 - the bench is loaded for a demo only

            radio = await open_demo(
                self.demo,
                self._seed,
                self._record,
                self._calendar,
                with_keys=self._with_keys,
                bonds=lambda: self._kept.devices,
            )
            radio.on_display(self._displayed)
            return radio
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
        routine = self._routine(name)
        return name.replace("-", " ").capitalize() if routine is None else routine.title

    def choices(self, profile: DeviceProfile | None) -> Sequence[Choice]:
        """The routines, those that fit first; the shortest first among them, and First touch for a newcomer."""
        from companion.care.consultation import FIRST_ROUTINE  # noqa: PLC0415 - with the first choice

        first = FIRST_ROUTINE if self._last_routine() is None else ""
        choices = [choice for name in self._routines.names() if (choice := self._choice_of(name, profile)) is not None]
        return sorted(choices, key=lambda one: (bool(one.refusal), one.name != first, one.minutes, one.title))

    def _choice_of(self, name: str, profile: DeviceProfile | None) -> Choice | None:
        """One routine, planned where a profile is known; None where there is no routine of that name."""
        from companion.routines.library import UnknownRoutineError  # noqa: PLC0415 - loaded with the library
        from companion.routines.model import RoutineError  # noqa: PLC0415 - as above
        from companion.session.opening import Blocked, plan_for  # noqa: PLC0415 - with the first choice

        try:
            routine = self._routines.get(name)
        except UnknownRoutineError:
            return None
        except RoutineError as error:
            return Choice(name, name.replace("-", " ").capitalize(), "", 0.0, (), (), str(error))
        if profile is None:
            return _unplanned(name, routine)
        try:
            return _choice(routine, plan_for(self._kept, routine, profile))
        except Blocked as refused:
            return Choice(name, routine.title, routine.summary, 0.0, (), (), refused.reason)

    def optional(self, choice: Choice) -> Sequence[OptionalStep]:
        """The optional steps of a routine, as the skin is now."""
        from companion.session.opening import optional_steps  # noqa: PLC0415 - loaded with the choice
        from companion.words import before as words  # noqa: PLC0415 - as above
        from companion.words import routines as routine_words  # noqa: PLC0415 - as above

        routine = self._routine(choice.name)
        if routine is None:
            return ()
        texts = {str(step.optional): step.text for step in routine.steps}
        return [
            OptionalStep(name, words.OPTIONAL[name], texts[name] or routine_words.ZONES_BY_HAND, refusal or "")
            for name, refusal in optional_steps(self._kept, self._calendar, routine).items()
        ]

    def with_optional(self, choice: Choice, profile: DeviceProfile, optional: Collection[str]) -> Choice:
        """The routine with these optional steps."""
        from companion.session.opening import Blocked, plan_for  # noqa: PLC0415 - loaded with the choice

        routine = self._routine(choice.name)
        if routine is None:
            return choice
        try:
            return _choice(routine, plan_for(self._kept, routine, profile, optional=optional))
        except Blocked:  # changed since it was chosen: the door says so
            return choice

    def start(
        self,
        choice: Choice,
        device: Device,
        today: Mapping[str, bool],
        on_change: Callable[[View], None],
        optional: Collection[str] = (),
    ) -> Started:
        """Open the one door to a session; the session connects by itself when it is run."""
        from companion.device.connection import Connection  # noqa: PLC0415 - brings bleak
        from companion.routines.library import UnknownRoutineError  # noqa: PLC0415 - with the first session
        from companion.routines.model import RoutineError  # noqa: PLC0415 - as above
        from companion.session.model import JournalKind  # noqa: PLC0415 - with the first session
        from companion.session.opening import Blocked, open_session  # noqa: PLC0415 - as above
        from companion.session.runner import GuidedSession  # noqa: PLC0415 - as above

        if self._radio is None:
            raise CompanionError("the radio is off: look for your device first")
        found = cast("Found", device.handle)
        if any(today.get(one) for one in _FOR_TODAY):
            self.almanac.put_off()
            self._keep_calendar()
        felt: list[str] = []

        def listen(_t: float, entry: JournalEntry) -> None:
            if entry.kind is JournalKind.SENSATION and "answer" in entry.data:
                felt.append(str(entry.data["answer"]))

        try:
            routine = self._routines.get(choice.name)
            opening = open_session(
                self._kept,
                self._calendar,
                routine,
                profile=device.profile,
                protocol=found.entry.key,
                device_name=device.name,
                today=today,
                now=asyncio.get_running_loop().time(),
                demo=self.demo is not None,
                stand_in=self.demo is not None,
                listeners=(listen,),
                ask_care=True,
                optional=optional,
            )
        except Blocked as refused:
            raise NotTodayError(refused.reason) from refused
        except (RoutineError, UnknownRoutineError) as error:  # the file was changed since it was listed
            raise NotTodayError(str(error)) from error
        connection = Connection(self._radio, found)
        connection.pairer = self._pairer
        if self._radio.system:
            connection.bonds = self._kept.devices
        session = GuidedSession(opening.engine, connection, opening.journal, on_change, opening=opening.entries)
        handle = _Handle(felt, patch_test=routine.patch_test)
        no_go = tuple(sorted(self._kept.person().no_go))
        hold = getattr(self._radio, "hold", None)  # a demo's alone
        return Started(session, opening.plan, device.name, opening.journal.close, handle, no_go, hold)

    def ended(self, started: Started, summary: Summary) -> After:
        """Note a patch test that was done, bring the calendar file up to date, and say what comes next."""
        from companion.care.skin import PATCH_WAIT  # noqa: PLC0415 - after the first frame
        from companion.glance import next_line  # noqa: PLC0415 - as above
        from companion.words import skin as skin_words  # noqa: PLC0415 - as above
        from companion.words import summary as words  # noqa: PLC0415 - as above

        handle = cast("_Handle", started.handle)
        coming = ""
        if self.almanac.chosen() is not None:
            coming = next_line(self.almanac.outlook(days=14), self.almanac.now)
            self._keep_calendar()
        if handle.patch_test and summary.output_s > 0:
            self.almanac.begin_patch_test("jaw")
            at = self._calendar.now() + PATCH_WAIT
            coming = words.PATCH.format(when=skin_words.MOMENT.format(at=at))
        answers = list(dict.fromkeys(handle.felt))
        return After(words.FELT.format(answers=", ".join(answers)) if answers else "", coming)

    async def close(self) -> None:
        """Give the radio and the store back."""
        if self._radio is not None:
            await self._radio.close()
            self.keys_left_out = getattr(self._radio, "keys_left_out", False)
            self._radio = None
        if self._teller is not None:
            self._teller.close()
            self._teller = None
        self._close_store()

    def _close_store(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = self._almanac = None
        self._fits.clear()


def _had_output(record: SessionRecord) -> bool:
    return record.summary is not None and record.summary.output_s > 0


def _load_radio(*, demo: bool) -> None:
    import companion.device.connection  # noqa: PLC0415 - the point of this function is to do it elsewhere
    import companion.device.finder  # noqa: F401, PLC0415 - as above

    if demo:
        from companion.demo import load_bench  # noqa: PLC0415 - as above

        load_bench()


def _device(found: Found) -> Device:
    return Device(found.device.address, found.name, found.rssi, found.entry.profile, found)


def _choice(routine: Routine, plan: SessionPlan) -> Choice:
    from companion.session.engine import guided_s  # noqa: PLC0415 - loaded with the plan
    from companion.session.model import StepKind  # noqa: PLC0415 - as above

    first = frozenset({StepKind.PREPARE, StepKind.CHECK})
    seconds = sum(guided_s(step) for step in plan.steps)
    zones = tuple(dict.fromkeys(step.zone for step in plan.steps if step.zone))
    # What takes its time is guided with a countdown, and what comes after it too.
    prepare = tuple(takewhile(lambda step: step.kind in first and not step.seconds, plan.steps))
    before = None
    if any(step.optional for step in routine.steps):
        before = min(len(prepare), sum(1 for _ in takewhile(lambda step: step.optional is None, routine.steps)))
    return Choice(routine.name, plan.title, routine.summary, seconds / 60, zones, prepare, before_optional=before)


def _unplanned(name: str, routine: Routine) -> Choice:
    """A routine as its file has it, before any device is known."""
    from companion.routines.planning import output_seconds  # noqa: PLC0415 - loaded with the library
    from companion.session.engine import MOVE_S  # noqa: PLC0415 - as above

    needed = [step for step in routine.steps if step.optional is None]
    guided = sum(step.seconds or 0.0 for step in needed if step.kind != "treat")
    moves = sum(len(step.zone_ids) for step in needed if step.kind == "treat")
    minutes = (output_seconds(routine) + guided + moves * MOVE_S) / 60
    return Choice(name, routine.title, routine.summary, minutes, routine.zones, ())
