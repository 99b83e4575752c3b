"""The face map: the right side lit, every zone covered, every state with a shape besides its colour."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest

from companion.palette import DARK, LIGHT, Palette
from companion.routines.zones import ZONES
from companion.widgets import face, numerals
from companion.widgets.countdown import clock_text
from companion.widgets.meter import meter_text
from companion.widgets.portrait import (
    HATCH,
    PHASES,
    TICK,
    Cell,
    Drawing,
    Look,
    draw,
    draw_plain,
    size_for,
    zone_shape,
)
from companion.widgets.raster import best_block, coverage

SIZES = [(34, 21), (56, 35), (20, 12)]
ALL = tuple(ZONES)


def look(width: int = 34, height: int = 21, **changes: object) -> Look:
    return Look(width, height, mirror=True, zones=ALL, current=None, done=(), no_go=())._replace(**changes)


def lit(drawing: Drawing) -> list[tuple[int, int]]:
    return [(part.x, part.y) for part in drawing.parts]


def middle_of(cells: list[tuple[int, int]]) -> float:
    return sum(x + 0.5 for x, _ in cells) / len(cells)


@pytest.mark.parametrize("kind", ["cheekbone", "brow", "temple", "under-eye", "cheek", "nasolabial", "jawline", "neck"])
def test_in_a_mirror_the_persons_left_is_on_the_left_of_the_picture(kind: str) -> None:
    mirror, facing = look(current=f"left-{kind}"), look(current=f"left-{kind}", mirror=False)
    assert middle_of(lit(draw(mirror, DARK))) < 17
    assert middle_of(lit(draw(facing, DARK))) > 17
    assert middle_of(lit(draw(mirror._replace(current=f"right-{kind}"), DARK))) > 17


def test_the_two_sides_of_a_zone_are_reflections_of_each_other() -> None:
    left, right = (face.area(f"{side}-jawline", mirror=True) for side in ("left", "right"))
    assert left is not None
    assert right is not None
    mirrored = sorted((round(1 - x, 9), round(y, 9)) for x, y in left.outline)
    assert mirrored == sorted((round(x, 9), round(y, 9)) for x, y in right.outline)
    assert left.stroke.start[0] == pytest.approx(1 - right.stroke.start[0])


@pytest.mark.parametrize("zone", ALL)
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_every_zone_of_the_product_has_a_shape_that_is_visible_at_every_size(
    zone: str, width: int, height: int
) -> None:
    assert lit(draw(look(width, height, current=zone), DARK))
    plain = draw_plain(look(width, height, current=zone))
    assert any(cell.bold for row in plain.rows for cell in row)


def test_zones_do_not_lie_on_each_other() -> None:
    def area(zone: str) -> dict[tuple[int, int], float]:
        shape = zone_shape(zone, mirror=True, width=100, height=62)
        return {
            (shape.left + i, shape.top + j): share
            for j, row in enumerate(shape.rows)
            for i, share in enumerate(row)
            if share > 0
        }

    areas = {zone: area(zone) for zone in ALL}
    for one, other in combinations(ALL, 2):
        shared = sum(min(areas[one][spot], areas[other][spot]) for spot in areas[one].keys() & areas[other].keys())
        assert shared < 0.06 * min(sum(areas[one].values()), sum(areas[other].values())), (one, other)


def test_no_zone_touches_the_eyes_or_the_mouth() -> None:
    forbidden = coverage((*face.LASHES, face.UPPER_LIP, face.LOWER_LIP), 200, 250)
    for zone in ALL:
        shape = zone_shape(zone, mirror=True, width=100, height=125)
        both = sum(
            min(share, forbidden.at(shape.left + i, shape.top + j))
            for j, row in enumerate(shape.rows)
            for i, share in enumerate(row)
        )
        assert both < 1.0, zone


@pytest.mark.parametrize("palette", [DARK, LIGHT], ids=["dark", "light"])
def test_a_done_zone_is_green_and_carries_a_tick(palette: Palette) -> None:
    before, after = draw(look(), palette), draw(look(done=("left-cheek",)), palette)
    changed = [(x, y) for y, row in enumerate(after.rows) for x, cell in enumerate(row) if cell != before.rows[y][x]]
    assert changed
    assert all(x < 17 for x, _ in changed)
    assert sum(cell.character == TICK for row in after.rows for cell in row) == 1


def test_a_no_go_zone_is_hatched_whether_there_is_colour_or_not() -> None:
    for drawing in (draw(look(no_go=("left-neck",)), DARK), draw_plain(look(no_go=("left-neck",)))):
        hatched = [
            (x, y) for y, row in enumerate(drawing.rows) for x, cell in enumerate(row) if cell.character == HATCH
        ]
        assert hatched
        assert middle_of(hatched) < 17


def test_without_colour_no_cell_has_one_and_now_done_and_to_come_differ_by_their_signs() -> None:
    drawing = draw_plain(look(current="left-cheekbone", done=("chin",)))
    cells = [cell for row in drawing.rows for cell in row]
    assert all(cell.ink is None and cell.ground is None for cell in cells)
    characters = {cell.character for cell in cells}
    assert {TICK, "·", "█"} <= characters
    # in the mirror the stroke on the left cheekbone leads from the nose out to the left
    assert {"←", "↖"} & characters


def test_the_glow_moves_along_the_stroke_from_the_nose_outwards() -> None:
    drawing = draw(look(56, 35, current="left-cheekbone"), DARK)

    def brightest(phase: int) -> float:
        cells = drawing.frame(phase, DARK)

        def light(cell: Cell) -> int:
            return sum(cell.ground or (0, 0, 0)) + sum(cell.ink or (0, 0, 0))

        return max(cells, key=lambda at: light(cells[at]))[0]

    path = [brightest(phase) for phase in range(3, 14)]
    assert path[0] > path[-1]
    assert all(later <= earlier + 1 for earlier, later in pairwise(path))


def test_a_zone_over_the_middle_glows_on_one_side_then_on_the_other() -> None:
    drawing = draw(look(56, 35, current="forehead"), DARK)
    along = {(part.x, part.y): part.along for part in drawing.parts}
    assert max(share for (x, _), share in along.items() if x > 29) < min(
        share for (x, _), share in along.items() if x < 26
    )


def test_a_frame_changes_only_cells_of_the_current_zone() -> None:
    drawing = draw(look(current="right-jawline"), DARK)
    assert drawing.box is not None
    left, top, right, bottom = drawing.box
    for phase in range(PHASES):
        for x, y in drawing.frame(phase, DARK):
            assert left <= x < right
            assert top <= y < bottom


@pytest.mark.parametrize(("columns", "lines"), [(34, 21), (60, 36), (10, 30), (80, 5), (1, 1)])
def test_the_portrait_keeps_its_shape_inside_any_space(columns: int, lines: int) -> None:
    width, height = size_for(columns, lines)
    assert 1 <= width <= columns
    assert 1 <= height <= lines
    if min(columns, lines) > 4:
        assert width / (2 * height) == pytest.approx(face.ASPECT, rel=0.15)


def test_half_a_cell_is_covered_half() -> None:
    shape = coverage(([(0.0, 0.0), (0.25, 0.0), (0.25, 1.0), (0.0, 1.0)],), 2, 2)
    assert [shape.at(x, y) for y in (0, 1) for x in (0, 1)] == pytest.approx([0.5, 0.0, 0.5, 0.0])


def test_overlapping_pieces_leave_no_hole() -> None:
    square = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
    assert coverage((square, square), 1, 1).at(0, 0) == pytest.approx(1.0)


def test_four_quarters_become_the_block_that_is_nearest() -> None:
    black, white = (0, 0, 0), (255, 255, 255)
    assert best_block((white, white, black, black)) == (3, white, black)
    mask, ink, ground = best_block((black, white, black, white))
    assert {mask: (ink, ground)} in ({5: (black, white)}, {10: (white, black)})
    assert best_block((white, white, white, white)) == (0, white, white)


@pytest.mark.parametrize("lines", [3, 5, 9])
def test_every_figure_is_as_wide_as_said_and_unlike_every_other(lines: int) -> None:
    drawn = {}
    for figure in "0123456789":
        rows = numerals.draw(figure, lines, None, None)
        assert len(rows) == lines
        assert {len(row) for row in rows} == {numerals.width_of(figure, lines)}
        drawn["".join(cell.character for row in rows for cell in row)] = figure
    assert len(drawn) == 10


def test_the_large_countdown_has_three_times_the_cells_of_the_small_one() -> None:
    assert numerals.width_of("0:27", 9) * 9 >= 3 * numerals.width_of("0:27", 5) * 5


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0, "0:00"), (0.2, "0:01"), (27.0, "0:27"), (59.01, "1:00"), (725, "12:05"), (-3, "0:00")]
)
def test_the_clock_says_zero_only_when_the_time_is_over(seconds: float, text: str) -> None:
    assert clock_text(seconds) == text


@pytest.mark.parametrize(("now", "target"), [(0, 0), (0.4, 0.6), (0.6, 0.4), (1, 1), (0, 1), (1.7, 2)])
def test_the_meter_is_always_as_long_as_its_line(now: float, target: float) -> None:
    assert sum(len(piece) for piece in meter_text(now, target, 37)) == 37
