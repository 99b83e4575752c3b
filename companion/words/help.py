"""Words of the help: keys, safety and evidence. Both sides, once; no medical claim."""

from __future__ import annotations

from typing import Final

TITLE: Final = "Help"
KEYS: Final = "Keys here"
KEYS_EVERYWHERE: Final = "On every screen"
EVERYWHERE: Final = (
    ("space  esc", "stop at once, on every screen, while a session runs"),
    ("g", "go to another screen: g t today, g p plan, g w water …"),
    ("w", "note a glass of water; u takes it back"),
    ("z", "say a reminder once more, half an hour later"),
    ("ctrl+p", "everything by name"),
    ("t", "light or dark"),
    ("?", "this page"),
    ("ctrl+q", "leave; a running session is stopped first"),
)
WHILE_LIVE: Final = (
    ("space  esc", "stop at once, on every screen"),
    ("t", "light or dark"),
    ("?", "this page"),
    ("ctrl+q", "stop first, then leave"),
)
SESSION: Final = (
    ("space", "begin, or done, where it waits for you and nothing is on; else stop"),
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
    (
        "For it: thirty women had thirty sessions of twenty minutes. Reviewers who did not know which photo was which "
        "rated wrinkles lower afterwards [1]. There was no untreated group to compare with."
    ),
    (
        "Against it: in a trial of two home stimulators, two plastic surgeons saw no improvement in photos of ten "
        "people after four months [2]. It was small, too, and its devices were not quite these."
    ),
    "That a device may be sold says that it is much like earlier ones, and not that it works.",
    "Staying hydrated is good general practice. Even contact comes mainly from enough conductive gel on clean skin.",
    "We remind you; we do not claim that it changes results.",
)
SOURCES_TITLE: Final = "Where this is from"
SOURCES: Final = (
    "[1] Saniee and others, Life Science Journal 2012;9(3): Micro-Current's effect to variation of facial wrinkle.",
    "[2] Lee and Most, Archives of Facial Plastic Surgery, 2006, as reported by Reuters Health on 1 February 2006.",
    "Water: European Food Safety Authority, dietary reference values for water, 2010.",
    "Who must not use it: the manuals of NuFACE, TheraFace, Beurer EM 25 and PowerDot, and IEC 60601-2-10.",
)
KEY_SCROLL: Final = "scroll"
KEY_EVIDENCE: Final = "what is known"
