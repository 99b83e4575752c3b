"""Words of the summary."""

from __future__ import annotations

from typing import Final

from companion.session.model import Reason

HEADLINES: Final = {
    Reason.COMPLETED: "Well done",
    Reason.STOPPED: "Stopped by you",
    Reason.PAIN: "Stopped because it hurt",
    Reason.TIME_LIMIT: "Enough for today",
    Reason.LINK_LOST: "The link was lost",
    Reason.DEVICE_FAULT: "The device had a fault",
    Reason.STORAGE: "It could not be written down",
    Reason.DEFECT: "The app made a mistake and stopped",
    Reason.NOT_REACHED: "It did not begin",
    Reason.NOT_PAIRED: "It did not begin",
}
NOTES: Final = {
    Reason.COMPLETED: "The whole routine, from the first zone to the last.",
    Reason.STOPPED: "The device is off. What you did so far is kept.",
    Reason.PAIN: "It must not hurt. Let the skin rest, and start lower next time.",
    Reason.TIME_LIMIT: "The time limit of one session was reached.",
    Reason.LINK_LOST: "Check that your device is off before you put it away. What you did so far is kept.",
    Reason.DEVICE_FAULT: "Charge it and restart it before you use it again.",
    Reason.STORAGE: "The output was stopped. Make room on the disk, then start again.",
    Reason.DEFECT: "The output was stopped first. Please report it.",
    Reason.NOT_REACHED: "The device was not reached, and nothing was switched on.",
    Reason.NOT_PAIRED: "The device was not paired, and nothing was switched on.",
}
TIME: Final = "{minutes} with the device on"
HIGHEST: Final = "highest {share} % of your maximum"
NO_OUTPUT: Final = "no output"
SKIPPED: Final = "left out: {zones}"
LEFT: Final = "left"
RIGHT: Final = "right"
WATER: Final = "A glass of water now is good general practice."
FELT: Final = "you felt: {answers}"
PATCH: Final = "Now your patch test needs its 24 hours: look at the spot on {when}."
KEY_GLASS: Final = "a glass of water"
KEY_DONE: Final = "done"
