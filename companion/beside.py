"""The link to Home Assistant beside one session without the app: off unless the settings of this data folder say so.

What it tells is of the almanac and of the session's view, and the one word that it takes is Stop. Whatever goes wrong
with it is one line for the person; a session neither waits for it nor hears of it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from companion.config import CompanionError
from companion.integrations.mqtt_settings import with_device_id
from companion.store.lock import DAY_LOCK, HeldElsewhereError, SessionLock
from companion.words import beside as words

if TYPE_CHECKING:
    from pathlib import Path

    from companion.almanac import Almanac
    from companion.integrations.mqtt import HomeAssistantLink, LinkStatus
    from companion.integrations.mqtt_discovery import Facts
    from companion.integrations.mqtt_settings import MqttSettings
    from companion.session.model import View
    from companion.settings.file import SettingsFile
    from companion.settings.schema import Settings


class Teller:
    """Whether this program tells the day. Of several that are open at once one does: two people's days never mix."""

    def __init__(self, folder: Path) -> None:
        self._lock = SessionLock(folder, DAY_LOCK)
        self._is_this = False

    def is_this(self) -> bool:
        """Whether it is this one, from now on until :meth:`close`; asked again once another one is closed."""
        if not self._is_this:
            with contextlib.suppress(HeldElsewhereError, OSError):
                self._lock.take()
                self._is_this = True
        return self._is_this

    def close(self) -> None:
        """Leave it to others."""
        self._is_this = False
        self._lock.release()


class Beside:
    """What a session tells the link, as it goes; nothing becomes of it where there is no link."""

    def __init__(self, link: HomeAssistantLink | None, facts: Facts | None) -> None:
        self._link = link
        self._facts = facts

    def show(self, view: View) -> None:
        """Tell how the session is now. Never waits."""
        if self._link is not None and self._facts is not None:
            self._link.update(self._facts.during(view))

    def over(self, facts: Facts) -> None:
        """Tell that there is no session any more, and the ``facts`` since then."""
        self._facts = facts
        if self._link is not None:
            self._link.update(facts)


@contextlib.asynccontextmanager
async def link_beside(
    settings: SettingsFile[Settings], almanac: Almanac, stop: Callable[[], None], tell: Callable[[str], None]
) -> AsyncIterator[Beside]:
    """Keep the link up while the body runs, then let it say how it ended, and goodbye.

    ``stop`` is called on this loop when somebody presses Stop; it must do nothing where no session runs. ``tell`` hears
    what goes wrong, each line once.
    """
    try:
        link, facts = _made(settings, almanac, stop, tell)
    except (CompanionError, ValueError) as error:
        tell(words.NO_LINK.format(problem=error))
        link = facts = None
    if link is None or facts is None:
        yield Beside(None, None)
        return
    teller = Teller(settings.path.parent)
    facts = replace(facts, day=teller.is_this())
    link.update(facts)
    running = asyncio.create_task(_kept(link, tell))
    beside = Beside(link, facts)
    try:
        yield beside
    finally:
        try:
            beside.over(_facts_since(facts, almanac, tell))
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
            teller.close()


def link_settings(settings: SettingsFile[Settings]) -> MqttSettings:
    """What is set for the link, with a device id where it is on: the first time one is drawn and kept.

    Raises:
        SettingsError: the settings take no device id.
    """
    chosen = settings.read().settings.mqtt
    if not chosen.enabled:
        return chosen
    return with_device_id(chosen, lambda drawn: settings.change("mqtt.device_id", drawn))


def facts_of(almanac: Almanac) -> Facts:
    """What may be told of a person's almanac, while there is no session.

    Raises:
        StoreError: it cannot be read.
    """
    from companion.integrations.mqtt_discovery import Facts  # noqa: PLC0415 - for a link alone

    known = almanac.facts()
    return Facts(
        next_session=known.next_session,
        last_session=known.last_session,
        minutes_this_week=round(known.minutes_this_week),
        water_today_ml=known.water_today_ml,
        water_goal_ml=known.goal_ml,
    )


def _made(
    settings: SettingsFile[Settings], almanac: Almanac, stop: Callable[[], None], tell: Callable[[str], None]
) -> tuple[HomeAssistantLink | None, Facts | None]:
    """A link and what it tells first; neither where it is not set up.

    Raises:
        CompanionError: the settings take no device id, or the almanac cannot be read.
        ValueError: no link can be made of these settings.
    """
    chosen = link_settings(settings)
    if not chosen.enabled:
        return None, None
    from companion.integrations.mqtt import HomeAssistantLink, LinkState  # noqa: PLC0415 - aiomqtt; off by default

    said: set[str] = set()

    def on_status(status: LinkStatus) -> None:
        if status.state is LinkState.WAITING and status.line not in said:
            said.add(status.line)
            tell(status.line)

    return HomeAssistantLink(chosen, stop, on_status=on_status), facts_of(almanac)


async def _kept(link: HomeAssistantLink, tell: Callable[[str], None]) -> None:
    try:
        await link.run()
    except Exception as error:  # noqa: BLE001 - whatever it is: one line, and never the session's problem
        tell(words.NO_LINK.format(problem=type(error).__name__))


def _facts_since(before: Facts, almanac: Almanac, tell: Callable[[str], None]) -> Facts:
    """What may be told now that the session is over; where the almanac cannot be read, what held before it."""
    try:
        return replace(facts_of(almanac), day=before.day)
    except CompanionError as error:
        tell(words.NO_LINK.format(problem=error))
        return before
