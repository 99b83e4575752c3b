"""Everything that the command line says, so that a translation can follow: help pages and one-line faults.

Plain values without any import of weight: ``companion --help`` reads this and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from companion.words.devices import DEVICE_COMMANDS, DEVICE_PAGES
from companion.words.home import HOME_COMMANDS, HOME_PAGES, HOME_UNDER
from companion.words.page import DEMO_DATA, EVERYWHERE, JSON_LIST, PERSON, Page
from companion.words.serve import SERVE_COMMANDS, SERVE_PAGES
from companion.words.settings_pages import SETTINGS_COMMANDS, SETTINGS_PAGES

TITLE: Final = "Guides you through a routine with a handheld microcurrent device."

_DEMO = ("--demo [DEVICE]", "with a virtual device: omp (the usual), dr05 or foreo")
_SPEED = ("--speed N", "how fast time runs in the demo: 1 (the usual), another number, or max")
_SEED = ("--seed N", "what is random in the demo: the same number, the same session")
_RECORD = ("--record FILE", "write the demo's Bluetooth traffic to FILE, for Wireshark (btsnoop)")
_WITH_KEYS = ("--with-keys", "with the keys of a pairing, which else are zeros: keep such a FILE to yourself")

PAGES: Final[Mapping[tuple[str, ...], Page]] = MappingProxyType(
    {
        (): Page(
            usage=(
                ("companion", "the app"),
                ("companion --demo", "the app with a virtual device: nothing else needed"),
                ("companion COMMAND …", "one thing without the app"),
            ),
            about=TITLE,
            sections=(
                (
                    "Commands",
                    (
                        ("run", "one guided routine in plain text"),
                        ("scan", "the devices near you"),
                        *DEVICE_COMMANDS,
                        ("routines", "the routines there are; look ahead, make your own"),
                        ("history", "your past sessions"),
                        ("profile", "the health questions that come before a first session"),
                        *HOME_COMMANDS,
                        *SERVE_COMMANDS,
                        *SETTINGS_COMMANDS,
                        ("doctor", "what this computer has and what it lacks"),
                    ),
                ),
                (
                    "Options of the app",
                    (PERSON, _DEMO, ("--speed N", "how fast time runs in the demo"), _SEED, _RECORD, _WITH_KEYS),
                ),
                (EVERYWHERE[0], (*EVERYWHERE[1], ("--version", "the version"))),
                (
                    "Exit codes",
                    (
                        ("0", "done"),
                        ("1", "a fault"),
                        ("2", "a mistake in the command line"),
                        ("3", "stopped early"),
                        ("4", "not today: health questions, skin or rest"),
                        ("5", "no device"),
                        ("6", "connection lost"),
                    ),
                ),
            ),
            note="For cosmetic use. No medical device, no medical claim; your device's manual comes first.",
        ),
        ("run",): Page(
            usage=(("companion run ROUTINE [OPTIONS]", ""),),
            about="Guides you through one routine, step by step, and writes down what happened.",
            sections=(
                ("Argument", (("ROUTINE", "its name; `companion routines` lists them"),)),
                (
                    "Options",
                    (
                        _DEMO,
                        ("--plain", "an account line by line (the usual)"),
                        ("--json", "one JSON object a line, for programs; asks nothing"),
                        ("--yes", "yes to what is asked of today; in a demo to everything"),
                        ("--with STEP,…", "take these optional steps: steam, exfoliation, massage, light, mask, serum"),
                        ("--without STEP,…", "leave these out; else you are asked, and with --yes they are left out"),
                        PERSON,
                        _SPEED,
                        _SEED,
                        _RECORD,
                        _WITH_KEYS,
                    ),
                ),
                EVERYWHERE,
            ),
            note="Health questions, skin check and patch test are yours to answer, in a terminal: with a real device "
            "--yes answers none of them. Ctrl+C stops the output at once.",
        ),
        ("scan",): Page(
            usage=(("companion scan [OPTIONS]", ""),),
            about="Lists the devices near you that the companion knows. Switch yours on and keep it close.",
            sections=(
                (
                    "Options",
                    (
                        _DEMO,
                        ("--timeout SECONDS", "how long to look (the usual: 8)"),
                        JSON_LIST,
                    ),
                ),
                EVERYWHERE,
            ),
        ),
        ("routines",): Page(
            usage=(
                ("companion routines", "all of them"),
                ("companion routines show NAME", "one, step by step"),
                ("companion routines preview NAME|FILE", "as it would go for you"),
                ("companion routines new NAME", "a file for one of your own"),
                ("companion routines check FILE", "is this file a routine?"),
            ),
            about="Routines are small text files (TOML). Your own go into the folder `routines` of your data folder.",
            sections=(("Options", (JSON_LIST,)), EVERYWHERE),
        ),
        ("routines", "show"): Page(
            usage=(("companion routines show NAME", ""),),
            about="Shows one routine, step by step.",
            sections=(("Argument", (("NAME", "as `companion routines` lists it"),)), EVERYWHERE),
        ),
        ("routines", "check"): Page(
            usage=(("companion routines check FILE", ""),),
            about="Says whether a file is a routine, and if not, which line and field is wrong.",
            sections=(("Argument", (("FILE", "a routine file (TOML)"),)), EVERYWHERE),
        ),
        ("routines", "new"): Page(
            usage=(("companion routines new NAME [--from ROUTINE]", ""),),
            about="Writes a routine with comments into the folder of your own, for you to change.",
            sections=(
                ("Argument", (("NAME", "what to call it: small letters and digits with - between"),)),
                ("Options", (("--from ROUTINE", "begin with that one instead of a small one"),)),
                EVERYWHERE,
            ),
            note="It names shares of your maximum and never a level: your limits hold whatever it says.",
        ),
        ("routines", "preview"): Page(
            usage=(("companion routines preview NAME|FILE [OPTIONS]", ""),),
            about="Shows how a routine would go for you: zones, times, levels, and what is left out and why.",
            sections=(
                ("Argument", (("NAME|FILE", "as `companion routines` lists it, or a file"),)),
                ("Options", (("--device DEVICE", "with omp (the usual), dr05 or foreo"), PERSON)),
                EVERYWHERE,
            ),
            note="Nothing is switched on, and no device is needed.",
        ),
        ("history",): Page(
            usage=(
                ("companion history", "your past sessions, the newest first"),
                ("companion history show ID", "one session, moment by moment"),
                ("companion history note ID TEXT …", "your own words on one"),
                ("companion history photo ID PATH", "a photo of yours that belongs to one"),
            ),
            about="What happened, as it was written down.",
            sections=(
                ("Options", (("--limit N", "at most N sessions"), JSON_LIST, PERSON, DEMO_DATA)),
                EVERYWHERE,
            ),
        ),
        ("history", "show"): Page(
            usage=(("companion history show ID [OPTIONS]", ""),),
            about="Shows one session, moment by moment.",
            sections=(
                ("Argument", (("ID", "the number that `companion history` puts first"),)),
                ("Options", (JSON_LIST, PERSON, DEMO_DATA)),
                EVERYWHERE,
            ),
        ),
        ("profile",): Page(
            usage=(
                ("companion profile", "answer the health questions"),
                ("companion profile show", "what you answered, and when"),
                ("companion profile agreed", "a doctor has agreed, to what waited for it"),
                ("companion profile comfortable [PERCENT]", "your comfortable maximum"),
                ("companion profile zones", "what is never treated; the sides of the neck"),
                ("companion profile skin [KIND]", "a peel, a sunburn or a treatment to rest after"),
            ),
            about="Some people must not use microcurrent: questions before a first session, and again every 90 days.",
            sections=(("Answers", (("n, y, s", "no, yes, not sure"),)), ("Options", (PERSON,)), EVERYWHERE),
            note="What you answer stays on this computer.",
        ),
        ("profile", "show"): Page(
            usage=(("companion profile show", ""),),
            about="Shows what you answered to the health questions, and when.",
            sections=(("Options", (PERSON,)), EVERYWHERE),
        ),
        ("profile", "agreed"): Page(
            usage=(("companion profile agreed", ""),),
            about="Asks whether a doctor has agreed to what waits for it: a health answer, a patch test's reaction.",
            sections=(("Options", (PERSON,)), EVERYWHERE),
            note="Asked in a terminal, kept with today's date. What no doctor's word changes stays as it is.",
        ),
        ("profile", "zones"): Page(
            usage=(
                ("companion profile zones", "as it is"),
                ("companion profile zones --never left-jawline,chin", "leave these out of every session"),
                ("companion profile zones --treat chin", "treat it again"),
                ("companion profile zones --neck on", "the sides of the neck, too"),
            ),
            about="Shows or sets which zones are never treated, and whether the sides of the neck are.",
            sections=(
                (
                    "Options",
                    (
                        ("--never ZONE,…", "zones to leave out of every session"),
                        ("--treat ZONE,…", "zones to treat again"),
                        ("--neck on|off", "only with a device that is cleared for it; the usual is off"),
                        PERSON,
                    ),
                ),
                EVERYWHERE,
            ),
            note="Makers disagree on the neck. The front of it is never treated.",
        ),
        ("profile", "skin"): Page(
            usage=(
                ("companion profile skin", "what is noted"),
                ("companion profile skin peel", "a peel today"),
                ("companion profile skin sunburn --on 2026-03-02", ""),
                ("companion profile skin peel --mistake", "it was noted by mistake, and today"),
            ),
            about="Notes what your skin rests after: a week for a peel or sunburn; a treatment until a doctor agrees.",
            sections=(
                (
                    "Argument",
                    (("KIND", "peel, sunburn, or treatment: surgery, filler, botulinum or laser on the face"),),
                ),
                (
                    "Options",
                    (
                        ("--on DATE", "the day, such as 2026-03-02 (the usual: today)"),
                        ("--mistake", "take back what was noted today; note and mistake are kept"),
                        PERSON,
                    ),
                ),
                EVERYWHERE,
            ),
        ),
        ("profile", "comfortable"): Page(
            usage=(("companion profile comfortable [PERCENT]", ""),),
            about="Shows or sets your comfortable maximum: the highest level of any session.",
            sections=(
                ("Argument", (("PERCENT", "1 to 100 percent of what your device can do; without it, what it is now"),)),
                ("Options", (PERSON,)),
                EVERYWHERE,
            ),
            note="At most 30 before your first session. The app never raises it.",
        ),
        ("doctor",): Page(
            usage=(("companion doctor", ""),),
            about="Looks at what a session needs, and says how to put right what is missing.",
            sections=(EVERYWHERE,),
            note="Ends with 1 when a line says fail. The demo needs no Bluetooth.",
        ),
        **HOME_PAGES,
        **SERVE_PAGES,
        **SETTINGS_PAGES,
        **DEVICE_PAGES,
        **HOME_UNDER,
    }
)

# --- one-line faults --------------------------------------------------------------------------------------------------

SEE_HELP: Final = "see `{command} --help`"
UNEXPECTED: Final = "an unexpected fault ({fault}); run the same with --debug and report what it prints"
NEEDS_TERMINAL: Final = (
    "the app needs a terminal with keyboard; without one use `companion run ROUTINE` (`companion routines` lists them)"
)
NO_SUCH_COMMAND: Final = "there is no command {name!r}; {hint}"
DID_YOU_MEAN: Final = "did you mean {name!r}?"
THERE_ARE: Final = "there are {all}"
TOO_MANY: Final = "{name!r} is one argument too many"
MISSING: Final = "{name} is missing"
MISSING_VALUE: Final = "{name} needs a value"
BAD_DEMO: Final = "--demo takes omp, dr05 or foreo, not {value!r}; alone, or as the last word, it means omp"
BAD_ID: Final = "the ID is the number that `companion history` puts first"
BAD_SPEED: Final = "takes 1, a positive number, or max"
BAD_SEED: Final = "takes a whole number from 0 on"
BAD_POSITIVE: Final = "takes a positive number"
PLAIN_OR_JSON: Final = "--plain and --json exclude each other; give one of them"
ONLY_IN_DEMO: Final = "{option} works with --demo alone: a real device runs in real time; leave it out"
APP_NOT_AT_MAX: Final = "the app cannot run at --speed max; give a number, or use `companion run ROUTINE --speed max`"

# --- history ----------------------------------------------------------------------------------------------------------

NO_SESSIONS: Final = "No sessions yet. `companion routines` shows what you could start with."
NO_SESSIONS_DEMO: Final = "The demo has no sessions yet. `companion run first-touch --demo` makes one."
NO_SUCH_SESSION: Final = "there is no session {id}; `companion history` lists them"
INTERRUPTED: Final = "interrupted"
RUNNING: Final = "running now"

# --- routines ---------------------------------------------------------------------------------------------------------

ROUTINE_FINE: Final = "{file}: a routine, {minutes} guided, {zones}."
ZONES: Final = "zones: {zones}"
NO_ZONES: Final = "no zones"
CONFIRM: Final = "until you say so"

# --- profile ----------------------------------------------------------------------------------------------------------

PROFILE_INTRO: Final = (
    "Some people must not use microcurrent. Please answer for yourself: n no, y yes, s not sure.\n"
    "Your answers stay on this computer. Ctrl+C leaves, and nothing is kept.\n"
)
PROFILE_QUESTION: Final = "{index} of {count}  {question}  n/y/s "
PROFILE_AGREED: Final = "        Has a doctor agreed that you may use it?  n/y "
PROFILE_CHOICES: Final = "        Please answer with one of: {choices}"
PROFILE_NEEDS_TERMINAL: Final = "the health questions are asked in a terminal; run `companion profile` in one"
AGREED_NEEDS_TERMINAL: Final = "a doctor's word is asked for in a terminal; run `companion profile agreed` in one"
SKIN_NEEDS_KIND: Final = "{option} goes with what happened: peel, sunburn or treatment"
PROFILE_UNFINISHED: Final = "not all questions were answered, so nothing was kept; start again with `companion profile`"
PROFILE_NONE: Final = "The health questions have not been answered yet: `companion profile` asks them."
PROFILE_DATE: Final = "Answered on {at}; asked again after {until}."
PROFILE_CLEAR: Final = "Nothing in your answers speaks against a session. Your device's manual comes first."
PROFILE_LEGEND: Final = {"no": "no", "yes": "yes", "not sure": "not sure", "agreed": "yes, and a doctor has agreed"}
PROFILE_NO_ANSWER: Final = "no answer"
