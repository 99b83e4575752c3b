"""Colours and style sheet of the page: two palettes, one layout.

Calm on purpose: system fonts, ink on paper, one accent; red and amber only where something is wrong. No script, no
font, no picture and no address of anything outside. Refuses to know what is on the page.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Palette(NamedTuple):
    """Colours as ``#rrggbb``. Contrast (WCAG 2.2, 1.4.3 and 1.4.11) is kept by a test, pair by pair."""

    paper: str
    """Behind everything."""
    sheet: str
    """Behind cards, tables and charts."""
    line: str
    """Hairlines, which carry no meaning of their own."""
    ink: str
    """Text: 7:1 and more on paper and sheet."""
    quiet: str
    """Second-rank text and axes: 4.5:1 and more."""
    accent: str
    """What is measured now, links, and what was not recorded: 4.5:1 and more."""
    accent_wash: str
    bad: str
    """What failed, and what did not happen: 4.5:1 and more."""
    bad_wash: str
    doubt: str
    """What says nothing, and what is marginal: 4.5:1 and more."""
    doubt_wash: str


LIGHT: Final = Palette(
    paper="#f7f6f3",
    sheet="#ffffff",
    line="#dfddd7",
    ink="#1d2226",
    quiet="#59626a",
    accent="#0b6b74",
    accent_wash="#e4f1f2",
    bad="#a8281f",
    bad_wash="#fbe9e7",
    doubt="#7a5200",
    doubt_wash="#fbf1dc",
)
DARK: Final = Palette(
    paper="#131618",
    sheet="#1b1f22",
    line="#343a3f",
    ink="#e7e9ea",
    quiet="#a4adb4",
    accent="#63c7cf",
    accent_wash="#17353a",
    bad="#ff9d93",
    bad_wash="#43211f",
    doubt="#e6bb63",
    doubt_wash="#3b2f17",
)

_FONT: Final = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'
_MONO: Final = (
    'ui-monospace, "SF Mono", "Cascadia Mono", "Segoe UI Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace'
)

MOST_NUMBERS: Final = 6
"""How many columns of a table may be numbers."""

CHARTS: Final = """
svg text { font-size: 12px; fill: var(--quiet); }
svg .strong { fill: var(--ink); font-weight: 600; }
svg .lane { stroke: var(--line); stroke-width: 1; }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg .axis { stroke: var(--quiet); stroke-width: 1; }
svg .event { stroke: var(--accent); stroke-width: 1.5; fill: none; }
svg .reply { stroke: var(--quiet); stroke-width: 1.5; fill: none; }
svg .lost { stroke: var(--bad); stroke-width: 2; fill: var(--sheet); }
svg .added { stroke: var(--sheet); stroke-width: 1; fill: var(--bad); }
svg .where { stroke: var(--bad); stroke-width: 1; stroke-dasharray: 3 3; }
svg .flag { fill: var(--bad); font-weight: 600; }
svg .now { fill: var(--accent); }
svg .now-line { stroke: var(--accent); stroke-width: 1.5; fill: none; }
svg .now-text { fill: var(--accent); font-weight: 600; }
svg .halo { stroke: var(--sheet); stroke-width: 4; fill: none; stroke-linejoin: round; }
svg .before { stroke: var(--ink); stroke-width: 1.5; fill: none; stroke-linejoin: round; }
svg .before-line { stroke: var(--ink); stroke-width: 1.5; stroke-dasharray: 4 3; fill: none; }
svg .range { stroke: var(--quiet); stroke-width: 1.5; fill: none; }
"""
"""Classes of :mod:`rig.report.charts`."""

_PAGE: Final = """
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 var(--font); }
header, main, footer { max-width: 66rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2.5rem; }
footer { padding-bottom: 3rem; color: var(--quiet); font-size: .875rem; }
h1, h2, h3 { line-height: 1.25; text-wrap: balance; }
h1 { font-size: 1.75rem; margin: 0 0 .5rem; font-weight: 650; letter-spacing: -.01em; }
h2 { font-size: 1.25rem; margin: 3rem 0 .75rem; font-weight: 650; }
h3 { font-size: 1rem; margin: 0 0 .5rem; font-weight: 650; overflow-wrap: anywhere; }
p { margin: 0 0 .75rem; max-width: 44rem; }
a { color: var(--accent); text-underline-offset: .15em; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 2px; }
.skip { position: absolute; left: -100rem; }
.skip:focus { left: 1rem; top: 1rem; background: var(--sheet); padding: .5rem .75rem; }
.headline { font-size: 1.125rem; }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; padding: 0; margin: 1.25rem 0 0; }
.card { background: var(--sheet); border: 1px solid var(--line); border-radius: .5rem; padding: 1.25rem;
  margin: 0 0 1.25rem; }
.about { color: var(--quiet); font-size: .875rem; }
.verdict { display: inline-block; font-size: .8125rem; font-weight: 650; line-height: 1.5; padding: 0 .5rem;
  border-radius: 1rem; white-space: nowrap; }
.good { color: var(--accent); background: var(--accent_wash); }
.bad { color: var(--bad); background: var(--bad_wash); }
.doubt { color: var(--doubt); background: var(--doubt_wash); }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(6.25rem, 1fr)); gap: 1px; margin: 1.25rem 0 0;
  background: var(--sheet); border: 1px solid var(--line); border-radius: .5rem; overflow: hidden; }
.facts div { padding: .75rem 1rem; box-shadow: 0 0 0 1px var(--line); }
.facts dt { color: var(--quiet); font-size: .8125rem; }
.facts dd { margin: 0; font-size: 1.25rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; margin: 0 0 1.25rem; }
.card .scroll:last-child, .card > :last-child { margin-bottom: 0; }
table { border-collapse: collapse; width: 100%; font-size: .875rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--quiet); padding: 0 0 .5rem; }
th, td { text-align: left; vertical-align: baseline; padding: .375rem .75rem .375rem 0;
  border-bottom: 1px solid var(--line); }
thead th { color: var(--quiet); font-weight: 500; white-space: nowrap; }
tbody th { font-weight: 500; overflow-wrap: anywhere; }
td:last-child, th:last-child { padding-right: 0; }
tbody tr:last-child > * { border-bottom: 0; }
figure { margin: 0 0 1.25rem; }
figure svg { display: block; width: 100%; max-width: 52rem; height: auto; font-family: var(--font); }
figcaption { color: var(--quiet); font-size: .875rem; margin-top: .25rem; }
.key { display: inline-block; width: .75rem; height: .75rem; margin-right: .375rem; vertical-align: -.0625rem; }
.key-now { background: var(--accent); }
.key-before { border: 2px solid var(--ink); }
ol.differences { margin: 0 0 1.25rem; padding-left: 1.5rem; }
ol.differences li { margin-bottom: .375rem; overflow-wrap: anywhere; }
ol.differences li::marker { color: var(--bad); font-weight: 600; }
.when { color: var(--quiet); font-variant-numeric: tabular-nums; white-space: nowrap; }
.talk, .talk ol { list-style: none; margin: 0; padding: 0; font: .8125rem/1.6 var(--mono); text-wrap: pretty; }
.talk { border: 1px solid var(--line); border-radius: .375rem; padding: .5rem 0; overflow: hidden; }
.talk li { overflow-wrap: anywhere; padding: 0 .75rem; }
.talk li:not(.fold) { display: grid; grid-template-columns: 1rem 4.75rem minmax(0, 1fr) auto; gap: 0 .5rem; }
.talk li > span:first-of-type { grid-column: 2; text-align: right; color: var(--quiet); white-space: nowrap; }
.talk li > span + span { grid-column: 3; padding-left: 1rem; text-indent: -1rem; }
.talk em { font: 650 .75rem/1.7 var(--font); white-space: nowrap; }
.talk b { font-weight: 650; }
.talk span b { font-weight: 700; text-decoration: underline 2px; text-underline-offset: .2em; }
.lost-line { background: var(--bad_wash); }
.lost-line > b, .lost-line > em, .lost-line span b { color: var(--bad); }
.added-line { background: var(--accent_wash); }
.added-line > b, .added-line > em, .added-line span b { color: var(--accent); }
.note-line { background: var(--doubt_wash); }
.note-line > b, .note-line > em { color: var(--doubt); }
.talk .fold { padding: .125rem .75rem; color: var(--quiet); font-family: var(--font); }
.talk .fold ol { margin: 0 -.75rem; color: var(--ink); }
.index { padding: 0; margin: 0 0 1.25rem; list-style: none; }
.index li { font-size: .9375rem; padding: .375rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
.index li:last-child { border-bottom: 0; }
summary { cursor: pointer; overflow-wrap: anywhere; }
details.more > summary { padding: .25rem 0; }
details.more > div { padding-top: .75rem; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (max-width: 40rem) {
  header, main, footer { padding-left: 1rem; padding-right: 1rem; }
  .card { padding: 1rem .875rem; }
  .facts { grid-template-columns: 1fr 1fr 1fr; }
  .facts div { padding: .5rem .625rem; }
  .facts dd { font-size: 1.0625rem; }
  th, td { padding-right: .375rem; }
  figure svg { overflow: visible; }
  svg text { font-size: 24px; }
  svg .spare { display: none; }
  figcaption { margin-top: .75rem; }
  .talk li:not(.fold) { display: block; padding-left: 2rem; text-indent: -1.25rem; }
  .talk li > span + span { padding-left: 0; }
  .talk li:not(.fold) > * { margin-right: .5rem; }
}
@media screen and (min-width: 64rem) {
  .scroll { overflow-x: visible; }
  thead > tr > * { position: sticky; top: 0; background: var(--paper); box-shadow: inset 0 -1px var(--line); }
  .card thead > tr > * { background: var(--sheet); }
}
@media (forced-colors: active) { svg .now { fill: Highlight; } svg .before, svg .axis { stroke: CanvasText; } }
@media print {
  body { font-size: 10pt; }
  nav, .skip { display: none; }
  figure, tr, li, dl { break-inside: avoid; }
  h2, h3, thead { break-after: avoid; }
  .verdict, .talk li, .key { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""


def style_sheet() -> str:
    """The whole style sheet: the light palette, the dark one where the reader's system asks for it (never in print)."""
    fonts = f":root {{ color-scheme: light dark; --font: {_FONT}; --mono: {_MONO}; }}\n"
    dark = f"@media screen and (prefers-color-scheme: dark) {{ {_variables(DARK)} }}\n"
    numbers = "".join(
        f".numbers-{count} > * > tr > :nth-last-child(-n+{count}) {{ text-align: right; white-space: nowrap; }}\n"
        for count in range(1, MOST_NUMBERS + 1)
    )
    return fonts + _variables(LIGHT) + "\n" + dark + (CHARTS + _PAGE + numbers).strip() + "\n"


def _variables(palette: Palette) -> str:
    return f":root {{ {' '.join(f'--{name}: {value};' for name, value in palette._asdict().items())} }}"
