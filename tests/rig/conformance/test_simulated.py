"""The simulated devices keep their rules, and a device that breaks one is found out by exactly that rule."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from protocols.frames import crc
from protocols.omp_codec import TELEMETRY, Result, State
from rig.conformance.run import KINDS, on_simulated, suite
from rig.devices.dr05 import SimulatedDr05
from rig.devices.foreo import SimulatedForeo
from rig.devices.model import DeviceAction, Notify, SimulatedDevice
from rig.devices.omp import SimulatedOmp
from rig.replay.outcome import Verdict
from rig.report.model import Report
from rig.timing.measure import TimingVerdict
from tests.rig.broken_omp import BROKEN


def rules_with(report: Report, *verdicts: TimingVerdict) -> set[str]:
    """The keys of the rules of which a measurement has one of these verdicts."""
    return {each.name.split(":")[0] for each in report.comparisons if each.verdict in verdicts}


def failed(report: Report) -> set[str]:
    """The names of the measurements that failed."""
    return {each.name for each in report.comparisons if each.verdict is TimingVerdict.FAIL}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 7])
@pytest.mark.parametrize("key", KINDS)
def test_the_simulated_device_keeps_every_rule(key: str, seed: int) -> None:
    report = on_simulated(key, seed=seed)
    wrong = [each.text for each in report.comparisons if each.verdict is not TimingVerdict.PASS]
    assert (report.verdict, wrong, report.left_out) == (Verdict.PASSED, [], ())
    checks = sum(len(rule.checks) for rule in suite(key).rules)
    assert len(report.comparisons) == checks


@pytest.mark.slow
@pytest.mark.parametrize("number", range(1, 11))
def test_each_broken_omp_device_fails_on_exactly_its_rule(number: int) -> None:
    report = on_simulated("omp", make=BROKEN[number - 1])
    assert report.exit_code == 1
    assert rules_with(report, TimingVerdict.FAIL, TimingVerdict.NOT_ENOUGH) == {f"rule {number}"}


def test_the_same_seed_gives_the_same_report() -> None:
    assert on_simulated("foreo", seed=3) == on_simulated("foreo", seed=3)


# --- broken in other ways: what each of these devices gets wrong, and what says so ------------------------------------


class LeavesItsSourceOn(SimulatedOmp):
    def _lose_contact(self, at: float) -> None:
        if self._run is not None:
            self._state = State.CONTACT_LOST


class ResumesTooSoon(SimulatedOmp):
    def _contact_settled(self, now: float) -> bool:
        return self._touching


class MeasuresSeldom(SimulatedOmp):
    def _tick(self, at: float) -> None:
        super()._tick(at)
        if self._tick_at is not None:
            self._tick_at = at + 0.15


class SendsByFits(SimulatedOmp):
    """It measures in time, and sends what it measured two at a time."""

    def _tell(self, number: int, characteristic: str, data: bytes) -> None:
        if characteristic != TELEMETRY:
            super()._tell(number, characteristic, data)
            return
        held = self.__dict__.setdefault("held", [])
        held.append(data)
        if len(held) == 2:
            for each in held:
                super()._tell(number, characteristic, each)
            held.clear()


class ForgetsItsRecords(SimulatedOmp):
    def power_cycle(self, now: float) -> None:
        super().power_cycle(now)
        self.store._records.clear()


class OutlivesItsLink(SimulatedOmp):
    def _lose_controller(self, now: float) -> None:
        self._controller = None


class HasNoEnd(SimulatedOmp):
    def _limit_at(self) -> float | None:
        return None


class TakesAnyLength(SimulatedOmp):
    def _longest_run_s(self, asked_s: int) -> float:
        return float(asked_s)


class LapsesEarly(SimulatedOmp):
    def _keep_alive(self, now: float, valid_ms: int) -> Result:
        answer = super()._keep_alive(now, valid_ms)
        self._keep_alive_until = now + valid_ms / 2000
        return answer


class StartsAtATenth(SimulatedOmp):
    def _aim(self, now: float) -> None:
        super()._aim(now)
        if self._stage.commanded_ua(now) == 0:
            self._stage.set(self._target_ua / 10, now)
            self._stage.ramp(self._target_ua, self._rise_ua_per_s(), now)


class KeepsOnWithoutALink(SimulatedDr05):
    def disconnected(self, now: float) -> tuple[DeviceAction, ...]:
        self._catch_up(now)
        return ()


class ForgetsItsLevel(SimulatedDr05):
    def _obey(self, kind: int, func: int, para: int, at: float) -> bytes | None:
        answer = super()._obey(kind, func, para, at)
        if (kind, func) == (0x31, 0x06):
            self._energy = 1
        return answer


class AnswersWhatItDoesNotKnow(SimulatedDr05):
    def _obey(self, kind: int, func: int, para: int, at: float) -> bytes | None:
        answer = super()._obey(kind, func, para, at)
        return b"" if answer is None else answer


class StopsOnAWrongChecksum(SimulatedDr05):
    def _handle(self, item: object) -> None:
        if not isinstance(item, float) and not item[0].checksum_right:  # type: ignore[index]
            self._put_out(0, self._line_in_free_at, "noise")
        super()._handle(item)  # type: ignore[arg-type]


class GoesOnPulsating(SimulatedForeo):
    def _set_level(self, level: int, at: float, cause: str) -> None:
        if level:
            super()._set_level(level, at, cause)


class ReadsThreeBytes(SimulatedForeo):
    def deadline_passed(self, now: float) -> tuple[DeviceAction, ...]:
        return tuple(
            Notify(each.characteristic, each.data + b"\0") if isinstance(each, Notify) else each
            for each in super().deadline_passed(now)
        )


@pytest.mark.parametrize(
    ("key", "make", "rule", "expected"),
    [
        ("omp", StartsAtATenth, "rule 1", "rule 1: output at a start"),
        ("omp", OutlivesItsLink, "rule 2", "rule 2: silent link to zero"),
        ("omp", LapsesEarly, "rule 3", "rule 3: a keep-alive keeps the output on"),
        ("omp", LeavesItsSourceOn, "rule 4", "rule 4: contact lost to zero"),
        ("omp", ResumesTooSoon, "rule 4", "rule 4: no resume before 300 ms of contact"),
        ("omp", HasNoEnd, "rule 6", "rule 6: end of a run to zero"),
        ("omp", TakesAnyLength, "rule 6", "rule 6: a run is no longer than the features say"),
        ("omp", lambda: SimulatedOmp(secured=False), "rule 7", "rule 7: an unencrypted link reaches nothing"),
        ("omp", MeasuresSeldom, "rule 9", "rule 9: telemetry period"),
        ("omp", SendsByFits, "rule 9", "rule 9: telemetry jitter"),
        ("omp", ForgetsItsRecords, "rule 10", "rule 10: records survive a loss of power"),
        ("dr05", lambda: SimulatedDr05(low_byte_first=True), "checksum", "checksum: low byte first is refused"),
        ("dr05", StopsOnAWrongChecksum, "checksum", "checksum: a stop with a wrong checksum is refused and stops"),
        ("dr05", KeepsOnWithoutALink, "link", "link: link loss to zero"),
        ("dr05", lambda: SimulatedDr05(deaf_after_connect_s=0.4), "link", "link: a question after 150 ms is answered"),
        ("dr05", lambda: SimulatedDr05(deaf_after_connect_s=0.0), "link", "link: the first 100 ms are thrown away"),
        ("dr05", lambda: SimulatedDr05(module_waits_s=0.5), "stop", "stop: total stop to its answer"),
        ("dr05", AnswersWhatItDoesNotKnow, "frames", "frames: an unknown function is not answered"),
        ("dr05", ForgetsItsLevel, "hazards", "hazards: a level outlives a stop"),
        (
            "dr05",
            lambda: SimulatedDr05(announces_water_back=True),
            "water",
            "water: water that is back is not reported",
        ),
        ("foreo", GoesOnPulsating, "pulsation", "pulsation: stop to zero"),
        ("foreo", ReadsThreeBytes, "readings", "readings: a skin reading has two bytes"),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "device",
)
def test_a_device_that_does_otherwise_is_found_out(
    key: str, make: Callable[[], SimulatedDevice], rule: str, expected: str
) -> None:
    report = on_simulated(key, make=make, only=lambda one: one == rule)
    assert any(name.startswith(expected) for name in failed(report)), [each.text for each in report.compared]


class Mute(SimulatedOmp):
    """Carries out everything, and answers nothing."""

    def central_written(self, number: int, characteristic: str, data: bytes, now: float) -> tuple[DeviceAction, ...]:
        super().central_written(number, characteristic, data, now)
        return ()


def test_a_device_that_does_not_answer_fails_and_what_could_not_be_checked_is_no_pass() -> None:
    report = on_simulated("omp", make=Mute, only=lambda key: key == "rule 2")
    assert report.exit_code == 1
    assert failed(report) == {"rule 2: requests are answered"}
    assert rules_with(report, TimingVerdict.NOT_ENOUGH) == {"rule 2"}
    assert not rules_with(report, TimingVerdict.PASS)


def test_a_check_that_cannot_be_carried_out_says_why_and_makes_the_run_invalid() -> None:
    class OnItsCharger(SimulatedOmp):
        def central_connected(self, number: int, now: float) -> tuple[DeviceAction, ...]:
            actions = super().central_connected(number, now)
            self.set_charging(charging=True, now=now)
            return actions

    report = on_simulated("omp", make=OnItsCharger, only=lambda key: key == "rule 9")
    assert (report.exit_code, report.verdict) == (3, Verdict.INVALID)
    assert "start was answered with charging" in report.compared[0].text


def test_a_value_just_inside_its_limit_is_marginal_and_passes() -> None:
    class SlowToStop(SimulatedDr05):
        def _received(self, at: float):  # type: ignore[no-untyped-def]
            arrival, buffer = super()._received(at)
            return arrival._replace(time=at + 0.085), buffer

    report = on_simulated("dr05", make=SlowToStop, only=lambda key: key == "stop")
    found = {each.name: each.verdict for each in report.comparisons}
    assert found["stop: total stop to zero"] is TimingVerdict.MARGINAL
    assert report.exit_code == 0


def test_the_frame_that_is_too_long_is_one_whose_checksum_is_right() -> None:
    """Else it would be refused for that, and prove nothing."""
    frames: list[bytes] = []

    class Listens(SimulatedDr05):
        def written(self, characteristic: str, data: bytes, now: float) -> tuple[DeviceAction, ...]:
            frames.append(data)
            return super().written(characteristic, data, now)

    on_simulated("dr05", make=Listens, only=lambda key: key == "frames")
    (long,) = [each for each in frames if len(each) > 13]
    assert long[2] == 9 == len(long) - 5
    assert int.from_bytes(long[-2:], "big") == crc(long[2:-2])


def test_there_are_rules_for_the_devices_that_there_are() -> None:
    with pytest.raises(ValueError, match="there are no rules for 'toaster'; there are: omp, dr05, foreo"):
        on_simulated("toaster")
