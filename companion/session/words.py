"""Everything that a session says to the person while it runs: one catalogue, so that a translation can follow.

Plain, warm, short; no medical claim. Knows no state: the engine picks.
"""

from __future__ import annotations

from typing import Final

WAITING: Final = "Looking for your device."
READY: Final = "Your device is ready. Start when you are."
GEL: Final = "Enough gel on {zone}? Place the device flat on the skin."
GEL_REPORTED: Final = "Next: {zone}. Place the device flat on the skin."
STARTING: Final = "Starting at the lowest level."
HOLDING: Final = "Keep it moving. More gel when it drags."
CAPPED: Final = "That is your limit here."
LOWEST: Final = "That is the lowest level."
STOPPING: Final = "stopping…"
PAUSING: Final = "pausing…"
PAUSED: Final = "Paused. Output is off. Resume when you like."
NOT_OFF_YET: Final = "pausing… you can resume once the device has confirmed that output is off."
RESUMED: Final = "Going on from the lowest level."
CONTACT_LOST: Final = "The device lost the skin. A little more gel on {zone}, then resume."
MORE_GEL: Final = "More gel on {zone}: too little of the current gets through. Then resume."
HALTED: Final = "The device turned its output off: {reason}. Resume when you like."
STOPPED_ELSEWHERE: Final = "The device was stopped from elsewhere. Resume when you like."
NO_ANSWER: Final = "The device did not answer, so the output was turned off. Check that it is near, then resume."
REFUSED: Final = "The device refused a command ({reason}), so the output was turned off. Resume when you like."
DEVICE_FAULT: Final = "Your device reported a problem, so the session ended: {reason}."
TOO_MUCH_TROUBLE: Final = "Your device failed to answer three times, so the session ended. Charge it or restart it."
HANDSHAKE: Final = "Your device did not introduce itself: {reason}."
WATER_LOW: Final = "The cooling water is low. Cooling rests until you top it up."
WATER_BACK: Final = "The cooling water is back."
COOLING_FAILED: Final = "Cooling did not start. We go on without it."
LINK_LOST: Final = "The connection is gone; your device stops by itself when that happens. Trying to get it back."
LINK_BACK: Final = "Connected again. Output is off. Resume when you like."
LINK_GONE: Final = "The connection could not be restored, so the session ended."
PAUSE_OVER: Final = "Paused for ten minutes, so the session ended."
ZONE_LIMIT: Final = "That is enough for {zone} today."
TIME_LIMIT: Final = "That is the time limit of one session. Well done."
EASED: Final = "Eased off. Tell us if it is still uncomfortable."
PAIN: Final = "It must not hurt, so we stop. Rinse the skin and let it rest."
STORAGE: Final = (
    "The session could not be written down ({reason}), so the output was turned off. Free some space first."
)
DEFECT: Final = "The app made a mistake, so the output was turned off. Please report this: {reason}"
COMPLETED: Final = "All done. A glass of water is a good idea now."
STOPPED: Final = "Stopped."


def where(zone: str | None) -> str:
    """Return a zone's id as it stands in a sentence: ``left-cheek`` is ``the left cheek``; without one, the skin."""
    return "the skin" if zone is None else f"the {zone.replace('-', ' ')}"
