"""Words of the plan: its phases, what is next, why nothing is. Plain, warm, short; no medical claim and no shame."""

from __future__ import annotations

from typing import Final

# --- the plans --------------------------------------------------------------------------------------------------------

COURSE_TITLE: Final = "Four weeks, then weekly"
COURSE_SUMMARY: Final = "Two or three sessions a week for four weeks, then one a week."
HOME_TITLE: Final = "Five days a week for 60 days"
HOME_SUMMARY: Final = "Short sessions on five days a week for 60 days, then two or three a week."
GENTLE_TITLE: Final = "Gentle"
GENTLE_SUMMARY: Final = "Two or three sessions of ten minutes a week, for as long as you like."
SENSITIVE_TITLE: Final = "Sensitive skin"
SENSITIVE_SUMMARY: Final = "Two or three sessions a week, with at least 48 hours between them."
CUSTOM_TITLE: Final = "Your own"
CUSTOM_SUMMARY: Final = "Your own numbers, within what is safe."

PHASE_FIRST_WEEKS: Final = "First weeks"
PHASE_FIRST_60: Final = "First 60 days"
PHASE_KEEP: Final = "Keeping it up"
PHASE_STEADY: Final = "Steady"

# --- where one is -----------------------------------------------------------------------------------------------------

BEFORE: Final = "Starts on {when}."
WEEK_OF: Final = "{phase}, week {week} of {weeks}: {done} of {aim} this week."
WEEK: Final = "{phase}, week {week}: {done} of {aim} this week."
PAUSED_UNTIL: Final = "Paused until {when}."
PAUSED_OPEN: Final = "Paused until you carry on."
DAY: Final = "{day:%A}, {day.day} {day:%B}"

# --- why not today ----------------------------------------------------------------------------------------------------

WHY_PAUSED: Final = "Your plan is paused until {when}: it waits for you, nothing is lost."
WHY_PAUSED_OPEN: Final = "Your plan is paused: it waits for you, nothing is lost."
WHY_NOT_TODAY: Final = "Your skin check or today's questions said not today."
WHY_PEEL: Final = "Your skin has a week to itself: sessions are back on {when}."
WHY_DONE: Final = "Today's session is done."
WHY_REST: Final = "A rest day in your plan."
WHY_FREE: Final = "Nothing is planned today; a session is fine if you feel like one."
WHY_PLANNED: Final = "Planned for today at {when:%H:%M}."

# --- on the way -------------------------------------------------------------------------------------------------------

MILESTONE: Final = "Session 5: a good moment to compare your skin checks and photos."
MARKS: Final = {
    "done": "done",
    "planned": "planned",
    "rest": "rest day",
    "paused": "paused",
    "put off": "put off",
    "moved": "moved",
    "missed": "let go",
    "free": "free",
}
"""A legend of the calendar's marks, by the values of ``companion.care.plan.Mark``."""

# --- the calendar file: titles that anybody may see -------------------------------------------------------------------

EVENT: Final = "Face routine, {minutes} min"
CALENDAR: Final = "Face routine"
NOT_OURS: Final = "{path}: this is not a calendar of this app, and stays as it is; choose another name"
NOT_WRITTEN: Final = "{path}: the calendar could not be written ({cause}); choose another place"
