"""The zones of the face: their ids, what they are called, how to stroke them and for how long.

Strokes go from the centre outwards and up. Knows no device, no person and no picture; the polygons are the widgets'.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

THIN_SKIN_SHARE = 0.5
"""Forehead and under-eye: at most half of what the rest of the face may have."""


@dataclass(frozen=True, slots=True)
class Zone:
    """One zone. ``seconds_per_pass`` and ``passes`` are defaults that a routine may change.

    ``cap_share`` is the share (0 to 1) of the session's cap that is the most for this zone. ``neck`` zones are off by
    default: they need a device that is cleared for the neck and a person who wants it (makers disagree).
    """

    id: str
    label: str
    stroke: str
    passes: int
    seconds_per_pass: float
    cap_share: float = 1.0
    neck: bool = False

    @property
    def seconds(self) -> float:
        """Seconds with output on, when the routine says nothing else."""
        return self.passes * self.seconds_per_pass


def _sides(
    name: str, stroke: str, seconds_per_pass: float, cap_share: float = 1.0, *, neck: bool = False
) -> list[Zone]:
    return [
        Zone(f"{side}-{name}", f"{side.capitalize()} {label}", stroke, 3, seconds_per_pass, cap_share, neck)
        for side in ("left", "right")
        for label in ("neck side" if neck else name,)
    ]


_ALL = [
    Zone(
        "forehead", "Forehead", "from the middle out to the temple, one side, then the other", 3, 16.0, THIN_SKIN_SHARE
    ),
    *_sides("brow", "along the brow, from the nose out to the temple", 12.0),
    *_sides("temple", "from the corner of the eye up to the hairline", 12.0),
    *_sides("under-eye", "on the bone, from the nose out; never on the lid", 12.0, THIN_SKIN_SHARE),
    *_sides("cheekbone", "from the nose out to the ear, slow and flat", 16.0),
    *_sides("cheek", "from the corner of the mouth up to the ear", 16.0),
    *_sides("nasolabial", "along the fold, from the mouth up to the nose", 12.0),
    *_sides("jawline", "along the jaw, from the chin up to the ear", 16.0),
    Zone("chin", "Chin", "from the middle out, one side, then the other", 2, 16.0),
    *_sides("neck", "on the side only, from the collarbone up to the ear", 12.0, THIN_SKIN_SHARE, neck=True),
]

ZONES: Mapping[str, Zone] = MappingProxyType({zone.id: zone for zone in _ALL})
