"""Whether a device may be trusted to be the one it says it is (safety case, H9). Pure: no radio, no store, no screen.

A name is no proof: anyone can advertise any. What proves a device is the bond that it and this computer share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """A device that was paired: the address it is bonded by, what it is called, its protocol, when it was paired."""

    address: str
    name: str
    protocol: str
    paired_at: datetime


class Bonds(Protocol):
    """Where the devices that were paired are kept."""

    def all(self) -> Sequence[KnownDevice]:
        """Every device that was paired, the earliest first."""

    def paired(self, address: str, name: str, protocol: str) -> None:
        """Keep that a device has just been paired."""


def objection(known: Sequence[KnownDevice], address: str, name: str, protocol: str, *, bonded: bool | None) -> str:
    """Say why a device must not be used, or nothing.

    Two cases. A device that was paired wants to be paired anew: its keys are gone, or it is not that device. Or one of
    another address goes by the name of a device that was paired. Either is what somebody would do who wants to be taken
    for it.

    Args:
        known: the devices that were paired.
        address: of the device in reach; addresses are told apart without regard to case.
        name: the name that it advertises.
        protocol: the key of the protocol that fits it.
        bonded: whether the radio has keys for it; None where the system does not say.
    """
    same = next((one for one in known if one.address.casefold() == address.casefold()), None)
    if same is not None:
        if bonded is False:
            return (
                f"{name} wants to be paired anew, although it was paired on {same.paired_at:%d %B %Y}: another device "
                "may be pretending to be it"
            )
        return ""
    namesake = next((one for one in known if (one.name, one.protocol) == (name, protocol)), None)
    if namesake is None:
        return ""
    return (
        f"this is not the {name} that was paired on {namesake.paired_at:%d %B %Y}: another device goes by its name "
        f"({address} instead of {namesake.address})"
    )
