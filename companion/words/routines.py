"""Words of routines: what is left out of one and why, how it would go, and the file for one of your own."""

from __future__ import annotations

from typing import Final

# --- what is left out -------------------------------------------------------------------------------------------------

WHY_NO_GO: Final = "one of the zones that you never treat"
WHY_NECK_DEVICE: Final = "{device} is not cleared for the neck"
WHY_NECK_WISH: Final = "only for those who choose to treat the sides of the neck"
WHY_TOO_STRONG: Final = "skin is thin here, and {device} starts at {lowest} %, above what is right for you"
WHY_OPTIONAL: Final = "optional, and only when you ask for it"
OPTIONAL: Final = {
    "massage": "Massage",
    "steam": "Steam",
    "exfoliation": "Exfoliation",
    "light": "Light",
    "mask": "Mask",
    "serum": "Serum",
}

ZONES_BY_HAND: Final = "With your fingertips, zone by zone; the app shows where and how long."

# --- how it would go --------------------------------------------------------------------------------------------------

PREVIEW: Final = "{title} with {device}: {total} guided, {output} of it with output."
PREVIEW_QUIET: Final = "{title} with {device}: {total} guided, without any output."
MAXIMUM: Final = "Your comfortable maximum is {percent} %; every level below is a share of it."
MAXIMUM_UNSET: Final = "You have not chosen a comfortable maximum yet, so the {percent} % of a first session count."
MAXIMUM_FIRST: Final = "This would be your first session, which stays at or below {percent} %."
PER_ZONE: Final = "A zone ends after {zone} with output, the session after {session}."
LEVEL: Final = "{percent} %"
CONFIRM: Final = "until you say so"
COOLING: Final = "{degrees} °C"
LEFT_OUT: Final = "Left out"
NOT_JUDGED: Final = "Health questions, skin and rest are judged when a session begins, not here."

# --- one of your own --------------------------------------------------------------------------------------------------

MADE: Final = "{path}: yours to change; `companion routines check {path}` looks it over."
BAD_NAME: Final = (
    "{name!r} is no name for a routine: small letters and digits with - between, 40 at most, as in my-evening"
)
TAKEN: Final = "{path}: there is a routine of that name; choose another one, or change that file"
NOT_MADE: Final = "{path}: the file could not be written ({cause}); check the folder"
NOT_COPIED: Final = "{name} cannot be copied ({cause}); without --from you get a small one to start with"

COPIED_FROM: Final = "# Made from {source}. Yours to change: `companion routines check FILE` looks it over.\n"
TEMPLATE: Final = """\
# A routine of your own. `companion routines check FILE` looks it over, `companion routines preview NAME` shows how it
# would go. It names shares and zones, never a level: what it asks for stays within your own maximum, your zones and the
# limits of the device, whatever stands here.
#
# As it is: 1:44 guided, 2 zones of 48 s and a move of 4 s before each.
format = 1
name = "{name}"
title = "{title}"
summary = "What it is for, in one line."

[needs]
output = "microcurrent"    # or "pulsation", or "any"
# cooling = true           # with steps of kind "cool"
# light = true             # with steps of kind "light"

# Limits of your own, in seconds of output; they can only make things stricter.
# [limits]
# session_seconds = 300
# zone_seconds = 60

# Steps go from top to bottom. Kinds: prepare, check, massage, treat, light, cool, care, hydrate.
[[steps]]
kind = "prepare"
title = "Cleanse and gel"
text = "Skin clean and dry. Then a generous layer of gel."
confirm = true             # it ends when you say so; or after: seconds = 60

# A step with output names its zones, in order:
# {zones}.
# The neck is left out unless device and person allow it.
[[steps]]
kind = "treat"
zones = ["left-cheek", "right-cheek"]
share = 0.5                # of your comfortable maximum, 0 (the lowest level) to 1
# passes = 3               # strokes, and how long each takes; left out, they are the zone's own
# seconds_per_pass = 16
# mode = 1                 # where the device has modes

# An optional step is left out unless you ask for it: massage, steam, exfoliation, light, mask or serum.
# [[steps]]
# kind = "massage"
# optional = "massage"
# zones = ["left-cheek", "right-cheek"]

[[steps]]
kind = "care"
title = "Care"
text = "Rinse off the gel, pat dry and put on your moisturiser."
confirm = true
"""
