"""What a device says by itself is compared by what it means and how often, not by its bytes."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from protocols.recorded import Facts, Recorded, Stream
from protocols.registry import Registry
from rig.replay.exchanges import Exchange, Place, Transcript
from rig.replay.outcome import Difference
from rig.replay.schedule import Gaps, Schedule
from rig.replay.streams import Compared, Streams, recorded_of
from tests.rig.replay.app_world import ECHO, FUSSY, METER, exchange

TOLERANCE_NS = 50_000_000
NAMES = {0: "off", 1: "on", 2: "broken"}


def facts(value: bytes) -> Facts:
    """The first byte means something, the second is measured."""
    if value[:1] == b"\xff":
        raise ValueError("checksum 0xFF is wrong")
    return {"state": NAMES[value[0]]}


METERED = Recorded(streams=(Stream(METER.characteristic, 0.1, facts), Stream(FUSSY.characteristic, None, facts)))


def pushed(at_s: float, state: int, measured: int = 0, *, to: Place = FUSSY) -> Exchange:
    return exchange(at_s, "device", "notification", to, bytes((state, measured)))


WRITES = tuple(exchange(at_s, "app", "write_command", ECHO, b"x") for at_s in (0.0, 1.0, 2.0))
RECORDED = (WRITES[0], pushed(0.01, 0), WRITES[1], pushed(1.01, 1), WRITES[2], pushed(2.01, 0))


def compared(
    recorded: tuple[Exchange, ...],
    came: list[Exchange],
    *,
    before: Mapping[Place, bytes] | None = None,
    end_s: float = 5.0,
    gaps: Gaps | None = None,
    whole: bool = True,
) -> list[Difference]:
    """What is told where the app did all as recorded and at its time, and the device said what came."""
    transcript = Transcript("a test", recorded)
    when = {index: one.at_ns for index, one in enumerate(recorded) if one.by == "app"}
    schedule = Schedule.of(transcript, 1.0, gaps or Gaps())
    found = Compared(Streams(METERED), recorded, schedule, when, TOLERANCE_NS, round(end_s * 1e9))
    found.judge(came, len(recorded), before or {}, whole=whole)
    return found.differences


def only(differences: list[Difference]) -> Difference:
    assert len(differences) == 1, [one.text for one in differences]
    return differences[0]


# --- what it means ----------------------------------------------------------------------------------------------------


def test_other_measurements_of_the_same_course_are_no_difference() -> None:
    came = [pushed(0.01, 0, 7), pushed(0.5, 0, 9), pushed(1.02, 1, 200), pushed(2.03, 0, 3)]
    assert compared(RECORDED, came) == []


def test_another_state_is_named_with_the_recorded_one() -> None:
    found = only(compared(RECORDED, [pushed(0.01, 0), pushed(1.01, 2), pushed(2.01, 0)]))
    assert (found.kind, found.index) == ("different", 3)
    assert found.text == (
        "different from exchange 3, device notifies ffe0/ffe3: 01 00, recorded at 1.010 s: state is broken, recorded on"
    )


def test_a_state_that_never_comes_is_missing() -> None:
    found = only(compared(RECORDED, [pushed(0.01, 0), pushed(1.01, 1)]))
    assert (found.kind, found.index, found.at_ns) == ("missing", 5, 2_010_000_000)
    assert found.text.endswith("state is never off, it stays on")


def test_a_state_that_is_not_recorded_is_extra() -> None:
    found = only(compared(RECORDED, [*(one for one in RECORDED if one.by == "device"), pushed(3.0, 2)]))
    assert found.kind == "extra"
    assert found.text == "extra: device notifies ffe0/ffe3: 02 00: state is broken, recorded off to the end"


def test_a_state_that_comes_at_the_very_end_is_left_to_chance() -> None:
    came = [pushed(0.01, 0), pushed(1.01, 1)]
    assert compared(RECORDED, came, end_s=2.02) == []
    assert only(compared(RECORDED, came, end_s=2.1)).kind == "missing"
    last = [*(one for one in RECORDED if one.by == "device"), pushed(2.5, 2)]
    assert compared(RECORDED, last, end_s=2.52) == []
    assert only(compared(RECORDED, last, end_s=2.6)).kind == "extra"


def test_a_state_that_comes_late_is_late() -> None:
    found = only(compared(RECORDED, [pushed(0.01, 0), pushed(1.08, 1), pushed(2.01, 0)]))
    assert (found.kind, found.index) == ("late", 3)
    assert found.text.startswith("late by 70.0 ms: exchange 3, device notifies ffe0/ffe3: 01 00 (state is on)")


def test_a_stream_with_a_period_may_be_late_by_that_too() -> None:
    recorded = (WRITES[0], pushed(0.01, 0, to=METER), pushed(0.11, 1, to=METER))
    on_time = [pushed(0.01, 0, to=METER), pushed(0.11, 0, to=METER), pushed(0.24, 1, to=METER)]
    assert compared(recorded, on_time) == []
    late = [pushed(0.01, 0, to=METER), pushed(0.11, 0, to=METER), pushed(0.27, 1, to=METER)]
    assert only(compared(recorded, late)).kind == "late"


def test_what_was_said_before_the_play_begins_the_course() -> None:
    came = [pushed(1.01, 1), pushed(2.01, 0)]
    assert compared(RECORDED, came, before={FUSSY: b"\x00\x07"}) == []
    assert only(compared(RECORDED, came)).kind == "different"
    # What it said before, and is not recorded, is none of the recording's business.
    whole = [one for one in RECORDED if one.by == "device"]
    assert compared(RECORDED, whole, before={FUSSY: b"\x02\x00"}) == []
    assert compared(RECORDED, whole, before={FUSSY: b"\xff\x00"}) == []


@pytest.mark.parametrize("whose", ["recorded", "came"])
def test_a_value_that_is_none_is_named(whose: str) -> None:
    spoiled = pushed(1.005, 255)
    whole = [one for one in RECORDED if one.by == "device"]
    if whose == "came":
        found = only(compared(RECORDED, [whole[0], spoiled, *whole[1:]]))
        assert found.text == "different: device notifies ffe0/ffe3: ff 00: not understood, checksum 0xFF is wrong"
    else:
        found = only(compared((*RECORDED[:3], spoiled, *RECORDED[3:]), whole))
        assert found.text.startswith("different: exchange 3, device notifies ffe0/ffe3: ff 00: not understood")


# --- how often --------------------------------------------------------------------------------------------------------


def metered(count: int, period_s: float = 0.1, start_s: float = 0.1) -> list[Exchange]:
    return [pushed(round(start_s + number * period_s, 6), 1, number % 256, to=METER) for number in range(count)]


@pytest.mark.parametrize(("count", "kind"), [(94, "missing"), (95, ""), (100, ""), (105, ""), (106, "extra")])
def test_one_in_twenty_may_be_lost_or_too_many(count: int, kind: str) -> None:
    found = compared((WRITES[0], *metered(100)), metered(count), end_s=20.0)
    assert [one.kind for one in found] == ([kind] if kind else [])
    if kind:
        assert found[0].text == (
            f"{kind}: device notifies ffe0/ffe2: {count} values came and 100 are recorded, one every 100 ms; "
            "5 more or fewer would do"
        )


@pytest.mark.parametrize(("count", "wrong"), [(7, True), (8, False), (12, False), (13, True)])
def test_two_more_or_fewer_are_nothing_in_a_short_recording(count: int, wrong: bool) -> None:
    assert bool(compared((WRITES[0], *metered(10)), metered(count), end_s=20.0)) is wrong


def test_a_play_that_ended_early_says_nothing_of_how_often() -> None:
    assert compared((WRITES[0], *metered(100)), metered(10), end_s=20.0, whole=False) == []


def test_gaps_that_are_left_out_are_gaps_in_which_nothing_is_measured() -> None:
    """A device measures by the clock: where every gap is halved, half as much."""
    recorded = (WRITES[0], *metered(100))
    assert compared(recorded, metered(50), end_s=20.0, gaps=Gaps(cap_s=0.05)) == []
    assert only(compared(recorded, metered(100), end_s=20.0, gaps=Gaps(cap_s=0.05))).kind == "extra"
    # A pause of the stream is none of it, as long as it may be, or short.
    paused = (WRITES[0], *metered(10), *metered(10, start_s=61.0))
    assert compared(paused, [*metered(10), *metered(10, start_s=1.5)], end_s=20.0, gaps=Gaps(cut_s=0.2)) == []


# --- which ------------------------------------------------------------------------------------------------------------


def test_a_value_read_of_a_stream_is_compared_by_what_it_means() -> None:
    streams = Streams(METERED)
    recorded = exchange(0.0, "app", "read", METER, b"\x01\x05")
    assert streams.how_different(recorded, exchange(0.0, "app", "read", METER, b"\x01\x77")) == ""
    other = streams.how_different(recorded, exchange(0.0, "app", "read", METER, b"\x02\x05"))
    assert other == "state is broken, recorded on"
    assert streams.how_different(recorded, exchange(0.0, "app", "read", METER, b"\xff\x05")) is None
    assert streams.how_different(exchange(0.0, "app", "read", ECHO, b"a"), exchange(0.0, "app", "read", ECHO)) is None


def test_what_came_before_is_found_past_the_streams() -> None:
    exchanges = (WRITES[0], pushed(0.1, 0), pushed(0.2, 0, to=METER), WRITES[1], pushed(1.1, 0))
    assert [Streams(METERED).before(exchanges, index) for index in range(5)] == [-1, 0, 0, 0, 3]
    assert [Streams().before(exchanges, index) for index in range(5)] == [-1, 0, 1, 2, 3]


def test_a_protocol_that_is_not_known_has_no_streams() -> None:
    assert recorded_of(Transcript("a test", ())) == Recorded()
    assert recorded_of(Transcript("a test", (), protocol="dr05")) == Recorded()
    assert recorded_of(Transcript("a test", (), protocol="omp")).streams
    assert recorded_of(Transcript("a test", (), protocol="omp"), Registry([])) == Recorded()
