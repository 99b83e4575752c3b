"""What the app is given from outside: the seam between screens and everything that has a radio, a file or a date.

The screens know these values alone. ``companion.joining`` makes them from the real parts; tests make their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

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
    """One routine in the list. ``refusal`` says why it cannot be done with this device; empty when it can."""

    name: str
    title: str
    summary: str
    minutes: float
    zones: tuple[str, ...]
    prepare: tuple[PlannedStep, ...]
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """One question of the screening or of today; ``kind`` is ``block``, ``ask`` or ``today``."""

    id: str
    text: str
    kind: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Past:
    """One line of the history."""

    when: datetime
    title: str
    device: str
    ended: str
    minutes: float
    zones: Mapping[str, float]
    demo: bool


@dataclass(frozen=True, slots=True)
class Started:
    """A session that has been let in: everything that its screens draw from. ``close`` is called once it is over."""

    session: RunningSession
    plan: SessionPlan
    device_name: str
    close: Callable[[], None]


class NotFoundError(Exception):
    """Looking for devices failed: ``reason`` in one line, ``advice`` the one thing to try."""

    def __init__(self, reason: str, advice: str) -> None:
        super().__init__(f"{reason}: {advice}")
        self.reason = reason
        self.advice = advice


class NotTodayError(Exception):
    """The one door to a session stays shut; the message says why, in words for the person."""


class Home(Protocol):
    """The app's household: store, calendar, radio, protocols and routines behind plain questions."""

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

    async def look(self, on_device: Callable[[Device], None]) -> list[Device]:
        """Look for devices, the nearest first.

        Raises:
            NotFoundError: the radio cannot look.
        """

    def choices(self, profile: DeviceProfile) -> Sequence[Choice]:
        """The routines, those that fit this device first."""

    def start(
        self, choice: Choice, device: Device, today: Mapping[str, bool], on_change: Callable[[View], None]
    ) -> Started:
        """Open the one door to a session.

        Raises:
            NotTodayError: screening, rest, today's answers, profile or routine forbid it.
        """

    def note(self) -> str:
        """One line for the choice of a routine: when the last session was."""

    def history(self) -> Sequence[Past]:
        """What has been done, the newest first."""

    async def close(self) -> None:
        """Give the radio and the store back."""
