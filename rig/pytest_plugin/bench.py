"""What the rig does for one test: which device it gets, what is judged when it ends, and the files it used or wrote.

One :class:`Bench` a test, made when the first fixture asks for it; a test without has nothing to do with this module.
Refuses to know fixtures and options by themselves: they hand in what they found.
"""

from __future__ import annotations

import asyncio
import os
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn

import pytest

from rig.pytest_plugin.files import transcript_path

if TYPE_CHECKING:
    from protocols.registry import Registry
    from rig.devices.model import SimulatedDevice
    from rig.radio.fault_plan import FaultPlan
    from rig.radio.faults import FaultyDevice
    from rig.radio.link import VirtualRadio
    from rig.radio.peripheral import Peripheral
    from rig.replay.exchanges import Transcript
    from rig.replay.peripheral import Order, TranscriptDevice

Kept = Literal["recorded", "written"]
"""What was done to a file, as the summary says it."""

AS_THE_LOOP: Final = -1.0
"""Tolerance of time where none is given: the replay's own in virtual time; on the wall clock, where a busy machine is
late, none."""

_JUDGED_BY: Final = frozenset({"order", "tolerance_s"})
_OPTIONS: Final = _JUDGED_BY | {"link", "protocol"}
_KEY: Final = pytest.StashKey["Bench"]()


class Bench:
    """What the rig does for one test."""

    def __init__(self, item: pytest.Item) -> None:
        self.item = item
        self.registry: Registry | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self.radio: VirtualRadio | None = None
        self.peripheral: Peripheral | None = None
        self.kept: list[tuple[Kept, str]] = []
        """What was done to which file; paths as the person would type them."""
        self.plan_used = False
        self.recorded_used = False
        self._endings: list[Callable[[bool], str]] = []

    # ---- the test -------------------------------------------------------------------------------------------------

    @property
    def test_id(self) -> str:
        """What stands behind the file in the test's node id."""
        return str(self.item.nodeid).partition("::")[2] or self.item.name

    @property
    def command(self) -> str:
        """The test as an argument of pytest, from where pytest was started."""
        return shlex.quote(f"{self.shown(self.item.path)}::{self.test_id}")

    def shown(self, path: Path) -> str:
        """Return a path as the person would type it, from where pytest was started."""
        return shown_from(self.item.config, path)

    def beside(self, name: str | Path) -> Path:
        """Return a path that is relative to the test file."""
        return self.item.path.parent / name

    def fail(self, text: str) -> NoReturn:
        """Fail the test with words instead of a traceback through the plugin."""
        raise pytest.fail.Exception(text, pytrace=False) from None

    def note(self, kept: Kept, path: Path) -> None:
        """Note what was done to a file, for the summary."""
        self.kept.append((kept, self.shown(path)))

    # ---- transcripts ----------------------------------------------------------------------------------------------

    @property
    def own_transcript(self) -> Path:
        """Where the transcript of this test id is, or will be."""
        return transcript_path(self.item.path, self.test_id)

    @property
    def is_recorded(self) -> bool:
        """Whether the test's device is played from the transcript of its id."""
        marker = self.item.get_closest_marker("rig_transcript")
        if marker is not None and (marker.args or set(marker.kwargs) - _JUDGED_BY):
            self.fail("rig_transcript takes order and tolerance_s alone: the file follows from the test's id")
        return marker is not None

    @property
    def is_recording(self) -> bool:
        """Whether that transcript is being made in this run."""
        update, record = self.item.config.getoption("rig_update"), self.item.config.getoption("rig_record")
        return self.is_recorded and bool(update or (record and not self.own_transcript.exists()))

    @property
    def capture(self) -> Path | None:
        """The file that the marker ``rig_capture`` names."""
        marker = self.item.get_closest_marker("rig_capture")
        if marker is None:
            return None
        if len(marker.args) != 1 or not isinstance(marker.args[0], str | Path) or set(marker.kwargs) - _OPTIONS:
            self.fail(
                'rig_capture takes a file, relative to the test file: rig_capture("lamp.btsnoop", '
                f"{', '.join(f'{name}=…' for name in ('link', 'protocol', 'order', 'tolerance_s'))})"
            )
        return self.beside(marker.args[0])

    @property
    def transcript_shown(self) -> str:
        """The file that is replayed, for people."""
        return self.shown(self.capture or self.own_transcript)

    def transcript(self) -> Transcript:
        """Return what the test replays: of ``rig_capture``, else of its own id."""
        from rig.capture.records import CaptureError  # noqa: PLC0415 - only who replays needs it
        from rig.commands.faults import RigError  # noqa: PLC0415
        from rig.replay.from_capture import protocol_of, transcript_of  # noqa: PLC0415

        self.recorded_used = True
        capture = self.capture
        if capture is None:
            self._expect_own_transcript()
        options = self._options("rig_capture")
        key = options.get("protocol")
        path = capture or self.own_transcript
        try:
            transcript = transcript_of(path, link=options.get("link"))
        except (CaptureError, RigError, OSError) as error:
            self.fail(str(error).replace(str(path), self.shown(path)))
        if self.registry is not None and not transcript.protocol:
            transcript = replace(transcript, protocol=protocol_of(transcript, self.registry))
        return transcript if key is None else replace(transcript, protocol=key)

    def _expect_own_transcript(self) -> None:
        shown = self.shown(self.own_transcript)
        if self.is_recording:
            self.fail(f"{shown}: is being recorded in this run, and can be asked for in the next")
        if self.own_transcript.exists():
            return
        if self.is_recorded:
            self.fail(f"{shown}: this test has no transcript yet; record it with `pytest --rig-record {self.command}`")
        self.fail(
            f"{shown}: this test has no transcript: name a file with @pytest.mark.rig_capture, or let it be recorded "
            "with @pytest.mark.rig_transcript"
        )

    def _options(self, name: str) -> dict[str, Any]:
        marker = self.item.get_closest_marker(name)
        return dict(marker.kwargs) if marker is not None else {}

    # ---- devices --------------------------------------------------------------------------------------------------

    @property
    def replays(self) -> bool:
        """Whether the test's device is a transcript's."""
        return self.capture is not None or (self.is_recorded and not self.is_recording)

    def replayed_device(self, order: Order | None = None, tolerance_s: float | None = AS_THE_LOOP) -> TranscriptDevice:
        """Return the transcript as a device, and have it judged when the test ends; on the test's running loop."""
        from rig.clock import VirtualTimeLoop  # noqa: PLC0415
        from rig.replay.peripheral import TOLERANCE_S, TranscriptDevice  # noqa: PLC0415

        options = self._options("rig_capture" if self.capture is not None else "rig_transcript")
        if tolerance_s == AS_THE_LOOP:
            tolerance_s = options.get("tolerance_s", AS_THE_LOOP)
        if tolerance_s == AS_THE_LOOP:
            tolerance_s = TOLERANCE_S if isinstance(asyncio.get_running_loop(), VirtualTimeLoop) else None
        order = order or options.get("order", "strict")
        if order not in ("strict", "by-characteristic"):
            self.fail(f'there is no order {order!r}: use "strict" or "by-characteristic"')
        return TranscriptDevice(self.transcript(), order=order, tolerance_s=tolerance_s)

    def plan(self) -> FaultPlan | None:
        """Return the plan that the marker ``rig_faults`` names."""
        marker = self.item.get_closest_marker("rig_faults")
        if marker is None:
            return None
        from rig.radio.fault_plan import FaultPlan, FaultPlanError  # noqa: PLC0415

        self.plan_used = True
        if len(marker.args) != 1 or marker.kwargs:
            self.fail('rig_faults takes a plan, relative to the test file: rig_faults("bad-day.toml")')
        if self.is_recorded:
            self.fail(
                "rig_faults and rig_transcript do not go together: what went wrong would be recorded, and go wrong "
                "again when it is replayed; use rig_capture"
            )
        if isinstance(marker.args[0], FaultPlan):
            return marker.args[0]
        try:
            return FaultPlan.load(self.beside(marker.args[0]))
        except FaultPlanError as error:
            self.fail(f"rig_faults: {error}")

    def faulty(self, device: SimulatedDevice) -> FaultyDevice | None:
        """Return the device with the test's fault plan before it; None where the test has none."""
        plan = self.plan()
        if plan is None:
            return None
        from rig.radio.faults import FaultPlanError, FaultyDevice  # noqa: PLC0415

        try:
            return FaultyDevice(device, plan)
        except FaultPlanError as error:
            self.fail(str(error))

    # ---- its end --------------------------------------------------------------------------------------------------

    def at_end(self, ending: Callable[[bool], str]) -> None:
        """Have something done when the test's own code has ended, on the way to its verdict.

        Args:
            ending: is told whether the test has passed so far, and returns what is wrong, empty for nothing.
        """
        self._endings.append(ending)

    def end(self, *, passed: bool) -> list[str]:
        """Return what is wrong at the test's end, each a text for people."""
        endings, self._endings = self._endings, []
        return [wrong for wrong in (ending(passed) for ending in endings) if wrong]


def shown_from(config: pytest.Config, path: Path) -> str:
    """Return a path as the person would type it, from where pytest was started."""
    try:
        return Path(os.path.relpath(path, config.invocation_params.dir)).as_posix()
    except ValueError:  # another drive
        return str(path)


def bench_of(item: pytest.Item) -> Bench:
    """Return the bench of a test, made now if need be."""
    if _KEY not in item.stash:
        item.stash[_KEY] = Bench(item)
    return item.stash[_KEY]


def existing_bench(item: pytest.Item) -> Bench | None:
    """Return the bench of a test that has one."""
    return item.stash.get(_KEY, None)


def forget_bench(item: pytest.Item) -> None:
    """Let a test that is run again begin anew."""
    if _KEY in item.stash:
        del item.stash[_KEY]
