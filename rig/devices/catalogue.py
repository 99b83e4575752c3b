"""Every simulated device by the key of the protocol that drives it. Loads a device's module only when it is wanted."""

from __future__ import annotations

from rig.devices.model import SimulatedDevice

KEYS = ("dr05", "foreo", "omp")
"""What :func:`create` knows, in the order in which a choice is best offered."""


def create(key: str, seed: int = 0) -> SimulatedDevice:
    """Make the simulated device with that key; the same seed makes the same device.

    Raises:
        ValueError: there is no such device; the message lists those that there are.
    """
    if key == "dr05":
        from rig.devices.dr05 import SimulatedDr05  # noqa: PLC0415 - only what is wanted is loaded

        return SimulatedDr05(seed)
    if key == "foreo":
        from rig.devices.foreo import SimulatedForeo  # noqa: PLC0415 - only what is wanted is loaded

        return SimulatedForeo(seed=seed)
    if key == "omp":
        from rig.devices.omp import SimulatedOmp  # noqa: PLC0415 - only what is wanted is loaded

        return SimulatedOmp(seed)
    raise ValueError(f"there is no simulated device {key!r}; there are: {', '.join(KEYS)}")
