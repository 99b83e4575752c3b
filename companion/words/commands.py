"""What the commands around the sessions say: plan, water, reminders, people, export and delete."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

# --- moments and numbers on a command line ----------------------------------------------------------------------------

BAD_DATE: Final = "{option} takes a date such as 2026-03-02, not {value!r}"
BAD_TIME: Final = "{option} takes a time of day such as 19:30, not {value!r}"
BAD_HOURS: Final = "--awake takes two times of day such as 07:30-22:00, not {value!r}"
BAD_DAYS: Final = "--days takes days such as mon,thu, not {value!r}"
BAD_ML: Final = "takes a whole number of mL, or one of undo, goal and limited"
BAD_GOAL_ML: Final = "takes a whole number of mL"
BAD_WHOLE: Final = "takes a whole number"
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

# --- plan -------------------------------------------------------------------------------------------------------------

NO_PLAN: Final = "No plan yet. `companion plan choose course-4` begins the usual one: {summary}"
THE_OTHERS: Final = "The others:"
NEXT: Final = "Next: {day} at {at:%H:%M}, {minutes} min."
NEXT_NONE: Final = "Next: nothing until you carry on with `companion plan resume`."
TODAY: Final = "Today: {reason}"
STREAK: Final = "{count} in a row; two missed days a month are forgiven."
STREAK_ONE: Final = "One session in a row; two missed days a month are forgiven."
BARRED: Final = "Your answers to the health questions speak against sessions: nothing is proposed."
HEADING_WEEK: Final = "week of"
SIGNS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "done": "x",
        "planned": "o",
        "rest": ".",
        "paused": "=",
        "put off": "~",
        "moved": ">",
        "missed": "-",
        "free": " ",
    }
)
"""One sign for each of the calendar's marks, by the values of ``companion.care.plan.Mark``."""
RESUMED: Final = "Welcome back."
NOT_PAUSED: Final = "your plan is not paused today"
CALENDAR_WRITTEN: Final = "{path}: your plan, as of now. Its titles tell nobody what it is."
CALENDAR_KEPT: Final = "{path}: your plan, kept up to date from now on. Let your calendar subscribe to it."
CALENDAR_LET_BE: Final = "{path} stays as it is now."
NO_CALENDAR: Final = "no calendar file is kept up to date; `companion plan subscribe FILE` begins one"

# --- reminders --------------------------------------------------------------------------------------------------------

ONCE: Final = "remind looks once and ends: `companion remind --once`"
TOLD: Final = "{title}: {text}"
TOLD_TO: Final = "{name}, {title}: {text}"
FOR: Final = "{name}: {title}"
NEXT_DUE: Final = "The next reminder: {day} at {at:%H:%M}."
NONE_DUE: Final = "No reminder is on its way."
OF_LATE: Final = "Told of late (snooze one with `companion reminders snooze ABOUT MINUTES`):"
SNOOZED: Final = "Once more at {at:%H:%M}."
BAD_MINUTES: Final = "a snooze is 1 to {most} minutes, not {minutes}"
NO_SUCH_REMINDER: Final = "no reminder {about!r} was told within a day; `companion reminders` lists those that were"
NOT_ALL_TOLD: Final = "some reminders could not be looked at: {fault}"

# --- people -----------------------------------------------------------------------------------------------------------

TURN: Final = "their turn"
ADDED: Final = "{name} is here. `companion profile --person {quoted}` asks the health questions."
TURN_OF: Final = "It is {name}'s turn."
RENAMED: Final = "{name} is called {new} now."
ASK_NAME: Final = "Everything of {name} will be forgotten: answers, plan, sessions. Type the name to go on: "
NAME_DIFFERS: Final = "that is another name; nobody was removed"
REMOVED: Final = "{name} and all that was theirs is forgotten."
REMOVE_NEEDS_TERMINAL: Final = "nobody is here to ask whether {name} should be forgotten; say it with --yes"

# --- export -----------------------------------------------------------------------------------------------------------

NO_FORMAT: Final = "--format takes one of csv, json, parquet and ics"
NO_PYARROW: Final = "parquet needs pyarrow: install it with `pip install 'microcurrent-companion[parquet]'`"
PARQUET_TO_FILE: Final = "parquet is no text: say where to with --output FILE"
EXPORTED: Final = "{path}: written, for your eyes alone."
FILE_THERE: Final = "{path} is there already; choose another name, or write over it with --force"
FILE_NOT_WRITTEN: Final = "{path} cannot be written ({cause}); choose another place"

# --- delete -----------------------------------------------------------------------------------------------------------

ALL: Final = "delete takes --all: it deletes everything of everybody; `companion people remove NAME` forgets one person"
NOTHING_TO_DELETE: Final = "There is nothing to delete."
DELETE_WORD: Final = "delete"
ASK_DELETE: Final = (
    "Everything that was kept in {folder} will be deleted, of everybody: {people}.\n"
    "There is no way back; `companion export` keeps a copy. Type `delete` to go on: "
)
ASK_ROUTINES: Final = "The routines that you wrote, too ({names})? y/n "
DELETE_NEEDS_TERMINAL: Final = "nobody is here to ask whether everything should be deleted; say it with --yes"
NOT_DELETED: Final = "nothing was deleted"
DELETED: Final = "Deleted: {path}"
DELETED_TIMER: Final = "Taken away: this computer's timer for reminders."
DELETED_KEYRING: Final = "Taken away: the broker's password in this computer's keyring."
NOT_TAKEN_BACK: Final = (
    "{broker} may keep what Home Assistant was told ({problem}); delete the retained messages of {topics} there"
)
LEFT: Final = "Left: {path} (not written by this app)"
LEFT_ROUTINES: Final = "Left: {path}, the routines that you wrote (`companion delete --all --routines` deletes them)"
LEFT_CALENDAR: Final = "Left: {path} (it is no calendar file of this app any more)"
UNREADABLE: Final = "The database could not be read: should a calendar file of yours be somewhere, delete it by hand."
SESSION_RUNS: Final = "a session is running{where}; end it first, nothing was deleted"
NOT_ALL_DELETED: Final = "not everything could be deleted: {faults}"

# --- history ----------------------------------------------------------------------------------------------------------

NOTED: Final = "Noted."
NO_TEXT: Final = 'TEXT is missing; "" takes an earlier note away'
PHOTO_NOTED: Final = "Noted: {path}. It stays where it is."
PHOTO_FORGOTTEN: Final = "No longer noted: {path}. The photo itself stays."
NO_PHOTO: Final = "{path}: there is no such file"
PHOTO_NOT_NOTED: Final = "{path} is not noted with session {id}"
SHOW_NOTE: Final = "note   {text}"
SHOW_PHOTO: Final = "photo  {path}"
SHOW_SKIN: Final = (
    "skin   {at:%H:%M}  dryness {dryness}, redness {redness}, irritation {irritation} (1 not at all, 5 very)"
)

# --- water ------------------------------------------------------------------------------------------------------------

NO_DRINK: Final = "nothing is noted that could be taken back"
GOAL: Final = "Your goal: {ml} mL of drinks a day, from a glass of {glass} mL, between {start:%H:%M} and {end:%H:%M}."
