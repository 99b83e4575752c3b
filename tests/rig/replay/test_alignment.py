"""What was played beside what is recorded: each thing that went wrong is told once, and as what it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.gatt import uuid
from rig.replay.alignment import Alignment, align
from rig.replay.exchanges import Exchange, Place
from rig.replay.judgement import key

PLACES = {letter: Place(uuid("ffe0"), uuid(number)) for letter, number in (("a", "ffe1"), ("b", "ffe2"))}


def writes(text: str) -> list[Exchange]:
    """``a1`` is a write of 01 to one characteristic, ``b2`` one of 02 to another."""
    return [
        Exchange(0, "app", "write_command", PLACES[word[0]], bytes.fromhex(f"55aa00{word[1:]:0>2}"))
        for word in text.split()
    ]


def aligned(recorded: str, played: str) -> Alignment:
    return align(writes(recorded), writes(played), key)


def test_the_same_is_the_same() -> None:
    found = aligned("a1 a2 a1 b1", "a1 a2 a1 b1")
    assert found.same == {0: 0, 1: 1, 2: 2, 3: 3}
    assert not found.changed | found.moved
    assert not found.missing + found.extra


@pytest.mark.parametrize("played", ["a1 a9 a3 a4", "a1 a9 a3"])
def test_another_value_in_its_place_is_changed(played: str) -> None:
    assert aligned("a1 a2 a3 a4", played).changed == {1: 1}


def test_what_is_about_another_attribute_is_no_changed_value() -> None:
    found = aligned("a1 a2 a3", "a1 b9 a3")
    assert found.changed == {}
    assert found.missing == [1]
    assert found.extra == [1]


def test_a_swapped_pair_is_one_that_has_moved_past_the_other() -> None:
    found = aligned("a1 a2 a3 a4", "a1 a3 a2 a4")
    assert len(found.moved) == 1
    moved = next(iter(found.moved))
    assert {moved, found.partner_of(moved)} == {1, 2}
    assert not found.missing + found.extra


def test_what_moved_far_has_changed_places_with_the_outermost_that_it_went_past() -> None:
    later = aligned("a1 a2 a3 a4 a5", "a2 a3 a4 a1 a5")
    assert later.moved == {0: 3}
    assert later.partner_of(0) == 1
    earlier = aligned("a1 a2 a3 a4 a5", "a1 a4 a2 a3 a5")
    assert earlier.moved == {3: 1}
    assert earlier.partner_of(3) == 2


def test_one_of_many_alike_that_is_missing_is_one_missing() -> None:
    found = aligned("a1 a2 a1 a2 a1 a2", "a1 a2 a1 a1 a2")
    assert len(found.missing) == 1
    assert not found.extra
    assert not found.changed | found.moved


def test_one_too_many_in_front_of_all_is_extra_though_its_like_comes_later() -> None:
    found = aligned("a1 a2 a3 a1", "a1 a1 a2 a3 a1")
    assert len(found.extra) == 1
    assert not found.missing
    assert not found.changed | found.moved


def test_a_long_stretch_in_which_nothing_fits_is_compared_place_by_place() -> None:
    recorded = " ".join(f"a{n % 100:02d}" for n in range(100))
    found = align(writes(recorded), writes(" ".join("aff" for _ in range(100))), key)
    assert found.changed == {n: n for n in range(100)}


@given(
    recorded=st.lists(st.sampled_from(["a1", "a2", "a3", "b1"]), max_size=12),
    played=st.lists(st.sampled_from(["a1", "a2", "a3", "b1", "b9"]), max_size=12),
)
def test_everything_recorded_and_everything_played_is_accounted_for_once(
    recorded: list[str], played: list[str]
) -> None:
    found = aligned(" ".join(recorded), " ".join(played))
    pairs = [*found.same.items(), *found.changed.items(), *found.moved.items()]
    assert sorted([*found.missing, *(r for r, _ in pairs)]) == list(range(len(recorded)))
    assert sorted([*found.extra, *(p for _, p in pairs)]) == list(range(len(played)))
    for r, p in [*found.same.items(), *found.moved.items()]:
        assert recorded[r] == played[p]
    in_order = [found.same[r] for r in sorted(found.same)]
    assert in_order == sorted(in_order)
    if recorded == played:
        assert len(found.same) == len(recorded)
