"""Words of the screen of the plan. Plain, warm, short; nothing is ever failed, it is let go."""

from __future__ import annotations

from typing import Final

TITLE: Final = "Your plan"
MONTH: Final = "{:%B %Y}"
DAYS: Final = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
WEEKS_TITLE: Final = "How it has been"
MARKS: Final = {
    "done": "done",
    "planned": "planned",
    "rest": "rest",
    "paused": "paused",
    "put off": "put off",
    "moved": "moved",
    "missed": "let go",
    "free": "free",
}

# --- the day under the hand -------------------------------------------------------------------------------------------

TODAY: Final = "Today, {day.day} {day:%B}"
DAY: Final = "{day:%A}, {day.day} {day:%B}"
WEEKDAYS: Final = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")
SAID: Final = {
    "done": "done",
    "planned": "planned",
    "rest": "a rest day",
    "paused": "your plan is paused",
    "put off": "kept free for your skin",
    "moved": "its session has another day",
    "missed": "let go; the plan went on",
    "free": "nothing planned; a session is fine if you feel like one",
}
PLANNED_AT: Final = "planned, {at:%H:%M}, {minutes} min"
BEFORE_PLAN: Final = "before your plan began"

# --- how it goes ------------------------------------------------------------------------------------------------------

ROW: Final = "{count} sessions in a row."
ONE: Final = "Your first session is done."
NONE_YET: Final = "Your first session is still before you; there is no hurry."
FORGIVEN: Final = "{count} sessions in a row; what was let go is forgiven."
MILESTONE: Final = "Time to compare your skin checks and photos."

# --- what can be done on a day ----------------------------------------------------------------------------------------

PAUSE: Final = "Pause from here"
PAUSE_WHY: Final = "Travel, illness, anything: the plan waits."
CARRY_ON: Final = "Carry on from here"
CARRY_ON_WHY: Final = "The pause ends the day before."
MOVE: Final = "{here} instead of {there}"
MOVE_WHY: Final = "Every week, from the next one that fits."
BEGIN: Final = "Begin the plan here"
BEGIN_WHY: Final = "From its first week on. What you did stays."
TIME: Final = "Another time of day"
TIME_WHY: Final = "It is {at:%H:%M} now."
OTHER: Final = "Another plan"
OTHER_WHY: Final = "With the reasons for each."
NO_CHANGE: Final = "What is over stays as it was."

UNTIL: Final = "Until when?"
UNTIL_WHY: Final = "The arrows choose its last day, enter keeps it."
UNTIL_OPEN: Final = "o: until you carry on yourself."
PAUSED: Final = "Paused from {first} to {last}. Nothing is lost."
PAUSED_OPEN: Final = "Paused from {first}, until you carry on. Nothing is lost."
CARRIED_ON: Final = "The plan carries on, from {day}."
MOVED: Final = "From now on {here} instead of {there}."
BEGUN: Final = "The plan begins on {day}."
AT: Final = "At what time? "
AT_SET: Final = "Sessions are at {at:%H:%M} from now on."
AT_WRONG: Final = "a time of day is like 19:00"

# --- the plans --------------------------------------------------------------------------------------------------------

PLANS_TITLE: Final = "Which rhythm suits you?"
PLANS_NOTE: Final = "Another plan begins today. What you did stays."
YOURS: Final = "yours"
MINUTES: Final = "{minutes} min"
PHASE_DAYS: Final = "{days} days with {a_week}"
PHASE_THEN: Final = "then {a_week}"
PHASE_STEADY: Final = "{a_week}, for as long as you like"
A_WEEK: Final = "{fewest} to {most} a week"
A_WEEK_SAME: Final = "{most} a week"
REST: Final = "at least {hours} h between two"
SOURCES: Final = {
    "course-4": "The course that salons give: 8 to 12 sessions in four weeks.",
    "home-5x60": "What NuFACE asks for with its home devices.",
    "gentle": "The use described in FDA 510(k) K162106.",
    "sensitive": "The rest that Beurer's manual of the FC 76 asks for.",
    "custom": "Your own numbers, within what is safe.",
}
CHOSEN: Final = "{title}: it begins today."

# --- the calendar file ------------------------------------------------------------------------------------------------

FILE: Final = "Calendar file: "
FILE_HINT: Final = "Any calendar can subscribe to it. Leave it empty to have none."
FILE_WRITTEN: Final = "Written to {path}, and kept up to date."
FILE_NONE: Final = "No calendar file any more. What was written stays where it is."

KEY_DAY: Final = "choose"
KEY_KEEP: Final = "keep"
KEY_OPEN: Final = "until I carry on"
KEY_MONTH: Final = "month"
KEY_PLANS: Final = "plans"
KEY_FILE: Final = "calendar file"
KEY_CANCEL: Final = "never mind"
