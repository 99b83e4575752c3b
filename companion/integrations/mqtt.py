"""The link to Home Assistant, off unless asked for: tells a few facts, and can be told to stop. Nothing else (H9).

Runs in a thread and on an event loop of its own. So nothing that a broker or a network does can hold up the loop of a
session, and it is the same on every system (on Windows the app's loop cannot watch sockets as MQTT needs it). What
crosses over: one frozen value out, one call in. Nothing awaits the link, and all its failures are one line of status.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from companion.integrations.mqtt_conversation import (
    LEAVE_S,
    Conversation,
    LinkState,
    LinkStatus,
    Timing,
    Unjoined,
    explain,
)
from companion.integrations.mqtt_settings import MqttSettings
from companion.words import mqtt as words

if TYPE_CHECKING:
    from companion.integrations.mqtt_discovery import Facts

__all__ = ["HomeAssistantLink", "LinkState", "LinkStatus", "take_back", "take_back_soon", "try_broker"]


class HomeAssistantLink:
    """The link, from where the app is. Make it, keep a task of :meth:`run`, and cancel that to leave.

    ``stop`` is called on the app's loop, at once, when somebody presses Stop; it must do nothing when no session runs,
    and must not raise. ``on_status`` is called there with every change of :attr:`status`. ``settings`` need a device id
    (:func:`companion.integrations.mqtt_settings.with_device_id`); where they are not enabled, :meth:`run` ends at once.
    """

    def __init__(
        self,
        settings: MqttSettings,
        stop: Callable[[], None],
        *,
        on_status: Callable[[LinkStatus], None] | None = None,
        environ: Mapping[str, str] = os.environ,
        timing: Timing | None = None,
    ) -> None:
        self._enabled = settings.enabled
        self._stop = stop
        self._on_status = on_status
        self._status = LinkStatus(LinkState.OFF, words.OFF)
        self._app: asyncio.AbstractEventLoop | None = None
        self._own: asyncio.AbstractEventLoop | None = None
        self._stopping = False
        self._left = False
        self._conversation = (
            Conversation(settings, _Across(self), version=_version(), environ=environ, timing=timing)
            if settings.enabled
            else None
        )

    # --- the app's side -----------------------------------------------------------------------------------------------

    @property
    def status(self) -> LinkStatus:
        """What the link is doing, in one line."""
        return self._status

    def update(self, facts: Facts) -> None:
        """Tell ``facts`` from now on. Never waits; what has not changed is not told again, and only the last counts."""
        if self._conversation is not None and self._conversation.facts != facts:
            self._conversation.facts = facts
            self._post(self._conversation.changed)

    def water_reminder(self, ml: int) -> None:
        """Tell that it is time for ``ml`` of water, for a speaker to say. Forgotten when there is no connection."""
        if self._conversation is not None:
            self._post(self._conversation.remind, ml)

    async def run(self) -> None:
        """Keep the link up until cancelled, then say goodbye (within :data:`LEAVE_S` and a little).

        Raises:
            RuntimeError: it has been run before.
        """
        if self._conversation is None:
            return
        if self._app is not None:
            raise RuntimeError("a link runs once; make another one")
        self._app = asyncio.get_running_loop()
        ended = self._app.create_future()
        # A daemon: a process never stays because of a broker.
        thread = threading.Thread(
            target=self._in_thread, args=(self._conversation, ended), name="companion-mqtt", daemon=True
        )
        thread.start()
        try:
            await asyncio.shield(ended)
        finally:
            self._left = True
            self._post(self._conversation.leave)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(3 * LEAVE_S):
                    await asyncio.shield(ended)
            self._show(LinkStatus(LinkState.OFF, words.ENDED))

    def _show(self, status: LinkStatus) -> None:
        self._status = status
        if self._on_status is not None:
            self._on_status(status)

    def _stop_now(self) -> None:
        self._stopping = False
        self._stop()

    # --- across -------------------------------------------------------------------------------------------------------

    def _post(self, call: Callable[..., None], *arguments: object) -> None:
        """Have something done on the link's own loop, where there is one (yet, still)."""
        own = self._own
        if own is not None:
            with contextlib.suppress(RuntimeError):  # it has been closed
                own.call_soon_threadsafe(call, *arguments)

    def post_to_app(self, call: Callable[..., None], *arguments: object) -> None:
        """Have something done on the app's loop, where there still is one."""
        if self._app is not None:
            with contextlib.suppress(RuntimeError):  # as above
                self._app.call_soon_threadsafe(call, *arguments)

    def hand_over_stop(self) -> None:
        """Have the app stop. One at a time: whatever comes before the app got to it says the same."""
        if not self._stopping:
            self._stopping = True
            self.post_to_app(self._stop_now)

    def hand_over_status(self, status: LinkStatus) -> None:
        """Have the app show a status, unless the link has been left."""
        if not self._left:
            self.post_to_app(self._show, status)

    # --- the thread's side --------------------------------------------------------------------------------------------

    def _in_thread(self, conversation: Conversation, ended: asyncio.Future[None]) -> None:
        try:
            with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                runner.run(self._keep_talking(conversation))
        finally:
            self._own = None
            self.post_to_app(_done, ended)

    async def _keep_talking(self, conversation: Conversation) -> None:
        talk = asyncio.ensure_future(conversation.run())
        self._own = asyncio.get_running_loop()
        if self._left:  # before there was a loop to post to
            conversation.leave()
        await asyncio.wait((talk,))


class _Across:
    """What the conversation says to the outside, carried over to the app's loop."""

    def __init__(self, link: HomeAssistantLink) -> None:
        self._link = link

    def stop(self) -> None:
        self._link.hand_over_stop()

    def status(self, status: LinkStatus) -> None:
        self._link.hand_over_status(status)


class _Nowhere:
    def stop(self) -> None:
        """Nobody is there to stop."""

    def status(self, status: LinkStatus) -> None:
        """Nobody looks."""


def try_broker(settings: MqttSettings, *, environ: Mapping[str, str] = os.environ) -> tuple[bool, str]:
    """Whether the broker can be reached and lets the companion in, and one line about it; nothing is published.

    Takes up to some 15 s with a broker that does not answer: for the doctor and for "try it" in the settings, in a
    thread.
    """
    return _once(Conversation.look_in, settings, environ, words.REACHED)


def take_back(settings: MqttSettings, *, environ: Mapping[str, str] = os.environ) -> tuple[bool, str]:
    """Take back everything that was told, so that neither broker nor Home Assistant keeps it; done, and one line.

    For turning the link off for good and for deleting all data; while no link is up. Takes as long as
    :func:`try_broker`.
    """
    return _once(Conversation.take_back, settings, environ, words.TAKEN_BACK)


def take_back_soon(settings: MqttSettings) -> asyncio.Future[tuple[bool, str]]:
    """As :func:`take_back`, in a thread that nobody has to wait for. For a running loop."""
    return asyncio.get_running_loop().run_in_executor(Unjoined(), take_back, settings)


def _once(
    what: Callable[[Conversation], Coroutine[Any, Any, None]],
    settings: MqttSettings,
    environ: Mapping[str, str],
    done: str,
) -> tuple[bool, str]:
    try:
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(what(Conversation(settings, _Nowhere(), version=_version(), environ=environ)))
    except Exception as error:  # noqa: BLE001 - told to the person, whatever it is
        return False, explain(error, settings)
    return True, done.format(broker=settings.broker)


def _version() -> str:
    from importlib.metadata import version  # noqa: PLC0415 - 20 ms that only a link needs

    return version("microcurrent-companion")


def _done(ended: asyncio.Future[None]) -> None:
    if not ended.done():
        ended.set_result(None)
