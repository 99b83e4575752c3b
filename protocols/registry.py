"""Which protocol speaks to which device: built-in ones, and those that others install by entry point.

A protocol joins by an entry point of the group ``microcurrent.protocols`` that names a :class:`ProtocolEntry`. This
module refuses to know any device: it asks each entry whether an advertisement is one of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from protocols.gatt import Service
from protocols.listening import Listener
from protocols.machine import DeviceProtocol, Extent
from protocols.model import DeviceProfile
from protocols.recorded import NOTHING_OF_ITS_OWN, Recorded

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

GROUP = "microcurrent.protocols"
BUILT_IN = ("protocols.dr05:ENTRY", "protocols.foreo:ENTRY", "protocols.omp:ENTRY")


@dataclass(frozen=True, slots=True)
class ProtocolEntry:
    """One protocol on offer.

    ``create`` takes the advertised name and returns a fresh machine for one link. ``matches`` takes the advertised
    name (None when the advertisement has none) and the advertised service UUIDs, and returns 0 for "not mine", else
    more the surer it is (100: the exact name).

    The last five are for recordings, and may be missing. ``listen`` takes the device's name where it is known and
    returns a fresh listener for one link. ``fits`` tells whether a device with these services may be one of this
    protocol's, for recordings without a name; it need not be sure, what is said then decides. ``extent`` is all that
    the machine can go through; without it nobody can say what a recording has left out. ``recreate`` makes the machine
    as it was in a recording, from the name and all that the host wrote, where it draws something by chance.
    ``recorded`` tells what of two recordings of the same session may differ.
    """

    key: str
    title: str
    profile: DeviceProfile
    create: Callable[[str], DeviceProtocol]
    matches: Callable[[str | None, Sequence[str]], int]
    listen: Callable[[str | None], Listener] | None = None
    fits: Callable[[Sequence[Service]], bool] | None = None
    extent: Extent | None = None
    recreate: Callable[[str, Sequence[bytes]], DeviceProtocol] | None = None
    recorded: Recorded = NOTHING_OF_ITS_OWN


class UnknownProtocolError(KeyError):
    """No protocol has that key; the message lists those that exist."""

    def __str__(self) -> str:
        """Return the sentence itself; KeyError would quote it."""
        return str(self.args[0])


class Registry:
    """The protocols on offer, by key. ``problems`` says in one line each which installed ones could not be used."""

    def __init__(self, entries: Iterable[ProtocolEntry], problems: Iterable[str] = ()) -> None:
        by_key: dict[str, ProtocolEntry] = {}
        doubles = [entry for entry in entries if by_key.setdefault(entry.key, entry) is not entry]
        self._by_key = by_key
        self.problems: tuple[str, ...] = (
            *problems,
            *(f"a second protocol with the key {entry.key!r} ({entry.title}) is left out" for entry in doubles),
        )

    @property
    def entries(self) -> tuple[ProtocolEntry, ...]:
        """Every protocol, the built-in ones first."""
        return tuple(self._by_key.values())

    def get(self, key: str) -> ProtocolEntry:
        """Return the protocol with that key.

        Raises:
            UnknownProtocolError: (a KeyError) there is none.
        """
        try:
            return self._by_key[key]
        except KeyError:
            known = ", ".join(sorted(self._by_key)) or "none"
            raise UnknownProtocolError(f"no protocol {key!r}; known: {known}") from None

    def match(self, name: str | None, service_uuids: Sequence[str]) -> ProtocolEntry | None:
        """Return the protocol that is surest of this advertisement, the earlier one when two are as sure, or None."""
        best, best_score = None, 0
        for entry in self._by_key.values():
            score = entry.matches(name, service_uuids)
            if score > best_score:
                best, best_score = entry, score
        return best

    @staticmethod
    def default() -> Registry:
        """Return the built-in protocols and the installed ones.

        The built-in ones are entry points as well, and are found without their metadata too (a checkout that was never
        installed, a zipped app). What cannot be loaded goes to ``problems``: a broken plug-in must not take the rest
        down. What is installed does not change while a program runs: it is looked up once, and every call gives the
        same registry.
        """
        # Found here, not at the top: 20 ms that `--help` need not pay, and the built-in ones import this module.
        from importlib import metadata  # noqa: PLC0415

        return _found(metadata.entry_points)


@lru_cache(maxsize=1)  # each look opens every installed package's metadata: 5 ms, as much as a short replay takes
def _found(entry_points: Callable[..., EntryPoints]) -> Registry:
    from importlib.metadata import EntryPoint  # noqa: PLC0415 - as above

    built_in = [EntryPoint(name="", value=value, group=GROUP) for value in BUILT_IN]
    installed = [point for point in entry_points(group=GROUP) if point.value not in BUILT_IN]
    entries: list[ProtocolEntry] = [point.load() for point in built_in]
    problems: list[str] = []
    for point in sorted(installed, key=lambda p: (p.name, p.value)):
        try:
            entry = point.load()
        except Exception as error:  # noqa: BLE001 - whatever a plug-in raises at import
            problems.append(f"protocol {point.name!r} ({point.value}) cannot be loaded: {error}")
            continue
        if isinstance(entry, ProtocolEntry):
            entries.append(entry)
        else:
            problems.append(f"protocol {point.name!r} ({point.value}) is not a ProtocolEntry")
    return Registry(entries, problems)
