"""A job plays one recording as a command line asks for it: each role, each kind of time, with faults, with progress."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from protocols.registry import Registry
from rig.capture import progress
from rig.commands.faults import UsageError
from rig.devices.dr05 import SimulatedDr05
from rig.radio.fault_plan import FaultPlanError
from rig.replay.golden import GoldenError
from rig.replay.job import Job, Role, play, play_transcript, recording_of
from rig.replay.outcome import Outcome, Verdict
from rig.replay.schedule import Gaps
from rig.replay.transcript import TranscriptError, save
from tests.rig.replay.dr05_talk import Talk

CAPTURES = Path(__file__).parents[2] / "captures"
ROLES: tuple[Role, ...] = ("decoder", "peripheral", "central")
SCRIPT = replace(
    Talk().started().risen(3).hung_up().transcript(), services=SimulatedDr05().services, title="a short session"
)


@pytest.fixture
def recording(tmp_path: Path) -> str:
    save(SCRIPT, tmp_path / "session.jsonl")
    return str(tmp_path / "session.jsonl")


def plan(folder: Path, text: str) -> str:
    (folder / "plan.toml").write_text(f'format = 1\nseed = 3\n[[fault]]\nname = "it"\n{text}\n')
    return str(folder / "plan.toml")


def texts(outcome: Outcome) -> list[str]:
    return [difference.text for difference in outcome.differences]


# --- roles and time ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
def test_a_recording_plays_as_recorded_in_every_role(recording: str, role: Role) -> None:
    outcome = play(recording, Job(role))
    assert (outcome.role, outcome.verdict, texts(outcome)) == (role, Verdict.PASSED, [])
    assert outcome.title == "a short session"
    assert outcome.samples["command_to_acknowledgement"]
    assert outcome.coverage


@pytest.mark.parametrize("role", ROLES)
def test_the_same_job_gives_the_same_outcome(recording: str, role: Role) -> None:
    job = Job(role, seed=5)
    assert pickle.loads(pickle.dumps(job)) == job  # noqa: S301 - as it goes to another process
    assert play(recording, job) == play(recording, job)


@pytest.mark.parametrize("role", ROLES)
def test_on_the_wall_clock_lateness_is_measured(recording: str, role: Role) -> None:
    outcome = play(recording, Job(role, speed=5.0, tolerance_s=None))
    assert texts(outcome) == []
    assert outcome.lateness.samples_ns
    assert min(outcome.lateness.samples_ns) >= 0


def test_gaps_are_cut_for_both_sides(recording: str) -> None:
    for job in (Job("peripheral"), Job("central")):
        whole, short = (play(recording, replace(job, gaps=gaps)).duration_s for gaps in (Gaps(), Gaps(cut_s=0.19)))
        assert whole - short == pytest.approx(0.2, abs=0.06)  # before the app's first word


# --- the other side ---------------------------------------------------------------------------------------------------


def test_the_device_of_one_recording_meets_the_app_of_another(recording: str, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    longer = Talk().started().risen(4).hung_up().transcript()
    save(replace(longer, services=SCRIPT.services), other)
    outcome = play(recording, Job("peripheral", app=str(other)))
    assert outcome.verdict is Verdict.FAILED
    assert "extra: app writes without response ffe0/ffe1: 55 aa 06 00 a6 32 02 02 04 c2 da" in texts(outcome)[0]


def test_an_app_that_waits_for_what_the_device_does_not_have_is_told_first(recording: str, tmp_path: Path) -> None:
    lacking = tmp_path / "lacking.jsonl"
    exchanges = list(SCRIPT.exchanges)
    (gone,) = [at for at, one in enumerate(exchanges) if one.value == bytes.fromhex("55aa0600a63101030115eb")]
    del exchanges[gone]
    save(replace(SCRIPT, exchanges=tuple(exchanges)), lacking)
    first, then = texts(play(str(lacking), Job("peripheral", app=recording, patience_s=2.0)))
    assert first == (
        f"missing: the app waited for exchange {gone} of its recording, device notifies ffe0/ffe1: "
        "55 aa 06 00 a6 31 01 03 01 15 eb: the device did not say it within 2 s"
    )
    assert then.startswith(f"left over at the end: exchange {gone}, app writes")


def test_the_simulated_device_is_the_recordings_own_or_the_one_named(recording: str, tmp_path: Path) -> None:
    nameless = tmp_path / "nameless.jsonl"
    save(replace(SCRIPT, protocol="", name=""), nameless)
    with pytest.raises(UsageError, match="'a short session' does not say which device it speaks to; name one with"):
        play(str(nameless), Job("central"))
    assert play(str(nameless), Job("central", simulate="dr05")).verdict is Verdict.PASSED
    with pytest.raises(UsageError, match="no simulated device 'toaster'; there are: dr05, foreo"):
        play(recording, Job("central", simulate="toaster"))


def test_a_registry_says_which_protocols_there_are(recording: str) -> None:
    outcome = play(recording, Job(), Registry([]))
    assert outcome.verdict is Verdict.INVALID


# --- reading ----------------------------------------------------------------------------------------------------------


def test_a_capture_is_read_as_the_job_says() -> None:
    capture = str(CAPTURES / "pongbot-mcp__btsnoop_hci.log.last.gz")
    with pytest.raises(TranscriptError, match=r"no UUID is known for .* \(--skip-unnamed\)"):
        recording_of(capture, Job())
    skipping = Job(skip_unnamed=True)
    whole = recording_of(capture, skipping)  # the most exchanges are on link 4, and none of those has a name
    assert whole == recording_of(capture, replace(skipping, link=3))
    assert recording_of(capture, replace(skipping, link=2)) != recording_of(capture, replace(skipping, link=3))
    assert recording_of(capture, replace(skipping, link=2, protocol="dr05")).protocol == "dr05"


def test_reading_a_large_capture_tells_how_far_it_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_RECORDS_BETWEEN", 100)
    capture = CAPTURES / "ctf-usb-keyboard-parser__rgbctf2020_PI_1_MagicInTheAir"
    told: list[tuple[int, int | None]] = []
    recording_of(str(capture), Job(), lambda position, size: told.append((position, size)))
    assert told
    assert all(position <= (size or 0) == capture.stat().st_size for position, size in told)


# --- golden files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("speed", [math.inf, 50.0])
def test_what_the_decoder_gives_is_compared_at_any_speed(recording: str, speed: float, tmp_path: Path) -> None:
    golden = str(tmp_path / "session.golden")
    with pytest.raises(GoldenError, match="there is no golden file yet; write it with --update"):
        play(recording, Job(golden=golden))
    assert play(recording, Job(golden=golden, update=True, speed=speed)).verdict is Verdict.PASSED
    assert play(recording, Job(golden=golden, speed=speed)).verdict is Verdict.PASSED
    Path(golden).write_text(Path(golden).read_text().replace("acknowledged", "answered", 1))
    assert play(recording, Job(golden=golden, speed=speed)).verdict is Verdict.FAILED


# --- faults -----------------------------------------------------------------------------------------------------------


def test_a_device_that_loses_an_acknowledgement_fails_the_app(recording: str, tmp_path: Path) -> None:
    lost = plan(tmp_path, 'kind = "drop"\ndirection = "to_app"\nnth = 5')
    outcome = play(recording, Job("central", faults=lost, patience_s=1.0))
    assert outcome.faults == {"it": 1}
    assert outcome.verdict is Verdict.FAILED
    assert texts(outcome)[0].startswith("missing: exchange 7, device notifies ffe0/ffe1: 55 aa 06 00 a6 32 01 02 01")


def test_a_device_that_answers_60_ms_later_is_late_for_the_app(recording: str, tmp_path: Path) -> None:
    slow = plan(tmp_path, 'kind = "delay"\ndirection = "to_app"\nnth = 5\ntime = {law = "fixed", seconds = 0.06}')
    job = Job("central", faults=slow)
    outcome = play(recording, job)
    assert outcome.faults == {"it": 1}
    assert any(text.startswith("late by 60.0 ms: exchange 7, device notifies") for text in texts(outcome))
    patient = play(recording, replace(job, tolerance_s=0.07))
    assert (patient.verdict, patient.faults) == (Verdict.PASSED, {"it": 1})


@pytest.mark.parametrize("role", ["peripheral", "central"])
def test_a_run_in_which_a_planned_fault_never_fired_says_nothing(recording: str, role: Role, tmp_path: Path) -> None:
    never = plan(tmp_path, 'kind = "drop"\ndirection = "to_app"\nnth = 99')
    outcome = play(recording, Job(role, faults=never))
    assert (outcome.verdict, outcome.exit_code) == (Verdict.INVALID, 3)
    assert outcome.faults == {"it": 0}
    (said,) = outcome.differences
    assert said.kind == "fault"
    assert 'the planned fault "it" (drop' in said.text


@pytest.mark.parametrize("role", ["peripheral", "central"])
def test_a_fault_that_may_stay_away_invalidates_nothing(recording: str, role: Role, tmp_path: Path) -> None:
    never = plan(tmp_path, 'kind = "drop"\ndirection = "to_app"\nnth = 99\nmust_fire = 0')
    assert play(recording, Job(role, faults=never)).verdict is Verdict.PASSED


def test_the_guard_holds_behind_a_fault_that_spoils_the_devices_word(recording: str, tmp_path: Path) -> None:
    """An acknowledgement whose bits are turned over is none: nothing rises on it, and the run ends in a stop."""
    spoiled = plan(tmp_path, 'kind = "corrupt"\ndirection = "to_app"\nnth = 7')
    outcome = play(recording, Job("central", faults=spoiled))
    assert outcome.faults == {"it": 1}
    assert outcome.verdict is Verdict.FAILED
    assert not any("may still be on" in text for text in texts(outcome))


@pytest.mark.parametrize("role", ["peripheral", "central"])
def test_a_plan_about_what_the_device_does_not_have_is_refused(recording: str, role: Role, tmp_path: Path) -> None:
    strange = plan(tmp_path, 'kind = "drop"\ndirection = "to_app"\ncharacteristic = "abcd"\nnth = 1')
    with pytest.raises(FaultPlanError, match="abcd"):
        play(recording, Job(role, faults=strange))


# --- progress ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "speed"), [("peripheral", math.inf), ("central", math.inf), ("decoder", 5.0), ("central", 5.0)]
)
def test_a_replay_tells_how_far_it_has_come_and_goes_no_differently_for_it(role: Role, speed: float) -> None:
    told: list[tuple[int, int | None]] = []
    job = Job(role, speed=speed, tolerance_s=None)
    watched = play_transcript(SCRIPT, job, progress=lambda position, size: told.append((position, size)))
    assert watched.verdict is Verdict.PASSED
    assert {size for _, size in told} <= {round(SCRIPT.exchanges[-1].at_ns / 1e6)}
    # on the wall clock ten times a second at most, however short the recording is
    assert len(told) == 1000 if math.isinf(speed) else len(told) <= 2
    assert all(before <= after for (before, _), (after, _) in pairwise(told))
    if math.isinf(speed):
        assert watched == play_transcript(SCRIPT, job)


def test_a_recording_of_one_moment_has_no_progress_to_tell() -> None:
    moment = replace(SCRIPT, exchanges=tuple(replace(one, at_ns=0) for one in SCRIPT.exchanges[:2]))
    told: list[int] = []
    outcome = play_transcript(moment, Job("peripheral"), progress=lambda position, _: told.append(position))
    assert (outcome.verdict, told) == (Verdict.PASSED, [])
