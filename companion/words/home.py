"""Help pages of the commands around the sessions: plan, water, reminders, people, export and delete."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from companion.words.page import DEMO_OF_IT, EVERYWHERE, JSON_LIST, JSON_ONE, PERSON, Page

HOME_COMMANDS: Final = (
    ("plan", "your plan: what comes next, and when; choose and pause it"),
    ("water", "what you drank today; note a glass"),
    ("reminders", "reminders while the app is closed"),
    ("remind", "tell what is due now; the computer's timer asks it to"),
    ("people", "several people in one household"),
    ("export", "your data as a file"),
    ("delete", "delete everything that was kept"),
)

_SESSION_ID: Final = ("ID", "the number that `companion history` puts first")
_CALENDAR_FILE: Final = ("FILE", "a calendar file, such as routine.ics")
_NAME: Final = ("NAME", "as `companion people` lists it")

HOME_PAGES: Final[Mapping[tuple[str, ...], Page]] = MappingProxyType(
    {
        ("plan",): Page(
            usage=(
                ("companion plan", "where you are, and what comes next"),
                ("companion plan choose NAME", "choose a plan"),
                ("companion plan pause", "for travel or illness; nothing is lost"),
                ("companion plan resume", "carry on"),
                ("companion plan export FILE", "as a calendar file, once"),
                ("companion plan subscribe FILE", "as a calendar file that stays up to date"),
                ("companion plan unsubscribe", "let that file be"),
            ),
            about="Shows your plan: this week and the next four, the next session, and why not today.",
            sections=(("Options", (JSON_ONE, PERSON, DEMO_OF_IT)), EVERYWHERE),
        ),
        ("plan", "choose"): Page(
            usage=(
                ("companion plan choose course-4", "from today on"),
                ("companion plan choose gentle --days tue,fri", ""),
                ("companion plan choose custom --then-a-week 2", ""),
            ),
            about="Chooses the plan that you follow from now on.",
            sections=(
                (
                    "Argument",
                    (
                        (
                            "NAME",
                            "course-4, home-5x60, gentle, sensitive or custom; `companion plan` says what they are",
                        ),
                    ),
                ),
                (
                    "Options",
                    (
                        ("--start DATE", "its first day, such as 2026-03-02 (the usual: today)"),
                        ("--days DAYS", "the days that suit you, such as mon,thu (the usual: any)"),
                        ("--at TIME", "the time of day that suits you (the usual: 19:00)"),
                        ("--minutes N", "how long a session is, up to 20 (the usual: the plan's own)"),
                        ("--first-days N", "custom: how many days the first phase has (the usual: 28)"),
                        ("--first-a-week N", "custom: sessions a week in it (the usual: 3)"),
                        ("--then-a-week N", "custom: sessions a week after it (the usual: 1)"),
                        ("--rest HOURS", "custom: hours between sessions, 12 or more (the usual: 12)"),
                        JSON_ONE,
                        PERSON,
                        DEMO_OF_IT,
                    ),
                ),
                EVERYWHERE,
            ),
        ),
        ("plan", "pause"): Page(
            usage=(
                ("companion plan pause", "from today until you resume"),
                ("companion plan pause --until 2026-03-15", ""),
            ),
            about="Pauses the plan: it waits for you, and nothing is lost.",
            sections=(
                (
                    "Options",
                    (
                        ("--from DATE", "the first day of the pause (the usual: today)"),
                        ("--until DATE", "its last day (the usual: until you resume)"),
                        ("--because WHY", "travel, illness or other"),
                        JSON_ONE,
                        PERSON,
                        DEMO_OF_IT,
                    ),
                ),
                EVERYWHERE,
            ),
        ),
        ("plan", "resume"): Page(
            usage=(("companion plan resume", ""),),
            about="Carries on with a paused plan today.",
            sections=(("Options", (JSON_ONE, PERSON, DEMO_OF_IT)), EVERYWHERE),
        ),
        ("plan", "export"): Page(
            usage=(("companion plan export routine.ics", ""),),
            about="Writes the sessions of the next eight weeks as a calendar file, once. Its titles tell nothing.",
            sections=(("Argument", (_CALENDAR_FILE,)), ("Options", (PERSON, DEMO_OF_IT)), EVERYWHERE),
        ),
        ("plan", "subscribe"): Page(
            usage=(("companion plan subscribe ~/Calendars/routine.ics", ""),),
            about="Writes a calendar file and keeps it up to date: your calendar can subscribe to it.",
            sections=(("Argument", (_CALENDAR_FILE,)), ("Options", (PERSON, DEMO_OF_IT)), EVERYWHERE),
            note="It follows every change and every session; with `companion reminders install`, every day.",
        ),
        ("plan", "unsubscribe"): Page(
            usage=(("companion plan unsubscribe", ""),),
            about="Keeps the calendar file up to date no more. The file stays.",
            sections=(("Options", (PERSON, DEMO_OF_IT)), EVERYWHERE),
        ),
        ("water",): Page(
            usage=(
                ("companion water", "today, your goal, and the next glass"),
                ("companion water 250", "note a drink of 250 mL"),
                ("companion water undo", "take the last one back"),
                ("companion water goal 1800", "choose a goal"),
                ("companion water limited on", "your doctor limits your fluids: nothing is asked"),
            ),
            about="What you drink in a day.",
            sections=(
                ("Argument", (("ML", "a drink in mL, 1 to 2000"),)),
                ("Options", (JSON_ONE, PERSON, DEMO_OF_IT)),
                EVERYWHERE,
            ),
            note="Staying hydrated is good general practice; we claim no more for it.",
        ),
        ("water", "undo"): Page(
            usage=(("companion water undo", ""),),
            about="Takes the drink back that was noted last.",
            sections=(("Options", (JSON_ONE, PERSON, DEMO_OF_IT)), EVERYWHERE),
        ),
        ("water", "goal"): Page(
            usage=(
                ("companion water goal", "what it is now"),
                ("companion water goal 1800 --glass 200", ""),
            ),
            about="Shows or chooses what you want to drink in a day, and when you may be asked.",
            sections=(
                ("Argument", (("ML", "the goal in mL of drinks, 500 to 3500"),)),
                (
                    "Options",
                    (
                        ("--glass ML", "your glass, 50 to 250 mL"),
                        ("--awake FROM-TO", "when you are awake, such as 07:30-22:00"),
                        JSON_ONE,
                        PERSON,
                        DEMO_OF_IT,
                    ),
                ),
                EVERYWHERE,
            ),
            note="Never more than 250 mL are asked in half an hour. Your doctor's word comes before any goal.",
        ),
        ("water", "limited"): Page(
            usage=(("companion water limited on", ""), ("companion water limited off", "")),
            about="Says whether your doctor limits your fluids. While it is on, no water is ever asked for.",
            sections=(
                ("Argument", (("STATE", "on or off"),)),
                ("Options", (JSON_ONE, PERSON, DEMO_OF_IT)),
                EVERYWHERE,
            ),
        ),
        ("reminders",): Page(
            usage=(
                ("companion reminders", "what was told of late, and what comes next"),
                ("companion reminders install", "let them come while the app is closed"),
                ("companion reminders remove", "no longer"),
                ("companion reminders status", "how it stands"),
                ("companion reminders snooze ABOUT MINUTES", "once more, later"),
            ),
            about="Reminders of sessions, water, health questions and patch test. They are words, and start nothing.",
            sections=(("Options", (JSON_ONE, PERSON)), EVERYWHERE),
            note="They rest in your quiet hours: `companion settings`.",
        ),
        ("reminders", "install"): Page(
            usage=(("companion reminders install", ""),),
            about="Sets up this computer's own timer: every five minutes it asks `companion remind --once`.",
            sections=(EVERYWHERE,),
        ),
        ("reminders", "remove"): Page(
            usage=(("companion reminders remove", ""),),
            about="Takes the timer away, and all of its files.",
            sections=(EVERYWHERE,),
        ),
        ("reminders", "status"): Page(
            usage=(("companion reminders status", ""),),
            about="Says whether the timer is there and runs.",
            sections=(("Options", (JSON_ONE,)), EVERYWHERE),
        ),
        ("reminders", "snooze"): Page(
            usage=(("companion reminders snooze session/2026-03-02/1 30", ""),),
            about="Tells a reminder once more, later.",
            sections=(
                (
                    "Argument",
                    (
                        ("ABOUT", "the reminder, as `companion reminders` lists it"),
                        ("MINUTES", "how much later, 1 to 1440"),
                    ),
                ),
                ("Options", (PERSON,)),
                EVERYWHERE,
            ),
        ),
        ("remind",): Page(
            usage=(("companion remind --once", ""),),
            about="Tells everybody of this household what is due now, and ends. What was told is not told again.",
            sections=(("Options", (("--once", "look once; there is no other way"), JSON_LIST)), EVERYWHERE),
            note="On standard output, and as a notification where this computer has them.",
        ),
        ("people",): Page(
            usage=(
                ("companion people", "who there is, and whose turn it is"),
                ("companion people add NAME", ""),
                ("companion people choose NAME", "it is their turn"),
                ("companion people rename NAME NEW", ""),
                ("companion people remove NAME", "forget all that is theirs"),
            ),
            about="Several people in one household, each with answers, limits, a plan and a history of their own.",
            sections=(("Options", (JSON_LIST,)), EVERYWHERE),
        ),
        ("people", "add"): Page(
            usage=(("companion people add Ada", ""),),
            about="Adds a person, who answers the health questions before a first session.",
            sections=(("Argument", (("NAME", "1 to 40 letters"),)), EVERYWHERE),
        ),
        ("people", "choose"): Page(
            usage=(("companion people choose Ada", ""),),
            about="Makes it that person's turn, in the app and in every command without --person.",
            sections=(("Argument", (_NAME,)), EVERYWHERE),
        ),
        ("people", "rename"): Page(
            usage=(("companion people rename me Ada", ""),),
            about="Calls a person something else.",
            sections=(("Argument", (_NAME, ("NEW", "the new name, 1 to 40 letters"))), EVERYWHERE),
        ),
        ("people", "remove"): Page(
            usage=(("companion people remove Ada", ""),),
            about="Forgets a person: answers, plan, sessions, everything. There is no way back.",
            sections=(
                ("Argument", (_NAME,)),
                ("Options", (("--yes", "without asking for the name once more"),)),
                EVERYWHERE,
            ),
        ),
        ("export",): Page(
            usage=(
                ("companion export --format csv", "your sessions, as a table"),
                ("companion export --format json --output FILE", "all that is kept of you"),
                ("companion export --format parquet --output FILE", "your sessions, for pandas or Polars"),
                ("companion export --format ics", "your plan, for a calendar"),
            ),
            about="Gives you your data. A file is for your eyes alone (0600).",
            sections=(
                (
                    "Options",
                    (
                        ("--format FORMAT", "csv, json, parquet or ics"),
                        ("--output FILE", "where to; without it, to standard output"),
                        ("--force", "write over a file that is there"),
                        PERSON,
                        DEMO_OF_IT,
                    ),
                ),
                EVERYWHERE,
            ),
            note="parquet needs pyarrow: pip install 'microcurrent-companion[parquet]'.",
        ),
        ("delete",): Page(
            usage=(("companion delete --all", ""),),
            about=(
                "Deletes everything that was kept of everybody: answers, plans, sessions, settings, backups, calendar "
                "files and the computer's timer. There is no way back."
            ),
            sections=(
                (
                    "Options",
                    (
                        ("--all", "everything; there is no other way"),
                        ("--routines", "the routines that you wrote, too"),
                        ("--yes", "without asking; your own routines stay unless --routines is given"),
                    ),
                ),
                EVERYWHERE,
            ),
            note="`companion export` first, if you want to keep something. Photos stay where they are.",
        ),
    }
)

HOME_UNDER: Final[Mapping[tuple[str, ...], Page]] = MappingProxyType(
    {
        ("history", "note"): Page(
            usage=(("companion history note 12 My skin felt calm afterwards", ""),),
            about="Keeps your own words on a session, in place of earlier ones.",
            sections=(
                ("Argument", (_SESSION_ID, ("TEXT …", 'your words; "" for none'))),
                ("Options", (PERSON, DEMO_OF_IT)),
                EVERYWHERE,
            ),
        ),
        ("history", "photo"): Page(
            usage=(("companion history photo 12 ~/Pictures/march.jpg", ""),),
            about="Notes which photo belongs to a session. The photo stays where it is; nothing is copied.",
            sections=(
                ("Argument", (_SESSION_ID, ("PATH", "the photo"))),
                ("Options", (("--forget", "note it no longer"), PERSON, DEMO_OF_IT)),
                EVERYWHERE,
            ),
        ),
    }
)
