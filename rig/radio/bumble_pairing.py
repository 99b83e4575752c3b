"""Pairing by Bumble: its questions go to whoever sits at the end that is asked.

Knows Bumble's delegates. Refuses to know what is behind an attribute.
"""

from __future__ import annotations

from collections.abc import Callable

from bumble.device import Connection
from bumble.pairing import PairingConfig, PairingDelegate

from rig.radio.pairing import Ability, Pairing, Partner

_IO = {
    Ability.NOTHING: PairingDelegate.NO_OUTPUT_NO_INPUT,
    Ability.SHOWS: PairingDelegate.DISPLAY_OUTPUT_ONLY,
    Ability.SHOWS_AND_CONFIRMS: PairingDelegate.DISPLAY_OUTPUT_AND_YES_NO_INPUT,
    Ability.TYPES: PairingDelegate.KEYBOARD_INPUT_ONLY,
    Ability.SHOWS_AND_TYPES: PairingDelegate.DISPLAY_OUTPUT_AND_KEYBOARD_INPUT,
}


class _Delegate(PairingDelegate):
    """Bumble's questions, put to a partner."""

    def __init__(self, ability: Ability, partner: Partner) -> None:
        super().__init__(_IO[ability])
        self._partner = partner

    async def compare_numbers(self, number: int, digits: int) -> bool:  # noqa: ARG002 - always six
        return await self._partner.compare(number)

    async def get_number(self) -> int | None:
        return await self._partner.enter()

    async def display_number(self, number: int, digits: int) -> None:  # noqa: ARG002 - always six
        self._partner.show(number)

    async def generate_passkey(self) -> int:
        return self._partner.passkey()


def pairing_config(current: Callable[[], Pairing], *, public: bool) -> Callable[[Connection], PairingConfig]:
    """Return how Bumble is to pair: LE Secure Connections, bonded, identity = the address in use.

    Upstream prefers the public address as the identity (``smp.py:1047``), under which nobody has heard a device that
    advertises with its random one.

    Args:
        current: what the end can do, asked for with every pairing.
        public: whether the address in use is a public one.
    """
    kinds = PairingConfig.AddressType
    identity = kinds.PUBLIC if public else kinds.RANDOM

    def configuration(_connection: Connection) -> PairingConfig:
        pairing = current()
        delegate = (
            PairingDelegate(PairingDelegate.NO_OUTPUT_NO_INPUT)
            if pairing.partner is None
            else _Delegate(pairing.ability, pairing.partner)
        )
        return PairingConfig(
            sc=True, mitm=pairing.partner is not None, bonding=True, delegate=delegate, identity_address_type=identity
        )

    return configuration
