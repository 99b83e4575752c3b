"""A notification of this computer, shown by what the system brings along: notify-send, osascript or PowerShell.

Asks the system to show it and knows no more: whether anybody saw it, nobody can say. Runs without a shell, and no text
of a notification ever becomes part of a program.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

APP: Final = "Microcurrent Companion"

_PATIENCE_S: Final = 10.0
_TITLE, _TEXT = "COMPANION_TITLE", "COMPANION_TEXT"

_APPLESCRIPT: Final = (
    "on run argv",
    "display notification (item 2 of argv) with title (item 1 of argv)",
    "end run",
)

# PowerShell's own id: a toast belongs to an installed program, and there is one on every Windows (learn.microsoft.com,
# "Find the Application User Model ID of an installed app"). Title and text are set on the document, never parsed.
_POWERSHELL: Final = (
    "$m = [Windows.UI.Notifications.ToastNotificationManager, Windows.UI.Notifications, ContentType = WindowsRuntime]; "
    "$x = $m::GetTemplateContent([Windows.UI.Notifications.ToastTemplateType]::ToastText02); "
    "$t = $x.GetElementsByTagName('text'); "
    f"$t.Item(0).InnerText = $env:{_TITLE}; $t.Item(1).InnerText = $env:{_TEXT}; "
    "$n = [Windows.UI.Notifications.ToastNotification]::new($x); "
    r"$m::CreateToastNotifier('{1AC14E77-02E7-4E5D-B744-2EB1AE5198B7}\WindowsPowerShell\v1.0\powershell.exe').Show($n)"
)


def run_quietly(argv: Sequence[str], environ: Mapping[str, str]) -> bool:
    """Run ``argv`` without a shell, a window or any output; True when it ended well."""
    try:
        done = subprocess.run(  # noqa: S603 - a fixed system command; texts are arguments or variables, no program
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=dict(environ),
            timeout=_PATIENCE_S,
            check=False,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


@dataclass(frozen=True, slots=True)
class Desktop:
    """Where notifications are shown: the platform as ``sys.platform`` names it, and the environment.

    ``run`` runs a command; tests give their own.
    """

    platform: str
    environ: Mapping[str, str]
    run: Callable[[Sequence[str], Mapping[str, str]], bool] = run_quietly

    @classmethod
    def this(cls) -> Desktop:
        """This computer's."""
        return cls(sys.platform, os.environ)

    def notify(self, title: str, text: str) -> bool:
        """Ask the system to show a notification; False when it has none or refused. True is no proof of being seen."""
        title, text = _plain(title), _plain(text)
        if self.platform == "darwin":
            script = [part for line in _APPLESCRIPT for part in ("-e", line)]
            return self.run(("/usr/bin/osascript", *script, title, text), self.environ)
        if self.platform == "win32":
            environ = {**self.environ, _TITLE: title, _TEXT: text}
            return self.run(("powershell.exe", "-NoProfile", "-NonInteractive", "-Command", _POWERSHELL), environ)
        # Some notification servers read the text as markup (Desktop Notifications Specification 1.2, "Markup").
        words = ("--app-name", APP, "--", title, escape(text, quote=False))
        return self.run(("notify-send", *words), self.environ)


def _plain(text: str) -> str:
    """One line without control characters: a command line cannot hold all of them."""
    return "".join(character if character.isprintable() else " " for character in text)
