"""The shape of the face: a portrait and its zones as polygons in the unit square, and the path of each stroke.

Coordinates are for a picture that is ``ASPECT`` as wide as high, x to the right, y down. Every zone with two sides is
written once, on the right half of the picture; which half a side is drawn on is a matter of the view: in a mirror the
person's left is on the left of the picture, face to face it is on the right. Knows no pixels, no colours, no session.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from companion.widgets.raster import Contour, Point, mirrored, smooth

ASPECT = 0.8
"""Width of the picture divided by its height."""


class Stroke(NamedTuple):
    """Where the wand goes: from ``start`` to ``end``, straight enough for a glow.

    ``both_ways``: first so, then the same on the other side of the middle line.
    """

    start: Point
    end: Point
    both_ways: bool = False


class Area(NamedTuple):
    """One zone as drawn: its outline, and the stroke over it."""

    outline: tuple[Point, ...]
    stroke: Stroke


def _whole(right_half: Contour) -> list[Point]:
    """Return a contour that is symmetric, from its right half in order from top to bottom."""
    return [*right_half, *((1.0 - x, y) for x, y in reversed(right_half))]


_HALVES: dict[str, tuple[Contour, Stroke]] = {
    "forehead": (
        ((0.506, 0.192), (0.60, 0.196), (0.685, 0.222), (0.735, 0.268), (0.728, 0.306), (0.63, 0.292), (0.506, 0.306)),
        Stroke((0.53, 0.30), (0.69, 0.215)),
    ),
    "brow": (
        ((0.545, 0.345), (0.60, 0.318), (0.68, 0.314), (0.742, 0.340), (0.752, 0.372), (0.68, 0.356), (0.60, 0.362),
         (0.55, 0.376)),
        Stroke((0.545, 0.36), (0.75, 0.345)),
    ),
    "temple": (
        ((0.752, 0.262), (0.785, 0.290), (0.802, 0.350), (0.800, 0.425), (0.775, 0.425), (0.760, 0.37), (0.750, 0.31)),
        Stroke((0.765, 0.425), (0.785, 0.27)),
    ),
    "under-eye": (
        ((0.562, 0.448), (0.61, 0.468), (0.66, 0.470), (0.71, 0.458), (0.752, 0.434), (0.748, 0.472), (0.705, 0.498),
         (0.645, 0.506), (0.585, 0.490)),
        Stroke((0.565, 0.475), (0.75, 0.45)),
    ),
    "cheekbone": (
        ((0.598, 0.520), (0.66, 0.524), (0.722, 0.508), (0.766, 0.474), (0.806, 0.440), (0.800, 0.505), (0.745, 0.556),
         (0.675, 0.576), (0.615, 0.562)),
        Stroke((0.60, 0.55), (0.805, 0.46)),
    ),
    "cheek": (
        ((0.632, 0.592), (0.69, 0.590), (0.748, 0.568), (0.792, 0.530), (0.778, 0.606), (0.742, 0.668), (0.698, 0.706),
         (0.668, 0.690), (0.650, 0.640)),
        Stroke((0.64, 0.68), (0.785, 0.56)),
    ),
    "nasolabial": (
        ((0.572, 0.552), (0.598, 0.580), (0.622, 0.630), (0.640, 0.690), (0.622, 0.706), (0.600, 0.662), (0.578, 0.610),
         (0.560, 0.580)),
        Stroke((0.625, 0.70), (0.57, 0.56)),
    ),
    "jawline": (
        ((0.778, 0.630), (0.752, 0.686), (0.704, 0.744), (0.646, 0.790), (0.592, 0.816), (0.582, 0.778), (0.628, 0.752),
         (0.676, 0.724), (0.720, 0.690), (0.756, 0.644)),
        Stroke((0.58, 0.80), (0.775, 0.64)),
    ),
    "chin": (
        ((0.502, 0.742), (0.545, 0.748), (0.570, 0.772), (0.575, 0.812), (0.545, 0.828), (0.502, 0.832)),
        Stroke((0.51, 0.83), (0.565, 0.755)),
    ),
    "neck": (
        ((0.585, 0.862), (0.640, 0.836), (0.652, 0.880), (0.672, 0.924), (0.690, 0.945), (0.610, 0.958), (0.588, 0.91)),
        Stroke((0.63, 0.95), (0.62, 0.85)),
    ),
}  # fmt: skip

_MIDDLE = {"forehead", "chin"}
"""Zones that are also known as one piece, over the middle line."""

OUTLINE = smooth(
    _whole(
        (
            (0.54, 0.095), (0.64, 0.112), (0.73, 0.165), (0.79, 0.25), (0.814, 0.35), (0.814, 0.45), (0.800, 0.54),
            (0.778, 0.63), (0.735, 0.71), (0.668, 0.780), (0.596, 0.830), (0.54, 0.842),
        )
    )
)  # fmt: skip
LIGHT_PLANE = smooth(
    _whole(((0.54, 0.16), (0.66, 0.18), (0.74, 0.27), (0.755, 0.42), (0.74, 0.55), (0.68, 0.67), (0.60, 0.77),
            (0.53, 0.80)))
)  # fmt: skip
NECK = smooth(
    _whole(((0.62, 0.70), (0.652, 0.80), (0.656, 0.87), (0.69, 0.925), (0.80, 0.960), (0.90, 1.0), (0.90, 1.06))), 2
)
CHIN_SHADOW = smooth(_whole(((0.56, 0.80), (0.668, 0.76), (0.656, 0.845), (0.61, 0.882), (0.54, 0.902))))
GARMENT = smooth(_whole(((0.52, 1.02), (0.62, 0.985), (0.74, 0.945), (0.86, 0.965), (0.96, 1.02), (0.98, 1.2))), 2)
HAIR = smooth(
    _whole(((0.58, 0.014), (0.69, 0.028), (0.79, 0.085), (0.86, 0.185), (0.882, 0.30), (0.868, 0.42), (0.828, 0.50),
            (0.80, 0.40)))
)  # fmt: skip
HAIR_LIGHT = smooth(
    ((0.50, 0.03), (0.62, 0.035), (0.73, 0.075), (0.70, 0.080), (0.60, 0.062), (0.50, 0.058), (0.40, 0.062),
     (0.30, 0.080), (0.27, 0.075), (0.38, 0.035))
)  # fmt: skip
BAND = smooth(
    ((0.5, 0.078), (0.63, 0.090), (0.745, 0.148), (0.825, 0.250), (0.850, 0.345), (0.822, 0.372), (0.790, 0.275),
     (0.722, 0.198), (0.62, 0.152), (0.5, 0.142), (0.38, 0.152), (0.278, 0.198), (0.210, 0.275), (0.178, 0.372),
     (0.150, 0.345), (0.175, 0.250), (0.255, 0.148), (0.37, 0.090))
)  # fmt: skip
_EAR = smooth(
    ((0.808, 0.395), (0.840, 0.375), (0.862, 0.405), (0.856, 0.465), (0.832, 0.525), (0.806, 0.535), (0.798, 0.46))
)
_EAR_INNER = smooth(((0.822, 0.41), (0.842, 0.405), (0.846, 0.44), (0.830, 0.495), (0.818, 0.50), (0.826, 0.45)))
_SOCKET = smooth(
    ((0.555, 0.395), (0.61, 0.372), (0.68, 0.372), (0.74, 0.398), (0.72, 0.43), (0.645, 0.442), (0.575, 0.43))
)
_LASH = smooth(
    ((0.560, 0.412), (0.600, 0.424), (0.645, 0.430), (0.695, 0.424), (0.745, 0.402), (0.748, 0.412), (0.705, 0.440),
     (0.648, 0.448), (0.595, 0.441), (0.562, 0.424))
)  # fmt: skip
_BROW_HAIR = smooth(
    ((0.552, 0.352), (0.60, 0.332), (0.66, 0.324), (0.715, 0.334), (0.752, 0.360), (0.712, 0.350), (0.66, 0.343),
     (0.605, 0.350), (0.556, 0.368))
)  # fmt: skip
_NOSTRIL = smooth(((0.508, 0.592), (0.530, 0.582), (0.552, 0.584), (0.556, 0.596), (0.530, 0.602)))
_NOSE_SIDE = smooth(((0.536, 0.40), (0.548, 0.47), (0.566, 0.545), (0.572, 0.582), (0.552, 0.578), (0.540, 0.52)))
_NOSE_LIGHT = smooth(((0.489, 0.40), (0.511, 0.40), (0.520, 0.54), (0.512, 0.568), (0.488, 0.568), (0.480, 0.54)))
UPPER_LIP = smooth(
    ((0.402, 0.682), (0.46, 0.658), (0.486, 0.652), (0.5, 0.658), (0.514, 0.652), (0.54, 0.658), (0.598, 0.682),
     (0.54, 0.684), (0.5, 0.686), (0.46, 0.684)), 1
)  # fmt: skip
LOWER_LIP = smooth(
    ((0.412, 0.686), (0.46, 0.688), (0.5, 0.690), (0.54, 0.688), (0.588, 0.686), (0.556, 0.712), (0.5, 0.724),
     (0.444, 0.712)), 2
)  # fmt: skip


def both(contour: Contour) -> tuple[list[Point], list[Point]]:
    """Return a contour and its reflection."""
    return list(contour), mirrored(contour)


EARS = both(_EAR)
EAR_INNERS = both(_EAR_INNER)
SOCKETS = both(_SOCKET)
LASHES = both(_LASH)
BROWS = both(_BROW_HAIR)
NOSTRILS = both(_NOSTRIL)
NOSE_SIDES = both(_NOSE_SIDE)
NOSE_LIGHT = _NOSE_LIGHT


def kinds() -> Iterator[str]:
    """Yield every kind of zone that has a shape, without its side."""
    yield from _HALVES


def area(zone: str, *, mirror: bool) -> Area | None:
    """Return the shape of a zone id such as ``left-cheekbone`` or ``forehead``; None where there is none.

    ``mirror``: the person's left is drawn on the left of the picture.
    """
    side, _, kind = zone.partition("-")
    if side not in {"left", "right"}:
        side, kind = "", zone
    kind = kind.removesuffix("-side")
    half = _HALVES.get(kind)
    if half is None:
        return None
    contour, stroke = half
    if not side:
        if kind not in _MIDDLE:
            return None
        outline = [*contour[1:-1], *((1.0 - x, y) for x, y in reversed(contour[1:-1]))]
        middle = Stroke(stroke.start, stroke.end, both_ways=True)
        return Area(tuple(smooth(outline)), middle)
    if (side == "left") != mirror:
        return Area(tuple(smooth(contour)), stroke)
    flipped = Stroke((1.0 - stroke.start[0], stroke.start[1]), (1.0 - stroke.end[0], stroke.end[1]))
    return Area(tuple(smooth(mirrored(contour))), flipped)
