"""Short tones through the player that the system brings along: pw-play, paplay, aplay, afplay, or Windows itself.

Makes the tones by itself, from sines, and runs the player without a shell. Waits for the player, so it is for a thread
of its own. Knows no session; where nothing can be heard it says so, and the terminal's bell is what is left.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from companion.cues import Cue
from companion.integrations.notifications import run_quietly

RATE_HZ: Final = 22050
LOUDNESS: Final = 0.3
"""Share of full scale: to be heard in a bathroom, and no fright."""

_EDGE_S: Final = 0.012  # rise and fall of a note, so that it does not click
_LOW, _MIDDLE, _HIGH, _TOP = 440.0, 554.4, 659.3, 880.0  # A major: A4, C sharp 5, E5, A5

NOTES: Final[Mapping[Cue, tuple[tuple[float, float], ...]]] = MappingProxyType(
    {
        Cue.NEXT: ((_LOW, 0.12), (_HIGH, 0.18)),
        Cue.BEGIN: ((_HIGH, 0.20),),
        Cue.HALF: ((_LOW, 0.14),),
        Cue.ASKED: ((_MIDDLE, 0.12), (_MIDDLE, 0.12), (_TOP, 0.20)),
        Cue.DONE: ((_LOW, 0.14), (_MIDDLE, 0.14), (_HIGH, 0.14), (_TOP, 0.30)),
        Cue.PAUSED: ((_HIGH, 0.16), (_LOW, 0.26)),
        Cue.LOST: ((_TOP, 0.14), (_LOW, 0.14), (_TOP, 0.14), (_LOW, 0.26)),
        Cue.ENDED: ((_HIGH, 0.14), (_MIDDLE, 0.14), (_LOW, 0.30)),
        Cue.REMINDER: ((_MIDDLE, 0.14), (_TOP, 0.24)),
    }
)
"""What each cue sounds like: notes as hertz and seconds. Up goes on, down stops, and no two are alike."""


def tone(cue: Cue) -> bytes:
    """Return a cue as a WAV file: 16 bit, one channel."""
    import io  # noqa: PLC0415 - these five for whoever wants sounds
    import struct  # noqa: PLC0415
    import wave  # noqa: PLC0415
    from itertools import chain  # noqa: PLC0415
    from math import pi, sin  # noqa: PLC0415

    def note(hertz: float, seconds: float) -> list[int]:
        count = int(seconds * RATE_HZ)
        edge = _EDGE_S * RATE_HZ
        return [
            int(32767 * LOUDNESS * min(1.0, at / edge, (count - at) / edge) * sin(2 * pi * hertz * at / RATE_HZ))
            for at in range(count)
        ]

    samples = list(chain.from_iterable(note(*one) for one in NOTES[cue]))
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(struct.pack(f"<{len(samples)}h", *samples))
    return out.getvalue()


def play_on_windows(path: Path) -> bool:
    """Play a WAV file by Windows' own means; False elsewhere, or where it cannot."""
    if sys.platform == "win32":
        import winsound  # noqa: PLC0415 - Windows alone has it

        try:
            winsound.PlaySound(str(path), winsound.SND_FILENAME | winsound.SND_NODEFAULT)
        except RuntimeError:
            return False
        return True
    return False


_PLAYERS: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = MappingProxyType(
    {"darwin": (("afplay",),), "linux": (("pw-play",), ("paplay",), ("aplay", "-q"))}
)


@dataclass(frozen=True, slots=True)
class Speaker:
    """Where sounds come from: the platform as ``sys.platform`` names it, and the environment.

    ``run`` runs a player and ``windows`` is Windows' own; tests give their own, and ``which`` too.
    """

    platform: str
    environ: Mapping[str, str]
    run: Callable[[Sequence[str], Mapping[str, str]], bool] = run_quietly
    which: Callable[[str], str | None] = shutil.which
    windows: Callable[[Path], bool] = play_on_windows

    @classmethod
    def this(cls) -> Speaker:
        """This computer's."""
        return cls(sys.platform, os.environ)

    @property
    def is_elsewhere(self) -> bool:
        """Whether the person sits at another computer than this one, by ssh: nobody would hear it here."""
        return bool(self.environ.get("SSH_CONNECTION"))

    @property
    def player(self) -> str | None:
        """The name of what plays; None where there is nothing to play with."""
        if self.platform == "win32":
            return "Windows"
        argv = self._argv()
        return None if argv is None else argv[0]

    @property
    def players(self) -> tuple[str, ...]:
        """The names of the players that would do here, the best first."""
        return tuple(argv[0] for argv in self._known())

    def play(self, path: Path) -> bool:
        """Play a WAV file to its end; False where it was not. Blocks for as long as that takes."""
        if self.is_elsewhere:
            return False
        if self.platform == "win32":
            return self.windows(path)
        argv = self._argv()
        return argv is not None and self.run((*argv, str(path)), self.environ)

    def _argv(self) -> tuple[str, ...] | None:
        return next((argv for argv in self._known() if self.which(argv[0]) is not None), None)

    def _known(self) -> tuple[tuple[str, ...], ...]:
        return _PLAYERS["darwin" if self.platform == "darwin" else "linux"]
