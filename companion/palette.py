"""The colours of the app as plain numbers: one palette for dark rooms, one for bright ones, both designed by hand.

Two accents alone: warm means now, calm green means done; red belongs to Stop. Knows nothing of Textual, so that the
face map and the big digits can be drawn and tested without it.
"""

from __future__ import annotations

from typing import NamedTuple

RGB = tuple[int, int, int]


class Palette(NamedTuple):
    """Colours as 8-bit sRGB triples; ``dark`` tells which kind of room they are for."""

    dark: bool
    background: RGB
    raised: RGB
    text: RGB
    muted: RGB
    faint: RGB
    now: RGB
    glow: RGB
    done: RGB
    stop_text: RGB
    stop_background: RGB
    skin: RGB
    skin_edge: RGB
    skin_light: RGB
    zone: RGB
    done_zone: RGB
    no_go: RGB
    no_go_mark: RGB
    hair: RGB
    hair_light: RGB
    band: RGB
    neck: RGB
    shade: RGB
    lash: RGB
    lips: RGB
    garment: RGB


DARK = Palette(
    dark=True,
    background=(18, 19, 24),
    raised=(27, 28, 35),
    text=(236, 230, 222),
    muted=(156, 149, 145),
    faint=(74, 72, 80),
    now=(244, 168, 118),
    glow=(255, 240, 220),
    done=(132, 188, 168),
    stop_text=(255, 178, 168),
    stop_background=(64, 26, 30),
    skin=(142, 119, 112),
    skin_edge=(108, 92, 91),
    skin_light=(160, 135, 124),
    zone=(168, 138, 122),
    done_zone=(92, 160, 138),
    no_go=(104, 92, 92),
    no_go_mark=(190, 176, 172),
    hair=(50, 44, 52),
    hair_light=(72, 63, 70),
    band=(108, 120, 142),
    neck=(116, 98, 95),
    shade=(84, 71, 73),
    lash=(46, 38, 44),
    lips=(182, 112, 108),
    garment=(46, 49, 60),
)

LIGHT = Palette(
    dark=False,
    background=(251, 248, 243),
    raised=(243, 237, 229),
    text=(44, 37, 34),
    muted=(112, 101, 94),
    faint=(206, 196, 186),
    now=(180, 74, 34),
    glow=(255, 214, 170),
    done=(62, 124, 100),
    stop_text=(134, 26, 22),
    stop_background=(248, 216, 209),
    skin=(245, 224, 208),
    skin_edge=(232, 204, 186),
    skin_light=(250, 233, 219),
    zone=(238, 208, 188),
    done_zone=(150, 192, 172),
    no_go=(226, 214, 206),
    no_go_mark=(150, 136, 128),
    hair=(122, 98, 86),
    hair_light=(148, 120, 104),
    band=(214, 222, 226),
    neck=(238, 211, 193),
    shade=(220, 186, 166),
    lash=(108, 84, 74),
    lips=(206, 128, 118),
    garment=(226, 220, 214),
)


def hexed(colour: RGB) -> str:
    """Return ``#rrggbb``."""
    return f"#{colour[0]:02x}{colour[1]:02x}{colour[2]:02x}"


def mix(one: RGB, other: RGB, share: float) -> RGB:
    """Return ``one`` with ``share`` (0 to 1) of ``other`` mixed in, channel by channel."""
    keep = 1.0 - share
    return (
        round(one[0] * keep + other[0] * share),
        round(one[1] * keep + other[1] * share),
        round(one[2] * keep + other[2] * share),
    )


def colours(palette: Palette) -> dict[str, RGB]:
    """Return every colour of a palette by name."""
    return {name: value for name, value in palette._asdict().items() if name != "dark"}
