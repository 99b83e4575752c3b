"""Makes a test's transcript: what the virtual radio carried while the test ran, as a conversation by UUID.

It is taken at the radio, so it does not matter which bleak client the test used. Refuses to know when to record.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from protocols.registry import Registry
    from rig.radio.link import VirtualRadio
    from rig.replay.exchanges import Transcript

_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)  # any: a transcript begins at zero


class RecordingTestError(Exception):
    """What the test did makes no transcript; one line."""


class TestRecording:
    """Records what a radio carries, from now on."""

    __test__ = False  # no test, whatever its name says to pytest

    def __init__(self, radio: VirtualRadio) -> None:
        from rig.capture.writer import BtsnoopWriter  # noqa: PLC0415 - only who records needs it

        self._radio = radio
        self._folder = tempfile.TemporaryDirectory(prefix="rig-")
        self._path = Path(self._folder.name) / "test.btsnoop"
        self._writer = BtsnoopWriter(self._path, _EPOCH)
        radio.record(self._writer)

    def close(self) -> None:
        """End it and forget it. Safe to call twice."""
        self._radio.adapter.record(None)
        self._writer.close()
        self._folder.cleanup()

    def transcript(self, title: str, registry: Registry | None) -> Transcript:
        """Return what was said so far.

        Args:
            title: what the transcript says about where it comes from, the same in every run.
            registry: the protocols there are; None: the built-in and the installed ones.

        Raises:
            RecordingTestError: nothing was said, or on more than one connection.
        """
        from rig.capture.reading import Reading  # noqa: PLC0415
        from rig.replay.from_capture import extract, protocol_of  # noqa: PLC0415
        from rig.replay.talks import Talks  # noqa: PLC0415

        with Reading(self._path, None) as reading:
            talking = Talks(reading).talking
        if not talking:
            raise RecordingTestError("nothing was read, written or notified: there is nothing to record")
        if len(talking) > 1:
            raise RecordingTestError(
                f"the test talked on {len(talking)} connections and a transcript holds one: make a test of each"
            )
        transcript = extract(self._path).transcript
        protocol = transcript.protocol if registry is None else protocol_of(transcript, registry)
        return replace(transcript, protocol=protocol, source=title)
