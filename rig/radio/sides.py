"""Which side of a device a link speaks to: the device's own calls, or those that it has for a further central.

Most devices take one link at a time. One that has a ``central`` method serves a second one beside it, which it tells
apart from the first (rule 8 of the Open Microcurrent Profile). Refuses to know links and radios.
"""

from __future__ import annotations

from typing import Final, Protocol, runtime_checkable

from rig.devices.model import DeviceAction, SimulatedDevice

FIRST: Final = 0
"""The number of the central that a device's own calls speak for."""
PLACES: Final = 2
"""How many centrals a device serves at a time that serves several."""


class Side(Protocol):
    """What a GATT server asks of a device on behalf of one link; the calls are those of a simulated device."""

    def connected(self, now: float) -> tuple[DeviceAction, ...]:
        """A central has connected."""

    def disconnected(self, now: float) -> tuple[DeviceAction, ...]:
        """Its link is gone."""

    def subscribed(self, characteristic: str, enabled: bool, now: float) -> tuple[DeviceAction, ...]:
        """It wrote a CCCD."""

    def write_arrived(
        self, characteristic: str, data: bytes, now: float, *, with_response: bool
    ) -> tuple[DeviceAction, ...]:
        """It wrote a characteristic."""

    def read(self, characteristic: str, now: float) -> bytes:
        """It reads a characteristic."""


class Central(Protocol):
    """What a device has for a further central; what comes due for it between its calls is fetched."""

    def connected(self, now: float) -> tuple[DeviceAction, ...]:
        """See :class:`Side`."""

    def disconnected(self, now: float) -> tuple[DeviceAction, ...]:
        """See :class:`Side`."""

    def subscribed(self, characteristic: str, enabled: bool, now: float) -> tuple[DeviceAction, ...]:
        """See :class:`Side`."""

    def written(self, characteristic: str, data: bytes, now: float) -> tuple[DeviceAction, ...]:
        """See :meth:`Side.write_arrived`."""

    def read(self, characteristic: str, now: float) -> bytes:
        """See :class:`Side`."""

    def fetch(self, now: float) -> tuple[DeviceAction, ...]:
        """Return what has come due for it by ``now``."""


@runtime_checkable
class ServesSeveral(Protocol):
    """A device that tells several centrals apart."""

    def central(self, number: int) -> Central:
        """Return the side of a further central; ``number`` is any but :data:`FIRST`."""


class FurtherSide:
    """The side of a further central."""

    def __init__(self, central: Central) -> None:
        self._central = central

    def connected(self, now: float) -> tuple[DeviceAction, ...]:
        """See :class:`Side`."""
        return self._central.connected(now)

    def disconnected(self, now: float) -> tuple[DeviceAction, ...]:
        """See :class:`Side`."""
        return self._central.disconnected(now)

    def subscribed(self, characteristic: str, enabled: bool, now: float) -> tuple[DeviceAction, ...]:
        """See :class:`Side`."""
        return self._central.subscribed(characteristic, enabled, now)

    def write_arrived(
        self,
        characteristic: str,
        data: bytes,
        now: float,
        *,
        with_response: bool,  # noqa: ARG002 - no device that serves several tells the two apart
    ) -> tuple[DeviceAction, ...]:
        """See :class:`Side`."""
        return self._central.written(characteristic, data, now)

    def read(self, characteristic: str, now: float) -> bytes:
        """See :class:`Side`."""
        return self._central.read(characteristic, now)

    def fetch(self, now: float) -> tuple[DeviceAction, ...]:
        """Return what has come due for it by ``now``."""
        return self._central.fetch(now)


def places_of(device: SimulatedDevice) -> int:
    """Return how many centrals a device serves at a time."""
    return PLACES if isinstance(device, ServesSeveral) else 1


def side_of(device: SimulatedDevice, number: int) -> Side:
    """Return the side of the device that the central with that number speaks to.

    Raises:
        ValueError: the device serves no such central.
    """
    if number == FIRST:
        return device
    if isinstance(device, ServesSeveral):
        return FurtherSide(device.central(number))
    raise ValueError(f"{device!r} serves one central at a time")
