"""The ledger: what an echo proves of the order in which requests reached the device."""

from __future__ import annotations

from protocols.gatt import Write
from protocols.ledger import Entry, Key, Ledger

START: Key = (0x31, 0x03, b"\x01")
STOP: Key = (0x31, 0x06, b"")


def wrote(ledger: Ledger, key: Key, attempt: int = 1, *, urgent: bool = False) -> None:
    write = Write("ffe1", bytes(key[:2]) + key[2], with_response=False, urgent=urgent)
    ledger.wrote(Entry(key, write, attempt, harmless=False))


def test_h3_an_echo_of_a_start_does_not_prove_that_the_stop_written_after_it_came_before_it() -> None:
    """The radio may have sent the first start, then the stop ahead of the second start, and the stop behind it last."""
    ledger = Ledger()
    wrote(ledger, START)
    wrote(ledger, START, attempt=2)
    wrote(ledger, STOP, urgent=True)
    wrote(ledger, STOP)
    assert ledger.answered(START) is not None
    assert ledger.answered(STOP) is not None
    assert ledger.others(STOP), "the second start may still reach the device"
    assert ledger.answered(START) is not None
    assert ledger.answered(STOP) is not None
    assert not ledger.others(STOP)


def test_an_echo_proves_that_what_was_written_before_it_and_could_not_be_overtaken_is_over() -> None:
    ledger = Ledger()
    wrote(ledger, STOP, urgent=True)
    wrote(ledger, START)
    assert ledger.answered(START) is not None
    assert ledger.answered(STOP) is None
