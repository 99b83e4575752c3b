"""Words of the history and of one session seen again."""

from __future__ import annotations

from typing import Final

from companion.session.model import Reason

TITLE: Final = "What you have done"
NOTHING: Final = "Nothing yet. Your first session will be here."
COUNT_ONE: Final = "1 session"
COUNT: Final = "{count:,} sessions"
MONTH: Final = "{month:%B %Y}"
MONTH_SUM: Final = "{sessions} · {minutes:.0f} min"
DAY: Final = "{at.day:>2} {at:%a}"
MINUTES: Final = "{minutes:.0f} min"
NOT_BEGUN: Final = "-"
DEMO: Final = "demo"
RUNNING: Final = "going on"
INTERRUPTED: Final = "interrupted"
ENDED: Final = {
    Reason.COMPLETED: "",
    Reason.STOPPED: "stopped by you",
    Reason.PAIN: "it hurt",
    Reason.TIME_LIMIT: "time limit",
    Reason.LINK_LOST: "link lost",
    Reason.DEVICE_FAULT: "device fault",
    Reason.STORAGE: "not written down",
    Reason.DEFECT: "the app's mistake",
    Reason.NOT_REACHED: "not reached",
    Reason.NOT_PAIRED: "not paired",
}
NOTE_MARK: Final = "✎"

# --- one session seen again -------------------------------------------------------------------------------------------

WHEN: Final = "{at:%A}, {at.day} {at:%B %Y}, {at:%H:%M}"
OFF: Final = "no output"
LEVEL: Final = "{percent} %"
OF_FULL: Final = "of full scale"
BETWEEN: Final = "between two zones"
BEGIN: Final = "the beginning"
END: Final = "the end"
NO_JOURNAL: Final = "Nothing was written down of this session."
NOTE: Final = "Note: "
NO_NOTE: Final = "No note yet."
PHOTOS: Final = "Photos: "
NOTE_KEPT: Final = "Kept."
NOTE_NOT_KEPT: Final = "It could not be kept."

KEY_OPEN: Final = "see it again"
KEY_SECOND: Final = "second"
KEY_ZONE: Final = "zone"
KEY_NOTE: Final = "note"
KEY_KEEP: Final = "keep"
KEY_CANCEL: Final = "never mind"

EVENTS: Final = {
    "connected": "connected",
    "connected again": "connected again",
    "paused": "paused",
    "resumed": "went on",
    "stopping": "stopping",
    "stopped": "output confirmed off",
    "link lost": "the link was lost",
    "water low": "cooling water low",
    "water fine": "cooling water fine again",
    "felt": "it felt: {answer}",
}
