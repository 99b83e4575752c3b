"""Words of ``companion run`` and ``companion scan``: the account of a session line by line, questions, one-line faults.

Plain, warm, short; no medical claim; never "off" before the device confirmed it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

# --- the account ------------------------------------------------------------------------------------------------------

BEGIN: Final = "{title}: {minutes} with {device}, never above {cap} %."
KEYS: Final = "Enter or Ctrl-C stops at once. Then Enter: p pause, r go on, n next, + more, - less."
CONNECTED: Final = "{device} is connected{firmware}."
CONNECTED_AGAIN: Final = "{device} is connected again. Output is off."
FIRMWARE: Final = " (firmware {firmware})"
SCREENED: Final = "Health questions answered on {date}."
SCREENED_DEMO: Final = "A simulated device: the health questions are left out."
STEP: Final = "{title}{seconds}"
SECONDS: Final = "  {seconds}"
DONE_HINT: Final = "(Enter when done)"
OUTPUT_ON: Final = "output on at {percent} %"
OUTPUT_ON_RISING: Final = "output on at {percent} %, rising gently to {target} %"
OUTPUT_AT_TARGET: Final = "holding {percent} %"
OUTPUT_OFF: Final = "output off"
ZONE_END: Final[Mapping[str, str]] = MappingProxyType(
    {
        "done": "{zone} done, {seconds}",
        "shortened": "{zone} done, a little shorter, {seconds}",
        "skipped": "{zone} skipped",
        "limit": "{zone} has had enough for today, {seconds}",
        "stopped": "{zone} ended after {seconds}",
    }
)
PAUSED: Final = "Paused: {reason}."
RESUMED: Final = "Going on, from the lowest level."
STOPPING: Final = "Stopping… lift the device from your skin."
STOPPED: Final = "Output is off, confirmed by {by} after {ms} ms."
LINK_LOST: Final = "Connection lost: {reason}. The device stops by itself; looking for it for a minute."
WATER_LOW: Final = "Cooling water is low; cooling rests."
WATER_BACK: Final = "Cooling water is back."
ASK_SENSATION: Final = "What do you feel? 1 nothing, 2 tingling, 3 uncomfortable, 4 pain; then Enter."
FEELS: Final = "You feel: {answer}."
FINISHED: Final = "{reason}. {zones} in {minutes}, {output} of output, highest {highest} %."
REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "completed": "All done",
        "stopped by you": "Stopped by you",
        "stopped because it hurt": "Stopped because it hurt; rinse the skin and let it rest",
        "time limit reached": "That was the time limit of one session",
        "link lost": "Ended because the connection was lost",
        "device fault": "Ended because of a fault of the device",
        "the session could not be written down": "Ended because it could not be written down",
        "the app asked for something forbidden": "Ended because of a mistake of the app",
        "not begun: not reached": "It did not begin: the device was not reached",
        "not begun: not paired": "It did not begin: the device was not paired",
    }
)
ZONE_LINE: Final = "{zone:<24}{seconds}"
NO_ZONES: Final = "No zone"
ONE_ZONE: Final = "One zone"
ZONES: Final = "{count} zones"

# --- before a session -------------------------------------------------------------------------------------------------

INTERRUPTED_BEFORE: Final = "The last session was cut off; what was written down of it is in the history."
SEARCHING: Final = "Looking for your device…"
FOUND: Final = "Found {name}."

# --- one-line faults --------------------------------------------------------------------------------------------------

NO_DEVICE: Final = "no device found: switch yours on, hold it near and try again, or try a simulated one with --demo"
LINK_GONE: Final = (
    "the connection to {device} was lost and did not come back: charge the device, hold it near, try again"
)
SPEED_NEEDS_DEMO: Final = "--speed works with --demo alone: a real device runs in real time; leave it out"
RECORD_NEEDS_DEMO: Final = (
    "--record writes down the traffic of a simulated device only (--demo): "
    "with a real adapter run `btmon --write FILE` beside the session"
)
KEYS_NEED_RECORD: Final = "--with-keys is about what --record writes: give it a file with --record, or leave it out"
KEYS_LEFT_OUT: Final = "the keys of the pairing are zeros in {path} (--with-keys keeps them)"
NOBODY_AFTER_LINK: Final = (
    "the connection to {device} was lost; it came back, but nothing goes on by itself and nobody was here to say so"
)
NOBODY_HERE: Final = "the session paused, and nobody was here to go on: {message}"
STORAGE_FAULT: Final = "the session was stopped because it could not be written down: {fault}"
ENDED: Final = "the session ended early: {message}"

# --- scan -------------------------------------------------------------------------------------------------------------

SCAN_LINE: Final = "{name:<18} {signal:<8} {title}"
SIGNALS: Final = ((-55, "near"), (-70, "good"), (-85, "weak"))
FAINT: Final = "faint"


def clock(seconds: float) -> str:
    """Return ``m:ss``."""
    whole = int(seconds)
    return f"{whole // 60}:{whole % 60:02d}"


def duration(seconds: float) -> str:
    """Return ``45 s``, ``2 min`` or ``2 min 30 s``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"


def zone_label(zone: str) -> str:
    """Return a zone id in words: ``left-under-eye`` is ``Left under eye``."""
    return zone.replace("-", " ").capitalize()


def zone_count(count: int) -> str:
    """Return how many zones in words."""
    return NO_ZONES if count == 0 else ONE_ZONE if count == 1 else ZONES.format(count=count)


def signal(rssi: int) -> str:
    """Return a signal strength in dBm as a word."""
    return next((word for limit, word in SIGNALS if rssi >= limit), FAINT)
