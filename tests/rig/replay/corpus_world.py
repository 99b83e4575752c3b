"""A folder of recordings as somebody would collect them over months: most are fine, some are not, one is damaged."""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from threading import Event
from typing import Final

from rig.devices.dr05 import SimulatedDr05
from rig.replay import corpus
from rig.replay.corpus import outcome_of
from rig.replay.exchanges import Transcript
from rig.replay.job import Job
from rig.replay.outcome import Outcome
from rig.replay.transcript import dumps, save
from tests.rig.replay.dr05_talk import MAKERS_TOTAL_STOP, Talk, level, stop, total_stop
from tests.rig.replay.recorded_talk import foreo_session, with_byte

FAILING: Final[Mapping[str, str]] = {
    "leap": "the protocol forbids",
    "makers_stop": "the protocol would never write this",
    "garbled": "not understood",
}
"""Ways in which a recording goes wrong as decoder, and a part of what is said then."""


def dr05(chance: random.Random, title: str, wrong: str = "") -> Transcript:
    """A talk with a Dr-05: a start, a rise, a stop. ``wrong`` says what goes wrong in it, if anything."""
    top = chance.randint(2, 9)
    talk = Talk().started().risen(top, wait_s=chance.choice([0.15, 0.2, 0.35]))
    if wrong == "leap":
        talk.echoed(level(top + 40))
    if wrong == "makers_stop":
        talk.write(MAKERS_TOTAL_STOP)
    talk.echoed(stop()).echoed(total_stop()).hung_up()
    transcript = replace(talk.transcript(title), services=SimulatedDr05().services)
    if wrong == "garbled":
        answers = [index for index, one in enumerate(transcript.exchanges) if one.does == "notification"]
        transcript = with_byte(transcript, chance.choice(answers), 0, 0x00)
    return transcript


@cache
def _foreo() -> Transcript:
    session = foreo_session()
    return replace(session, exchanges=(*session.exchanges[:-1], replace(session.exchanges[-1], by="app")))


def foreo(chance: random.Random, title: str) -> Transcript:
    """A talk with a FOREO, some milliseconds slower each time."""
    slower = chance.randint(0, 40) * 1_000_000
    exchanges = [replace(one, at_ns=one.at_ns + index * slower // 10) for index, one in enumerate(_foreo().exchanges)]
    return replace(_foreo(), title=title, exchanges=tuple(exchanges))


def write_corpus(folder: Path, count: int, seed: int) -> dict[str, str]:
    """Write ``count`` recordings into folders by device; return each one's path below ``folder`` and how it ends.

    One is ``damaged``, one in ten goes wrong in one of the ways of :data:`FAILING`, the others are ``fine``. Recordings
    of the two devices have the same names, and many the same title.
    """
    chance = random.Random(seed)
    damaged = chance.randrange(count)
    ways: dict[str, str] = {}
    makers: dict[str, Callable[[random.Random, str], Transcript]] = {"dr05": dr05, "foreo": foreo}
    for number in range(count):
        device = "foreo" if number % 2 else "dr05"
        path = folder / device / f"{number // 2:03}.transcript"
        path.parent.mkdir(parents=True, exist_ok=True)
        title = f"{device} in the {chance.choice(['morning', 'evening'])}"
        way = "damaged" if number == damaged else "fine"
        if way == "fine" and device == "dr05" and number % 10 == 0:
            way = list(FAILING)[number // 10 % len(FAILING)]
            save(dr05(chance, title, way), path)
        elif way == "damaged":
            path.write_text(dumps(makers[device](chance, title))[:-20], encoding="utf-8")
        else:
            save(makers[device](chance, title), path)
        ways[path.relative_to(folder).as_posix()] = way
    return ways


# --- what workers are given to play with: functions of a module, so that another process finds them -------------------


def dies_at_004(path: str, job: Job) -> Outcome:
    """Plays, but for one recording in the middle of which its process is killed."""
    if path.endswith("004.transcript"):
        os.kill(os.getpid(), signal.SIGKILL)
    return outcome_of(path, job)


def has_a_defect(path: str, job: Job) -> Outcome:
    """What a protocol of somebody else's may do."""
    raise LookupError(f"{len(path) and job.role}\nof theirs")


def never_ends(path: str, job: Job) -> Outcome:
    """Says who plays, and plays on until it is ended."""
    sys.stdout.write(f"{os.getpid()}\n")
    sys.stdout.flush()
    Event().wait()
    raise AssertionError(path, job)


def interrupted_run() -> int:
    """A run that does not end by itself, as the command line would have it; the program of a process of its own."""
    sys.stdout.write(f"{os.getpid()}\n")
    try:
        corpus.outcome_of = never_ends
        corpus.play_all(["a", "b", "c"], Job(), jobs=2)
    except KeyboardInterrupt:
        return 130
    return 0
