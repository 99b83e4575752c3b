"""What can be set, section by section, with types, ranges and usual values.

A screen, the command and the file's check are drawn from these structs alone. What belongs to one person (plan, goal,
limits) is in the store; nothing that can be set here raises output or widens a limit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec

from companion.integrations.mqtt_settings import MqttSettings
from companion.words import settings as words

if TYPE_CHECKING:
    from companion.care.hydration import Hours

FILE_NAME: Final = "settings.toml"

GUARDED: Final = frozenset({"mqtt", "serve"})
"""Sections that reach beyond this computer: with one mistake in it, such a section counts as a whole as not written.

A mistyped ``tls`` must not become a connection without it.
"""

TimeOfDay = Annotated[str, msgspec.Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]\Z", description=words.TIME_OF_DAY)]
Host = Annotated[str, msgspec.Meta(min_length=1, max_length=253, pattern=r"^[^\s/]+\Z", description=words.HOST)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]


class Appearance(msgspec.Struct, frozen=True):
    """How the app looks. ``auto`` goes by what the terminal says of itself."""

    theme: Literal["auto", "dark", "light"] = "auto"
    face: Literal["mirror", "facing"] = "mirror"
    motion: Literal["full", "none"] = "full"


class Sound(msgspec.Struct, frozen=True):
    """What is heard."""

    cues: Literal["bell", "sound", "off"] = "bell"


class Notifications(msgspec.Struct, frozen=True):
    """Reminders outside of the app."""

    system: Literal["auto", "off"] = "auto"
    only_when_away: bool = True


class Quiet(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """When reminders rest, on the local clock; both the same: never."""

    from_: TimeOfDay = "22:00"
    to: TimeOfDay = "07:30"

    @property
    def hours(self) -> Hours | None:
        """The quiet hours as reminders take them; None for none."""
        if self.from_ == self.to:
            return None
        from datetime import time  # noqa: PLC0415 - for reminders alone

        from companion.care.hydration import Hours  # noqa: PLC0415 - as above

        return Hours(time.fromisoformat(self.from_), time.fromisoformat(self.to))


class Serve(msgspec.Struct, frozen=True):
    """The app in a browser."""

    host: Host = "127.0.0.1"
    port: Port = 8000


class Settings(msgspec.Struct, frozen=True):
    """Everything that can be set."""

    appearance: Appearance = Appearance()
    sound: Sound = Sound()
    notifications: Notifications = Notifications()
    quiet: Quiet = Quiet()
    mqtt: MqttSettings = MqttSettings()
    serve: Serve = Serve()
