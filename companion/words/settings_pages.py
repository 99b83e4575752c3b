"""Help pages of ``companion settings``."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from companion.words.page import EVERYWHERE, Page

SETTINGS_COMMANDS: Final = (("settings", "how it looks and sounds, quiet hours, Home Assistant, the browser"),)

_DEMO: Final = ("--demo", "the demo's settings instead of yours")
_KEY: Final = ("KEY", "as `companion settings` lists it, such as quiet.from")

SETTINGS_PAGES: Final[Mapping[tuple[str, ...], Page]] = MappingProxyType(
    {
        ("settings",): Page(
            usage=(
                ("companion settings", "all of them, each with its reason"),
                ("companion settings get KEY", "one value alone"),
                ("companion settings set KEY VALUE", "change one"),
                ("companion settings reset KEY", "as usual again"),
                ("companion settings path", "where the file is"),
                ("companion settings check", "is everything in it right?"),
            ),
            about="What holds for this computer and everybody who uses it. One text file (TOML) that you may edit.",
            sections=(("Options", (_DEMO,)), EVERYWHERE),
            note="What belongs to one person is elsewhere: `companion plan`, `companion water`, `companion profile`.",
        ),
        ("settings", "get"): Page(
            usage=(("companion settings get KEY", ""),),
            about="Prints the value of one setting and nothing else.",
            sections=(("Argument", (_KEY,)), ("Options", (_DEMO,)), EVERYWHERE),
        ),
        ("settings", "set"): Page(
            usage=(("companion settings set quiet.from 21:00", ""),),
            about="Changes one setting. Nothing else in the file changes, your comments stay.",
            sections=(
                ("Argument", (_KEY, ("VALUE", 'what `companion settings` says it may be; "" for none'))),
                ("Options", (_DEMO,)),
                EVERYWHERE,
            ),
        ),
        ("settings", "reset"): Page(
            usage=(("companion settings reset KEY", ""),),
            about="Takes a setting out of the file, so that it is as usual again.",
            sections=(("Argument", (_KEY,)), ("Options", (_DEMO,)), EVERYWHERE),
        ),
        ("settings", "path"): Page(
            usage=(("companion settings path", ""),),
            about="Prints where the file with the settings is, or would be.",
            sections=(("Options", (_DEMO,)), EVERYWHERE),
        ),
        ("settings", "check"): Page(
            usage=(("companion settings check", ""),),
            about="Says whether everything in the file is right; if not, which line is wrong and what may be there.",
            sections=(("Options", (_DEMO,)), EVERYWHERE),
            note="Ends with 2 when something is wrong.",
        ),
    }
)
