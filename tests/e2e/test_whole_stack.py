"""Runner, connection, bleak backend, virtual radio and simulated Dr-05 together, through random trouble.

What the face-to-face machine proves of engine and protocol is proved here of what carries them: judged by what the
device put out. Each session follows from its seed; ``COMPANION_SESSIONS`` asks for more of them.
"""

from __future__ import annotations

import asyncio
import math
import os
import random
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest

from companion.demo import DemoRadio, open_demo
from companion.device.connection import Connection
from companion.device.finder import find
from companion.routines.model import load, plan_session
from companion.session.engine import SessionEngine
from companion.session.model import Feels, Intent, JournalEntry, JournalKind, Phase, Reason, Sensation, Summary, View
from companion.session.runner import GuidedSession
from protocols.dr05 import PROFILE
from protocols.registry import Registry
from rig import clock
from rig.devices.dr05 import SimulatedDr05

SESSIONS = int(os.environ.get("COMPANION_SESSIONS", "60"))

ROUTINE = """
format = 1
name = "trouble"
title = "Trouble"
summary = "Three zones."

[[steps]]
kind = "prepare"
title = "Gel"
text = "Spread the gel."
confirm = true

[[steps]]
kind = "treat"
zones = ["left-cheek", "forehead", "chin"]
passes = 1
seconds_per_pass = 20
share = 1.0
"""

STOP_S = 0.5
"""Off so long after a stop, where the device answers at all."""
HANG_UP_S = 1.2
"""Off so long after a stop, whatever the device does: three tries, and the end of the link."""
RISE_S = PROFILE.step_percent / PROFILE.ramp_percent_per_s


class Journal:
    """Keeps everything, in memory."""

    def __init__(self) -> None:
        self.entries: list[JournalEntry] = []
        self.summary: Summary | None = None

    def append(self, entries: Sequence[JournalEntry], t: float) -> None:
        del t
        self.entries += entries

    def finish(self, summary: Summary) -> None:
        self.summary = summary


class Trouble:
    """One session with a person and a device that behave as the seed says."""

    def __init__(self, seed: int, radio: DemoRadio, connection: Connection) -> None:
        assert isinstance(radio.device, SimulatedDr05)
        self.random = random.Random(seed)
        self.device = radio.device
        self.radio = radio
        self.connection = connection
        self.loop = asyncio.get_running_loop()
        self.journal = Journal()
        self.plan = plan_session(load(ROUTINE), PROFILE, comfortable_percent=30, first_session=True)
        self.session = GuidedSession(
            SessionEngine(self.plan, self.loop.time()), connection, self.journal, self._changed
        )
        self.stops: list[float] = []
        self.deaf: list[tuple[float, float]] = []
        self.cancelled = False

    def _changed(self, view: View) -> None:
        """The person is mostly willing: begins, confirms, goes on."""
        if view.phase is Phase.READY:
            self.loop.call_soon(self.session.intend, Intent.START)
        elif view.waits_for_confirm:
            self.loop.call_soon(self.session.intend, Intent.CONFIRM)
        elif view.can_resume:
            self.loop.call_later(self.random.uniform(0.0, 5.0), self.session.intend, Intent.RESUME)

    def stop(self) -> None:
        self.stops.append(self.loop.time())
        self.session.intend(Intent.STOP)

    def fall_silent(self) -> None:
        began = self.loop.time()
        for_s = self.random.choice([0.2, 1.0, 5.0])
        self.deaf.append((began, began + for_s))
        self.device.set_silent(silent=True, now=began)
        self.loop.call_later(for_s, lambda: self.device.set_silent(silent=False, now=self.loop.time()))

    def vanish(self) -> None:
        for_s = self.random.choice([0.1, 3.0, 20.0, 90.0])
        self.deaf.append((self.loop.time(), self.loop.time() + for_s))
        self.radio.peripheral.vanish()
        self.loop.call_later(for_s, self.radio.peripheral.reappear)

    def hear_a_water_report(self) -> None:
        low = self.random.random() < 0.5
        self.device.set_water_low(low, self.loop.time())

    def one_thing(self) -> Callable[[], None]:
        def intend(intent: Intent | Feels) -> Callable[[], None]:
            return lambda: self.session.intend(intent)

        return self.random.choice(
            [
                intend(Intent.PAUSE),
                intend(Intent.MORE),
                intend(Intent.LESS),
                intend(Intent.SKIP),
                intend(Intent.RESUME),
                intend(Feels(Sensation.UNCOMFORTABLE)),
                lambda: self.device.lose_reply(self.random.randint(1, 3)),
                self.fall_silent,
                self.vanish,
                self.hear_a_water_report,
                lambda: self.device.power_cycle(self.loop.time()),
            ]
        )

    async def run(self) -> Summary | None:
        """Run the session; None when it was cancelled."""
        at = self.loop.time() + 1
        for _ in range(self.random.randint(0, 6)):
            at += self.random.expovariate(1 / 10)
            self.loop.call_at(at, self.one_thing())
        running = asyncio.create_task(self.session.run())
        match self.random.randrange(3):
            case 0:
                self.loop.call_at(at + self.random.uniform(0, 30), self.stop)
            case 1:
                self.cancelled = True
                self.loop.call_at(at + self.random.uniform(0, 30), running.cancel)
            case _:
                pass
        try:
            return await running
        except asyncio.CancelledError:
            return None


async def trouble(seed: int) -> None:
    radio = await open_demo("dr05", seed)
    try:
        found = await find(radio, Registry.default(), 5.0, settle_s=0.0)
        one = Trouble(seed, radio, Connection(radio, found[0]))
        await one.connection.connect()
        summary = await one.run()
        ended_at = one.loop.time()
        await asyncio.sleep(100)
        judge(one, summary, ended_at)
    finally:
        await radio.close()


def judge(one: Trouble, summary: Summary | None, ended_at: float) -> None:
    levels = [(entry.time, entry.output_percent) for entry in one.device.trace]
    # H1: never above the cap, and thin skin has half of it
    assert max((level for _, level in levels), default=0) <= one.plan.limits.cap_percent
    # H2: starts at the lowest level, one step at a time, never faster than the ramp
    for (at, level), (then, risen) in pairwise([(-math.inf, 0.0), *levels]):
        if risen > level:
            assert risen - level <= PROFILE.step_percent
            assert level == 0 or then - at >= RISE_S - 1e-6
    # H3: off after every stop, by the stop or by the end of the link
    for stop in one.stops:
        deaf = any(began - 1 <= stop <= ended + 1 for began, ended in one.deaf)
        limit = HANG_UP_S if deaf else STOP_S
        assert level_at(levels, stop + limit) == 0, f"{level_at(levels, stop + limit)} % {limit} s after a stop"
    # every way out is a way to no output, and it stays so
    assert level_at(levels, ended_at + HANG_UP_S) == 0
    assert levels == [entry for entry in levels if entry[0] <= ended_at + HANG_UP_S]
    assert not one.connection.ready
    assert not one.connection.output_possible
    # the journal has an end that counts the traffic, whoever ended it
    if summary is not None:
        assert summary.reason is not Reason.DEFECT
        assert one.journal.summary == summary
        assert one.journal.entries[-1].kind is JournalKind.FINISHED
        assert one.journal.entries[-1].data["writes"] == one.connection.writes
    else:
        assert one.cancelled


def level_at(levels: list[tuple[float, float]], at: float) -> float:
    return next((level for time, level in reversed(levels) if time <= at), 0.0)


@pytest.mark.parametrize("first", range(0, SESSIONS, 10))
def test_h1_h2_h3_h5_through_the_whole_stack(first: int) -> None:
    for seed in range(first, min(first + 10, SESSIONS)):
        try:
            clock.run(trouble(seed))
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
