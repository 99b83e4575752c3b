"""How one end of a link pairs: what it can show and type, and who sits at it.

Knows what LE Secure Connections ask of an end (Core Specification Vol 3 Part H 2.3). Refuses to know a host stack.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class Ability(Enum):
    """What an end can show and take (its IO capability, Vol 3 Part H 2.3.2)."""

    NOTHING = "nothing"
    SHOWS = "shows"
    SHOWS_AND_CONFIRMS = "shows and confirms"
    TYPES = "types"
    SHOWS_AND_TYPES = "shows and types"


class Partner(Protocol):
    """Who sits at one end of a link that is being paired. Numbers are 0 to 999,999."""

    async def compare(self, number: int) -> bool:
        """Say whether the other end shows this number, too."""

    async def enter(self) -> int | None:
        """Return the number that the other end shows, or None for "I would rather not"."""

    def show(self, number: int) -> None:
        """Show this number, which the other end is asked to type."""

    def passkey(self) -> int:
        """Return the number to show; a real device draws it at random, a simulated one from its seed."""


@dataclass(frozen=True, slots=True)
class Pairing:
    """What an end of a link can do when it is paired, and who answers for it."""

    ability: Ability
    partner: Partner | None = None

    def __post_init__(self) -> None:
        if self.partner is None and self.ability is not Ability.NOTHING:
            raise ValueError(f"an end that can do {self.ability.name} needs somebody who answers for it")


JUST_WORKS = Pairing(Ability.NOTHING)
"""Nothing to show or to type: encrypted, and open to whoever stands between (Vol 3 Part H 2.3.5.1)."""
