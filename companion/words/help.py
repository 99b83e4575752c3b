"""Words of the help: keys, safety and evidence. Both sides, once; no medical claim."""

from __future__ import annotations

from typing import Final

TITLE: Final = "Help"
KEYS: Final = "Keys here"
EVERYWHERE: Final = (
    ("space  esc", "stop at once, on every screen, while a session runs"),
    ("t", "light or dark"),
    ("?", "this page"),
    ("ctrl+q", "leave; a running session is stopped first"),
)
SESSION: Final = (
    ("p", "pause and go on"),
    ("↑ ↓", "a little more, a little less"),
    ("n", "next zone"),
    ("1 to 4", "say what you feel; 4 is pain and stops"),
    ("m", "turn the face: a mirror, or face to face"),
)
SAFETY_TITLE: Final = "Safety"
SAFETY: Final = (
    "Your device's own manual comes first. Where it is stricter than this app, follow it.",
    "A slight tingling is normal, pain is not. If it stings: more gel, or less intensity. If it hurts: stop.",
    "Never over the eyeball, the mouth, or the front of the neck.",
    "When in doubt, lift the device from the skin: that always works.",
    "This app says stopped only when the device has confirmed it, or the link is down.",
)
EVIDENCE_TITLE: Final = "What is known"
EVIDENCE: Final = (
    "This is cosmetic care, not a treatment of any illness.",
    "Whether it works is debated: some studies report effects, and many surgeons are sceptical.",
    "Staying hydrated is good general practice. Even contact comes mainly from enough conductive gel on clean skin.",
    "We remind you; we do not claim that it changes results.",
)
