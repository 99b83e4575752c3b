"""Every screen of the app is what was kept of it, cell by cell: in both themes, at 80x24 and at 120x40.

What was kept lies in tests/companion/screens. A screen that was meant to change is kept anew by
``scripts/test --fast tests/companion/test_screens.py --accept-screens``; the change is then read in git's own diff.
"""

from __future__ import annotations

import gc
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from html import escape
from itertools import zip_longest
from pathlib import Path

import pytest
from textual.screen import Screen

import companion.screens
from companion.palette import RGB, colours, hexed
from tests.companion.cells import LETTERS, THEMES, Cell, Kept, Shown, differences, dump, kept, load, redrawn
from tests.companion.scenes import SCENES, SIZES, Scene, show

KEPT = Path(__file__).parent / "screens"
ROOT = Path(__file__).parents[2]
CHANGED = ROOT / "artefacts" / "screens"
ACCEPT = "scripts/test --fast tests/companion/test_screens.py --accept-screens"
TOLD = 4  # differing lines that a failure shows

CASES = {f"{name}-{size[0]}x{size[1]}": (scene, size) for name, scene in SCENES.items() for size in scene.sizes}


@pytest.fixture(scope="module", autouse=True)
def few_collections() -> Iterator[None]:
    """A hundred apps come and go here: with the usual thresholds a fifth of the time would be the collector's."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, *before[1:])
    yield
    gc.set_threshold(*before)


@pytest.fixture
def accepting(request: pytest.FixtureRequest) -> bool:
    """Whether what is drawn now is right, because somebody says so."""
    return bool(request.config.getoption("accept_screens"))


@pytest.mark.parametrize("name", CASES)
async def test_a_screen_is_what_was_kept_of_it(name: str, accepting: bool) -> None:
    scene, size = CASES[name]
    dark, light = await show(scene, "dark", size, also=("light",))
    if complaint := compare(name, dark, light, accepting=accepting):
        pytest.fail(complaint, pytrace=False)


def compare(name: str, dark: Shown, light: Shown, *, accepting: bool, folder: Path = KEPT, out: Path = CHANGED) -> str:
    """Return what is to be said of a screen that is not what was kept, with both as pictures in ``out``; else nothing.

    ``accepting``: keep it as it is now.
    """
    path, picture = folder / f"{name}.txt", out / f"{name}.html"
    drawn = kept(dark, light)
    if accepting:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(dump(name, drawn), encoding="utf-8", newline="\n")
    before = load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    found = differences(before, drawn)
    if not found:
        picture.unlink(missing_ok=True)
        return ""
    out.mkdir(parents=True, exist_ok=True)
    picture.write_text(_page(name, before, {"dark": dark, "light": light}), encoding="utf-8")
    lines = [f"{name} is not what was kept in {_short(path)}:" if before else f"nothing is kept in {_short(path)} yet:"]
    for place, theme, old, new in found[:TOLD]:
        at = next(i for i, (one, other) in enumerate(zip_longest(old, new)) if one != other)
        lines += [f"  {place.part}, line {place.line}, column {at + 1}, {theme}"]
        lines += [f"    kept  |{old}", f"    drawn |{new}", f"           {' ' * at}^"]
    if len(found) > TOLD:
        lines.append(f"  and {len(found) - TOLD} more")
    lines += [f"See both: {_short(picture)}", f"If it is right as it is drawn: {ACCEPT}"]
    return "\n".join(lines)


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def _page(name: str, before: Kept, now: dict[str, Shown]) -> str:
    """What was kept beside what is drawn, for each theme, with the cells framed that differ."""
    after = kept(now["dark"], now["light"])
    parts = []
    for theme, shown in now.items():
        size = len(shown.rows[0]), len(shown.rows)
        marked = {
            (int(place.line) - 1, column)
            for place, where, old, new in differences(before, after)
            for column, (one, other) in enumerate(zip_longest(old, new))
            if place.part != "mixed" and where in {theme, "both themes"} and one != other
        }
        was = redrawn(before, theme, size, name).svg(marked)
        parts += [f"<h2>{theme}: kept, and drawn now</h2>", was, redrawn(after, theme, size, name).svg(marked)]
        parts += ["<p>As it is on a terminal now:</p>", shown.svg()]
    return f'<!doctype html><meta charset="utf-8"><title>{escape(name)}</title><h1>{escape(name)}</h1>{"".join(parts)}'


# --- what is covered --------------------------------------------------------------------------------------------------


def test_every_screen_of_the_app_is_in_a_scene_at_both_sizes() -> None:
    found = set()
    for module in pkgutil.iter_modules(companion.screens.__path__):
        loaded = importlib.import_module(f"companion.screens.{module.name}")
        for name, one in inspect.getmembers(loaded, inspect.isclass):
            if issubclass(one, Screen) and one.__module__ == loaded.__name__:
                found.add(name)
    assert {"TodayScreen", "SessionScreen"} <= found
    assert found - {scene.screen for scene in SCENES.values() if scene.sizes == SIZES} == set()


def test_nothing_is_kept_that_no_scene_shows(accepting: bool) -> None:
    left = sorted(path for path in KEPT.glob("*") if path.stem not in {*CASES, "colours"})
    if accepting:
        for path in left:
            path.unlink()
    else:
        assert [path.name for path in left] == [], f"no scene shows it any more: {ACCEPT}"


def test_the_colours_behind_the_letters_are_what_was_kept_of_them(accepting: bool) -> None:
    path = KEPT / "colours.txt"
    now = _colours()
    if accepting:
        KEPT.mkdir(parents=True, exist_ok=True)
        path.write_text(now, encoding="utf-8", newline="\n")
    assert now == path.read_text(encoding="utf-8"), f"if the colours are right as they are: {ACCEPT}"


def _colours() -> str:
    lines = ["The letters of the inks and grounds; after each colour its contrast with the theme's own ground.", ""]
    for name, letter in LETTERS.items():
        each = ((colours(palette)[name], palette.background) for palette in THEMES.values())
        lines.append(
            f"{letter} {name:<16}" + "  ".join(f"{hexed(one)} {_contrast(one, own):5.2f}" for one, own in each)
        )
    return "\n".join(lines) + "\n"


def _contrast(one: RGB, other: RGB) -> float:
    """The contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""

    def luminance(colour: RGB) -> float:
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (c / 255 for c in colour)]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


# --- what the app does to them ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["session", "plan"])
async def test_a_screen_in_the_light_is_the_same_begun_there_or_turned_to(name: str) -> None:
    (begun,) = await show(SCENES[name], "light", (80, 24))
    _, turned = await show(SCENES[name], "dark", (80, 24), also=("light",))
    assert begun.text == turned.text
    assert begun == turned


async def test_a_screen_is_the_same_wherever_and_however_it_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene("TodayScreen", SCENES["today"].lead, SCENES["today"].home, demo=None)
    (usual,) = await show(scene, "dark", (80, 24))
    for name, value in {
        "NO_COLOR": "1", "COLORFGBG": "0;15", "TERM": "dumb", "COLUMNS": "40", "LINES": "9", "TZ": "Asia/Kathmandu",
        "LANG": "tr_TR.UTF-8", "COLORTERM": "", "COMPANION_THEME": "light",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    (here,) = await show(scene, "dark", (80, 24))
    assert here == usual


# --- that they can fail -----------------------------------------------------------------------------------------------


def _shown(
    *lines: str, theme: str = "dark", ink: str = "text", ground: str = "background", bold: bool = False
) -> Shown:
    palette = THEMES[theme]
    fore, back = (hexed(colours(palette)[name]) for name in (ink, ground))
    return Shown("A screen", palette, tuple(tuple(Cell(one, fore, back, bold) for one in line) for line in lines))


def _both(*lines: str, **looks: object) -> tuple[Shown, Shown]:
    return _shown(*lines, theme="dark", **looks), _shown(*lines, theme="light", **looks)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("now", "part", "old", "new"),
    [
        pytest.param(_both("a glass ", "of beer "), "text, line 2, column 4", "of water", "of beer", id="a word"),
        pytest.param(_both(" a glass", "of water"), "text, line 1, column 1", "a glass", " a glass", id="a layout"),
        pytest.param(
            _both("a glass ", "of water", ink="muted"), "ink, line 1, column 1", ". .....", "m mmmmm", id="an ink"
        ),
        pytest.param(
            _both("a glass ", "of water", bold=True), "ink, line 1, column 1", ". .....", ": :::::", id="a weight"
        ),
        pytest.param(
            _both("a glass ", "of water", ground="raised"), "ground, line 1, column 1", "", "aaaaaaaa", id="a ground"
        ),
    ],
)
def test_a_change_is_told_with_its_place_and_the_way_to_accept_it(
    now: tuple[Shown, Shown], part: str, old: str, new: str, tmp_path: Path
) -> None:
    places = {"folder": tmp_path / "kept", "out": tmp_path / "out"}
    was = _both("a glass ", "of water")
    assert compare("water", *was, accepting=True, **places) == ""
    assert compare("water", *was, accepting=False, **places) == ""
    said = compare("water", *now, accepting=False, **places)
    assert said.startswith("water is not what was kept in ")
    for one in (part, f"kept  |{old}\n", f"drawn |{new}\n", "water.html", ACCEPT):
        assert one in said
    assert (tmp_path / "out" / "water.html").read_text().count("<svg") == 6
    assert compare("water", *now, accepting=True, **places) == ""
    assert not (tmp_path / "out" / "water.html").exists()


def test_a_change_in_one_theme_alone_is_told_as_that(tmp_path: Path) -> None:
    places = {"folder": tmp_path / "kept", "out": tmp_path / "out"}
    dark, light = _both("a glass")
    compare("water", dark, light, accepting=True, **places)
    said = compare("water", dark, _shown("a glass", theme="light", ink="now"), accepting=False, **places)
    assert "ink, line 1, column 1, light" in said
    assert "dark" not in said


def test_a_screen_that_was_never_kept_is_told_as_that(tmp_path: Path) -> None:
    said = compare("new", *_both("a glass"), accepting=False, folder=tmp_path, out=tmp_path)
    assert said.startswith("nothing is kept in ")
    assert ACCEPT in said


def test_what_is_kept_is_read_back_as_it_was_written() -> None:
    dark, light = _both("🔎 wide", "| bars |")
    mixed = Shown(
        dark.title, dark.palette, (*dark.rows, tuple(Cell("x", "#123456", "#654321", bold=True) for _ in range(8)))
    )
    said = kept(mixed, light)
    assert load(dump("any", said)) == said
    assert differences(load(dump("any", said)), said) == []
