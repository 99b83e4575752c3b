"""Words of the screen that looks for devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from protocols.model import DeviceProfile

LOOKING: Final = "Looking for your device"
LOOKING_HINT: Final = "Switch it on and hold it near."
FOUND_ONE: Final = "Your device is here"
FOUND_SOME: Final = "Which one is in your hand?"
FOUND_HINT: Final = "The strongest signal is the nearest one."
NONE: Final = "No device in reach"
NONE_HINT: Final = "Switch it on, hold it near, and make sure that no phone is connected to it. Then press r."
FAILED: Final = "Bluetooth says no"
TRY: Final = "Try this: {advice}"
TRY_AGAIN: Final = "hold it near, switch it off and on, then press r"
CONNECT_FAILED: Final = "It did not connect"
NEARNESS: Final = ("very near", "near", "further off", "far away")
KEY_USE: Final = "use this one"
KEY_AGAIN: Final = "look again"
KEY_HISTORY: Final = "history"


def abilities(profile: DeviceProfile) -> str:
    """Return what a device can do, in a few words."""
    from protocols.model import OutputKind, Report  # noqa: PLC0415 - whoever has a profile has loaded it

    parts = [{OutputKind.MICROCURRENT: "microcurrent", OutputKind.PULSATION: "pulsation"}[profile.output]]
    if profile.cooling_range_c is not None:
        parts.append("cooling")
    if len(profile.modes) > 1:
        parts.append(f"{len(profile.modes)} modes")
    if Report.BATTERY in profile.reports:
        parts.append("battery")
    return " · ".join(parts)


def nearness(rssi: int) -> int:
    """Return bars, 1 to 4, for a signal strength in dBm."""
    return 4 if rssi >= -55 else 3 if rssi >= -67 else 2 if rssi >= -80 else 1
