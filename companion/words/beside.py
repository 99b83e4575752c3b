"""Words of the link to Home Assistant beside a session without the app."""

from __future__ import annotations

from typing import Final

NO_LINK: Final = "Home Assistant: {problem}. The session goes on without it."
