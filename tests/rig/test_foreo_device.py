"""The simulated FOREO pulsates as told, for its own model only, and knows its battery."""

from __future__ import annotations

import pytest

from protocols.gatt import uuid
from rig.devices import catalogue
from rig.devices.dr05 import SimulatedDr05
from rig.devices.foreo import BATTERY, CONTROL, SKIN, SimulatedForeo
from rig.devices.model import AttError, Hangup, Notify, TraceEntry
from rig.devices.omp import SimulatedOmp


def _connected(device: SimulatedForeo) -> SimulatedForeo:
    device.connected(0.0)
    for characteristic in (BATTERY, SKIN):
        device.subscribed(characteristic, enabled=True, now=0.0)
    return device


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("BEAR2", 0),
        ("LUNA 4", 0),
        ("LUNA PLAYSMART2", 3),
        ("LUNA play smart 2", 3),
        ("LUNA PLAY SMART", 0),
        ("FOFO", 1),
        ("LUNA FOFO", 1),
        ("UFO3mini", 1),
        ("KIWI derma", 0),
    ],
)
def test_a_device_obeys_the_command_of_its_own_model_only(name: str, model: int) -> None:
    device = _connected(SimulatedForeo(name))
    assert device.advertisement.name == name
    for other in {0, 1, 2, 3} - {model}:
        device.written(CONTROL, bytes((1, other, 7)), 1.0)
    assert device.output_percent(1.0) == 0
    device.written(CONTROL, bytes((1, model, 7)), 2.0)
    assert device.output_percent(2.0) == 70
    device.written(CONTROL, bytes((1, model, 0)), 3.0)
    assert device.output_percent(3.0) == 0
    assert device.trace == (TraceEntry(2.0, 70.0, "command"), TraceEntry(3.0, 0.0, "command"))


@pytest.mark.parametrize("nonsense", ["01000b", "0100", "010005ff", "020005", ""])
def test_nonsense_is_ignored_or_refused_as_the_device_was_made(nonsense: str) -> None:
    lenient, strict = _connected(SimulatedForeo()), _connected(SimulatedForeo(refuses_nonsense=True))
    for device in (lenient, strict):
        device.written(CONTROL, bytes.fromhex("010003"), 1.0)
    assert lenient.written(CONTROL, bytes.fromhex(nonsense), 2.0) == ()
    with pytest.raises(AttError) as caught:
        strict.written(CONTROL, bytes.fromhex(nonsense), 2.0)
    assert caught.value.code == 0xFF
    assert lenient.output_percent(3.0) == strict.output_percent(3.0) == 30


def test_pulsation_ends_with_the_link_unless_the_device_was_made_to_keep_on() -> None:
    for keeps, left in ((False, 0), (True, 50)):
        device = _connected(SimulatedForeo(keeps_pulsating=keeps))
        device.written(CONTROL, bytes.fromhex("010005"), 1.0)
        device.disconnected(2.0)
        assert device.output_percent(2.0) == left


def test_the_battery_falls_slowly_and_each_percent_is_notified_once() -> None:
    device = _connected(SimulatedForeo(seed=3))
    full = device.read(BATTERY, 0.0)[0]
    device.written(CONTROL, bytes.fromhex("010005"), 0.0)
    told: list[tuple[float, int]] = []
    while (due := device.deadline) is not None and due <= 720:
        for action in device.deadline_passed(due):
            assert isinstance(action, Notify)
            assert action.characteristic == BATTERY
            told.append((due, action.data[0]))
    assert told == [(pytest.approx(72.0 * n), full - n) for n in range(1, 11)]
    device.written(CONTROL, bytes.fromhex("010000"), 720.0)
    assert device.battery_percent(720.0 + 599) == full - 10
    assert device.battery_percent(720.0 + 601) == full - 11


def test_battery_news_that_comes_up_during_a_write_is_told_all_the_same() -> None:
    device = _connected(SimulatedForeo(seed=3))
    level = device.battery_percent(0.0)
    device.written(CONTROL, bytes.fromhex("010001"), 700.0)
    assert device.deadline == 700.0
    assert device.deadline_passed(700.0) == (Notify(BATTERY, bytes((level - 1,))),)
    assert device.deadline_passed(700.0) == ()


def test_an_empty_battery_ends_pulsation_and_link_and_starts_nothing_again() -> None:
    device = _connected(SimulatedForeo())
    device.set_battery(2, 0.0)
    device.written(CONTROL, bytes.fromhex("010009"), 0.0)
    actions = []
    while (due := device.deadline) is not None:
        actions += device.deadline_passed(due)
        assert due < 1000
    assert actions == [*(Notify(BATTERY, bytes((percent,))) for percent in (2, 1, 0)), Hangup()]
    assert device.trace[-1].time == pytest.approx(144.0)
    assert device.trace[-1][1:] == (0.0, "battery empty")
    device.written(CONTROL, bytes.fromhex("010009"), 200.0)
    assert device.output_percent(200.0) == 0


def test_a_battery_that_nobody_listens_to_asks_for_no_time() -> None:
    device = SimulatedForeo()
    assert device.deadline is None


def test_a_skin_reading_is_two_bytes_half_a_second_after_it_was_asked_for() -> None:
    device = _connected(SimulatedForeo(seed=5))
    device.written(SKIN, b"\x00", 1.0)
    assert device.deadline is not None
    assert device.deadline > 60
    device.written(SKIN, b"\xef", 1.0)
    assert device.deadline == 1.5
    [action] = device.deadline_passed(1.5)
    assert isinstance(action, Notify)
    assert (action.characteristic, len(action.data)) == (SKIN, 2)
    assert device.read(SKIN, 2.0) == action.data
    again = _connected(SimulatedForeo(seed=5))
    again.written(SKIN, b"\xef", 1.0)
    assert again.deadline_passed(1.5) == (action,)


def test_what_cannot_be_read_or_written_is_an_att_error() -> None:
    device = _connected(SimulatedForeo())
    with pytest.raises(AttError) as caught:
        device.written(BATTERY, b"\x64", 1.0)
    assert caught.value.code == 0x03
    with pytest.raises(AttError) as caught:
        device.read(CONTROL, 1.0)
    assert caught.value.code == 0x02
    assert [service.uuid for service in device.services] == [uuid(0xFFF0)]


def test_the_catalogue_makes_every_device_it_lists_and_says_what_there_is() -> None:
    assert [type(catalogue.create(key, seed=4)) for key in catalogue.KEYS] == [
        SimulatedDr05,
        SimulatedForeo,
        SimulatedOmp,
    ]
    with pytest.raises(ValueError, match="no simulated device 'toaster'; there are: dr05, foreo, omp"):
        catalogue.create("toaster", 1)
