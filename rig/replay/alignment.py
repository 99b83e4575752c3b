"""What an app did, laid beside what is recorded: changed, missing, swapped, extra, each told from the others.

Compares two sequences once both are known, so that one thing that went wrong is one difference. Refuses to know who
played and when; times are compared elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Final

from rig.replay.conversation import distance
from rig.replay.exchanges import Exchange

_ALIKE_UP_TO: Final = 3.0
"""Beyond this distance (:func:`rig.replay.conversation.distance`) two exchanges are about different attributes."""
_PAIRED_ONE_BY_ONE: Final = 64
"""In a longer stretch in which nothing fits, what stands at the same position is compared, not each with each."""


@dataclass(slots=True)
class Alignment:
    """Positions in the recorded and in the played sequence that belong together."""

    same: dict[int, int] = field(default_factory=dict)
    """Recorded to played."""
    changed: dict[int, int] = field(default_factory=dict)
    """Recorded to what was played in its place."""
    moved: dict[int, int] = field(default_factory=dict)
    """Recorded to where it was played, at another turn than its own."""
    missing: list[int] = field(default_factory=list)
    extra: list[int] = field(default_factory=list)

    def partner_of(self, recorded: int) -> int | None:
        """Which recorded one a moved one has changed places with: the outermost of those it went past."""
        played = self.moved[recorded]
        past = [r for r, p in self.same.items() if (r > recorded) != (p > played)]
        if not past:
            return None
        return min(past) if past[0] > recorded else max(past)


def align(recorded: Sequence[Exchange], played: Sequence[Exchange], key: Callable[[Exchange], Hashable]) -> Alignment:
    """Lay ``played`` beside ``recorded``; two are the same where ``key`` says so."""
    found = Alignment()
    keys, played_keys = [key(exchange) for exchange in recorded], [key(exchange) for exchange in played]
    head = 0
    while head < min(len(keys), len(played_keys)) and keys[head] == played_keys[head]:
        found.same[head] = head
        head += 1
    tail = 0  # what is the same at both ends needs no search; long traffic is the same over and over
    while tail < min(len(keys), len(played_keys)) - head and keys[-1 - tail] == played_keys[-1 - tail]:
        tail += 1
        found.same[len(keys) - tail] = len(played_keys) - tail
    middle, played_middle = keys[head : len(keys) - tail], played_keys[head : len(played_keys) - tail]
    blocks = SequenceMatcher(None, middle, played_middle, autojunk=False).get_opcodes()
    gaps: list[tuple[list[int], list[int]]] = []
    for tag, first, last, played_first, played_last in blocks:
        if tag == "equal":
            found.same.update((head + first + at, head + played_first + at) for at in range(last - first))
        else:
            gaps.append((list(range(head + first, head + last)), list(range(head + played_first, head + played_last))))
    _find_moved(found, gaps, keys, played_keys)
    for missing, extra in gaps:
        _find_changed(found, missing, extra, recorded, played)
        found.missing += missing
        found.extra += extra
    return found


def _find_moved(
    found: Alignment, gaps: list[tuple[list[int], list[int]]], keys: list[Hashable], played_keys: list[Hashable]
) -> None:
    """Take what is missing here and extra there; of several, the one played nearest to its turn."""
    elsewhere: dict[Hashable, list[tuple[int, list[int]]]] = {}
    for _, extra in gaps:
        for position in extra:
            elsewhere.setdefault(played_keys[position], []).append((position, extra))
    for missing, _ in gaps:
        for position in list(missing):
            candidates = elsewhere.get(keys[position])
            if not candidates:
                continue
            nearest = min(candidates, key=lambda candidate: abs(candidate[0] - position))
            candidates.remove(nearest)
            missing.remove(position)
            nearest[1].remove(nearest[0])
            found.moved[position] = nearest[0]


def _find_changed(
    found: Alignment, missing: list[int], extra: list[int], recorded: Sequence[Exchange], played: Sequence[Exchange]
) -> None:
    """Pair what stands in each other's place, the most alike first."""
    if max(len(missing), len(extra)) > _PAIRED_ONE_BY_ONE:
        pairs = [(distance(recorded[r], played[p]), 0, r, p) for r, p in zip(missing, extra, strict=False)]
    else:
        pairs = sorted(
            (distance(recorded[r], played[p]), abs(at - other), r, p)
            for at, r in enumerate(missing)
            for other, p in enumerate(extra)
        )
    for far, _, r, p in pairs:
        if far < _ALIKE_UP_TO and r in missing and p in extra:
            found.changed[r] = p
            missing.remove(r)
            extra.remove(p)
