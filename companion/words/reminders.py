"""Words of the reminders, and of the system's timer that lets them come while the app is closed."""

from __future__ import annotations

from typing import Final

# --- reminders --------------------------------------------------------------------------------------------------------

SESSION_TITLE: Final = "Time for yourself"
SESSION_TEXT: Final = "{title}, {minutes} min, whenever you are ready."
SESSION_TEXT_PLAIN: Final = "Your session, whenever you are ready."
SESSION_LATE: Final = "{title}, {minutes} min: there is still time today, and tomorrow is fine, too."
SESSION_LATE_PLAIN: Final = "There is still time for your session today, and tomorrow is fine, too."
WATER_TITLE: Final = "Water"
SCREENING_TITLE: Final = "The health questions"
SCREENING_TEXT: Final = "It has been 90 days: please answer them again before your next session."
PATCH_TITLE: Final = "Your patch test"
PATCH_TEXT: Final = "24 hours have passed: how does the skin look? Tell the companion before you go on."

# --- the system's timer -----------------------------------------------------------------------------------------------

ABOUT: Final = "Microcurrent Companion: tells what is due"
INSTALLED: Final = "Reminders are on: {system} looks every {minutes} minutes whether anything is due."
REMOVED: Final = "Reminders are off, and nothing of them is left in {system}."
NOT_INSTALLED: Final = "Reminders come while the app is open. `companion reminders install` lets them come at any time."
OUTDATED: Final = "Reminders are set up for another copy of this app; `companion reminders install` puts it right."
NOT_RUNNING: Final = "Reminders are set up but {system} does not run them; `companion reminders install` puts it right."
DATA_ELSEWHERE: Final = (
    'Task Scheduler knows the settings of your account alone: set the data folder there, with `setx {name} "{value}"`.'
)

NO_SYSTEMD: Final = (
    "there is no systemd for your account here: keep the app open, or add this line with `crontab -e`: {line}"
)
NO_SYSTEMD_SESSION: Final = (
    "systemd does not run for your account in this session: log in on the computer itself and try again, "
    "or add this line with `crontab -e`: {line}"
)
NO_LOGIN: Final = (
    "reminders can only be set up while you are logged in at this Mac's own screen: do it there, in Terminal"
)
NO_SYSTEM: Final = (
    "the companion does not know how to set up reminders on this system ({platform}): keep the app open, "
    "or let your scheduler run this every {minutes} minutes: {line}"
)
NO_COMMAND: Final = "{command} was not found; it is a part of the system, and reminders cannot be set up without it"
REFUSED: Final = "{command} refused ({detail}); nothing was set up, and the app reminds you while it is open"
NOT_REMOVED: Final = "{command} refused to forget the reminders ({detail}); log out once and they are gone"
TASK_NOT_REMOVED: Final = "{command} refused to forget the reminders ({detail}); delete them in Task Scheduler"
NOT_WRITTEN: Final = "{path} cannot be written ({detail}); make its folder writable and try again"
BAD_CHARACTER: Final = (
    "{value!r} holds a character that a timer cannot: install the companion in a folder with an ordinary name"
)
BAD_VARIABLE: Final = (
    "Task Scheduler would read a variable into {value!r}: install the companion in a folder without % and $ in its name"
)
NOT_DELETED: Final = "{path} cannot be deleted ({detail}); delete it by hand, and the reminders are gone"
