"""Words of the session screen. Plain, warm, short; no medical claim; never "stopped" before the device confirmed it."""

from __future__ import annotations

from typing import Final

from companion.routines.zones import ZONES
from companion.session.model import Output, Sensation, StepKind
from protocols.model import Report

STAGES: Final = {
    StepKind.PREPARE: "prepare",
    StepKind.CHECK: "prepare",
    StepKind.MASSAGE: "massage",
    StepKind.TREAT: "treat",
    StepKind.LIGHT: "light",
    StepKind.COOL: "cool",
    StepKind.CARE: "care",
    StepKind.HYDRATE: "care",
}

LEFT_OF_SESSION: Final = "{clock} left"
CONNECTING: Final = "Connecting to {device}…"
CONNECTING_HINT: Final = "Keep it switched on and near."
READY: Final = "Ready when you are"
READY_HINT: Final = "Gel on, device in your hand. Press space to begin."
NEXT_ZONE: Final = "Now {zone}"
PAUSED: Final = "Paused"
PAUSED_HINT: Final = "Press p to go on, from the lowest level."
PAUSING_HINT: Final = "Waiting for the device to confirm that the output is off."
STOPPING: Final = "Stopping…"
STOPPING_HINT: Final = "Lift the device from your skin. Waiting for it to confirm."
LINK_LOST: Final = "Link lost"
LINK_LOST_HINT: Final = "Lift the device from your skin and hold it near the computer. Nothing starts again by itself."
FINISHED: Final = "Finished"
CONFIRM_HINT: Final = "enter when done"
CONFIRM_WAITS: Final = "space when done"
ROUND: Final = "pass {index} of {count}"
THEN: Final = "then {title}"
LAST: Final = "then you are done"
SECONDS_TO_RETURN: Final = "seconds left to find it again"

SHARE: Final = "{now} %  of your comfortable maximum"
RISING: Final = ", rising to {target} %"
FALLING: Final = ", easing to {target} %"

OUTPUT: Final = {
    Output.OFF: "○ output off",
    Output.STARTING: "◐ output starting",
    Output.ON: "● output on",
    Output.STOPPING: "◑ stopping, not confirmed yet",
}
LINK_DOWN: Final = "no link"
LINK_UP: Final = "link up"
LINK_GOOD: Final = "link good"
LINK_FAIR: Final = "link fair"
LINK_SLOW: Final = "link slow"
ANSWERS: Final = "{ms} ms"
BATTERY: Final = "battery {percent} %"
TEMPERATURE: Final = "head {celsius} °C"
WATER_LOW: Final = "cooling water low"
DELIVERED: Final = "{ua:>3} µA delivered"
NOT_REPORTED: Final = "{facts}: not reported by this device"
FACT_NAMES: Final = {Report.CONTACT: "contact", Report.CURRENT: "current", Report.BATTERY: "battery"}

GEL: Final = "Keep it moving. More gel when it drags."
QUESTION: Final = "What do you feel?"
ANSWERS_TO_CHOOSE: Final = (
    ("1", "nothing", Sensation.NOTHING),
    ("2", "tingling", Sensation.TINGLING),
    ("3", "uncomfortable", Sensation.UNCOMFORTABLE),
    ("4", "pain", Sensation.PAIN),
)
QUESTION_HINT: Final = "3 lowers the level, 4 stops at once."

STOP_KEY: Final = "SPACE"
STOP_KEY_WAITING: Final = "ESC"
GO_ON_KEY: Final = "space/enter"
STOP: Final = "stop at once"
STOP_AGAIN: Final = "stop again"
KEY_PAUSE: Final = "pause"
KEY_RESUME: Final = "go on"
KEY_LEVEL: Final = "intensity"
KEY_SKIP: Final = "next"
KEY_BEGIN: Final = "begin"
KEY_DONE: Final = "done"
KEY_HELP: Final = "help"
KEY_LIFT: Final = "lift"
KEY_LAY: Final = "back on the skin"
LIFT_HINT: Final = "In this demo, l lifts it from the skin."


def zone_label(zone: str) -> str:
    """Return a zone id in words: ``left-cheekbone`` is ``Left cheekbone``."""
    known = ZONES.get(zone)
    return zone.replace("-", " ").capitalize() if known is None else known.label


def listed(words: list[str]) -> str:
    """Return ``a, b and c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
