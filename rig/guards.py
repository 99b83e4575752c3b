"""The guard of a link to a real device: no guard, no output (safety case, H4).

A system's Bluetooth service may keep a link up, and a device its output, when the program that asked for them was
killed or hangs. So beside every such link runs a process that ends it then. Who brings it is a plug-in, found by the
entry point group :data:`GROUP`, because the rig knows no app. Refuses to know what the link is for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from bleak.backends.characteristic import BleakGATTCharacteristic
    from bleak.backends.device import BLEDevice

GROUP: Final = "microcurrent.guards"
"""Entry points of this group make a :class:`Guard` of a callable that hears why the link is no longer held."""


class NoGuardError(Exception):
    """There is no guard, so there must be no output; the message says why, and what to do."""


class StopWrite(NamedTuple):
    """A write that ends all output: where to, what, and whether the device answers it."""

    characteristic: BleakGATTCharacteristic
    data: bytes
    with_response: bool


class Guard(Protocol):
    """Watches over one link from outside this process."""

    async def hold(self, device: BLEDevice) -> None:
        """Return once the link to ``device`` would be ended if this process were gone.

        Raises:
            Exception: it would not be; the message says why.
        """

    def stops(self, writes: Sequence[StopWrite]) -> None:
        """Say which writes end all output, so that they can come before the end of the link. Never waits."""

    async def release(self, *, down: bool) -> None:
        """End the watch. Where the link is not known to be ``down``, the guard ends it. Never raises."""


Lost = Callable[[str], None]
MakeGuard = Callable[[Lost], Guard]


class NothingToHold:
    """For a radio whose links end with this process."""

    def __init__(self, lost: Lost) -> None:
        """Take no note of ``lost``: it is never called."""

    async def hold(self, device: BLEDevice) -> None:
        """See :class:`Guard`."""

    def stops(self, writes: Sequence[StopWrite]) -> None:
        """See :class:`Guard`."""

    async def release(self, *, down: bool) -> None:
        """See :class:`Guard`."""


def installed() -> MakeGuard:
    """Return what makes a guard for a link on this computer's own Bluetooth.

    Raises:
        NoGuardError: nothing that is installed brings one, or it cannot be loaded.
    """
    known = sorted(entry_points(group=GROUP), key=lambda each: each.name)
    if not known:
        raise NoGuardError(f"no guard is installed (entry points {GROUP!r}); install the package again, whole")
    return partial(_made, _loaded(known[0]))


def _loaded(entry: EntryPoint) -> MakeGuard:
    try:
        make: MakeGuard = entry.load()
    except Exception as error:
        raise NoGuardError(f"the guard {entry.value} cannot be loaded ({error}); install the package again") from error
    return make


def _made(make: MakeGuard, lost: Lost) -> Guard:
    try:
        return make(lost)
    except Exception as error:
        raise NoGuardError(f"the guard of the link cannot do its work ({error})") from error
