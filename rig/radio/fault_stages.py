"""What passes in one direction, through one fault after another: each a stage that passes, holds, harms or loses it.

Knows values and times. Refuses to know devices, radios and clocks: whoever drives a stage says what time it is.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from rig.radio.fault_plan import (
    AnyFault,
    AttRefusal,
    Burst,
    Corrupt,
    Delay,
    Direction,
    Disconnect,
    Drop,
    Duplicate,
    MtuChange,
    Reorder,
    SlowAnswer,
    SlowUart,
    SupervisionTimeout,
)

_BITS_A_BYTE = 10  # on a UART: start bit, eight data bits, stop bit


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One value on its way.

    Attributes:
        characteristic: what the device calls the characteristic.
        data: the value.
        uuid: of the characteristic, in the spelling of :func:`protocols.gatt.uuid`, which plans go by.
        with_response: for a write, whether it is a request.
    """

    characteristic: str
    data: bytes
    uuid: str
    with_response: bool = False

    def with_data(self, data: bytes) -> Item:
        """Return one with another value, on its way to the same place."""
        return Item(self.characteristic, data, self.uuid, self.with_response)


Moment = Disconnect | SupervisionTimeout | MtuChange
"""A fault that happens to the link or the device, at this place in what passes."""

Passing = Item | Moment


class Firing(NamedTuple):
    """One time that a fault happened: the device's time in seconds, the fault's name, and what it did."""

    time: float
    fault: str
    what: str


class Ledger:
    """How often each fault of a plan has fired, and when."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.fired: Counter[str] = Counter(dict.fromkeys(names, 0))
        self.log: list[Firing] = []

    def fire(self, fault: AnyFault, now: float, what: str) -> None:
        """Count one."""
        self.fired[fault.name] += 1
        self.log.append(Firing(now, fault.name, what))


class Trigger:
    """Decides whether a fault happens to the next one that it concerns."""

    def __init__(self, nth: frozenset[int], probability: float | None, at_most: int | None, rng: random.Random) -> None:
        self._nth = nth
        self._probability = probability
        self._at_most = at_most
        self._rng = rng
        self._seen = 0
        self._hits = 0

    def hits(self) -> bool:
        """Say so for the next one."""
        self._seen += 1
        hit = self._seen in self._nth if self._probability is None else self._rng.random() < self._probability
        if hit and self._at_most is not None and self._hits >= self._at_most:
            return False
        self._hits += hit
        return hit


class Stage:
    """One fault of a direction. The base passes everything.

    Args:
        fault: what the plan says.
        ledger: where it is written down that the fault has fired.
        rng: its own chance, so that one fault more or less does not change what the others do.
    """

    def __init__(self, fault: AnyFault, ledger: Ledger, rng: random.Random) -> None:
        self._fault = fault
        self._ledger = ledger
        self._rng = rng
        if isinstance(fault, Burst):
            self._trigger = Trigger(frozenset(), 0.0, None, rng)
        else:
            self._trigger = Trigger(fault.chosen, fault.probability, fault.at_most, rng)

    @property
    def deadline(self) -> float | None:
        """When :meth:`take_due` has something; None while it has nothing."""
        return None

    def take(self, item: Item, now: float) -> list[Passing]:
        """Take one that comes, and return what goes on at once."""
        if self._fault.characteristic and self._fault.characteristic != item.uuid:
            return [item]
        return self._take(item, now)

    def take_due(self, now: float) -> list[Passing]:  # noqa: ARG002 - what holds nothing has nothing due
        """Return what was held and goes on now."""
        return []

    def link_lost(self) -> None:
        """Forget what was under way."""

    def _take(self, item: Item, now: float) -> list[Passing]:  # noqa: ARG002 - those that look at it override this
        return [item]

    def _fired(self, now: float, what: str) -> None:
        self._ledger.fire(self._fault, now, what)


class _Dropping(Stage):
    def _take(self, item: Item, now: float) -> list[Passing]:
        if not self._trigger.hits():
            return [item]
        self._fired(now, f"lost {_shown(item)}")
        return []


class _Bursting(Stage):
    def __init__(self, fault: Burst, ledger: Ledger, rng: random.Random) -> None:
        super().__init__(fault, ledger, rng)
        self._burst = fault
        self._bad = False

    def _take(self, item: Item, now: float) -> list[Passing]:
        burst = self._burst
        turn = self._rng.random() < (burst.to_good if self._bad else burst.to_bad)
        self._bad ^= turn
        if self._rng.random() >= (burst.loss_bad if self._bad else burst.loss_good):
            return [item]
        self._fired(now, f"lost {_shown(item)} in a {'bad' if self._bad else 'good'} stretch")
        return []


class _Corrupting(Stage):
    def __init__(self, fault: Corrupt, ledger: Ledger, rng: random.Random) -> None:
        super().__init__(fault, ledger, rng)
        self._bits = fault.bits

    def _take(self, item: Item, now: float) -> list[Passing]:
        if not self._trigger.hits() or not item.data:  # there is nothing to harm in an empty value
            return [item]
        data = bytearray(item.data)
        for bit in self._rng.sample(range(8 * len(data)), min(self._bits, 8 * len(data))):
            data[bit // 8] ^= 1 << bit % 8
        harmed = item.with_data(bytes(data))
        self._fired(now, f"{_shown(item)} became {data.hex()}")
        return [harmed]


class _Line(Stage):
    """What is held goes on at its time, in the order in which it came."""

    def __init__(self, fault: AnyFault, ledger: Ledger, rng: random.Random) -> None:
        super().__init__(fault, ledger, rng)
        self._queue: deque[tuple[float, Passing]] = deque()
        self._free_at = 0.0

    @property
    def deadline(self) -> float | None:
        return self._queue[0][0] if self._queue else None

    def take_due(self, now: float) -> list[Passing]:
        due: list[Passing] = []
        while self._queue and self._queue[0][0] <= now:
            due.append(self._queue.popleft()[1])
        return due

    def link_lost(self) -> None:
        self._queue.clear()
        self._free_at = 0.0

    def _hold(self, item: Item, until: float) -> None:
        self._free_at = max(self._free_at, until)
        self._queue.append((self._free_at, item))

    def _behind(self, item: Item) -> list[Passing]:
        """Pass what the fault does not concern, behind what it has held."""
        if not self._queue:
            return [item]
        self._queue.append((self._queue[-1][0], item))
        return []


class _Delaying(_Line):
    def __init__(self, fault: Delay, ledger: Ledger, rng: random.Random) -> None:
        super().__init__(fault, ledger, rng)
        self._law = fault.time

    def _take(self, item: Item, now: float) -> list[Passing]:
        if not self._trigger.hits():
            return self._behind(item)
        delay_s = self._law.draw(self._rng)
        if delay_s <= 0:
            return self._behind(item)
        self._fired(now, f"held {_shown(item)} for {delay_s:.6f} s")
        self._hold(item, now + delay_s)
        return []


class _SlowWire(_Line):
    def __init__(self, fault: SlowUart, ledger: Ledger, rng: random.Random) -> None:
        super().__init__(fault, ledger, rng)
        self._chunk = fault.chunk
        self._byte_s = _BITS_A_BYTE / fault.baud

    def _take(self, item: Item, now: float) -> list[Passing]:
        if not self._trigger.hits() or not item.data:
            return self._behind(item)
        begin = max(now, self._free_at)
        step = self._chunk or len(item.data)
        for start in range(0, len(item.data), step):
            piece = item.data[start : start + step]
            self._hold(item.with_data(piece), begin + (start + len(piece)) * self._byte_s)
        self._fired(now, f"{_shown(item)} took until {self._free_at:.6f} s")
        return []


class _Doubling(Stage):
    def __init__(self, fault: Duplicate, ledger: Ledger, rng: random.Random) -> None:
        super().__init__(fault, ledger, rng)
        self._copies = fault.copies
        self._gap_s = fault.gap_s
        self._held: list[tuple[float, Item]] = []

    @property
    def deadline(self) -> float | None:
        return min((due for due, _ in self._held), default=None)

    def _take(self, item: Item, now: float) -> list[Passing]:
        if not self._trigger.hits():
            return [item]
        self._fired(now, f"{_shown(item)} came {self._copies + 1} times")
        copies = [item.with_data(item.data) for _ in range(self._copies)]
        if not self._gap_s:
            return [item, *copies]
        self._held += [(now + number * self._gap_s, copy) for number, copy in enumerate(copies, start=1)]
        return [item]

    def take_due(self, now: float) -> list[Passing]:
        due = sorted((entry for entry in self._held if entry[0] <= now), key=lambda entry: entry[0])
        self._held = [entry for entry in self._held if entry[0] > now]
        return [item for _, item in due]

    def link_lost(self) -> None:
        self._held.clear()


class _Reordering(Stage):
    """Holds one at a time, until enough others have passed it."""

    def __init__(self, fault: Reorder, ledger: Ledger, rng: random.Random) -> None:
        super().__init__(fault, ledger, rng)
        self._reorder = fault
        self._held: Item | None = None
        self._until = 0.0
        self._to_pass = 0

    @property
    def deadline(self) -> float | None:
        return self._until if self._held is not None else None

    def _take(self, item: Item, now: float) -> list[Passing]:
        hit = self._trigger.hits()
        if self._held is not None:
            self._to_pass -= 1
            if self._to_pass:
                return [item]
            late, self._held = self._held, None
            self._fired(now, f"{_shown(late)} came behind {item.data.hex()}")
            return [item, late]
        if not hit:
            return [item]
        self._held = item
        self._until = now + self._reorder.within_s
        self._to_pass = self._reorder.behind
        return []

    def take_due(self, now: float) -> list[Passing]:
        if self._held is None or self._until > now:
            return []
        late, self._held = self._held, None
        passed = self._reorder.behind - self._to_pass
        if passed:
            self._fired(now, f"{_shown(late)} came behind {passed} of {self._reorder.behind}")
        return [late]

    def link_lost(self) -> None:
        self._held = None


class _Waiting(Stage):
    """Passes everything, and its own fault behind the one that is chosen."""

    def __init__(self, fault: Moment, ledger: Ledger, rng: random.Random) -> None:
        super().__init__(fault, ledger, rng)
        self._moment = fault

    def _take(self, item: Item, now: float) -> list[Passing]:  # noqa: ARG002 - it takes no time
        return [item, self._moment] if self._trigger.hits() else [item]


_PLAIN: dict[type[AnyFault], Callable[..., Stage]] = {
    Drop: _Dropping,
    Burst: _Bursting,
    Corrupt: _Corrupting,
    Delay: _Delaying,
    SlowUart: _SlowWire,
    Duplicate: _Doubling,
    Reorder: _Reordering,
}


class Chain:
    """The stages of one direction, in the order of the plan; those that wait for a moment come last.

    Args:
        direction: which.
        faults: all of the plan; those of other directions are left alone.
        ledger: where firings are written down.
        chance_of: makes the chance of a fault.
    """

    def __init__(
        self,
        direction: Direction,
        faults: tuple[AnyFault, ...],
        ledger: Ledger,
        chance_of: Callable[[AnyFault], random.Random],
    ) -> None:
        stages = [_stage(direction, fault, ledger, chance_of(fault)) for fault in faults]
        # A moment of the conversation is told by what arrives, so it is looked for behind everything else.
        self._stages = sorted(filter(None, stages), key=lambda stage: isinstance(stage, _Waiting))

    @property
    def deadline(self) -> float | None:
        """When :meth:`take_due` has something; None while it has nothing."""
        return min((due for stage in self._stages if (due := stage.deadline) is not None), default=None)

    def take(self, item: Item, now: float) -> list[Passing]:
        """Take one, and return what comes out at the other end at once."""
        return self._through(0, [item], now)

    def take_due(self, now: float) -> list[Passing]:
        """Return what comes out at the other end now, of what was held."""
        out: list[Passing] = []
        # From the far end on, so that what a stage lets go does not overtake what a later one holds until now.
        for index in range(len(self._stages) - 1, -1, -1):
            out += self._through(index + 1, self._stages[index].take_due(now), now)
        return out

    def link_lost(self) -> None:
        """Forget what was under way."""
        for stage in self._stages:
            stage.link_lost()

    def _through(self, first: int, passing: list[Passing], now: float) -> list[Passing]:
        for stage in self._stages[first:]:
            passing = [
                out for each in passing for out in (stage.take(each, now) if isinstance(each, Item) else (each,))
            ]
        return passing


def _stage(direction: Direction, fault: AnyFault, ledger: Ledger, rng: random.Random) -> Stage | None:
    if isinstance(fault, AttRefusal | SlowAnswer) or fault.direction != direction:
        return None
    if isinstance(fault, Moment):
        return _Waiting(fault, ledger, rng)
    return _PLAIN[type(fault)](fault, ledger, rng)


def _shown(item: Item) -> str:
    return item.data.hex() or "an empty value"
