"""The decoder role passes what is as recorded, and names what is not: by a golden file, or by the protocol itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.frames import FrameType, State, encode
from protocols.gatt import Characteristic, Property, Service, uuid
from protocols.registry import Registry
from rig import clock
from rig.replay.conversation import line_text
from rig.replay.decoder import replay_as_decoder, replay_as_decoder_paced, rows_of
from rig.replay.exchanges import Exchange, Place, Transcript
from rig.replay.feeding import decoded, texts
from rig.replay.from_capture import from_capture
from rig.replay.golden import Golden, compare, dumps_golden, loads_golden
from rig.replay.outcome import Outcome, Verdict
from rig.replay.pacing import Pacer
from rig.replay.schedule import Schedule
from tests.rig.replay.recorded_talk import (
    MS,
    acknowledgement_of,
    dr05_session,
    foreo_session,
    slower,
    with_byte,
    with_exchanges,
    with_extra,
    with_swapped,
    without,
)

SERIAL = Place(uuid("ffe0"), uuid("ffe1"))
GET_TEMPERATURE = "55aa0500a63302419913"
SET_1 = "55aa0600a632020201c11a"
SET_3 = "55aa0600a632020203009b"
START = "55aa0600a631020301151b"


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    """A golden file of the Dr-05 session."""
    path = tmp_path / "dr05.golden"
    assert replay_as_decoder(dr05_session(), golden=path, update=True).verdict == Verdict.PASSED
    return path


def the_one_text(outcome: Outcome) -> str:
    assert outcome.verdict == Verdict.FAILED
    assert outcome.exit_code == 1
    assert len(outcome.differences) == 1, [difference.text for difference in outcome.differences]
    return outcome.differences[0].text


# --- what passes ------------------------------------------------------------------------------------------------------


def test_a_recording_passes_by_its_golden_file(golden: Path) -> None:
    outcome = replay_as_decoder(dr05_session(), golden=golden)
    assert (outcome.role, outcome.verdict, outcome.differences) == ("decoder", Verdict.PASSED, [])
    assert outcome.exchanges == len(dr05_session().exchanges)
    assert len(outcome.conversation) == outcome.exchanges
    assert {line.mark for line in outcome.conversation} == {" "}
    assert outcome.duration_s == pytest.approx(2.82575)


@pytest.mark.parametrize("transcript", [dr05_session(), dr05_session(low_byte_first=True), foreo_session()])
def test_what_the_protocol_said_itself_passes_without_a_golden_file(transcript: Transcript) -> None:
    outcome = replay_as_decoder(transcript)
    assert (outcome.verdict, outcome.differences) == (Verdict.PASSED, [])
    assert len(outcome.conversation) == len(transcript.exchanges)


def test_each_exchange_is_one_line_with_what_was_made_of_it() -> None:
    lines = texts(decoded(dr05_session()).lines)
    assert lines[4] == (
        "  0.188917  app writes without response ffe0/ffe1: 55 aa 05 00 a6 31 02 06 6b f2  # total stop"
    )
    assert lines[7] == (
        "  0.264667  device notifies ffe0/ffe1: 55 aa 07 00 a6 33 01 41 01 03 56 0d"
        "  # query temperature: acknowledged; temperature 25.9 °C"
    )


def test_the_protocol_is_found_where_the_transcript_does_not_name_it() -> None:
    unnamed = replace(dr05_session(), protocol="", name="")
    assert replay_as_decoder(unnamed).verdict == Verdict.PASSED
    assert decoded(unnamed).entry == Registry.default().get("dr05")


def test_a_recording_that_begins_a_little_ahead_of_the_machine_passes() -> None:
    """The app's own machine was started before its first request was on the air."""
    transcript = dr05_session()
    ahead = [replace(e, at_ns=e.at_ns - 5 * MS) if e.at_ns else e for e in transcript.exchanges]
    assert replay_as_decoder(with_exchanges(transcript, ahead)).verdict == Verdict.PASSED


def test_an_acknowledgement_at_the_very_moment_of_the_protocols_deadline_is_in_time() -> None:
    transcript = dr05_session()
    index = acknowledgement_of(transcript, SET_3)
    took_ns = transcript.exchanges[index].at_ns - transcript.exchanges[index - 1].at_ns
    assert replay_as_decoder(slower(transcript, index, 500 * MS - took_ns, all_after=True)).verdict == Verdict.PASSED
    late = replay_as_decoder(slower(transcript, index, 501 * MS - took_ns, all_after=True))
    assert late.verdict == Verdict.FAILED


def test_what_the_device_says_where_the_protocol_did_not_subscribe_is_nothing_to_it() -> None:
    battery = Exchange(1_900 * MS, "device", "notification", Place(uuid("180f"), uuid("2a19")), b"\x50")
    transcript = dr05_session()
    at = next(i for i, e in enumerate(transcript.exchanges) if e.at_ns > battery.at_ns)
    run = decoded(with_extra(transcript, at, battery))
    assert run.differences == []
    assert (run.lines[at].heard, run.lines[at].told) == ([], [])


# --- what fails, by a golden file -------------------------------------------------------------------------------------


def test_a_changed_byte_is_named_with_its_place_and_what_it_does_to_the_meaning(golden: Path) -> None:
    transcript = dr05_session()
    index = acknowledgement_of(transcript, SET_3)
    assert the_one_text(replay_as_decoder(with_byte(transcript, index, 9, 0x07), golden=golden)) == (
        f"different from exchange {index}, device notifies ffe0/ffe1: 55 aa 06 00 a6 32 01 02 03 00 6b "
        "(set intensity 3 %: acknowledged), recorded at 1.265 s: byte 9 is 07, recorded 00; "
        'read as "not understood: wrong checksum in either byte order"'
    )


def test_a_missing_acknowledgement_is_named(golden: Path) -> None:
    transcript = dr05_session()
    index = acknowledgement_of(transcript, SET_3)
    assert the_one_text(replay_as_decoder(without(transcript, index), golden=golden)) == (
        f"missing: exchange {index}, device notifies ffe0/ffe1: 55 aa 06 00 a6 32 01 02 03 00 6b "
        "(set intensity 3 %: acknowledged), recorded at 1.265 s"
    )


def test_a_swapped_pair_is_named_as_one_thing(golden: Path) -> None:
    transcript = dr05_session()
    index = acknowledgement_of(transcript, SET_3)
    assert the_one_text(replay_as_decoder(with_swapped(transcript, index), golden=golden)) == (
        f"swapped: exchange {index + 1}, app writes without response ffe0/ffe1: 55 aa 06 00 a6 32 02 02 04 c2 da, came "
        f"before exchange {index}, device notifies ffe0/ffe1: 55 aa 06 00 a6 32 01 02 03 00 6b; "
        "recorded the other way round"
    )


@pytest.mark.parametrize("all_after", [False, True])
def test_an_acknowledgement_60_ms_slower_is_named_once_even_if_all_that_follows_is_later(
    golden: Path, all_after: bool
) -> None:
    transcript = dr05_session()
    index = acknowledgement_of(transcript, SET_3)
    assert the_one_text(replay_as_decoder(slower(transcript, index, 60 * MS, all_after=all_after), golden=golden)) == (
        f"late by 60.0 ms: exchange {index}, device notifies ffe0/ffe1: 55 aa 06 00 a6 32 01 02 03 00 6b "
        "(set intensity 3 %: acknowledged), recorded at 1.265 s; it took 98.9 ms, recorded 38.9 ms"
    )


def test_an_extra_write_is_named_with_the_recorded_one_that_comes_nearest(golden: Path) -> None:
    transcript = dr05_session()
    index = acknowledgement_of(transcript, SET_3)
    extra = replace(transcript.exchanges[index - 1], at_ns=transcript.exchanges[index].at_ns)
    louder = replace(extra, value=encode(FrameType.SET, State.REQUEST, 2, bytes((30,))))
    assert the_one_text(replay_as_decoder(with_extra(transcript, index + 1, louder), golden=golden)) == (
        "extra: app writes without response ffe0/ffe1: 55 aa 06 00 a6 32 02 02 1e 09 5b "
        "(set intensity 30 %; unlike the protocol: the protocol forbids set intensity 30 % here: a rise from 3 to 30 % "
        "is more than one step of 1 %); the nearest recorded is exchange 18, app writes without response ffe0/ffe1: "
        "55 aa 06 00 a6 32 02 02 04 c2 da, at 1.426 s: byte 8 is 1e, recorded 04, byte 9 is 09, recorded c2, "
        "byte 10 is 5b, recorded da (1.265 s into the replay)"
    )


def test_an_answer_that_atts_own_response_brings_late_is_named(tmp_path: Path) -> None:
    transcript = foreo_session()
    golden = tmp_path / "foreo.golden"
    replay_as_decoder(transcript, golden=golden, update=True)
    index = next(i for i, e in enumerate(transcript.exchanges) if e.value == b"\x01\x00\x02")
    exchanges = list(transcript.exchanges)
    answered_ns = exchanges[index].answered_ns
    assert answered_ns == 16 * MS
    exchanges[index] = replace(exchanges[index], answered_ns=answered_ns + 60 * MS)
    assert the_one_text(replay_as_decoder(with_exchanges(transcript, exchanges), golden=golden)) == (
        f"late by 60.0 ms: exchange {index}, app writes fff0/fff1: 01 00 02 "
        "(set intensity 20 %; set intensity 20 %: acknowledged), recorded at 4.516 s; it took 76.0 ms, recorded 16.0 ms"
    )


def test_an_answer_that_att_owes_and_never_gave_is_named(tmp_path: Path) -> None:
    transcript = foreo_session()
    index = next(i for i, e in enumerate(transcript.exchanges) if e.value == b"\x01\x00\x02")
    exchanges = list(transcript.exchanges)
    exchanges[index] = replace(exchanges[index], answered_ns=None)
    silent = with_exchanges(transcript, exchanges)
    whole_golden, silent_golden = tmp_path / "whole", tmp_path / "silent"
    replay_as_decoder(transcript, golden=whole_golden, update=True)
    replay_as_decoder(silent, golden=silent_golden, update=True)
    assert the_one_text(replay_as_decoder(silent, golden=whole_golden)) == (
        f"missing: the answer to exchange {index}, app writes fff0/fff1: 01 00 02 "
        "(set intensity 20 %; set intensity 20 %: acknowledged), recorded at 4.516 s"
    )
    assert the_one_text(replay_as_decoder(transcript, golden=silent_golden)).startswith(
        f"extra: an answer to exchange {index}, app writes fff0/fff1: 01 00 02 (set intensity 20 %), recorded at"
    )


def test_an_event_sooner_than_recorded_is_named(golden: Path) -> None:
    transcript = dr05_session()
    index = acknowledgement_of(transcript, START)
    outcome = replay_as_decoder(slower(transcript, index, -30 * MS), golden=golden)
    assert the_one_text(outcome).startswith(f"sooner by 30.0 ms than in the golden file: exchange {index}, device")


def test_times_within_the_tolerance_pass_and_beyond_it_fail(golden: Path) -> None:
    transcript = dr05_session()
    later = slower(transcript, acknowledgement_of(transcript, SET_3), 20 * MS)
    assert replay_as_decoder(later, golden=golden).verdict == Verdict.PASSED
    assert replay_as_decoder(later, golden=golden, tolerance_ns=20 * MS - 1).verdict == Verdict.FAILED


def test_the_conversation_is_a_diff_up_to_the_first_difference(golden: Path) -> None:
    transcript = dr05_session()
    index = acknowledgement_of(transcript, SET_1)
    outcome = replay_as_decoder(without(without(transcript, index + 3), index), golden=golden)
    assert [difference.kind for difference in outcome.differences] == ["missing", "missing"]
    assert len(outcome.conversation) == index + 2
    assert [line_text(line) for line in outcome.conversation[-3:]] == [
        "       0.626  app writes without response ffe0/ffe1: 55 aa 06 00 a6 32 02 02 01 c1 1a  # set intensity 1 %",
        "-      0.665  device notifies ffe0/ffe1: 55 aa 06 00 a6 32 01 02 01 c1 ea  # set intensity 1 %: acknowledged",
        f"!      0.665  {outcome.differences[0].text}",
    ]


def test_the_conversation_shows_both_sides_of_a_swap(golden: Path) -> None:
    transcript = dr05_session()
    index = acknowledgement_of(transcript, SET_1)
    outcome = replay_as_decoder(with_swapped(transcript, index), golden=golden)
    marks = "".join(line.mark for line in outcome.conversation)
    assert marks.strip(" !").replace(" ", "") in {"-+", "+-"}
    assert marks.count("!") == 1


def test_a_protocol_that_reads_the_same_bytes_otherwise_is_named(golden: Path) -> None:
    golden.write_text(golden.read_text().replace("temperature 25.9 °C", "temperature 25.8 °C"))
    assert the_one_text(replay_as_decoder(dr05_session(), golden=golden)) == (
        "different: exchange 7, device notifies ffe0/ffe1: 55 aa 07 00 a6 33 01 41 01 03 56 0d, at 0.265 s: the "
        'protocol makes "query temperature: acknowledged; temperature 25.9 °C" of it, in the golden file '
        '"query temperature: acknowledged; temperature 25.8 °C"'
    )


def test_what_the_protocol_says_at_a_deadline_is_part_of_the_golden_file(tmp_path: Path) -> None:
    """A recording in which the device falls silent about its water, so that the protocol takes it for back."""
    transcript = dr05_session()
    low = Exchange(1_900 * MS, "device", "notification", SERIAL, bytes.fromhex("55aa0600a6660107006138"))
    at = next(i for i, e in enumerate(transcript.exchanges) if e.at_ns > low.at_ns)
    watered = slower(with_extra(transcript, at, low), len(transcript.exchanges), 3_000 * MS)
    golden = tmp_path / "water.golden"
    assert replay_as_decoder(watered, golden=golden, update=True).verdict == Verdict.PASSED
    assert '{"at": 4.900000000, "by": "protocol", "told": ["water back"]}' in golden.read_text()
    golden.write_text(golden.read_text().replace('"told": ["water back"]', '"told": ["water gone"]'))
    assert [difference.text for difference in replay_as_decoder(watered, golden=golden).differences] == [
        'missing: at 4.900 s the protocol said "water gone" in the golden file',
        'extra: at 4.900 s the protocol says "water back", unlike the golden file',
    ]


def test_a_golden_file_of_another_protocol_makes_the_replay_invalid(golden: Path) -> None:
    golden.write_text(golden.read_text().replace('"protocol": "dr05"', '"protocol": "foreo"'))
    outcome = replay_as_decoder(dr05_session(), golden=golden)
    assert (outcome.verdict, outcome.exit_code) == (Verdict.INVALID, 3)
    assert outcome.differences[0].text.startswith("precondition: ")
    assert "makes of the recording, this replay used dr05" in outcome.differences[0].text


# --- what fails, by the protocol itself -------------------------------------------------------------------------------


def test_without_a_golden_file_a_changed_byte_is_not_understood() -> None:
    transcript = dr05_session()
    index = acknowledgement_of(transcript, SET_3)
    outcome = replay_as_decoder(with_byte(transcript, index, 8, 0x07))
    assert outcome.verdict == Verdict.FAILED
    assert outcome.differences[0].text == (
        f"different: exchange {index}, device notifies ffe0/ffe1: 55 aa 06 00 a6 32 01 02 07 00 6b: "
        "not understood, wrong checksum in either byte order"
    )
    assert outcome.conversation[-1].mark == "!"
    assert len(outcome.conversation) == index + 2


def test_without_a_golden_file_a_missing_acknowledgement_is_named_by_its_command() -> None:
    transcript = dr05_session()
    index = acknowledgement_of(transcript, START)
    (difference,) = replay_as_decoder(without(transcript, index)).differences
    assert (difference.kind, difference.index) == ("refused", index)
    assert difference.text == (
        f"refused: exchange {index}, app writes without response ffe0/ffe1: 55 aa 06 00 a6 32 02 02 02 c0 5a: "
        "the protocol forbids set intensity 2 % here: no rise before the level or start asked for last is acknowledged"
    )


def test_without_a_golden_file_an_unanswered_question_is_missed_when_the_protocol_would_ask_again() -> None:
    transcript = dr05_session()
    stop = acknowledgement_of(transcript, "55aa0600a631020300d5da")
    end = transcript.exchanges[-1]
    cut = (*transcript.exchanges[:stop], replace(end, at_ns=9_000 * MS))
    (difference,) = replay_as_decoder(with_exchanges(transcript, cut)).differences
    assert (difference.kind, difference.index) == ("missing", stop - 1)
    assert difference.text == (
        f"missing: no acknowledgement of stop output (exchange {stop - 1}, at 1.826 s) came in time; the protocol "
        "would go on with write without response ffe1: 55 aa 06 00 a6 31 02 03 00 d5 da, the recording does not"
    )


def test_without_a_golden_file_an_extra_write_that_the_protocol_forbids_is_named() -> None:
    transcript = dr05_session()
    index = acknowledgement_of(transcript, SET_3)
    louder = Exchange(1_300 * MS, "app", "write_command", SERIAL, encode(FrameType.SET, State.REQUEST, 2, bytes((30,))))
    (difference,) = replay_as_decoder(with_extra(transcript, index + 1, louder)).differences
    assert difference.text == (
        f"refused: exchange {index + 1}, app writes without response ffe0/ffe1: 55 aa 06 00 a6 32 02 02 1e 09 5b"
        ": the protocol forbids set intensity 30 % here: a rise from 3 to 30 % is more than one step of 1 %"
    )


def test_without_a_golden_file_a_write_that_the_protocol_would_make_otherwise_is_named() -> None:
    transcript = dr05_session()
    index = next(i for i, e in enumerate(transcript.exchanges) if e.value == bytes.fromhex(SET_1))
    exchanges = list(transcript.exchanges)
    exchanges[index] = replace(exchanges[index], does="write", answered_ns=10 * MS)
    (difference,) = replay_as_decoder(with_exchanges(transcript, exchanges)).differences
    assert difference.text == (
        f"different: exchange {index}, app writes ffe0/ffe1: 55 aa 06 00 a6 32 02 02 01 c1 1a: to set intensity 1 % "
        "the protocol would do otherwise: it writes, recorded writes without response"
    )


def test_a_recording_of_another_app_parts_from_the_machine_once_and_is_still_read() -> None:
    """An app that never asks for the version: the machine is set aside, the listener hears the rest."""
    transcript = dr05_session()
    first = next(i for i, e in enumerate(transcript.exchanges) if e.value == bytes.fromhex(GET_TEMPERATURE))
    foreign = with_exchanges(transcript, (*transcript.exchanges[:2], *transcript.exchanges[first:]))
    run = decoded(foreign)
    assert [difference.kind for difference in run.differences] == ["refused"]
    assert "the handshake with the device is not over" in run.differences[0].text
    assert run.lines[-2].text.endswith("# total stop: acknowledged")
    assert run.reached.counts["command"]["set_intensity"] == 5
    assert dict(run.reached.counts["event"]) == {"temperature": 1}


def test_the_makers_own_total_stop_with_its_checksum_low_byte_first_is_never_written() -> None:
    transcript = dr05_session()
    printed = Exchange(2_000 * MS, "app", "write_command", SERIAL, bytes.fromhex("55aa0500a6310206f26b"))
    at = next(i for i, e in enumerate(transcript.exchanges) if e.at_ns > printed.at_ns)
    (difference,) = replay_as_decoder(with_extra(transcript, at, printed)).differences
    assert difference.kind == "refused"
    assert "the protocol would never write this" in difference.text
    assert "its checksum F2 6B is low byte first and this device reads high byte first" in difference.text


def test_a_device_that_no_protocol_knows_is_not_judged() -> None:
    unknown = Transcript(
        "a lamp",
        (Exchange(0, "app", "write", Place(uuid("aaa0"), uuid("aaa1")), b"\x01", 5 * MS),),
        (Service(uuid("aaa0"), (Characteristic(uuid("aaa1"), Property.WRITE),)),),
    )
    outcome = replay_as_decoder(unknown)
    assert (outcome.verdict, outcome.exit_code) == (Verdict.INVALID, 3)
    assert outcome.differences[0].text == (
        "precondition: nothing was judged: no protocol knows this device by its name, its services and what is said; "
        "give a golden file, or name the protocol"
    )


def test_a_device_that_no_protocol_knows_is_judged_by_a_golden_file(tmp_path: Path) -> None:
    lamp = Place(uuid("aaa0"), uuid("aaa1"))
    unknown = Transcript("a lamp", (Exchange(0, "app", "write", lamp, b"\x01", 5 * MS),))
    golden = tmp_path / "lamp.golden"
    assert replay_as_decoder(unknown, golden=golden, update=True).verdict == Verdict.PASSED
    assert the_one_text(replay_as_decoder(with_byte(unknown, 0, 0, 2), golden=golden)) == (
        "different from exchange 0, app writes aaa0/aaa1: 01, recorded at 0.000 s: byte 0 is 02, recorded 01"
    )


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        ({"protocol": "dr07"}, "no protocol 'dr07'; known: dr05, foreo"),
        ({"services": ()}, "no UART service of a known kind"),
        ({"protocol": "foreo", "name": "Lamp"}, "'Lamp' is not the name of a FOREO device known here"),
    ],
)
def test_a_protocol_that_cannot_be_had_or_does_not_fit_makes_the_replay_invalid(
    spoil: dict[str, object], why: str
) -> None:
    outcome = replay_as_decoder(replace(dr05_session(), **spoil))  # type: ignore[arg-type]
    assert outcome.verdict == Verdict.INVALID
    assert why in outcome.differences[0].text


# --- time and captures ------------------------------------------------------------------------------------------------


def test_the_outcome_is_the_same_at_the_recorded_pace_which_is_measured(golden: Path) -> None:
    transcript = dr05_session()
    schedule = Schedule([exchange.at_ns for exchange in transcript.exchanges])

    async def main() -> Outcome:
        return await replay_as_decoder_paced(transcript, Pacer(schedule), golden=golden)

    outcome = clock.run(main())
    assert outcome.lateness.samples_ns == (0,) * len(transcript.exchanges)
    assert replace(outcome, lateness=replay_as_decoder(transcript).lateness) == replay_as_decoder(
        transcript, golden=golden
    )


def test_what_a_demo_recording_says_passes(tmp_path: Path) -> None:
    from companion.cli import main  # noqa: PLC0415 - this one test crosses into it

    path = tmp_path / "demo.btsnoop"
    assert main(["run", "first-touch", "--demo", "dr05", "--yes", "--speed", "max", "--record", str(path)]) == 0
    transcript = from_capture(path)
    outcome = replay_as_decoder(transcript)
    assert (outcome.verdict, outcome.differences) == (Verdict.PASSED, [])
    assert outcome.exchanges > 50


@pytest.mark.parametrize("name", ["bj_led__full.pcapng", "esphome-jbd-bms__JBD-SP04S034L4S200A-btsnoop_hci.log"])
def test_a_real_capture_of_a_device_that_no_protocol_knows_is_as_its_golden_file(name: str, tmp_path: Path) -> None:
    transcript = from_capture(Path(__file__).parents[2] / "captures" / name, skip_unnamed=True)
    golden = tmp_path / "golden"
    replay_as_decoder(transcript, golden=golden, update=True)
    assert replay_as_decoder(transcript, golden=golden).verdict == Verdict.PASSED
    spoilt = next(i for i, e in enumerate(transcript.exchanges) if e.value)
    byte = transcript.exchanges[spoilt].value
    assert byte is not None
    text = the_one_text(replay_as_decoder(with_byte(transcript, spoilt, 0, byte[0] ^ 1), golden=golden))
    assert f"byte 0 is {byte[0] ^ 1:02x}, recorded {byte[0]:02x}" in text


# --- requests that ATT itself answers ---------------------------------------------------------------------------------


def foreo_stop() -> tuple[Transcript, int]:
    """A FOREO session and the index of the stop that the person asked for."""
    transcript = foreo_session()
    stops = [i for i, e in enumerate(transcript.exchanges) if e.value == b"\x01\x00\x00"]
    return transcript, stops[-1]


def test_without_a_golden_file_a_stop_that_att_never_answered_is_missed_at_the_end_of_the_link() -> None:
    transcript, stop = foreo_stop()
    exchanges = list(transcript.exchanges)
    exchanges[stop] = replace(exchanges[stop], answered_ns=None)
    (difference,) = replay_as_decoder(with_exchanges(transcript, exchanges)).differences
    assert (difference.kind, difference.index) == ("missing", stop)
    assert difference.text == (
        f"missing: no acknowledgement of stop output (exchange {stop}, at 6.016 s) came in time; the protocol would go "
        "on with write fff1: 01 00 00, the recording does not"
    )


def test_without_a_golden_file_a_stop_that_the_device_refused_is_missed_when_it_is_not_repeated() -> None:
    transcript, stop = foreo_stop()
    exchanges = list(transcript.exchanges)
    exchanges[stop] = replace(exchanges[stop], error=0x0E)
    run = decoded(with_exchanges(transcript, exchanges))
    assert run.lines[stop].heard_texts[-1] == "stop output: refused, unlikely_error"
    assert run.lines[stop].told_texts == ("repeated stop output attempt 2",)
    (difference,) = run.differences
    assert difference.kind == "missing"
    assert "write fff1: 01 00 00" in difference.text


def test_an_app_that_ends_the_link_as_the_protocol_would_passes_and_one_that_does_not_fails() -> None:
    """A stop that stays unanswered: the machine repeats it twice, then ends the link."""
    transcript = dr05_session()
    stop = next(i for i, e in enumerate(transcript.exchanges) if e.value == bytes.fromhex("55aa0600a631020300d5da"))
    asked = transcript.exchanges[stop]
    tries = [replace(asked, at_ns=asked.at_ns + n * 300 * MS) for n in range(3)]
    end = Exchange(asked.at_ns + 900 * MS, "app", "disconnect")
    given_up = with_exchanges(transcript, (*transcript.exchanges[:stop], *tries, end))
    outcome = replay_as_decoder(given_up)
    assert (outcome.verdict, outcome.differences) == (Verdict.PASSED, [])
    assert outcome.coverage["reached"]["state"]["ending"] == 1  # type: ignore[index]
    stays = with_exchanges(
        transcript, (*given_up.exchanges[:-1], replace(end, at_ns=end.at_ns + 2_000 * MS, by="device"))
    )
    (difference,) = replay_as_decoder(stays).differences
    assert difference.text.startswith("missing: no acknowledgement of stop output")
    assert "end the link (the stop was not acknowledged)" in difference.text


# --- whatever is recorded ---------------------------------------------------------------------------------------------


@given(st.data())
@settings(max_examples=40)
def test_no_recording_however_spoilt_raises_and_it_is_always_as_its_own_golden_file(data: st.DataObject) -> None:
    transcript = data.draw(st.sampled_from([dr05_session(), foreo_session()]))
    exchanges = list(transcript.exchanges)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(exchanges) - 1))
        what = data.draw(st.sampled_from(["cut", "double", "value", "later", "refused"]))
        exchange = exchanges[at]
        if what == "cut" and len(exchanges) > 1:
            del exchanges[at]
        elif what == "double":
            exchanges.insert(at, exchange)
        elif what == "value" and exchange.value is not None:
            exchanges[at] = replace(exchange, value=data.draw(st.binary(max_size=30)))
        elif what == "later":
            by_ns = data.draw(st.integers(0, 5_000)) * MS
            exchanges[at:] = [replace(one, at_ns=one.at_ns + by_ns) for one in exchanges[at:]]
        elif what == "refused" and exchange.does == "write":
            exchanges[at] = replace(exchange, error=0x80)
    spoilt = with_exchanges(transcript, exchanges)
    run = decoded(spoilt)
    assert [line.index for line in run.lines if line.index is not None] == list(range(len(exchanges)))
    rows = rows_of(run)
    assert compare(loads_golden(dumps_golden(Golden("", "", rows))).rows, rows).differences == []
