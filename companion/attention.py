"""How the app reaches a person who does not look at it: the terminal's bell, a tone, a notification of the system.

Never holds up the event loop: whatever takes time happens in a thread of its own, and whatever fails there is no
failure of the app. Knows neither a session nor what is due, only how it is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from companion.cues import Cue

if TYPE_CHECKING:
    from tempfile import TemporaryDirectory

    from companion.integrations.notifications import Desktop
    from companion.integrations.sound import Speaker

GAP_S: Final = 0.25
"""Seconds between two bells: terminals make one sound of those that follow closer."""

BELLS: Final[Mapping[Cue, int]] = MappingProxyType(
    {
        Cue.BEGIN: 1,
        Cue.HALF: 1,
        Cue.ASKED: 1,
        Cue.REMINDER: 1,
        Cue.NEXT: 2,
        Cue.DONE: 3,
        Cue.PAUSED: 4,
        Cue.LOST: 4,
        Cue.ENDED: 4,
    }
)
"""How often the bell rings: once to go on here, twice to move, three times when all is done, four times to look up."""

Job = Callable[[], None]


class Errands:
    """Runs jobs one after the other in a thread that ends with the program, however long a job takes.

    ``most`` may wait; a further one takes the place of the oldest, which is out of date by then.
    """

    def __init__(self, most: int) -> None:
        self._jobs: deque[Job] = deque(maxlen=most)
        self._something = threading.Condition()
        self._thread: threading.Thread | None = None
        self._ended = False

    def __call__(self, job: Job) -> None:
        """Take a job; returns at once."""
        with self._something:
            if self._ended:
                return
            self._jobs.append(job)
            self._something.notify()
            if self._thread is None:
                # A thread of the event loop's executor would have to be waited for when the app ends.
                self._thread = threading.Thread(target=self._run, name="attention", daemon=True)
                self._thread.start()

    def end(self) -> None:
        """Forget what waits, and take nothing more; what runs is let run."""
        with self._something:
            self._ended = True
            self._jobs.clear()
            self._something.notify()

    def _run(self) -> None:
        while True:
            with self._something:
                while not self._jobs:
                    if self._ended:
                        return
                    self._something.wait()
                job = self._jobs.popleft()
            job()


class Attention:
    """One person's attention, on the running event loop.

    ``bell`` rings the terminal's bell once; ``sounds`` and ``notes`` take what takes time (tests run it at once).
    ``cues`` is what the setting says: ``bell``, ``sound`` or ``off``.
    """

    def __init__(
        self,
        bell: Callable[[], None],
        speaker: Speaker,
        desktop: Desktop,
        *,
        sounds: Callable[[Job], None] | None = None,
        notes: Callable[[Job], None] | None = None,
    ) -> None:
        self.cues = "bell"
        self._bell = bell
        self._speaker = speaker
        self._desktop = desktop
        self._own = [] if sounds and notes else [Errands(1), Errands(8)]
        self._sounds = sounds or self._own[0]
        self._notes = notes or self._own[1]
        self._loop = asyncio.get_running_loop()
        self._more: asyncio.TimerHandle | None = None
        self._mute = False
        self._folder: TemporaryDirectory[str] | None = None

    def cue(self, cue: Cue) -> None:
        """Let a cue be heard, as it is set; the one before it is not gone on with."""
        self._hush()
        if self.cues == "off":
            return
        if self.cues == "sound" and not self._mute:
            self._sounds(lambda: self._play(cue))
        else:
            self._ring(BELLS[cue])

    def notify(self, title: str, text: str) -> None:
        """Have the system show a notification. Without one there is none: ``companion doctor`` says why."""
        self._notes(lambda: self._show(title, text))

    def end(self) -> None:
        """Be quiet from now on, and leave nothing behind."""
        self._hush()
        for errands in self._own:
            errands.end()
        if self._folder is not None:
            self._folder.cleanup()

    # --- the bell -----------------------------------------------------------------------------------------------------

    def _ring(self, times: int) -> None:
        self._more = None
        self._bell()
        if times > 1:
            self._more = self._loop.call_later(GAP_S, self._ring, times - 1)

    def _hush(self) -> None:
        if self._more is not None:
            self._more.cancel()
            self._more = None

    # --- in a thread --------------------------------------------------------------------------------------------------

    def _play(self, cue: Cue) -> None:
        try:
            heard = self._speaker.play(self._file(cue))
        except Exception:  # noqa: BLE001 - whatever is wrong with a sound is in no session's way
            heard = False
        if not heard:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is here any more
                self._loop.call_soon_threadsafe(self._unheard, cue)

    def _unheard(self, cue: Cue) -> None:
        """Nothing came of a sound: the bell from now on, beginning with this cue."""
        self._mute = True
        self.cue(cue)

    def _file(self, cue: Cue) -> Path:
        """The cue as a file, in a folder of this program alone."""
        if self._folder is None:
            from tempfile import TemporaryDirectory  # noqa: PLC0415 - for whoever wants sounds

            self._folder = TemporaryDirectory(prefix="companion-cues-", ignore_cleanup_errors=True)
        path = Path(self._folder.name) / f"{cue}.wav"
        if not path.exists():
            from companion.integrations.sound import tone  # noqa: PLC0415 - as above

            path.write_bytes(tone(cue))
        return path

    def _show(self, title: str, text: str) -> None:
        with contextlib.suppress(Exception):  # as for a sound
            self._desktop.notify(title, text)
