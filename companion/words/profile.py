"""Words of a person's own profile: maximum, zones, a doctor's word, and what the skin rests after. No medical claim."""

from __future__ import annotations

from typing import Final

# --- the comfortable maximum ------------------------------------------------------------------------------------------

COMFORTABLE: Final = "Your comfortable maximum is {percent} % of what your device can do."
COMFORTABLE_RANGE: Final = "a comfortable maximum is 1 to 100 percent, not {percent}"
COMFORTABLE_FIRST: Final = (
    "a first session stays at or below {cap} %, so {percent} % is for later; after your first session choose again"
)

# --- zones ------------------------------------------------------------------------------------------------------------

NEVER: Final = "Never treated: {zones}."
NEVER_NONE: Final = "No zone is left out."
NECK_ON: Final = "The sides of the neck: yes, with a device that is cleared for it; never the front."
NECK_OFF: Final = "The sides of the neck: no."
NO_SUCH_ZONE: Final = "there is no zone {zone!r}; there are: {zones}"
BOTH_ZONES: Final = "{zone} is both to be treated and never to be; say one of them"

# --- a doctor's word --------------------------------------------------------------------------------------------------

ASK_AGREED: Final = "Has a doctor agreed that you may use it?"
SAID_YES: Final = "You answered yes: {question}"
SAID_NOT_SURE: Final = "You answered not sure: {question}"
ASK_PATCH: Final = "Since then, has a doctor agreed that you may try again?"
SAID_REACTION: Final = "Your skin reacted to the patch test of {day}."
AGREED_LINE: Final = "A doctor has agreed: {what}; you said so on {day}."
AGREED_PATCH: Final = "another patch test after a reaction"
KEPT: Final = "That is noted, with today's date."
KEPT_PATCH: Final = "Next comes another patch test, at the lowest level: the routine First touch."
NOT_YET: Final = "Until then there is no session with this app. Please ask your doctor."
NOTHING_WAITS: Final = "Nothing waits for a doctor's word."
NO_AGREEMENT: Final = "no doctor's word changes this: {reasons}"
ANSWER_FIRST: Final = "answer the health questions first: `companion profile`"
DAY: Final = "{day.day} {day:%B %Y}"

# --- what the skin rests after ----------------------------------------------------------------------------------------

KINDS: Final = {
    "peel": "a peel",
    "sunburn": "a sunburn",
    "treatment": "surgery, filler, botulinum or laser",
}
NOTED: Final = {
    "peel": "Noted: a peel on {day}. The skin has a week to itself.",
    "sunburn": "Noted: a sunburn on {day}. The skin has a week to itself.",
    "treatment": "Noted: a treatment on {day}. No session until a doctor has agreed.",
}
TAKEN_BACK: Final = {
    "peel": "Taken back: the peel on {day} was noted by mistake. Both are kept.",
    "sunburn": "Taken back: the sunburn on {day} was noted by mistake. Both are kept.",
}
NOT_NOTED_TODAY: Final = "{what} on {day} was not noted today: only what was noted on the same day can be taken back"
ANSWER_AGAIN: Final = "a treatment is one of the health answers: answer them again, `companion profile`"
NOT_THAT_DAY: Final = "{what} can be noted from {first} to {last}, not on {day}"
ON: Final = {
    "peel": "A peel on {day}.",
    "sunburn": "A sunburn on {day}.",
    "treatment": "A treatment on {day}: it needs a doctor's word.",
}
NOTHING_NOTED: Final = "Nothing is noted that your skin rests after."
