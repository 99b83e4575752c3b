"""What a demo remembers of a pairing: a person's answer, for the simulated device alone, until it is forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

import rig.devices.catalogue
from companion.dates import Calendar
from companion.demo import open_demo, run_at_speed
from companion.device.connection import Connection
from companion.device.finder import find
from companion.device.known import KnownDevice
from companion.device.pairing import PairingError
from companion.device.radio import SystemRadio
from companion.store.database import Store
from protocols.registry import Registry
from rig.devices.omp import SimulatedOmp
from rig.radio.pairing import Ability
from tests.companion.at_home import AtHome


class Kept:
    """What was paired, in memory."""

    def __init__(self) -> None:
        self.devices: list[KnownDevice] = []

    def all(self) -> Sequence[KnownDevice]:
        return self.devices

    def paired(self, address: str, name: str, protocol: str) -> None:
        self.devices.append(KnownDevice(address, name, protocol, datetime(2026, 11, 22, tzinfo=UTC)))


class Person:
    """Somebody who answers a code with ``same``, and counts how often they were asked."""

    def __init__(self, *, same: bool = True) -> None:
        self.asked = 0
        self._same = same

    async def compare(self, device: str, number: int) -> bool:
        self.asked += 1
        return self._same

    async def enter(self, device: str) -> int | None:
        raise AssertionError("the reference device compares")

    def show(self, device: str, number: int) -> None:
        raise AssertionError("the reference device compares")


def one_process(kept: Kept | None, person: Person, *, seed: int = 0) -> list[int]:
    """Connect to the demo's device as a process of its own does; return what was shown of its display."""
    shown: list[int] = []

    async def go() -> None:
        radio = await open_demo("omp", seed, bonds=None if kept is None else lambda: kept)
        radio.on_display(shown.append)
        try:
            (found, *_) = await find(radio, Registry.default(), 10.0, settle_s=0.0)
            connection = Connection(radio, found)
            connection.pairer = person
            try:
                await connection.connect()
                assert connection.ready
            finally:
                await connection.aclose()
        finally:
            await radio.close()

    run_at_speed(go(), float("inf"))
    return shown


def test_a_device_of_the_demo_is_asked_for_its_code_once_and_not_at_the_next_start() -> None:
    kept, person = Kept(), Person()
    assert len(one_process(kept, person)) == 1
    assert [(one.name, one.protocol) for one in kept.devices] == [("OMP", "omp")]
    assert one_process(kept, person) == [], "what nobody is asked about is not shown"
    assert person.asked == 1
    assert len(kept.devices) == 1
    kept.devices.clear()
    one_process(kept, person)
    assert person.asked == 2


def test_a_no_is_not_remembered() -> None:
    kept = Kept()
    with pytest.raises(PairingError, match="the two codes were not the same"):
        one_process(kept, Person(same=False))
    assert kept.devices == []
    person = Person()
    one_process(kept, person)
    assert person.asked == 1


def test_h9_a_pairing_that_proved_nothing_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rig.devices.catalogue, "create", lambda _key, seed: SimulatedOmp(seed, pairing=Ability.NOTHING))
    kept = Kept()
    with pytest.raises(PairingError, match="without any code"):
        one_process(kept, Person())
    assert kept.devices == []


def test_another_device_of_the_demo_has_a_code_of_its_own() -> None:
    kept, person = Kept(), Person()
    one_process(kept, person, seed=1)
    one_process(kept, person, seed=2)
    assert person.asked == 2


def test_without_a_place_to_keep_it_every_process_asks() -> None:
    person = Person()
    one_process(None, person)
    one_process(None, person)
    assert person.asked == 2


def test_h9_no_real_radio_can_answer_in_a_persons_stead() -> None:
    """What remembers is the demo's radio: the system's takes no bonds, and knows nobody but the person."""
    assert not any("bond" in name or "stand_in" in name for name in dir(SystemRadio()))


def test_what_was_paired_in_the_demo_is_listed_and_forgotten_apart(home: AtHome) -> None:
    with Store.open(home.folder / "demo", Calendar.system()) as store:
        store.devices.paired("C0:00:00:00:00:01", "OMP", "omp")
    assert "Nothing is paired yet" in home.run("devices").fine().out
    assert "OMP" in home.run("devices --demo").fine().out
    assert "OMP (C0:00:00:00:00:01) is forgotten" in home.run("devices --demo --forget omp").fine().out
    assert "Nothing is paired yet" in home.run("devices --demo").fine().out
