"""Words of the consultation: what is asked, and why which routine and plan. Plain, warm, short; never a promise."""

from __future__ import annotations

from typing import Final

TITLE: Final = "What would you like?"
WHY: Final = "Five questions, so that routine and plan suit you. You can change everything later."
COUNT: Final = "question {index} of {count}"

CONCERNS: Final = "What do you want to look after?"
EXPERIENCE: Final = "How well do you know microcurrent?"
DAYS: Final = "Which days suit you?"
DAYS_NOTE: Final = "None chosen means any day."
TIME: Final = "How much time is right for one session?"
SKIN: Final = "How is your skin, most of the time?"
SEVERAL: Final = "Choose as many as you like."

CHOICES: Final = {
    "lines": "Fine lines",
    "lift": "Cheeks and jawline",
    "puffiness": "Puffiness",
    "tone": "An even look",
    "new": "It is new to me",
    "some": "I have tried it",
    "regular": "I use it regularly",
    "monday": "Monday",
    "tuesday": "Tuesday",
    "wednesday": "Wednesday",
    "thursday": "Thursday",
    "friday": "Friday",
    "saturday": "Saturday",
    "sunday": "Sunday",
    "5": "Five minutes",
    "10": "Ten minutes",
    "12": "Twelve minutes or a little more",
    "easy": "It takes most things well",
    "sensitive": "It is sensitive",
    "not sure": "I am not sure",
}

# --- why this routine -------------------------------------------------------------------------------------------------

FIRST: Final = "You begin with First touch: a patch test and one zone, at low levels."
FULL_FACE: Final = "Full face goes through every zone, and you have the twelve minutes for it."
BROW_AND_EYE: Final = "Brow and eye keeps to where fine lines mostly are, low and slow."
JAW_AND_NECK: Final = "Jaw and neck keeps to the line of your jaw; the neck only where device and you allow it."
LIFT: Final = "Five-minute lift goes over jawline, cheeks and cheekbones, and fits a short day."
LIGHT: Final = "Light and lift adds three quiet minutes under your device's light."
PULSE: Final = "Pulse cleanse is the routine for a device that pulses."
GENTLE_ROUTINE: Final = "With sensitive skin a short routine comes first."
FALLBACK: Final = "First touch is what your device can do."
COOL: Final = "On puffy mornings Cool down is pleasant, without any current."

# --- why this plan ----------------------------------------------------------------------------------------------------

COURSE: Final = "Two or three sessions a week for four weeks, then one: the rhythm that salons use."
HOME: Final = "You know it, have five days and five minutes: short and often, for 60 days."
GENTLE: Final = "Ten minutes two or three times a week, for as long as you like."
SENSITIVE: Final = "For sensitive skin at least 48 hours lie between sessions."
SENSITIVE_UNSURE: Final = (
    "As you are not sure about your skin, we begin as for sensitive skin: 48 hours between sessions."
)
ONE_DAY: Final = "Your days leave room for one session a week, so this is a plan of your own with that one."
ONE_DAY_SENSITIVE: Final = "Your days leave room for one session a week with 48 hours of rest, so that is your plan."
NO_PROMISE: Final = "People differ, and so does what they see. Your device's manual comes first."

# --- faults -----------------------------------------------------------------------------------------------------------

SCREENING_FIRST: Final = "The health questions come first: `companion profile`."
UNKNOWN: Final = "there is no question {name!r}; there are {known}"
MISSING: Final = "the question {name!r} has no answer; choose from {known}"
NOT_A_CHOICE: Final = "{value!r} is no answer to {name!r}; choose from {known}"
ONE_ONLY: Final = "the question {name!r} takes one answer, not {count}"
