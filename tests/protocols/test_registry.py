"""Finding the protocol for an advertisement, among built-in and installed ones."""

from __future__ import annotations

import dataclasses
import importlib.metadata
from collections.abc import Callable
from importlib.metadata import EntryPoint, EntryPoints
from typing import Any

import pytest

from protocols import dr05, foreo, registry
from protocols.dr05 import Dr05
from protocols.foreo import NAMES, Foreo
from protocols.gatt import uuid
from protocols.registry import GROUP, ProtocolEntry, Registry, UnknownProtocolError

Install = Callable[..., None]

THEIRS = dataclasses.replace(dr05.ENTRY, key="theirs", title="Their device", matches=lambda name, _: 50 * (name == "T"))
DOUBLE = dataclasses.replace(dr05.ENTRY, title="Another Dr-05")
NO_ENTRY = "just a string"


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Replace the installed entry points of our group."""

    def replace(**values: str) -> None:
        points = EntryPoints(EntryPoint(name, value, GROUP) for name, value in values.items())

        def entry_points(**selection: Any) -> EntryPoints:
            return points.select(**selection)

        monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)

    return replace


def test_both_built_in_protocols_are_found() -> None:
    default = Registry.default()
    assert default.get("dr05") is dr05.ENTRY
    assert default.get("foreo") is foreo.ENTRY
    assert default.problems == ()


def test_the_built_in_protocols_are_found_without_any_metadata(install: Install) -> None:
    install()
    assert [entry.key for entry in Registry.default().entries] == ["dr05", "foreo", "omp"]


def test_the_built_in_protocols_are_entry_points_as_well(install: Install) -> None:
    install(dr05="protocols.dr05:ENTRY", foreo="protocols.foreo:ENTRY")
    default = Registry.default()
    assert [entry.key for entry in default.entries] == ["dr05", "foreo", "omp"]
    assert default.problems == ()


def test_the_project_declares_exactly_the_built_in_ones() -> None:
    declared = {point.value for point in importlib.metadata.entry_points(group=GROUP)}
    assert set(registry.BUILT_IN) <= declared


def test_an_installed_protocol_joins_after_the_built_in_ones(install: Install) -> None:
    install(theirs=f"{__name__}:THEIRS")
    default = Registry.default()
    assert [entry.key for entry in default.entries] == ["dr05", "foreo", "omp", "theirs"]
    assert default.match("T", ()) == THEIRS


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("no.such.module:ENTRY", "cannot be loaded: No module named 'no'"),
        (f"{__name__}:NO_ENTRY", "is not a ProtocolEntry"),
        (f"{__name__}:DOUBLE", "a second protocol with the key 'dr05' (Another Dr-05) is left out"),
    ],
)
def test_a_broken_plug_in_is_named_and_takes_nothing_else_down(install: Install, value: str, problem: str) -> None:
    install(broken=value)
    default = Registry.default()
    assert [entry.key for entry in default.entries] == ["dr05", "foreo", "omp"]
    (told,) = default.problems
    assert problem in told


def test_what_is_installed_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def entry_points(*, group: str) -> EntryPoints:
        asked.append(group)
        return EntryPoints()

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    assert Registry.default() is Registry.default()
    assert asked == [GROUP]


def test_an_unknown_key_is_answered_with_those_that_exist() -> None:
    with pytest.raises(UnknownProtocolError, match="no protocol 'dr5'; known: dr05, foreo") as caught:
        Registry.default().get("dr5")
    assert isinstance(caught.value, KeyError)
    with pytest.raises(UnknownProtocolError, match="known: none"):
        Registry([]).get("x")


@pytest.mark.parametrize(
    ("name", "key"),
    [
        *(("Dr-05", "dr05"), ("Dr-04", "dr05"), ("Dr-05 ", "dr05"), ("Dr-06", None), ("dr-05", None)),
        *((name, "foreo") for name in NAMES),
        *(("bear2", None), ("BEAR3", None), ("", None), (None, None)),
    ],
)
def test_an_advertised_name_finds_its_protocol_and_no_other_does(name: str | None, key: str | None) -> None:
    found = Registry.default().match(name, (uuid("ffe0"), uuid("fff0")))
    assert (found.key if found else None) == key


def test_the_surest_protocol_wins_and_the_earlier_one_when_two_are_as_sure() -> None:
    def sure(key: str, score: int) -> ProtocolEntry:
        return dataclasses.replace(dr05.ENTRY, key=key, matches=lambda _name, _uuids: score)

    first, second, third = sure("a", 10), sure("b", 20), sure("c", 20)
    assert Registry([first, second, third]).match("x", ()) is second


def test_an_entry_makes_a_fresh_machine_for_each_link() -> None:
    one, two = dr05.ENTRY.create("Dr-05"), dr05.ENTRY.create("Dr-04")
    assert isinstance(one, Dr05)
    assert one is not two
    assert isinstance(foreo.ENTRY.create("UFO2"), Foreo)
    assert foreo.ENTRY.create("UFO2").profile.name == "FOREO UFO2"
