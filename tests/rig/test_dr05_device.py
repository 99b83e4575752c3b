"""The simulated Dr-05 does what the firmware does. Frames are built by hand here: no codec of ours takes part."""

from __future__ import annotations

import csv
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.gatt import Property
from rig.devices.dr05 import Bridge, SimulatedDr05
from rig.devices.model import AttError, Hangup, Notify, TraceEntry

BYTE_S = 10 / 9600

GET_VERSION = bytes.fromhex("55AA0500A633024059D2")
VERSION_2_1 = bytes.fromhex("55AA0700A63301400201A7DD")
TOTAL_STOP = bytes.fromhex("55AA0500A63102066BF2")
TOTAL_STOP_AS_PRINTED = bytes.fromhex("55AA0500A6310206F26B")
WATER_LOW = bytes.fromhex("55AA0600A6660107003861")[:-2] + bytes.fromhex("6138")
WATER_BACK = bytes.fromhex("55AA0600A666010701F9A1")[:-2] + bytes.fromhex("A1F9")


def crc(data: bytes) -> int:
    """CRC-16/MODBUS bit by bit, as a textbook has it: shared with nothing that is tested."""
    register = 0xFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0xA001 if register & 1 else 0)
    return register


def frame(kind: int, func: int, *para: int, state: int = 2, ident: int = 0x00A6, low_byte_first: bool = False) -> bytes:
    covered = bytes((5 + len(para), ident >> 8, ident & 0xFF, kind, state, func, *para))
    return b"\x55\xaa" + covered + crc(covered).to_bytes(2, "little" if low_byte_first else "big")


def set_energy(percent: int) -> bytes:
    return frame(0x32, 0x02, percent)


START, STOP = frame(0x31, 0x03, 1), frame(0x31, 0x03, 0)
START_COOLING, STOP_COOLING = frame(0x31, 0x01, 1), frame(0x31, 0x01, 0)
MODE_1, MODE_2 = frame(0x32, 0x0D, 1), frame(0x32, 0x0D, 2)
GET_TEMPERATURE = frame(0x33, 0x41)


class Bench:
    """A connected, subscribed device; every call takes as long as the device needs to answer."""

    def __init__(self, device: SimulatedDr05 | None = None, *, start: float = 0.0) -> None:
        self.device = device or SimulatedDr05(deaf_after_connect_s=0)
        self.now = start
        self.notifications: list[tuple[float, bytes]] = []
        self.hangups = 0
        service = self.device.services[0]
        self.writes_to = next(c.uuid for c in service.characteristics if c.properties & Property.WRITE)
        self.listens_to = next(c.uuid for c in service.characteristics if c.properties & Property.NOTIFY)
        self.connect()

    def connect(self) -> None:
        self.device.connected(self.now)
        self.device.subscribed(self.listens_to, enabled=True, now=self.now)

    def disconnect(self) -> None:
        self.device.disconnected(self.now)

    def write(self, data: bytes) -> None:
        assert self.device.written(self.writes_to, data, self.now) == ()

    def run_until(self, time: float) -> None:
        while (due := self.device.deadline) is not None and due <= time:
            self.now = max(self.now, due)
            for action in self.device.deadline_passed(self.now):
                if isinstance(action, Notify):
                    assert action.characteristic == self.listens_to
                    self.notifications.append((self.now, action.data))
                else:
                    assert isinstance(action, Hangup)
                    self.hangups += 1
                    self.device.disconnected(self.now)
        self.now = time

    def ask(self, *requests: bytes) -> bytes:
        """Write requests one after the other, half a second apart, and return all that came back."""
        before = len(self.notifications)
        for request in requests:
            self.write(request)
            self.run_until(self.now + 0.5)
        return b"".join(data for _, data in self.notifications[before:])

    @property
    def output(self) -> float:
        return self.device.output_percent(self.now)


def acknowledged(request: bytes) -> bytes:
    covered = bytearray(request[2:-2])
    covered[4] = 0x01
    return b"\x55\xaa" + bytes(covered) + crc(bytes(covered)).to_bytes(2, "big")


# --- the frame --------------------------------------------------------------------------------------------------------


def test_get_version_is_answered_to_the_byte_as_worked_by_hand() -> None:
    assert Bench().ask(GET_VERSION) == VERSION_2_1


def test_another_version_is_reported_as_it_is() -> None:
    bench = Bench(SimulatedDr05(version=(1, 7), deaf_after_connect_s=0))
    assert bench.ask(GET_VERSION)[8:10] == b"\x01\x07"


def test_an_accepted_request_is_echoed_in_state_01() -> None:
    for request in (set_energy(10), START, STOP, MODE_2, TOTAL_STOP, START_COOLING, STOP_COOLING):
        assert Bench().ask(request) == acknowledged(request)


def test_a_wrong_checksum_is_echoed_in_state_00_with_a_fresh_one_and_nothing_is_done() -> None:
    bench = Bench()
    bench.ask(set_energy(10), START)
    reply = bench.ask(TOTAL_STOP_AS_PRINTED)
    assert reply == frame(0x31, 0x06, state=0)
    assert bench.output == 10


def test_the_state_00_answer_comes_whoever_was_meant() -> None:
    stranger = bytearray(frame(0x31, 0x06, ident=0x1234))
    stranger[-1] ^= 0xFF
    assert Bench().ask(bytes(stranger)) == frame(0x31, 0x06, state=0, ident=0x1234)


@pytest.mark.parametrize(
    "request_",
    [
        frame(0x31, 0x06, ident=0x00A7),
        frame(0x34, 0x40),
        frame(0x66, 0x07, 0),
        frame(0x31, 0x77, 1),
        frame(0x32, 0x03, 1),
        frame(0x33, 0x42),
        frame(0x31, 0x05),
    ],
    ids=["id", "type", "report", "action", "setting", "question", "ageing mode while not cooling"],
)
def test_what_the_firmware_does_not_know_is_not_answered(request_: bytes) -> None:
    assert Bench().ask(request_) == b""


def test_the_firmware_does_not_look_at_the_state_of_a_request() -> None:
    assert Bench().ask(frame(0x31, 0x06, state=0x01)) == frame(0x31, 0x06, state=0x01)


def test_a_device_that_has_the_checksum_low_byte_first_takes_and_gives_it_so() -> None:
    bench = Bench(SimulatedDr05(low_byte_first=True, deaf_after_connect_s=0))
    assert bench.ask(frame(0x31, 0x06, low_byte_first=True)) == frame(0x31, 0x06, state=1, low_byte_first=True)
    assert bench.ask(TOTAL_STOP) == frame(0x31, 0x06, state=0, low_byte_first=True)


def test_a_frame_split_anywhere_is_one_frame_and_two_joined_are_two() -> None:
    for cut in range(1, len(GET_VERSION)):
        bench = Bench()
        bench.write(GET_VERSION[:cut])
        bench.run_until(1.0)
        assert bench.ask(GET_VERSION[cut:]) == VERSION_2_1, cut
    assert Bench().ask(GET_VERSION + GET_VERSION) == VERSION_2_1 * 2


def test_a_partial_frame_is_dropped_two_seconds_after_its_first_byte() -> None:
    for wait, answer in ((1.99, VERSION_2_1), (2.0, b"")):
        bench = Bench()
        bench.write(GET_VERSION[:4])
        bench.run_until(wait + BYTE_S - 5 * BYTE_S)
        bench.write(GET_VERSION[4:9])
        bench.run_until(wait + 0.0001)
        assert bench.ask(GET_VERSION[9:]) == answer, wait
        assert bench.ask(GET_VERSION) == VERSION_2_1


def test_noise_before_a_frame_is_passed_over_but_a_lone_55_swallows_the_next_one() -> None:
    assert Bench().ask(b"AT+NAME\r\n\x00\xff" + GET_VERSION) == VERSION_2_1
    bench = Bench()
    assert bench.ask(b"\x55" + GET_VERSION) == b""
    assert bench.ask(GET_VERSION) == VERSION_2_1


def test_the_makers_printed_frames_are_answered_as_their_checksum_deserves() -> None:
    table = Path(__file__).parents[1] / "protocols" / "data" / "dr05-vectors.tsv"
    with table.open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert len(rows) == 64
    answered_in_state_00 = 0
    for row in rows:
        sent = bytes.fromhex(row["frame"])
        bench = Bench()
        bench.ask(START_COOLING)
        reply = bench.ask(sent)
        assert bench.device.arrivals[-1].frame == sent
        assert bench.device.arrivals[-1].checksum_right == (row["crc_order_as_printed"] == "high")
        if row["crc_order_as_printed"] != "high":
            assert reply == b"\x55\xaa" + sent[2:6] + b"\x00" + sent[7:-2] + crc(
                sent[2:6] + b"\x00" + sent[7:-2]
            ).to_bytes(2, "big"), row
            answered_in_state_00 += 1
    assert answered_in_state_00 == 29


def test_a_frame_longer_than_the_buffer_overruns_it_and_the_device_is_taken_to_hang_with_its_output_on() -> None:
    bench = Bench()
    bench.ask(set_energy(10), START)
    bench.ask(b"\x55\xaa\x09" + bytes(9) + b"\x00\x00")
    assert bench.device.overrun
    assert bench.ask(TOTAL_STOP, GET_VERSION) == b""
    bench.disconnect()
    assert bench.output == 10
    bench.device.power_cycle(bench.now)
    assert bench.output == 0
    assert not bench.device.overrun


def test_a_length_of_eight_fits_and_a_length_of_nought_does_not() -> None:
    bench = Bench()
    covered = bytes((8, 0, 0xA6, 0x31, 2, 6, 1, 2, 3))
    bench.ask(b"\x55\xaa" + covered + crc(covered).to_bytes(2, "big"))
    assert not bench.device.overrun
    assert bench.notifications
    bench.ask(b"\x55\xaa\x00" + bytes(9))
    assert bench.device.overrun


def test_a_frame_too_short_to_name_a_function_brings_in_what_the_last_one_left_in_the_buffer() -> None:
    bench = Bench()
    bench.ask(set_energy(20), START)
    covered = bytes((3, 0, 0xA6, 0x31))
    bench.ask(b"\x55\xaa" + covered + crc(covered).to_bytes(2, "big"))
    assert bench.output == 20
    bench.ask(STOP, b"\x55\xaa" + covered + crc(covered).to_bytes(2, "big"))
    assert bench.output == 0


# --- the UART and its module ------------------------------------------------------------------------------------------


def test_a_request_and_its_reply_take_a_byte_time_for_each_of_their_bytes() -> None:
    bench = Bench(start=10.0)
    bench.write(GET_VERSION)
    bench.run_until(11.0)
    assert [time for time, _ in bench.notifications] == [pytest.approx(10 + 22 * BYTE_S)]
    assert bench.device.arrivals[0].time == pytest.approx(10 + 10 * BYTE_S)


def test_thirteen_bytes_each_way_take_27_milliseconds() -> None:
    bench = Bench()
    bench.write(frame(0x32, 0x02, 10, 0, 0))
    bench.run_until(1.0)
    [(time, reply)] = bench.notifications
    assert len(reply) == 13
    assert time == pytest.approx(0.0271, abs=0.0005)


def test_two_requests_written_at_once_wait_for_each_other_on_the_wire_but_not_for_the_replies() -> None:
    bench = Bench(SimulatedDr05(deaf_after_connect_s=0, payload_bytes=10))
    bench.write(TOTAL_STOP)
    bench.write(TOTAL_STOP)
    bench.run_until(1.0)
    assert [arrival.time for arrival in bench.device.arrivals] == [pytest.approx(n * BYTE_S) for n in (10, 20)]
    assert [time for time, _ in bench.notifications] == [pytest.approx(n * BYTE_S) for n in (20, 30)]


def test_an_output_starts_when_the_last_byte_of_the_request_is_in_and_not_before() -> None:
    bench = Bench()
    bench.ask(set_energy(5))
    bench.write(START)
    at = bench.now + 11 * BYTE_S
    assert bench.device.output_percent(at - 1e-6) == 0
    assert bench.device.output_percent(at + 1e-6) == 5
    [entry] = bench.device.trace
    assert (entry.output_percent, entry.cause) == (5.0, "start")
    assert entry.time == pytest.approx(at)


def test_what_is_written_is_known_in_order_of_time_however_late_one_looks() -> None:
    bench = Bench()
    bench.write(set_energy(5) + START + TOTAL_STOP)
    bench.now = 60.0
    assert bench.output == 0
    assert [entry.output_percent for entry in bench.device.trace] == [5.0, 0.0]
    bench.run_until(60.0)
    assert b"".join(data for _, data in bench.notifications) == b"".join(
        acknowledged(request) for request in (set_energy(5), START, TOTAL_STOP)
    )


def test_the_module_cuts_a_stream_without_gaps_into_its_payload_and_sends_the_rest_when_the_line_falls_idle() -> None:
    bench = Bench()
    bench.write(GET_VERSION * 3)
    bench.run_until(1.0)
    assert [len(data) for _, data in bench.notifications] == [20, 16]
    assert b"".join(data for _, data in bench.notifications) == VERSION_2_1 * 3
    bench = Bench(SimulatedDr05(deaf_after_connect_s=0, payload_bytes=1))
    bench.write(GET_VERSION)
    bench.run_until(1.0)
    assert [len(data) for _, data in bench.notifications] == [1] * 12
    assert b"".join(data for _, data in bench.notifications) == VERSION_2_1


def test_a_module_that_waits_for_a_quiet_line_joins_replies_with_a_short_gap_between_them() -> None:
    bench = Bench(SimulatedDr05(deaf_after_connect_s=0, module_waits_s=0.005, payload_bytes=24))
    bench.write(TOTAL_STOP)
    bench.run_until(0.012)
    bench.write(set_energy(5))
    bench.run_until(1.0)
    [(time, data)] = bench.notifications
    assert data == acknowledged(TOTAL_STOP) + acknowledged(set_energy(5))
    assert time == pytest.approx(0.012 + 22 * BYTE_S + 0.005)


@pytest.mark.parametrize("bridge", Bridge)
def test_every_bridge_offers_one_service_to_write_and_to_listen_to(bridge: Bridge) -> None:
    bench = Bench(SimulatedDr05(bridge=bridge, deaf_after_connect_s=0))
    assert bench.ask(GET_VERSION) == VERSION_2_1
    if bench.writes_to != bench.listens_to:
        with pytest.raises(AttError) as caught:
            bench.device.written(bench.listens_to, GET_VERSION, bench.now)
        assert caught.value.code == 0x03
    with pytest.raises(AttError):
        bench.device.read(bench.listens_to, bench.now)


def test_a_central_that_has_not_subscribed_hears_nothing() -> None:
    bench = Bench()
    bench.device.subscribed(bench.listens_to, enabled=False, now=bench.now)
    assert bench.ask(GET_VERSION) == b""
    assert len(bench.device.arrivals) == 1


def test_the_firmware_is_deaf_until_it_has_debounced_the_modules_state_pin() -> None:
    bench = Bench(SimulatedDr05())
    bench.write(GET_VERSION)
    bench.run_until(0.099)
    assert bench.device.arrivals == ()
    assert bench.ask(GET_VERSION) == VERSION_2_1


def test_it_advertises_the_name_and_older_units_theirs() -> None:
    assert SimulatedDr05().advertisement.name == "Dr-05"
    assert SimulatedDr05(name="Dr-04").advertisement.name == "Dr-04"


# --- the hazards of the published firmware ----------------------------------------------------------------------------


def test_dr05_hazard_1_a_start_with_no_energy_set_gives_fifty_percent() -> None:
    bench = Bench()
    assert bench.ask(START) == acknowledged(START)
    assert bench.output == 50


def test_dr05_hazard_1_setting_nought_before_the_start_does_not_help() -> None:
    bench = Bench()
    bench.ask(set_energy(0), START)
    assert bench.output == 50


def test_dr05_hazard_1_a_start_while_paused_at_nought_gives_fifty_percent() -> None:
    bench = Bench()
    bench.ask(set_energy(10), START, set_energy(0), START)
    assert bench.output == 50


def test_dr05_hazard_2_a_mode_change_while_paused_at_nought_gives_fifty_percent() -> None:
    bench = Bench()
    bench.ask(set_energy(10), START, set_energy(0))
    assert bench.output == 0
    assert bench.device.running
    assert bench.ask(MODE_2) == acknowledged(MODE_2)
    assert bench.output == 50
    assert bench.device.mode == 2


def test_a_mode_change_while_stopped_gives_no_output_and_while_running_keeps_the_level() -> None:
    bench = Bench()
    bench.ask(MODE_2)
    assert bench.output == 0
    bench.ask(set_energy(10), START, MODE_1)
    assert (bench.output, bench.device.mode) == (10, 1)
    bench.ask(frame(0x32, 0x0D, 3))
    assert (bench.output, bench.device.mode) == (10, 1)


def test_dr05_hazard_3_there_is_no_soft_start_the_level_holds_at_once() -> None:
    bench = Bench()
    bench.ask(set_energy(1), START, set_energy(100))
    assert [entry.output_percent for entry in bench.device.trace] == [1.0, 100.0]
    bench.ask(set_energy(255))
    assert bench.output == 100


def test_dr05_hazard_4_energy_outlives_a_stop_and_is_forgotten_at_power_off() -> None:
    bench = Bench()
    bench.ask(set_energy(70), START, STOP, START)
    assert bench.output == 70
    bench.ask(TOTAL_STOP, START)
    assert bench.output == 70
    bench.device.power_cycle(bench.now)
    bench.run_until(bench.now + 1)
    assert (bench.hangups, bench.output, bench.device.energy_percent) == (1, 0, 0)
    bench.connect()
    bench.ask(START)
    assert bench.output == 50


def test_dr05_hazard_4_setting_nought_while_stopped_is_acknowledged_and_ignored() -> None:
    bench = Bench()
    bench.ask(set_energy(70))
    assert bench.ask(set_energy(0)) == acknowledged(set_energy(0))
    bench.ask(START)
    assert bench.output == 70


def test_dr05_hazard_5_a_lost_link_ends_output_and_cooling_at_once_and_reconnecting_restarts_neither() -> None:
    bench = Bench()
    bench.ask(set_energy(30), START, START_COOLING)
    assert (bench.output, bench.device.cooling) == (30, True)
    bench.disconnect()
    assert (bench.output, bench.device.running, bench.device.cooling, bench.device.fan) == (0, False, False, False)
    assert bench.device.trace[-1] == TraceEntry(bench.now, 0.0, "link lost")
    bench.connect()
    bench.run_until(bench.now + 10)
    assert bench.output == 0


def test_dr05_hazard_5_nothing_but_the_link_ends_the_output_of_a_host_that_hangs() -> None:
    bench = Bench()
    bench.ask(set_energy(30), START)
    bench.run_until(bench.now + 86_400)
    assert bench.output == 30


def test_dr05_hazard_6_it_never_reports_battery_contact_or_current() -> None:
    bench = Bench()
    bench.ask(set_energy(30), START)
    before = len(bench.notifications)
    bench.run_until(bench.now + 3600)
    assert len(bench.notifications) == before
    assert all(bench.ask(frame(0x33, func)) == b"" for func in range(0x100) if func not in {0x40, 0x41})


def test_dr05_hazard_7_a_lost_acknowledgement_hides_whether_the_stop_was_obeyed() -> None:
    bench = Bench()
    bench.ask(set_energy(30), START)
    bench.device.lose_reply()
    assert bench.ask(TOTAL_STOP) == b""
    assert bench.output == 0
    assert bench.ask(TOTAL_STOP) == acknowledged(TOTAL_STOP)


def test_dr05_hazard_7_a_silent_firmware_goes_on_until_the_link_ends() -> None:
    bench = Bench()
    bench.ask(set_energy(30), START)
    bench.device.set_silent(silent=True, now=bench.now)
    assert bench.ask(TOTAL_STOP, TOTAL_STOP, TOTAL_STOP) == b""
    assert bench.output == 30
    assert [arrival.frame for arrival in bench.device.arrivals[-3:]] == [TOTAL_STOP] * 3
    bench.disconnect()
    assert bench.output == 0


def test_total_stop_ends_output_cooling_and_fan() -> None:
    bench = Bench()
    bench.ask(set_energy(30), START, START_COOLING, TOTAL_STOP)
    assert (bench.output, bench.device.running, bench.device.cooling, bench.device.fan) == (0, False, False, False)


def test_the_nth_reply_to_come_is_the_one_that_is_lost() -> None:
    bench = Bench()
    bench.device.lose_reply(2)
    assert bench.ask(GET_VERSION, TOTAL_STOP, GET_VERSION) == VERSION_2_1 * 2
    with pytest.raises(ValueError, match="counted from 1"):
        bench.device.lose_reply(0)


# --- whatever is written ----------------------------------------------------------------------------------------------

_PIECES = st.one_of(
    st.sampled_from([GET_VERSION, TOTAL_STOP, TOTAL_STOP_AS_PRINTED, START, STOP, MODE_1, MODE_2, GET_TEMPERATURE]),
    st.integers(0, 120).map(set_energy),
    st.binary(max_size=6).filter(lambda data: b"\x55" not in data),
)
_CHUNKS = st.lists(
    st.tuples(st.floats(0.0, 3.0), st.lists(_PIECES, max_size=3).map(b"".join), st.integers(0, 30)), max_size=12
)


@given(_CHUNKS, st.integers(1, 20))
def test_when_one_looks_makes_no_difference_to_what_happened(
    chunks: list[tuple[float, bytes, int]], payload_bytes: int
) -> None:
    """A radio that calls at every deadline and one that calls now and then see the same bytes and the same output."""

    def run(*, promptly: bool) -> tuple[bytes, tuple[TraceEntry, ...]]:
        bench = Bench(SimulatedDr05(deaf_after_connect_s=0, payload_bytes=payload_bytes))
        for wait, data, cut in chunks:
            for part in (data[:cut], data[cut:]):
                bench.write(part)
            if promptly:
                bench.run_until(bench.now + wait)
            else:
                bench.now += wait
                bench.device.output_percent(bench.now)
        bench.run_until(bench.now + 100)
        heard = [data for _, data in bench.notifications]
        assert all(0 < len(data) <= payload_bytes for data in heard)
        return b"".join(heard), bench.device.trace

    heard, trace = run(promptly=True)
    assert (heard, trace) == run(promptly=False)
    assert [entry.time for entry in trace] == sorted(entry.time for entry in trace)
    levels = [0.0, *(entry.output_percent for entry in trace)]
    assert all(before != after for before, after in pairwise(levels))


@given(st.lists(st.tuples(st.floats(0.0, 3.0), st.binary(max_size=40)), max_size=10))
def test_any_bytes_leave_the_device_in_a_state_that_can_be_asked_for(chunks: list[tuple[float, bytes]]) -> None:
    bench = Bench()
    for wait, data in chunks:
        bench.write(data)
        bench.run_until(bench.now + wait)
    assert 0 <= bench.output <= 100
    bench.device.power_cycle(bench.now)
    bench.run_until(bench.now)
    bench.connect()
    assert bench.ask(GET_VERSION) == VERSION_2_1


# --- cooling, water, temperature --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "aimed_for"), [(-2, 0), (-1, 0), (0, 0), (2, 2), (3, 3), (4, 3), (5, 3), (6, 6), (20, 20), (90, 20)]
)
def test_the_cooling_target_is_clamped_as_the_firmware_does(asked: int, aimed_for: float) -> None:
    bench = Bench()
    bench.ask(frame(0x32, 0x0C, asked & 0xFF), START_COOLING)
    assert bench.device.cooling_target_c == aimed_for
    bench.run_until(bench.now + 600)
    assert bench.device.temperature_c(bench.now) == pytest.approx(aimed_for, abs=0.01)


def test_low_water_ends_cooling_and_fan_and_is_repeated_every_second_until_it_falls_silent() -> None:
    bench = Bench()
    bench.ask(set_energy(10), START, START_COOLING)
    before = len(bench.notifications)
    bench.device.set_water_low(low=True, now=bench.now)
    since = bench.now
    assert not bench.device.cooling
    bench.run_until(since + 3.5)
    reports = bench.notifications[before:]
    assert [data for _, data in reports] == [WATER_LOW] * 4
    assert [time for time, _ in reports] == [pytest.approx(since + n + 11 * BYTE_S) for n in range(4)]
    assert bench.output == 10
    bench.device.set_water_low(low=False, now=bench.now)
    bench.run_until(bench.now + 10)
    assert len(bench.notifications) == before + 4
    assert not bench.device.cooling


def test_starting_to_cool_with_low_water_is_acknowledged_and_does_nothing() -> None:
    bench = Bench()
    bench.device.set_water_low(low=True, now=bench.now)
    assert acknowledged(START_COOLING) in bench.ask(START_COOLING)
    assert not bench.device.cooling


def test_a_device_as_the_document_has_it_reports_the_water_back_once() -> None:
    bench = Bench(SimulatedDr05(announces_water_back=True, deaf_after_connect_s=0))
    bench.device.set_water_low(low=True, now=bench.now)
    bench.run_until(0.5)
    bench.device.set_water_low(low=False, now=bench.now)
    bench.run_until(10)
    assert [data for _, data in bench.notifications] == [WATER_LOW, WATER_BACK]


def test_low_water_is_reported_to_the_next_central_too_and_to_none_while_there_is_none() -> None:
    bench = Bench()
    bench.device.set_water_low(low=True, now=bench.now)
    bench.disconnect()
    assert bench.device.deadline is None
    bench.now = 5.0
    bench.connect()
    bench.run_until(6.1)
    assert [data for _, data in bench.notifications] == [WATER_LOW]


def test_a_hand_on_the_tank_says_that_the_deadline_moved() -> None:
    bench = Bench()
    moved: list[float | None] = []
    bench.device.deadline_moved = lambda: moved.append(bench.device.deadline)
    bench.run_until(3.0)
    bench.device.set_water_low(low=True, now=bench.now)
    assert moved == [3.0]
    bench.device.power_cycle(bench.now)
    assert moved == [3.0, 3.0]


def _shown(bench: Bench) -> float:
    reply = bench.ask(GET_TEMPERATURE)
    assert reply[:8] == bytes.fromhex("55AA0700A6330141")
    return int.from_bytes(reply[8:10], "big", signed=True) / 10


def test_the_temperature_goes_from_the_rooms_towards_the_target_and_back() -> None:
    bench = Bench(SimulatedDr05(seed=4, deaf_after_connect_s=0))
    room = bench.device.ambient_c
    assert _shown(bench) == room
    bench.ask(frame(0x32, 0x0C, 10), START_COOLING)
    seen = [room]
    for _ in range(10):
        bench.run_until(bench.now + 10)
        seen.append(_shown(bench))
    assert seen == sorted(seen, reverse=True)
    assert seen[-1] == pytest.approx(10, abs=0.2)
    bench.ask(STOP_COOLING)
    bench.run_until(bench.now + 3600)
    assert _shown(bench) == room


def test_below_two_degrees_the_display_shows_nought_for_two_minutes_and_then_minus_one() -> None:
    bench = Bench()
    bench.ask(frame(0x32, 0x0C, 0), START_COOLING)
    while bench.device.temperature_c(bench.now) >= 2:
        assert _shown(bench) >= 1.9
    since = bench.now
    assert _shown(bench) == 0
    bench.run_until(since + 118)
    assert _shown(bench) == 0
    bench.run_until(since + 121)
    assert _shown(bench) == -1
    bench.ask(STOP_COOLING)
    bench.run_until(bench.now + 60)
    assert _shown(bench) > 2


def test_the_same_seed_is_the_same_room_and_another_seed_another() -> None:
    assert SimulatedDr05(3).ambient_c == SimulatedDr05(3).ambient_c
    assert len({SimulatedDr05(seed).ambient_c for seed in range(10)}) > 5


# --- what a companion never sends -------------------------------------------------------------------------------------


def test_ageing_mode_is_answered_only_while_cooling() -> None:
    bench = Bench()
    assert bench.ask(frame(0x31, 0x05)) == b""
    assert not bench.device.ageing
    bench.ask(START_COOLING)
    assert bench.ask(frame(0x31, 0x05)) == frame(0x31, 0x05, state=1)
    assert bench.device.ageing


def test_a_firmware_update_resets_the_device_which_then_waits_for_an_image() -> None:
    bench = Bench()
    bench.ask(set_energy(10), START)
    assert bench.ask(frame(0x31, 0xAA)) == b""
    assert (bench.hangups, bench.output) == (1, 0)
    bench.connect()
    assert bench.ask(GET_VERSION) == b""
    bench.device.power_cycle(bench.now)
    bench.run_until(bench.now + 1)
    bench.connect()
    assert bench.ask(GET_VERSION) == VERSION_2_1
