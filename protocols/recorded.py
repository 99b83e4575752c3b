"""What a protocol tells of itself to those who replay its recordings: what is the same on every run, and what is not.

A device that measures by itself never says the same bytes twice, a host draws a nonce by chance and keeps a device
going by a clock of its own. Refuses to know recordings, and how they are compared: :mod:`rig.replay` does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Facts = Mapping[str, str]
"""What of a value has to be as recorded, by name, in words: ``{"state": "running", "fault": "none"}``."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A characteristic whose values the device sends by itself, each with what it measures just then.

    ``period_s`` is how far apart they are while it sends them; None where it sends one when something has changed.
    ``facts`` gives what of a value has to be as recorded, nothing where every value is right; it raises ValueError,
    with the reason, on bytes that are no value of the characteristic.
    """

    characteristic: str
    period_s: float | None
    facts: Callable[[bytes], Facts]


def _nothing_drawn(_characteristic: str, _data: bytes) -> slice | None:
    return None


def _no_keep_alive(_characteristic: str, _data: bytes) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Recorded:
    """What of a protocol's recordings differs from run to run, and what a device needs that replays one.

    ``streams`` as :class:`Stream`. ``drawn`` tells which bytes of a value written, or pushed, the host has drawn by
    chance (the device echoes them), None where there are none. ``is_keep_alive`` tells a write that the host repeats
    by a clock of its own, and that :class:`protocols.model.KeepAlive` stands for, and what the device answers to it.
    ``encrypted`` are the characteristics that may only be used over an encrypted link, ``authenticated`` those of them
    that need a key from an authenticated pairing.
    """

    streams: tuple[Stream, ...] = ()
    drawn: Callable[[str, bytes], slice | None] = _nothing_drawn
    is_keep_alive: Callable[[str, bytes], bool] = _no_keep_alive
    encrypted: frozenset[str] = frozenset()
    authenticated: frozenset[str] = frozenset()


NOTHING_OF_ITS_OWN = Recorded()
"""Every run of the same commands gives the same bytes, over a link that needs no pairing."""
