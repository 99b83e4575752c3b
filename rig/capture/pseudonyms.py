"""Stand-ins for device addresses and names: as long as what they stand for, always the same ones under one key.

Knows addresses and names as bytes. Refuses to know where they were found.
"""

from __future__ import annotations

import secrets
from hashlib import blake2b
from typing import Final

_KEY_BYTES: Final = 32
_HALF_BITS: Final = 23  # an address keeps its two most significant bits; the other 46 are two halves
_HALF: Final = (1 << _HALF_BITS) - 1
_RANDOM_PART: Final = (1 << 2 * _HALF_BITS) - 1
_ROUNDS: Final = 4
_LETTERS: Final = b"abcdefghijklmnopqrstuvwxyz"
_REMEMBERED: Final = 1 << 14


class Pseudonyms:
    """Maps addresses to addresses and names to names.

    Args:
        seed: the same seed gives the same stand-ins in every file; whoever has it can try out which address a stand-in
            belongs to. None: a key that nobody has, made for this run.
    """

    def __init__(self, seed: str | None = None) -> None:
        if seed is None:
            self._key = secrets.token_bytes(_KEY_BYTES)
        else:
            self._key = blake2b(seed.encode("utf-8", "surrogateescape"), digest_size=_KEY_BYTES).digest()
        self._addresses: dict[bytes, bytes] = {}
        self._names: dict[bytes, bytes] = {}

    def address(self, octets: bytes) -> bytes:
        """The stand-in for an address of six octets in HCI's order, the least significant first.

        Different addresses have different stand-ins (a Feistel network is a permutation), and a stand-in is of the same
        kind: the two most significant bits tell static, resolvable and non-resolvable random addresses apart (Vol 6
        Part B, 1.3.2). The rest of those two bits all zero or all one is no address, in and out.
        """
        known = self._addresses.get(octets)
        if known is None:
            if len(self._addresses) >= _REMEMBERED:
                self._addresses.clear()
            known = self._addresses[octets] = self._other_address(octets)
        return known

    def name(self, name: bytes) -> bytes:
        """The stand-in for a name: lower-case letters, octet by octet; a zero octet stays one.

        What names begin with alike, their stand-ins begin with alike: a shortened name (Supplement to the Core
        Specification Part A, 1.2) and the first part of a long read remain the beginning of the whole name.
        """
        known = self._names.get(name)
        if known is None:
            if len(self._names) >= _REMEMBERED:
                self._names.clear()
            known = self._names[name] = bytes(self._letters(name))
        return known

    def _other_address(self, octets: bytes) -> bytes:
        number = int.from_bytes(octets, "little")
        kind, value = number >> 46, number & _RANDOM_PART
        if value in (0, _RANDOM_PART):
            return octets
        other = self._permuted(kind, value)
        while other in (0, _RANDOM_PART):  # walks on along the permutation: still one stand-in each
            other = self._permuted(kind, other)
        return (kind << 46 | other).to_bytes(6, "little")

    def _permuted(self, kind: int, value: int) -> int:
        left, right = value >> _HALF_BITS, value & _HALF
        for turn in range(_ROUNDS):
            digest = blake2b(
                bytes((turn, kind)) + right.to_bytes(3, "little"), key=self._key, digest_size=4, person=b"address"
            ).digest()
            left, right = right, left ^ int.from_bytes(digest, "little") & _HALF
        return left << _HALF_BITS | right

    def _letters(self, name: bytes) -> bytearray:
        letters = bytearray()
        state = blake2b(key=self._key, digest_size=1, person=b"name")
        for octet in name:
            state.update(bytes((octet,)))
            place = int.from_bytes(state.copy().digest(), "little") % len(_LETTERS)
            if _LETTERS[place] == octet:
                place = (place + 1) % len(_LETTERS)
            letters.append(_LETTERS[place] if octet else 0)
        return letters
