"""Words of the screens of a person's own profile. What is kept, and why not, is said by ``companion.words.profile``."""

from __future__ import annotations

from typing import Final

TITLE: Final = "What is right for you"
NEAR: Final = "with {device}"
COMFORTABLE: Final = "Comfortable maximum"
PERCENT: Final = "{percent} %"
COMFORTABLE_NOTE: Final = "The highest level of any session. Yours to change; the app never raises it."
COMFORTABLE_FIRST: Final = "The highest level of any session. Before your first one it stays at or below {most} %."
NECK: Final = "Sides of the neck"
NECK_NOTE: Final = "Makers disagree on the neck; the front of it is never treated. Only with a device cleared for it."
NECK_NOT_CLEARED: Final = "{device} is not cleared for the neck, so it stays untreated whatever you choose."
NECK_CLEARED: Final = "{device} is cleared for the sides of the neck; the front of it is never treated."
YES: Final = "treated"
NO: Final = "left out"
QUESTIONS: Final = "Health questions"
ANSWERED: Final = "answered {day}"
NOT_ANSWERED: Final = "to be answered"
LEFT_OUT: Final = "not in a demo"
QUESTIONS_NOTE: Final = "Asked again after {until}. Something has changed? Answer them again."
QUESTIONS_FIRST: Final = "They come before any session."
DOCTOR: Final = "A doctor's word"
WAITS: Final = "waited for"
AGREED: Final = "agreed"
NOT_NEEDED: Final = "not needed"
DOCTOR_WAITS: Final = "Enter, once a doctor has agreed. Until then there is no session."
DOCTOR_NONE: Final = "Nothing in your answers waits for one."
SKIN: Final = "Peel, sunburn, treatment"
SKIN_NOTE: Final = "Had one? Note it: your skin rests, and your plan goes around it."
NOTHING: Final = "none"
RESTS: Final = "noted"
ZONE_NOTE_ON: Final = "Treated, where a routine has it. Space leaves it out of every session."
ZONE_NOTE_OFF: Final = "Never treated. Space lets routines treat it again."
MARK_ON: Final = "○"
MARK_OFF: Final = "\N{BOX DRAWINGS LIGHT DIAGONAL UPPER RIGHT TO LOWER LEFT}"
KEY_LESS: Final = "less"
KEY_MORE: Final = "more"
KEY_SWITCH: Final = "change"
KEY_ANSWER: Final = "answer again"
KEY_AGREED: Final = "a doctor has agreed"
KEY_NOTE: Final = "note one"
KEY_BEFORE: Final = "the one before"

AGREED_TITLE: Final = "A doctor's word"
AGREED_WHY: Final = "A yes is kept with today's date, on this computer."
COUNT: Final = "{index} of {count}"
AGREEMENTS: Final = (("y", "yes, a doctor has agreed"), ("n", "not yet"))

SKIN_TITLE: Final = "What was it?"
SKIN_TEXT: Final = "Your skin rests after it, and your plan goes around it."
SKIN_KINDS: Final = {
    "peel": "A peel",
    "sunburn": "A sunburn",
    "treatment": "Surgery, filler, botulinum or laser on the face",
}
SKIN_MISTAKES: Final = {
    "peel": "Noted by mistake: the peel, {day}",
    "sunburn": "Noted by mistake: the sunburn, {day}",
}
SKIN_WHEN: Final = {
    "peel": "When was the peel, or when will it be?",
    "sunburn": "When was the sunburn?",
    "treatment": "When was the treatment?",
}
SKIN_THEN: Final = {
    "peel": "The skin has a week to itself afterwards: no sessions in it.",
    "sunburn": "The skin has a week to itself afterwards: no sessions in it.",
    "treatment": "No session until a doctor has agreed. After 30 days you may answer the health questions again.",
}
DAY: Final = "{day:%A}, {day.day} {day:%B}"
TODAY: Final = "today"
YESTERDAY: Final = "yesterday"
TOMORROW: Final = "tomorrow"
