"""What the app is given from outside: the seam between screens and everything that has a radio, a file or a date.

The screens know these values alone. ``companion.household`` makes them from the real parts; tests make their own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import date, time

    from companion.almanac import Almanac
    from companion.device.pairing import Pairer
    from companion.integrations.mqtt_settings import MqttSettings
    from companion.past import Past
    from companion.profile import Profile
    from companion.screens.settings import Keeper
    from companion.session.model import Feels, Intent, PlannedStep, SessionPlan, Summary, View
    from protocols.model import DeviceProfile


class RunningSession(Protocol):
    """A session as the screens see it: :class:`companion.session.runner.GuidedSession` is one."""

    @property
    def view(self) -> View:
        """The session as of this moment."""

    @property
    def output_possible(self) -> bool:
        """True unless the device is known to be without output."""

    def intend(self, intent: Intent | Feels) -> None:
        """Do what the person wants; a stop's write is under way before this returns."""

    async def run(self) -> Summary:
        """Guide to the end; when cancelled, stop first."""


@dataclass(frozen=True, slots=True)
class Device:
    """One device in reach. ``handle`` is the finder's own value and nobody else's business."""

    address: str
    name: str
    rssi: int
    profile: DeviceProfile
    handle: object


@dataclass(frozen=True, slots=True)
class Choice:
    """One routine in the list. ``refusal`` says why it cannot be done with this device; empty when it can.

    ``prepare`` is what is ticked off before the session. ``before_optional`` is how much of it comes before the first
    of the routine's optional steps; None where it has none.
    """

    name: str
    title: str
    summary: str
    minutes: float
    zones: tuple[str, ...]
    prepare: tuple[PlannedStep, ...]
    refusal: str = ""
    before_optional: int | None = None


@dataclass(frozen=True, slots=True)
class OptionalStep:
    """A step to be asked for; ``refusal`` says why not today, empty where it can be had."""

    name: str
    question: str
    text: str
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """One question of the screening, of today or of the skin; ``kind`` is ``block``, ``ask``, ``today`` or ``skin``."""

    id: str
    text: str
    kind: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Wish:
    """One question of the consultation; ``choices`` are ids and words. ``several``: any number of them, or none."""

    id: str
    text: str
    choices: tuple[tuple[str, str], ...]
    several: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Proposed:
    """A plan as it is proposed, with its reasons. ``weekdays`` are 0 (Monday) to 6, none for any.

    ``handle`` is the household's own value and nobody else's business.
    """

    title: str
    summary: str
    routine: str
    minutes: int
    reasons: tuple[str, ...]
    today: date
    start: date
    weekdays: tuple[int, ...]
    at: time
    handle: object


@dataclass(frozen=True, slots=True)
class Patch:
    """Where the patch test stands: ``text`` for the person, and the answers to give (id, words); none while it waits.

    ``test`` is the routine that begins with the test, empty where there is none to be had.
    """

    title: str
    text: str
    answers: tuple[tuple[str, str], ...] = ()
    test: str = ""


@dataclass(frozen=True, slots=True)
class Skin:
    """What a skin check says: whether a session may follow, and lines for the person."""

    allowed: bool
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Glance:
    """Everything that the screen of today shows. Empty texts are left out.

    ``planned`` is the routine that the plan has for today, empty where enter leads to the routines. ``zones`` are those
    to show on the face. ``days`` are five weeks from a Monday on, each a date and the plan's mark for it; none without
    a plan. ``goal_ml`` is None where fluids are limited. ``patch``: the patch test waits to be looked at.
    """

    headline: str
    detail: str
    planned: str
    zones: tuple[str, ...]
    phase: str
    days: tuple[tuple[date, str], ...]
    today: date
    water_ml: int
    goal_ml: int | None
    glass_ml: int
    tip: str
    milestone: str = ""
    person: str = ""
    has_plan: bool = True
    patch: bool = False


@dataclass(frozen=True, slots=True)
class After:
    """What there is to say after a session: how it felt, in the person's own answers, and what comes next."""

    felt: str
    next: str


@dataclass(frozen=True, slots=True)
class Started:
    """A session that has been let in: everything that its screens draw from. ``close`` is called once it is over.

    ``handle`` is the household's own value and nobody else's business.
    ``no_go`` are the zones that the person never treats. ``hold`` is the hand in a demo: False lifts the simulated
    device from the skin, True lays it there with fresh gel; None where the person holds it, or where it feels no skin.
    """

    session: RunningSession
    plan: SessionPlan
    device_name: str
    close: Callable[[], None]
    handle: object = None
    no_go: tuple[str, ...] = ()
    hold: Callable[[bool], None] | None = None


@dataclass(slots=True)
class Search:
    """How the look for devices goes, kept by the app and drawn by screens.

    ``devices`` is by address; ``since`` the loop's time while a look goes on; ``failure`` headline, reason and advice.
    """

    devices: dict[str, Device] = field(default_factory=dict)
    since: float | None = None
    failure: tuple[str, str, str] | None = None


class NotFoundError(Exception):
    """Looking for devices failed: ``reason`` in one line, ``advice`` the one thing to try."""

    def __init__(self, reason: str, advice: str) -> None:
        super().__init__(f"{reason}: {advice}")
        self.reason = reason
        self.advice = advice


class NotTodayError(Exception):
    """The one door to a session stays shut; the message says why, in words for the person."""


@dataclass(frozen=True, slots=True)
class Preferences:
    """What the app itself follows of the settings; ``theme`` is ``dark``, ``light``, or ``auto`` for the terminal's.

    ``cues`` is ``bell``, ``sound`` or ``off``. ``notify``: reminders as notifications of the system, ``only_when_away``
    only while the terminal is not in front.
    """

    theme: str = "auto"
    mirror: bool = True
    motion: bool = True
    cues: str = "bell"
    notify: bool = True
    only_when_away: bool = True


class Home(Protocol):
    """The app's household: store, calendar, radio, protocols and routines behind plain questions.

    What is asked of it is about the person whose turn it is, and about nobody else.
    """

    @property
    def demo(self) -> str | None:
        """The key of the virtual device, or None with a real radio."""

    def open(self) -> None:
        """Open what is kept; called once, after the first frame.

        Raises:
            CompanionError: the folder or the database cannot be used; one line for the person.
        """

    def screening_needed(self) -> bool:
        """Whether the questions have to be answered (never, or too long ago)."""

    def screening_questions(self) -> Sequence[Question]:
        """The questions of the screening, the blocking ones first."""

    def today_questions(self) -> Sequence[Question]:
        """The questions of today."""

    def save_screening(self, answers: Mapping[str, str], agreed: Sequence[str]) -> None:
        """Keep the answers (question id to ``no``, ``yes`` or ``not sure``) and where a doctor has agreed."""

    def blocked(self) -> tuple[str, ...]:
        """Why the screening forbids every session, one line each; empty when it does not."""

    # --- whose turn it is ---------------------------------------------------------------------------------------------

    def people(self) -> Sequence[str]:
        """Everyone of this household, in the order in which they joined."""

    def whose_turn(self) -> str:
        """The name of the person whom everything here is about."""

    def choose_person(self, name: str) -> None:
        """Make it another person's turn: from here on everything is about them alone.

        Raises:
            CompanionError: nobody is called so.
        """

    def rename_person(self, name: str, new: str) -> None:
        """Call a person something else.

        Raises:
            CompanionError: the new name is no name, or taken.
        """

    def remove_person(self, name: str) -> None:
        """Forget a person and all that is theirs; whose turn it is afterwards is in :meth:`whose_turn`.

        Should nobody be left, somebody without a name begins anew in their place.

        Raises:
            CompanionError: a session is running elsewhere, or not all of it could be deleted.
        """

    @property
    def profile(self) -> Profile:
        """Limits, zones, a doctor's word and what the skin rests after, of the person whose turn it is."""

    def add_person(self, name: str) -> None:
        """Add a person, without making it their turn.

        Raises:
            CompanionError: the name is no name, or taken.
        """

    # --- plan, water, settings ----------------------------------------------------------------------------------------

    @property
    def almanac(self) -> Almanac:
        """Plan, water, skin and reminders of the person whose turn it is; a demo has its own."""

    @property
    def settings(self) -> Keeper:
        """Where the settings are kept, for the screen that changes them."""

    def home_assistant(self) -> MqttSettings:
        """What is set for the link to Home Assistant as it is now; with a device id where the link is on.

        Raises:
            CompanionError: the settings take no device id.
        """

    def tells_the_day(self) -> bool:
        """Whether this program tells Home Assistant the day: of several that are open at once, one does."""

    def preferences(self) -> Preferences:
        """What the app itself follows of the settings, as they are now."""

    def glance(self, profile: DeviceProfile | None) -> Glance:
        """Today in a few values; ``profile`` is that of the device in reach, None where there is none."""

    # --- consultation -------------------------------------------------------------------------------------------------

    def wishes(self) -> Sequence[Wish]:
        """The questions of the consultation."""

    def propose(self, answers: Mapping[str, Sequence[str]]) -> Proposed:
        """Keep the answers (question id to choice ids), and return the plan that suits them. Nothing is begun."""

    def follow(self, proposed: Proposed, start: date, weekdays: Sequence[int], at: time) -> None:
        """Follow a proposed plan from ``start`` on, on these weekdays (none: any), at that time of day."""

    # --- skin ---------------------------------------------------------------------------------------------------------

    def skin_questions(self) -> Sequence[Question]:
        """The questions of the skin check, each answered from 1 (not at all) to 5 (very)."""

    def check_skin(self, scores: Mapping[str, int]) -> Skin:
        """Keep a skin check (question id to score), and say what it means for now."""

    def patch(self, choice: Choice) -> Patch | None:
        """What the patch test asks for before this routine; None for nothing."""

    def patch_to_look_at(self) -> Patch | None:
        """The patch test that waits for the person's look, or for a doctor's word; None where none does."""

    def answer_patch(self, answer: str) -> None:
        """Keep an answer of :class:`Patch`."""

    # --- devices, routines, sessions ----------------------------------------------------------------------------------

    async def look(self, on_device: Callable[[Device], None]) -> list[Device]:
        """Look for devices, the nearest first.

        Raises:
            NotFoundError: the radio cannot look.
        """

    def choices(self, profile: DeviceProfile | None) -> Sequence[Choice]:
        """The routines, those that fit this device first; all of them, unplanned, where no device is known."""

    def optional(self, choice: Choice) -> Sequence[OptionalStep]:
        """The optional steps of a routine, as the skin is now."""

    def with_optional(self, choice: Choice, profile: DeviceProfile, optional: Collection[str]) -> Choice:
        """The routine with these optional steps: what is ticked off before it is no longer the same."""

    def pair_with(self, pairer: Pairer, displayed: Callable[[int], object]) -> None:
        """Let ``pairer`` be asked when a device has to be paired; ``displayed`` hears what a virtual device shows."""

    def start(
        self,
        choice: Choice,
        device: Device,
        today: Mapping[str, bool],
        on_change: Callable[[View], None],
        optional: Collection[str] = (),
    ) -> Started:
        """Open the one door to a session, with these of the routine's optional steps.

        Raises:
            NotTodayError: screening, skin, rest, today's answers, profile or routine forbid it.
        """

    def ended(self, started: Started, summary: Summary) -> After:
        """Note what a session's end brings with it, and return what there is to say."""

    def note(self) -> str:
        """One line for the choice of a routine: when the last session was."""

    @property
    def past(self) -> Past:
        """What was done, to be seen again."""

    def titles(self) -> Mapping[str, str]:
        """The names of the routines, by their ids."""

    async def close(self) -> None:
        """Give the radio and the store back."""
