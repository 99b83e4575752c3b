"""ATT conversations written as text: who says what on which link, and how a tracker names each PDU."""

from __future__ import annotations

from collections.abc import Sequence

from rig.capture.gatt import GattTracker
from rig.capture.layers.links import LOCAL, REMOTE, UNKNOWN_SIDE, Address, AttPdu, Link

SIDES = {"<": REMOTE, ">": LOCAL, "?": UNKNOWN_SIDE}
"""How a line begins: ``>`` the local host (on the air, the central), ``<`` the remote one, ``?`` nobody knows."""

PEER = Address("C0:11:22:33:44:55", is_random=True)


def link(number: int = 1, peer: Address | None = PEER, *, on_air: bool = False, controller: int = 0) -> Link:
    """A link of which the local side is the central."""
    return Link(
        number,
        "le",
        controller=controller,
        handle=None if on_air else 0x40 + number,
        access_address=0x1234 + number if on_air else None,
        central_side=LOCAL,
        addresses=[None, peer],
    )


def pdus(on: Link, lines: Sequence[str], *, frame: int = 1, bearer: int = 4) -> list[AttPdu]:
    """``> 0a 0300`` is a read request of the local host; one a millisecond, the first at 1 s."""
    return [
        AttPdu(frame + at, 1_000_000_000 + (frame + at) * 1_000_000, on, SIDES[line[0]], bytes.fromhex(line[1:]),
               bearer=bearer)
        for at, line in enumerate(lines)
    ]  # fmt: skip


def named(tracker: GattTracker, on: Link, *lines: str, bearer: int = 4) -> list[tuple[int | None, str]]:
    """Feed a conversation; what each line is about."""
    return [tracker.name(pdu) for pdu in pdus(on, lines, bearer=bearer)]


HEART_RATE = (
    "> 10 0100 ffff 0028", "< 11 06 0100 0500 0018 0600 0900 0d18",
    "> 10 0a00 ffff 0028", "< 01 10 0a00 0a",
    "> 08 0100 0500 0328", "< 09 07 0200 02 0300 002a 0400 02 0500 012a",
    "> 08 0600 0900 0328", "< 09 07 0700 10 0800 372a",
    "> 08 0800 0900 0328", "< 01 08 0800 0a",
    "> 04 0900 0900", "< 05 01 0900 0229",
)  # fmt: skip
"""Discovery of a heart rate sensor: 1800 with 2a00 and 2a01, 180d with 2a37 that notifies and has a CCCD."""
