"""Words of the skin check, the patch test and special care. Plain, warm, short; no medical claim and no promise."""

from __future__ import annotations

from typing import Final

# --- the skin check ---------------------------------------------------------------------------------------------------

TITLE: Final = "How is your skin today?"
SCALE: Final = "1 not at all, 5 very"
QUESTIONS: Final = {
    "dryness": "How dry is it?",
    "redness": "How red is it?",
    "irritation": "How irritated is it: itching, stinging, sore?",
}
NAMES: Final = {"dryness": "Dryness", "redness": "Redness", "irritation": "Irritation"}

NOT_TODAY: Final = "Not today: your skin check says {what}. Let it rest; it will be there tomorrow."
NOT_TODAY_AGAIN: Final = (
    "Not today: your skin was irritated at your last check too. Let it rest; if it stays so, show it to a doctor."
)
NOT_TODAY_EXFOLIATED: Final = (
    "Not today: your skin is {what} so soon after exfoliating. Give it a few quiet days with moisturiser alone."
)
ALSO: Final = " and "
FEELS: Final = {"dryness": "dry", "redness": "red", "irritation": "irritated"}
GENTLE: Final = "Your skin is {what} today, so this session is half as strong and half as long."
MORE_GEL: Final = "Dry skin needs more gel: be generous, and put some on again between zones."
CHECK_FIRST: Final = "Take a moment for your skin check first: dryness, redness and irritation, each from 1 to 5."

# --- the chart --------------------------------------------------------------------------------------------------------

CALMER: Final = "{name}: calmer than before."
STEADY: Final = "{name}: about the same."
ROUGHER: Final = "{name}: more than before."
TOO_FEW: Final = "A few more checks, and you will see how your skin has been."

# --- special care -----------------------------------------------------------------------------------------------------

KINDS: Final = {"steam": "Steaming", "exfoliation": "Exfoliating"}
CARE_REST: Final = {
    "peel": "{care} can wait: after a peel the skin has a week to itself, until {when}.",
    "sunburn": "{care} can wait: after a sunburn the skin has a week to itself, until {when}.",
}
CARE_CHECK_FIRST: Final = "{care} is for calm skin: do your skin check first."
CARE_NOT_CALM: Final = "{care} is for calm skin, and yours is {what} today: leave it out."
CARE_DONE_TODAY: Final = "{care} was done today: once a day is plenty."
CARE_TWICE: Final = "Steaming and exfoliating are for twice a week at most: the next time is on {when}."
REST: Final = {
    "peel": "After a peel the skin has a week to itself: sessions are back on {when}.",
    "sunburn": "After a sunburn the skin has a week to itself: sessions are back on {when}.",
}
DAY: Final = "{day:%A}, {day.day} {day:%B}"

# --- the patch test ---------------------------------------------------------------------------------------------------

PATCH_TITLE: Final = "A patch test first"
PATCH_OFFER: Final = (
    "Before the first use: the lowest level on the inner forearm or at the angle of the jaw, then wait 24 hours and "
    "look. The routine First touch begins with it. You may leave it out; then that is noted."
)
PATCH_PLACES: Final = {"forearm": "inner forearm", "jaw": "angle of the jaw", "declined": "I leave it out"}
PATCH_OUTCOMES: Final = {"calm": "all calm", "reaction": "a reaction: redness that stays, itching, swelling, soreness"}
PATCH_REACTED: Final = "Your skin reacted"
PATCH_DOCTOR: Final = {"agreed": "Since then a doctor has agreed that I may try again", "not agreed": "Not yet"}
PATCH_NEEDED: Final = (
    "Before your first session comes a patch test: begin with the routine First touch, or say that you leave it out."
)
PATCH_WAIT: Final = "Your patch test needs its 24 hours: look at the spot on {when}."
PATCH_LOOK: Final = "How does the spot of your patch test look? Say whether it is calm before you go on."
PATCH_DEMO: Final = "In this demo the 24 hours have passed at once."
PATCH_TOO_SOON: Final = "It is too soon to say that it stays calm: look again on {when}."
PATCH_REACTION: Final = (
    "No session with this app: your skin reacted to the patch test. Please ask your doctor. "
    "Once they have agreed, another patch test comes first."
)
PATCH_AGAIN: Final = "A doctor has agreed; next comes another patch test, at the lowest level: the routine First touch."
MOMENT: Final = "{at:%A}, {at.day} {at:%B} at {at:%H:%M}"
