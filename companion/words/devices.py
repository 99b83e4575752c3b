"""Words of pairing and of the devices that were paired, in every face, and their help pages."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from companion.words.page import DEMO_DEVICES, EVERYWHERE, JSON_LIST, Page

DEVICE_COMMANDS: Final = (
    ("pair", "pair a device with this computer, so that nobody else can drive it"),
    ("devices", "the devices that were paired; forget one"),
)

DEVICE_PAGES: Final[Mapping[tuple[str, ...], Page]] = MappingProxyType(
    {
        ("pair",): Page(
            usage=(
                ("companion pair", "pair the device near you; it asks for the code on the device's display"),
                ("companion pair --passkey-file FILE", "the code is the first line of FILE; nobody is asked"),
            ),
            about="Pairs a device by a code, so that nobody else can drive it and none can take its place.",
            sections=(
                (
                    "Options",
                    (
                        ("--passkey-file FILE", "read when the device asks; a named pipe works, too"),
                        ("--demo [DEVICE]", "with a virtual device (usually omp), whose display is printed here"),
                    ),
                ),
                EVERYWHERE,
            ),
            note="A session pairs by itself where it must. Devices without any pairing are told as such.",
        ),
        ("devices",): Page(
            usage=(
                ("companion devices", "what was paired, and when"),
                ("companion devices --forget NAME", "forget one, by its name or address, and its keys"),
            ),
            about="The devices that this computer was paired with. Another one under the same name is refused.",
            sections=(
                ("Options", (("--forget NAME", "it may be paired anew afterwards"), DEMO_DEVICES, JSON_LIST)),
                EVERYWHERE,
            ),
        ),
    }
)

# --- asking -----------------------------------------------------------------------------------------------------------

ENTER: Final = "{device} shows a code of six digits. Type it (empty: no pairing): "
SIX_DIGITS: Final = "A code has six digits."
COMPARE: Final = "Does {device} show {code}?"
SHOW: Final = "Type {code} on {device}."
SIMULATED: Final = "(The virtual {device} shows {code}.)"

# --- the app's screen -------------------------------------------------------------------------------------------------

TITLE: Final = "Pairing {device} with this computer"
SAME: Final = "Does your {device} show this code?"
YES_SAME: Final = "Yes, the very same"
NO_OTHER: Final = "No, another one, or none"
TYPE_IT: Final = "Type the six digits that your {device} shows, then press enter."
TYPE_THERE: Final = "Type this code on your {device}."
PLACEHOLDER: Final = "six digits"
HERE: Final = "This computer shows"
THERE: Final = "Its display, simulated"
WHY: Final = "Once for this device. Afterwards nobody else can drive it, and none can take its place."
LIMIT: Final = "The code counts for half a minute."
CHOOSE: Final = "↑↓ enter choose   esc end it, nothing has begun"
ENDS: Final = "esc ends it; nothing has been started"

# --- what came of it --------------------------------------------------------------------------------------------------

PAIRED: Final = "{device} is paired with this computer. Nobody else can drive it from elsewhere."
ENDED: Final = "you ended the pairing; nothing was kept: begin again when you like"
PAIRED_ALREADY: Final = "{device} was paired already."
NO_PAIRING: Final = (
    "{device} offers no pairing: while this app is not connected to it, anyone in range can be. "
    "Switch it off when you do not use it."
)
JUST_WORKS: Final = "{device} pairs without a code: better than nothing, and no proof of who is at the other end."
NOBODY_HERE: Final = "nobody is at the terminal to read a code: use one, or `companion pair --passkey-file FILE`"
NO_CODE: Final = "{path}: the first line is not a code of six digits"
NO_FILE: Final = "{path}: {why}; write the six digits of the device's display there"

# --- the list ---------------------------------------------------------------------------------------------------------

NONE: Final = "Nothing is paired yet. `companion pair` pairs the device near you."
PAIRED_ON: Final = "paired on {day}"
FORGOTTEN: Final = "{device} ({address}) is forgotten. Remove this computer on the device as well, if it keeps a list."
KEYS_STAY: Final = (
    "Its keys are still with the system ({why}): remove {device} in the system's Bluetooth settings as well."
)
UNKNOWN: Final = "nothing that is called {name!r} was paired; `companion devices` lists what was"


def code(number: int) -> str:
    """A number as a person reads it: six digits in two groups."""
    digits = f"{number:06d}"
    return f"{digits[:3]} {digits[3:]}"
