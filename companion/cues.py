"""What a person should hear of a session that they follow with closed eyes: one cue at each turn of it.

Looks at views alone, one after the other. Knows no bell, no sound and no screen; sends nothing to anybody's device.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from companion.session.model import Output, Phase, Reason

if TYPE_CHECKING:
    from companion.session.model import View

HALF_FROM_S: Final = 10.0
"""Steps shorter than this have no cue at their half: the next one is near enough."""


class Cue(StrEnum):
    """One thing to be heard. None of them says that the output is off: that is for words, once it is confirmed."""

    NEXT = "next"  # another zone or step: move the wand
    BEGIN = "begin"  # output begins on this zone
    HALF = "half"  # half of this zone or step is over
    ASKED = "asked"  # there is a question: what do you feel?
    DONE = "done"  # all of it is done
    PAUSED = "paused"  # by the person, or because contact was lost
    LOST = "lost"  # the connection is gone
    ENDED = "ended"  # over before its end
    REMINDER = "reminder"


class Turns:
    """Tells what is new in a view since the one before it."""

    def __init__(self) -> None:
        self._phase = Phase.WAITING
        self._step = -1
        self._asked = False

    def follow(self, view: View) -> Cue | None:
        """Return the cue for the step from the view before to this one; None for none."""
        phase, step, asked = self._phase, self._step, self._asked
        self._phase, self._asked = view.phase, view.ask_sensation
        if view.phase in {Phase.GUIDING, Phase.MOVING, Phase.TREATING}:
            self._step = view.step_index
        if view.phase is not phase:
            match view.phase:
                case Phase.PAUSED:
                    return Cue.PAUSED
                case Phase.LINK_LOST:
                    return Cue.LOST
                case Phase.FINISHED:
                    completed = view.summary is not None and view.summary.reason is Reason.COMPLETED
                    return Cue.DONE if completed else Cue.ENDED
                case Phase.TREATING:
                    return Cue.BEGIN
                case _:
                    pass
        if view.phase in {Phase.GUIDING, Phase.MOVING} and view.step_index != step:
            return Cue.NEXT
        return Cue.ASKED if view.ask_sensation and not asked else None


def half_in(view: View) -> float | None:
    """Return the seconds until half of the step is over; None where its time does not run, or half of it is over."""
    if view.step.seconds < HALF_FROM_S:
        return None
    treats = view.phase is Phase.TREATING and view.output is Output.ON
    if not treats and not (view.phase is Phase.GUIDING and not view.waits_for_confirm):
        return None
    left = view.step.seconds / 2 - view.step_elapsed_s
    return left if left > 0 else None


class Cues:
    """Follows a session on the running event loop, and tells ``ring`` each cue at its moment."""

    def __init__(self, ring: Callable[[Cue], None]) -> None:
        self._ring = ring
        self._turns = Turns()
        self._half: asyncio.TimerHandle | None = None
        self._halved = -1  # the step that has had its half

    def follow(self, view: View) -> None:
        """Take the session's news. Called after whatever the news asks of a device."""
        cue = self._turns.follow(view)
        if cue is not None:
            self._ring(cue)
        self.end()
        left = half_in(view)
        if left is not None and view.step_index != self._halved:
            self._half = asyncio.get_running_loop().call_later(left, self._at_half, view.step_index)

    def _at_half(self, step_index: int) -> None:
        self._half = None
        self._halved = step_index
        self._ring(Cue.HALF)

    def end(self) -> None:
        """Wait for no half any more."""
        if self._half is not None:
            self._half.cancel()
            self._half = None
