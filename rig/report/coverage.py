"""What the recordings reached of their protocols, for the terminal and as tables of the page.

Puts the outcomes of one protocol together. Refuses to know protocols, and to count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from rig.replay.coverage import KINDS, merged
from rig.replay.outcome import Outcome
from rig.report.markup import Markup, tag
from rig.report.tables import table

_NEVER_NAMED: Final = 12  # things never reached that a line for the terminal names


def by_protocol(outcomes: Sequence[Outcome]) -> dict[str, dict[str, object]]:
    """What all outcomes of a protocol reached together (:func:`rig.replay.coverage.merged`), by protocol."""
    found: dict[str, list[dict[str, object]]] = {}
    for outcome in outcomes:
        if outcome.coverage:
            found.setdefault(str(outcome.coverage["protocol"]), []).append(outcome.coverage)
    return {protocol: merged(found[protocol]) for protocol in sorted(found)}


def coverage_lines(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """A line a protocol with how much of what there is was reached, and one that names what never was."""
    for protocol, coverage in by_protocol(outcomes).items():
        reached = _reached(coverage)
        summary = ", ".join(_summary(kind, names) for kind, names in reached.items())
        yield f"coverage of {protocol or 'no known protocol'}: {summary}"
        never = [name for names in reached.values() for name, times in names.items() if not times]
        if never:
            more = f" and {len(never) - _NEVER_NAMED:,} more" if len(never) > _NEVER_NAMED else ""
            yield f"never reached: {', '.join(never[:_NEVER_NAMED])}{more}"


def coverage_cards(outcomes: Sequence[Outcome]) -> list[Markup]:
    """A card a protocol with a table a kind: states, transitions, commands and events."""
    return [_card(number, *each) for number, each in enumerate(by_protocol(outcomes).items(), 1)]


def _card(number: int, protocol: str, coverage: Mapping[str, object]) -> Markup:
    ident = f"c{number}"
    parts = [tag("h3", protocol or "No known protocol", id=ident)]
    if not coverage["complete"]:
        parts.append(tag("p", "The protocol does not say what there is to reach: this is what was.", class_="about"))
    unlisted = coverage["unlisted"]
    for kind, names in _reached(coverage).items():
        rows = []
        for name, times in names.items():
            note = coverage["complete"] and isinstance(unlisted, list) and name in unlisted
            count: str = f"{times:,}" if times else tag("span", "never", class_="verdict doubt")
            rows.append([f"{name} (not listed by the protocol)" if note else name, count])
        parts.append(table(_summary(kind, names).capitalize(), (kind, "times"), rows, numbers=1))
    return tag("article", *parts, class_="card", aria_labelledby=ident)


def _reached(coverage: Mapping[str, object]) -> dict[str, Mapping[str, int]]:
    """Name to count for every kind of which there is anything."""
    reached = coverage["reached"]
    return {kind: reached[kind] for kind in KINDS if reached.get(kind)} if isinstance(reached, Mapping) else {}


def _summary(kind: str, names: Mapping[str, int]) -> str:
    return f"{kind}s {sum(times > 0 for times in names.values())} of {len(names)}"
