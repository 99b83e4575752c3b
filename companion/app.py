"""The app: which screen follows which, and Stop above everything.

A stop key is taken the moment it reaches the app, before it waits in any queue and before anything is drawn (safety
case, H3). Knows screens and the household of :mod:`companion.home`; loads no radio, no store and no bench by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, ClassVar

from textual import constants, events
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import Screen

from companion import themes
from companion.config import CompanionError, Exit
from companion.quiet import Quiet
from companion.screens.find import FindScreen
from companion.words import app as words
from companion.words import find as find_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from rich.console import RenderableType
    from textual.driver import Driver

    from companion.home import Choice, Device, Home, RunningSession, Started
    from companion.screens.prepare import PrepareScreen
    from companion.screens.screening import ScreeningScreen
    from companion.screens.today import TodayScreen
    from companion.session.model import Summary, View

STOP_KEYS = frozenset({"space", "escape"})  # with any modifier: whoever presses them in need may hold another key
LEAVE_KEYS = frozenset({"ctrl+q", "ctrl+c"})


class CompanionApp(App[int]):
    """The app on top of a household. Its result is an exit code."""

    TITLE = words.TITLE
    CSS_PATH: ClassVar = ["app.tcss", "widgets/keyline.tcss", "screens/find.tcss"]
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - declared by Textual as it is
        (0, "-tiny"),
        (30, "-narrow"),
        (80, "-usual"),
        (116, "-wide"),
    ]
    VERTICAL_BREAKPOINTS = [  # noqa: RUF012 - as above
        (0, "-short"),
        (24, "-middle"),
        (36, "-tall"),
    ]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space,escape", "stop", "stop at once", priority=True, show=False),
        Binding("ctrl+q,ctrl+c", "quit", words.KEY_LEAVE, priority=True, show=False),
        Binding("t", "theme", words.KEY_THEME, show=False),
        Binding("question_mark,f1", "help", words.KEY_HELP, show=False),
    ]

    class SessionChanged(Message):
        """The session has moved on: time to draw."""

    class SessionEnded(Message):
        """The session is over; ``error`` where it could not be guided at all."""

        def __init__(self, started: Started, summary: Summary | None, error: Exception | None) -> None:
            super().__init__()
            self.started = started
            self.summary = summary
            self.error = error

    def __init__(self, home: Home, environ: Mapping[str, str] = os.environ) -> None:
        wanted = themes.preferred(environ)
        super().__init__()
        for theme in themes.THEMES:
            self.register_theme(theme)
        self.theme = wanted
        if self.no_color:
            # Textual's own answer to NO_COLOR is a grey picture; what the person asked for is no colour at all.
            from textual.filter import Monochrome, NoColor  # noqa: PLC0415 - seldom needed

            self._filters = [NoColor() if isinstance(one, Monochrome) else one for one in self._filters]
        self._home = home
        self._live: Started | None = None
        self._guiding: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._device: Device | None = None
        self._choice: Choice | None = None
        self._leaving = False
        self._quiet = Quiet()
        self._was_on = False
        self._cleared = False  # H10: no way leads to a device before the screening let the person through
        self.exit_code = Exit.FINISHED

    # --- stop ---------------------------------------------------------------------------------------------------------

    @property
    def live(self) -> bool:
        """Whether a session runs, so that space and escape mean stop."""
        return self._live is not None

    @property
    def running(self) -> RunningSession | None:
        """The session that runs."""
        return None if self._live is None else self._live.session

    def stop_now(self) -> bool:
        """Stop the running session at once; True when there is one. Nothing is awaited, posted or drawn before."""
        if self._live is None:
            return False
        from companion.session.model import Intent  # noqa: PLC0415 - loaded since before the session was made

        self._live.session.intend(Intent.STOP)
        return True

    def post_message(self, message: Message) -> bool:
        """Take a stop key before it waits in the queue behind anything else; everything goes on as usual after it."""
        if (
            self._live is not None
            and type(message) is events.Key
            and (message.key in LEAVE_KEYS or message.key.rpartition("+")[2] in STOP_KEYS)
        ):
            self.stop_now()
        return super().post_message(message)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Let space and escape mean stop while a session runs, and their ordinary thing otherwise."""
        if action == "stop":
            return self.live
        if action == "command_palette":
            return not self.live
        return super().check_action(action, parameters)

    async def action_stop(self) -> None:
        """Stop, and bring the session's own screen to the front so that the person sees what comes of it."""
        from companion.session.model import Phase  # noqa: PLC0415 - loaded since before the session was made

        if self._live is not None and self._live.session.view.phase not in {Phase.STOPPING, Phase.FINISHED}:
            self.stop_now()  # whoever ran this action has not stopped yet; the stop keys have, when they arrived
        while len(self.screen_stack) > 1 and self.screen.is_modal:
            await self.pop_screen()
        self._draw_session()

    async def action_quit(self) -> None:
        """Leave. A running session is stopped first, and the app goes once the device confirmed or the link is down."""
        if self.stop_now():
            self._leaving = True
            self.notify(words.LEAVING, timeout=5)
            return
        self.exit(self.exit_code)

    def action_suspend_process(self) -> None:
        """Never sleep in the shell with a device running (H4)."""
        if self.stop_now():
            self.notify(words.NOT_WHILE_LIVE)
            return
        super().action_suspend_process()

    def _handle_exception(self, error: Exception) -> None:
        # Textual's one place for whatever goes wrong in the app: the output goes off before the report is made.
        with contextlib.suppress(Exception):
            self.stop_now()
        super()._handle_exception(error)

    # --- the terminal -------------------------------------------------------------------------------------------------

    def get_driver_class(self) -> type[Driver]:
        """Take our own driver in the place of Textual's for POSIX terminals; Windows and browsers keep theirs."""
        if sys.platform == "win32" or constants.DRIVER is not None:
            return super().get_driver_class()
        from companion.driver import TerminalDriver  # noqa: PLC0415 - needs termios

        return TerminalDriver

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        # A terminal that has stopped reading gets no more frames until it has caught up.
        takes_frame: Callable[[], bool] | None = getattr(self._driver, "takes_frame", None)
        if takes_frame is None or takes_frame():
            super()._display(screen, renderable)

    def caught_up(self) -> None:
        """Draw everything again: the terminal reads once more, and has missed frames."""
        self.refresh()

    # --- beginning ----------------------------------------------------------------------------------------------------

    def get_default_screen(self) -> Screen[None]:
        """Begin with the look for devices: there is nothing to wait for before it can be drawn."""
        if self._home.demo is None:
            return FindScreen()
        return FindScreen(words.DEMO, find_words.DEMO_SCREENING)

    def on_mount(self) -> None:
        """Begin; everything slow comes after the first frame."""
        loop = asyncio.get_running_loop()
        for name in ("SIGTERM", "SIGHUP"):
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError, AttributeError):
                loop.add_signal_handler(getattr(signal, name), self._signalled)
        self.call_after_refresh(self._begin)

    def _signalled(self) -> None:
        self.stop_now()
        self.call_later(self.action_quit)

    def _begin(self) -> None:
        try:
            self._home.open()
            needed = self._home.screening_needed()
            reasons = () if needed else self._home.blocked()
        except CompanionError as error:
            self._fault(error)
            return
        if needed:
            from companion.screens.screening import ScreeningScreen  # noqa: PLC0415 - lazy screen

            self.push_screen(ScreeningScreen(self._home.screening_questions()))
        elif reasons:
            self._blocked(reasons)
        else:
            self._cleared = True
            self.action_look()

    def _fault(self, error: CompanionError) -> None:
        from companion.screens.screening import BlockedScreen  # noqa: PLC0415 - lazy screen

        self.push_screen(BlockedScreen(words.FAULT_TITLE, [str(error)], words.FAULT_HINT))
        self.exit_code = error.exit_code

    def _blocked(self, reasons: Iterable[str]) -> None:
        from companion.screens.screening import BlockedScreen  # noqa: PLC0415 - lazy screen
        from companion.words import screening  # noqa: PLC0415 - as above

        self.push_screen(BlockedScreen(screening.BLOCKED, list(reasons), screening.ASK))

    # --- messages of the screens --------------------------------------------------------------------------------------

    def on_screening_screen_answered(self, message: ScreeningScreen.Answered) -> None:
        """Keep the answers, then go on or say why not."""
        try:
            self._home.save_screening(message.answers, message.agreed)
            reasons = self._home.blocked()
        except CompanionError as error:
            self._fault(error)
            return
        self.pop_screen()
        if reasons:
            self._blocked(reasons)
        else:
            self._cleared = True
            self.action_look()

    # --- looking ------------------------------------------------------------------------------------------------------

    @property
    def _find(self) -> FindScreen | None:
        return next((screen for screen in self.screen_stack if isinstance(screen, FindScreen)), None)

    def action_look(self) -> None:
        """Look for devices, unless a look is going on."""
        if not self._cleared or (self._looking is not None and not self._looking.done()):
            return
        self._looking = asyncio.get_running_loop().create_task(self._look(), name="looking for devices")
        self._looking.add_done_callback(self._looked)

    async def _look(self) -> None:
        find = self._find
        if find is None:
            return
        from companion.home import NotFoundError  # noqa: PLC0415 - after the first frame

        find.looking()
        try:
            await self._home.look(find.seen)
        except NotFoundError as error:
            find.failed(error.reason, error.advice)
        except CompanionError as error:
            self._fault(error)
        else:
            find.looked()

    def _looked(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):  # a mistake of ours: fall loudly instead of looking for ever
            self._handle_exception(error)

    def on_find_screen_again(self) -> None:
        """Look again."""
        self.action_look()

    async def on_find_screen_chosen(self, message: FindScreen.Chosen) -> None:
        """Go on with a device."""
        if self._looking is not None:
            self._looking.cancel()
        self._device = message.device
        await self.action_today()

    # --- choosing and preparing ---------------------------------------------------------------------------------------

    async def _back_to_find(self) -> None:
        while len(self.screen_stack) > 1 and not isinstance(self.screen, FindScreen):
            await self.pop_screen()

    async def action_devices(self) -> None:
        """Choose another device."""
        if self.live or not self._cleared:
            return
        await self._back_to_find()
        self.action_look()

    async def action_today(self) -> None:
        """Choose a routine for the device that was chosen."""
        if self.live or not self._cleared or self._device is None:
            return
        from companion.screens.today import TodayScreen  # noqa: PLC0415 - lazy screen

        try:
            choices = self._home.choices(self._device.profile)
            note = self._home.note()
        except CompanionError as error:
            self._fault(error)
            return
        await self._back_to_find()
        await self.push_screen(TodayScreen(self._device, choices, note))

    async def on_today_screen_chosen(self, message: TodayScreen.Chosen) -> None:
        """Prepare for a routine."""
        from companion.screens.prepare import PrepareScreen  # noqa: PLC0415 - lazy screen

        self._choice = message.choice
        await self.push_screen(PrepareScreen(message.choice, self._home.today_questions()))

    async def on_prepare_screen_left(self) -> None:
        """Back to the routines."""
        await self.action_today()

    async def on_prepare_screen_ready(self, message: PrepareScreen.Ready) -> None:
        """Ask the one door to let the session in."""
        if self.live or not self._cleared or self._device is None or self._choice is None:
            return
        from companion.home import NotTodayError  # noqa: PLC0415 - loaded since the look

        try:
            started = self._home.start(self._choice, self._device, message.today, self._changed)
        except NotTodayError as error:
            await self._not_today(str(error))
            return
        except CompanionError as error:
            self._fault(error)
            return
        from companion.screens.session import SessionScreen  # noqa: PLC0415 - lazy screen
        from companion.widgets.strips import forget_lines  # noqa: PLC0415 - as above

        await self._back_to_find()
        forget_lines()
        self._quiet.begin()
        self._live = started
        self._guiding = asyncio.get_running_loop().create_task(self._guide(started), name="session")
        await self.push_screen(SessionScreen(started, prepared=len(self._choice.prepare)))

    async def _not_today(self, why: str) -> None:
        from companion.screens.screening import BlockedScreen  # noqa: PLC0415 - lazy screen
        from companion.words import prepare  # noqa: PLC0415 - as above

        await self._back_to_find()
        await self.push_screen(BlockedScreen(prepare.NOT_TODAY, [why], prepare.NOT_TODAY_HINT, way_back=True))

    # --- the session --------------------------------------------------------------------------------------------------

    async def _guide(self, started: Started) -> None:
        """Run the session to its end. A task of the app: it touches no widget and tells by messages."""
        summary: Summary | None = None
        fault: Exception | None = None
        try:
            summary = await started.session.run()
        except Exception as error:  # noqa: BLE001 - told to the person; the session has stopped the device by itself
            fault = error
        finally:
            self._live = None
            self._quiet.end()
            started.close()
        self.post_message(self.SessionEnded(started, summary, fault))

    def _changed(self, view: View) -> None:
        """Take word of the session that it moved on; drawing waits for its turn."""
        from companion.session.model import Output  # noqa: PLC0415 - as in stop_now

        if self._was_on and view.output is Output.OFF:
            asyncio.get_running_loop().call_soon(self._quiet.moment)
        self._was_on = view.output is not Output.OFF
        super().post_message(self.SessionChanged())

    def _draw_session(self) -> None:
        from companion.screens.session import SessionScreen  # noqa: PLC0415 - loaded by now

        for screen in self.screen_stack:
            if isinstance(screen, SessionScreen) and screen.is_attached:
                screen.update_view()

    def on_companion_app_session_changed(self) -> None:
        """Draw the session's news at once instead of at the next frame."""
        if self.live:
            self._draw_session()

    async def on_companion_app_session_ended(self, message: SessionEnded) -> None:
        """Show what came of the session, or why there was none."""
        if self._leaving:
            from companion.session.exits import EXIT_OF_REASON  # noqa: PLC0415 - with a session
            from companion.session.model import Reason  # noqa: PLC0415 - as above

            reason = Reason.DEFECT if message.summary is None else message.summary.reason
            self.exit(EXIT_OF_REASON[reason])
            return
        await self._back_to_find()
        if message.summary is None:
            advice = getattr(message.error, "advice", "")
            reason_text = getattr(message.error, "reason", "") or str(message.error)
            find = self._find
            if find is not None:
                find.failed(reason_text, advice or find_words.TRY_AGAIN, find_words.CONNECT_FAILED)
            return
        from companion.screens.summary import SummaryScreen  # noqa: PLC0415 - lazy screen

        fault = getattr(message.started.session, "storage_fault", None)
        await self.push_screen(SummaryScreen(message.summary, message.started.plan, fault or ""))

    async def let_go(self) -> None:
        """Stop what still runs and wait until the device is let go of. Called when the app is down, however it fell."""
        guiding = self._guiding
        if guiding is not None and not guiding.done():
            self.stop_now()
            guiding.cancel()  # run() takes this as a stop, and waits for the device for a bounded time
            with contextlib.suppress(asyncio.CancelledError):
                await guiding
        if self._looking is not None and not self._looking.done():
            self._looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._looking
        await self._home.close()

    # --- everywhere ---------------------------------------------------------------------------------------------------

    def action_theme(self) -> None:
        """Light or dark."""
        self.theme = themes.other(self.theme)

    async def action_help(self) -> None:
        """Show the help over whatever there is."""
        from companion.screens.help import HelpScreen  # noqa: PLC0415 - lazy screen

        if not isinstance(self.screen, HelpScreen):
            await self.push_screen(HelpScreen(live=self.live))

    async def action_history(self) -> None:
        """Show what has been done; not while a session runs, because it has the database to itself."""
        if self.live:
            return
        from companion.screens.history import HistoryScreen  # noqa: PLC0415 - lazy screen

        try:
            sessions = self._home.history()
        except CompanionError as error:
            self._fault(error)
            return
        await self.push_screen(HistoryScreen(sessions))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:  # noqa: ARG002 - Textual's own signature
        """Offer the app's own commands in the palette, and nothing that is not ours."""
        commands: list[tuple[str, str, Callable[[], object]]] = [
            ("Look for devices", "find your device", self.action_devices),
            ("Choose a routine", "what would be good today", self.action_today),
            ("History", "what you have done", self.action_history),
            ("Light or dark", "change the colours", self.action_theme),
            ("Help", "keys, safety, what is known", self.action_help),
            ("Leave", "end the app", self.action_quit),
        ]
        for title, help_text, callback in commands:
            yield SystemCommand(title, help_text, callback)


def run_app(
    demo: str | None,
    seed: int,
    speed: float,
    record: Path | None,
    data_folder: Path | None,
    *,
    person: str | None = None,
) -> int:
    """Run the app until the person leaves; return the exit code.

    ``demo`` is the key of a simulated device or None for the real radio; ``record`` a btsnoop file for the traffic;
    ``person`` whose data to show, None for whoever's turn it is.
    Textual's own timers and its terminal driver live in real time, so ``speed`` has to be 1.
    """
    if speed != 1.0:
        sys.stderr.write(f"companion: {words.SPEED}\n")
        return Exit.USAGE
    from companion.household import Household  # noqa: PLC0415 - brings the store and the routines

    app = CompanionApp(Household(demo=demo, seed=seed, record=record, folder=data_folder, person=person))

    async def live() -> int:
        try:
            code = await app.run_async()
        finally:
            await app.let_go()
        return int(app.exit_code if code is None else code)

    return asyncio.run(live())
