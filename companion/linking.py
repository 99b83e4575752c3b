"""The link to Home Assistant while the app is open: follows the settings, the day, the session and whose turn it is.

Loads nothing of MQTT while that is switched off. Knows no screen; nobody waits for it, and whatever goes wrong with it
is one line.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from companion.config import CompanionError
from companion.words import beside as words

if TYPE_CHECKING:
    from companion.almanac import Almanac
    from companion.integrations.mqtt import HomeAssistantLink, LinkStatus
    from companion.integrations.mqtt_discovery import Facts
    from companion.integrations.mqtt_settings import MqttSettings
    from companion.session.model import View

LOOK_S: Final = 60.0
"""Seconds after which the day is looked at again: midnight empties the glass, and other programs write here too."""

LAST_S: Final = 2.0
"""Seconds for which the app's end waits for a broker from which something is being taken back."""


@dataclass(slots=True)
class _Up:
    """A link that is kept, and whether it ever was connected."""

    settings: MqttSettings
    link: HomeAssistantLink
    running: asyncio.Task[None]
    was_online: bool = False
    left: bool = False


class Linking:
    """Make it, keep a task of :meth:`run`, cancel that to leave. Everything else here returns at once.

    ``settings`` gives those of the link as they are now, with a device id while it is on. ``tells_the_day``: whether
    this program tells the day, and not another one that is open as well; asked while the link is on. ``almanac`` gives
    whose day is told, None while nothing may be read: a session has the database to itself. ``stop`` is called when
    somebody presses Stop; it must do nothing where no session runs. ``say`` hears how it is: a line (empty while it is
    off), and whether something is wrong. Both are called on the app's loop, outside of any task of the app.
    """

    def __init__(
        self,
        settings: Callable[[], MqttSettings],
        tells_the_day: Callable[[], bool],
        almanac: Callable[[], Almanac | None],
        stop: Callable[[], None],
        say: Callable[[str, bool], None],
    ) -> None:
        self._settings = settings
        self._tells_the_day = tells_the_day
        self._almanac = almanac
        self._stop = stop
        self._say = say
        self._said = ("", False)
        self._stirred = asyncio.Event()
        self._followed: MqttSettings | None = None
        self._up: _Up | None = None
        self._facts: Facts | None = None  # of the day, without the session
        self._view: View | None = None
        self._taking: asyncio.Future[tuple[bool, str]] | None = None

    def stir(self) -> None:
        """Look again now: something was set, drunk, planned or ended, or it is another person's turn."""
        self._stirred.set()

    def show(self, view: View | None) -> None:
        """Tell how the session is now; None for none."""
        self._view = view
        if self._up is not None and self._facts is not None:
            self._up.link.update(self._facts.during(view))

    def remind(self, ml: int) -> None:
        """Tell that it is time for ``ml`` of water, for a speaker to say."""
        if self._up is not None:
            self._up.link.water_reminder(ml)

    def forget(self) -> None:
        """Tell nothing of anybody's day any more: another person's turn comes."""
        if self._facts is not None:
            self._facts = _nothing(day=self._facts.day)
            self._tell_day()

    async def run(self) -> None:
        """Keep the link as the settings want it until cancelled, then say goodbye within a few seconds."""
        try:
            while True:
                self._stirred.clear()
                try:
                    await self._look()
                except CompanionError as error:
                    self._trouble(str(error))
                except Exception as error:  # noqa: BLE001 - whatever it is: one line, and never the app's problem
                    self._trouble(type(error).__name__)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_S):
                        await self._stirred.wait()
        finally:
            await self._end()

    # --- following ----------------------------------------------------------------------------------------------------

    async def _look(self) -> None:
        if self._almanac() is None:
            return
        wanted = self._settings()
        if wanted != self._followed:
            self._followed = wanted
            await self._change(wanted)
        self._read()

    def _read(self) -> None:
        """Take over the day as it is in the almanac, where it may be read, and tell it."""
        almanac = None if self._up is None else self._almanac()
        if almanac is None or not self._tells_the_day():
            return
        from companion.beside import facts_of  # noqa: PLC0415 - for a link alone

        # Another program may hold the database for a moment: then what was told last holds until the next look.
        with contextlib.suppress(CompanionError):
            self._facts = facts_of(almanac)
            self._tell_day()

    def _tell_day(self) -> None:
        if self._up is not None and self._facts is not None and self._facts.day:
            self._up.link.update(self._facts.during(self._view))

    async def _change(self, wanted: MqttSettings) -> None:
        """Leave the link that there is, and make the one that is wanted."""
        line = ""
        if (before := self._up) is not None:
            await self._leave(before)
            self._up = self._facts = None
            if _is_elsewhere(before.settings, wanted) and (before.was_online or not wanted.enabled):
                line = await self._take_back(before.settings)
        self._tell_status(line, wrong=False)
        if not wanted.enabled:
            return
        # Off the loop: it takes a tenth of a second, and the screen takes keys meanwhile.
        await asyncio.to_thread(_load)
        from companion.integrations.mqtt import HomeAssistantLink  # noqa: PLC0415 - loaded just now; off by default

        def on_status(status: LinkStatus) -> None:
            self._heard(up, status)

        link = HomeAssistantLink(wanted, self._stop, on_status=on_status)
        running = asyncio.get_running_loop().create_task(self._kept(link), name="the link to Home Assistant")
        up = self._up = _Up(wanted, link, running)
        # Until the day is read: whatever a broker has kept of another day, or another person, is to go.
        self._facts = _nothing(day=self._tells_the_day())
        self._tell_day()

    async def _kept(self, link: HomeAssistantLink) -> None:
        try:
            await link.run()
        except Exception as error:  # noqa: BLE001 - as in run
            self._trouble(type(error).__name__)

    # --- how it is ----------------------------------------------------------------------------------------------------

    def _heard(self, up: _Up, status: LinkStatus) -> None:
        from companion.integrations.mqtt import LinkState  # noqa: PLC0415 - loaded with the link

        if up is not self._up or up.left:
            return
        up.was_online |= status.state is LinkState.ONLINE
        # After a failure every attempt would change the line, and be no news.
        if status.state is LinkState.OFF or (status.state is LinkState.CONNECTING and self._said[1]):
            return
        self._tell_status(status.line, wrong=status.state is LinkState.WAITING)

    def _trouble(self, problem: str) -> None:
        self._tell_status(words.NO_LINK_NOW.format(problem=problem), wrong=True)

    def _tell_status(self, line: str, *, wrong: bool) -> None:
        if (line, wrong) != self._said:
            self._said = (line, wrong)
            self._say(line, wrong)

    # --- leaving ------------------------------------------------------------------------------------------------------

    async def _end(self) -> None:
        if self._taking is not None:
            await asyncio.wait({self._taking}, timeout=LAST_S)
        if self._up is not None:
            with contextlib.suppress(Exception):  # how the day ended is told where it can be; the goodbye in any case
                self._read()
            await self._leave(self._up)
            self._up = None

    @staticmethod
    async def _leave(up: _Up) -> None:
        """Say goodbye; bounded by the link itself. Once begun it is not cut short by a second call."""
        if not up.left:
            up.left = True
            up.running.cancel()
        await asyncio.wait({up.running})

    async def _take_back(self, settings: MqttSettings) -> str:
        """Take back everything from the broker that is left for good; return a line where that could not be done."""
        from companion.integrations.mqtt import take_back_soon  # noqa: PLC0415 - loaded with the link

        self._taking = take_back_soon(settings)
        done, _ = await asyncio.shield(self._taking)
        self._taking = None
        return "" if done else words.NOT_TAKEN_BACK.format(broker=settings.broker)


def _is_elsewhere(before: MqttSettings, now: MqttSettings) -> bool:
    """Whether what was told before would stay behind: the link is off, at another broker or under other names."""

    def place(settings: MqttSettings) -> tuple[object, ...]:
        return (settings.broker, settings.discovery_prefix, settings.base_topic, settings.device_id)

    return not now.enabled or place(before) != place(now)


def _nothing(*, day: bool) -> Facts:
    from companion.integrations.mqtt_discovery import Facts  # noqa: PLC0415 - for a link alone

    return Facts(day=day)


def _load() -> None:
    import companion.integrations.mqtt  # noqa: F401, PLC0415 - the point of this function is to do it elsewhere
