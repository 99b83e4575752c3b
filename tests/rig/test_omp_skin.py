"""The skin of the simulated OMP device: what electrodes, gel and movement make of its impedance."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.omp_codec import LOST_OHM
from rig.devices.skin import DRYING_S, Skin, Touch, TouchEvent

HZ = 8.3
AT = st.floats(0.0, 3600.0)
SEED = st.integers(0, 2**64)
EVENTS = st.lists(st.builds(TouchEvent, AT, st.sampled_from(Touch)), max_size=4).map(tuple)
SKIN = st.builds(Skin, SEED, noise=st.floats(0.0, 0.199), events=EVENTS)


def test_fresh_gel_is_two_and_a_half_kilohms_and_dry_gel_a_hundred_and_sixty() -> None:
    skin = Skin(noise=0.0)
    fresh, dry = skin.impedance_ohm(0.0, HZ), skin.impedance_ohm(DRYING_S, HZ)
    # Two electrodes in series, each 200 ohms and 1 or 80 kilohms; at 8.3 Hz the capacitors hardly count.
    assert fresh == pytest.approx(2_400, rel=0.01)
    assert dry == pytest.approx(160_400, rel=0.01)


def test_the_capacitor_carries_what_is_fast() -> None:
    skin = Skin(noise=0.0)
    # 50 nF at 10 kHz are 318 ohms beside the kilohm.
    slow, fast = skin.impedance_ohm(0.0, HZ), skin.impedance_ohm(0.0, 10_000.0)
    assert slow is not None
    assert fast is not None
    assert fast == pytest.approx(2 * abs(200 + 1000 / complex(1, 2 * 3.14159265 * 1e4 * 1000 * 50e-9)), rel=1e-6)
    assert fast < slow / 2


def test_gel_dries_evenly_and_fresh_gel_begins_anew() -> None:
    skin = Skin(noise=0.0, events=(TouchEvent(400.0, Touch.GELLED),))
    looks = [skin.impedance_ohm(at, HZ) or 0.0 for at in range(0, 400, 10)]
    assert looks == sorted(looks)
    assert (skin.impedance_ohm(399.0, HZ) or 0.0) > 20_000
    assert skin.impedance_ohm(400.0, HZ) == pytest.approx(2_400, rel=0.01)


def test_lifting_opens_the_circuit_shorting_closes_it_and_placing_keeps_the_gel() -> None:
    skin = Skin(noise=0.0)
    skin.add(Touch.LIFTED, 100.0)
    skin.add(Touch.SHORTED, 200.0)
    skin.add(Touch.PLACED, 300.0)
    skin.add(Touch.DRIED, 310.0)
    assert skin.impedance_ohm(150.0, HZ) is None
    assert skin.highest_ua(150.0, HZ) == 0.0
    assert skin.impedance_ohm(250.0, HZ) == 20.0
    assert skin.dryness(305.0) == pytest.approx(305.0 / DRYING_S)
    assert skin.dryness(311.0) == 1.0
    assert [skin.next_event(at) for at in (0.0, 100.0, 310.0)] == [100.0, 200.0, None]


def test_thirty_volts_are_all_there_is() -> None:
    assert Skin(noise=0.0).highest_ua(DRYING_S, HZ) == pytest.approx(187, abs=1)


@given(SKIN, AT, st.floats(0.0, 500.0), st.floats(0.1, 1000.0))
def test_a_current_gets_through_up_to_what_the_voltage_drives(
    skin: Skin, at: float, wanted_ua: float, hz: float
) -> None:
    assert skin.let_through_ua(wanted_ua, at, hz) == min(wanted_ua, skin.highest_ua(at, hz))


def test_the_driest_skin_that_there_is_limits_a_current_only_above_156() -> None:
    for seed in range(200):
        skin = Skin(seed, noise=0.1999)
        lowest = min(skin.highest_ua(DRYING_S + 0.25 * n, 1e-3) for n in range(20))
        assert lowest > 155.8
        for wanted_ua in range(150, 200):
            assert skin.let_through_ua(wanted_ua, DRYING_S, 1e-3) == min(wanted_ua, skin.highest_ua(DRYING_S, 1e-3))


def test_what_happens_counts_though_somebody_had_looked_before() -> None:
    skin = Skin(noise=0.0)
    before = skin.impedance_ohm(100.0, HZ)
    assert skin.impedance_ohm(100.0, 1_000.0) != before
    skin.add(Touch.LIFTED, 90.0)
    assert skin.impedance_ohm(100.0, 1_000.0) is None
    skin.add(Touch.PLACED, 95.0)
    assert skin.impedance_ohm(100.0, HZ) == before


@given(
    st.lists(st.tuples(st.integers(0, 900), st.sampled_from(Touch)), max_size=8, unique_by=lambda event: event[0]),
    st.randoms(use_true_random=False),
)
def test_things_may_be_told_in_any_order(events: list[tuple[int, Touch]], chance: Random) -> None:
    in_order = Skin(3, events=tuple(TouchEvent(float(at), touch) for at, touch in sorted(events)))
    any_order = Skin(3)
    for at, touch in chance.sample(events, len(events)):
        any_order.add(touch, float(at))
        any_order.impedance_ohm(450.0, HZ)
    for at in range(0, 1000, 50):
        assert any_order.impedance_ohm(at, HZ) == in_order.impedance_ohm(at, HZ)
        assert (any_order.touching(at), any_order.dryness(at)) == (in_order.touching(at), in_order.dryness(at))
        assert any_order.next_event(at) == in_order.next_event(at)


@given(SEED, AT)
def test_movement_and_drying_alone_never_look_like_lost_contact(seed: int, at: float) -> None:
    impedance = Skin(seed, noise=0.19).impedance_ohm(at, HZ)
    assert impedance is not None
    assert 1_900 < impedance <= LOST_OHM


@given(SEED, AT)
def test_the_same_seed_is_the_same_skin_in_any_order_of_questions(seed: int, at: float) -> None:
    one, other = Skin(seed), Skin(seed)
    other.impedance_ohm(at + 5.0, HZ)
    assert one.impedance_ohm(at, HZ) == other.impedance_ohm(at, HZ)
    assert one.temperature_c(at) == other.temperature_c(at)


def test_other_seeds_are_other_skins() -> None:
    assert len({Skin(seed).impedance_ohm(1.0, HZ) for seed in range(50)}) == 50


@given(SEED, AT)
def test_skin_warms_by_three_tenths_a_minute_up_to_the_body(seed: int, at: float) -> None:
    skin = Skin(seed)
    begins = skin.temperature_c(0.0)
    assert 31.0 <= begins <= 33.0
    assert skin.temperature_c(at) == pytest.approx(min(36.0, begins + 0.3 * at / 60))


@pytest.mark.parametrize("noise", [-0.1, 0.2, 1.0])
def test_noise_that_would_hide_lost_contact_is_refused(noise: float) -> None:
    with pytest.raises(ValueError, match="movement noise"):
        Skin(noise=noise)
