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
from companion.screens.today import TodayScreen
from companion.words import app as words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from rich.console import RenderableType
    from textual.driver import Driver

    from companion.almanac import Almanac
    from companion.attention import Attention
    from companion.care.reminders import Reminder
    from companion.cues import Cues
    from companion.home import Choice, Device, Home, Preferences, RunningSession, Search, Started
    from companion.integrations.notifications import Desktop
    from companion.integrations.sound import Speaker
    from companion.linking import Linking
    from companion.pairer import ScreenPairer
    from companion.reminding import Reminding
    from companion.screens.agreed import AgreedScreen
    from companion.screens.consultation import ConsultationScreen, ProposalScreen
    from companion.screens.find import FindScreen
    from companion.screens.patch import PatchScreen
    from companion.screens.people import PeopleScreen
    from companion.screens.prepare import PrepareScreen
    from companion.screens.profile import ProfileScreen
    from companion.screens.routines import RoutinesScreen
    from companion.screens.screening import ScreeningScreen
    from companion.screens.skin_note import SkinNoteScreen
    from companion.session.model import Intent, Summary, View

LOOK_AGAIN_S = 30.0
"""Seconds after which devices are looked for again, where none was found and somebody waits for one."""

UNDO_S = 8.0
"""Seconds for which a glass of water that was noted by its key can be taken back by another."""

REMINDER_S = 20.0
"""Seconds for which a reminder stands on the screen, where the terminal is in front."""

SNOOZE_S = 600.0
"""Seconds for which the last reminder can be put off."""

AT_ANY_TIME = frozenset({"help", "theme", "quit"})
"""The app's actions that are there while a session runs, beside Stop itself."""

AFTER_SCREENING = frozenset({"today", "plan", "devices", "routines", "consultation", "look"})
"""The app's actions that wait until the screening has let the person through (H10)."""

OURS = frozenset(
    {name for _, name, _ in words.PLACES}
    | {name for _, _, name in words.COMMANDS}
    | {"jump", "look", "command_palette"}
)

STOP_KEYS = frozenset({"space", "escape"})  # with any modifier: whoever presses them in need may hold another key
GO_ON_KEY = "space"  # alone, and only where :meth:`CompanionApp._go_on` says so

GO_ON_AFTER_S = 0.8
"""Seconds for which space still stops once a session has come to wait: the press may have been meant for before."""

LEAVE_KEYS = frozenset({"ctrl+q", "ctrl+c"})


class CompanionApp(App[int]):
    """The app on top of a household. Its result is an exit code."""

    TITLE = words.TITLE
    CSS_PATH: ClassVar = ["app.tcss", "widgets/keyline.tcss", "screens/today.tcss"]
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
        Binding("g", "jump", words.KEY_JUMP, show=False),
        Binding("w", "glass", words.KEY_GLASS, show=False),
        Binding("u", "undo", show=False),
        Binding("z", "snooze", show=False),
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

    def __init__(
        self,
        home: Home,
        environ: Mapping[str, str] = os.environ,
        *,
        speaker: Speaker | None = None,
        desktop: Desktop | None = None,
    ) -> None:
        wanted = themes.preferred(environ)
        super().__init__()
        self._first_theme = wanted
        self._theme_is_said = bool(environ.get("COMPANION_THEME"))
        self._moves = self.animation_level
        for theme in themes.THEMES:
            self.register_theme(theme)
        self.theme = wanted
        if self.no_color:
            # Textual's own answer to NO_COLOR is a grey picture; what the person asked for is no colour at all.
            from textual.filter import Monochrome, NoColor  # noqa: PLC0415 - seldom needed

            self._filters = [NoColor() if isinstance(one, Monochrome) else one for one in self._filters]
        self._home = home
        self._speaker = speaker
        self._desktop = desktop
        self._today = TodayScreen("" if home.demo is None else words.DEMO)
        self._live: Started | None = None
        self._guiding: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._search: Search | None = None
        self._device: Device | None = None
        self._choice: Choice | None = None
        self._wished = ""  # a routine that waits for its device
        self._mirror = True
        self._said: Preferences | None = None
        self._attention: Attention | None = None
        self._pairer: ScreenPairer | None = None
        self._cues: Cues | None = None
        self._wait: tuple[tuple[Intent, int] | None, float] = None, 0.0  # what a session waits for, and since when
        self._reminding: Reminding | None = None
        self._reminders: asyncio.Task[None] | None = None
        self._linking: Linking | None = None
        self._link: asyncio.Task[None] | None = None
        self._link_said = ("", False)
        self._told: tuple[float, Reminder] | None = None
        self._noted_at: float | None = None
        self._opened = False
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

    def _stopped_from_afar(self) -> None:
        """Somebody pressed Stop in Home Assistant: as the key does it, and nothing where no session runs (H9)."""
        if self.stop_now():
            self.call_later(self._show_stop)

    async def _show_stop(self) -> None:
        if self.live:
            await self.action_stop()

    def post_message(self, message: Message) -> bool:
        """Take a stop key before it waits in the queue behind anything else; everything goes on as usual after it."""
        if (
            self._live is not None
            and type(message) is events.Key
            and (message.key in LEAVE_KEYS or message.key.rpartition("+")[2] in STOP_KEYS)
        ):
            if message.key == GO_ON_KEY and self._go_on():
                return True
            self.stop_now()
        return super().post_message(message)

    def _go_on(self) -> bool:
        """Let space begin, or say done, where the session waits for just that; False wherever space is Stop.

        Space and escape alone are enough for a whole session so. Nothing can be stopped there: the device is known to
        be without output, and none begins by itself. In every doubt this is no, and the key a stop.
        """
        from companion.screens.session import SessionScreen, awaited  # noqa: PLC0415 - loaded while a session runs

        if self._live is None or not isinstance(self.screen, SessionScreen):
            return False
        session, (waits, since) = self._live.session, self._wait
        if waits is None or waits != awaited(session.view) or session.output_possible:
            return False
        if self._now() < since + GO_ON_AFTER_S:
            return False
        session.intend(waits[0])
        return True

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Let space and escape mean stop while a session runs, and nothing be there then that could cover the line.

        Without a session: everything that belongs to the person waits until the screening has let them through, as far
        as it leads to a device.
        """
        if action == "stop":
            return self.live
        if action in OURS and action not in AT_ANY_TIME:
            if self.live or not self._opened:
                return False
            if action in AFTER_SCREENING and not self._cleared:
                return False
            if action == "undo":
                return self._noted_at is not None and self._now() < self._noted_at + UNDO_S
            if action == "snooze":
                return self._told is not None and self._now() < self._told[0] + SNOOZE_S
        return super().check_action(action, parameters)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

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
        """Begin with today, empty: there is nothing to wait for before it can be drawn."""
        return self._today

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

    async def _begin(self) -> None:
        from companion.attention import Attention  # noqa: PLC0415 - after the first frame
        from companion.home import Search  # noqa: PLC0415 - as above
        from companion.integrations.notifications import Desktop  # noqa: PLC0415 - as above
        from companion.integrations.sound import Speaker  # noqa: PLC0415 - as above
        from companion.pairer import ScreenPairer  # noqa: PLC0415 - as above
        from companion.reminding import Reminding  # noqa: PLC0415 - as above

        self._search = Search()
        try:
            self._home.open()
        except CompanionError as error:
            self._fault(error)
            return
        self._opened = True
        self._pairer = ScreenPairer(self)
        self._home.pair_with(self._pairer, self._pairer.displayed)
        self._attention = Attention(self.bell, self._speaker or Speaker.this(), self._desktop or Desktop.this())
        self._reminding = Reminding(self._almanac_to_remind, self._remind)
        self._reminders = asyncio.get_running_loop().create_task(self._reminding.run(), name="reminders")
        self._reminders.add_done_callback(self._looked)
        self._begin_link()
        await self._begin_person()

    def _begin_link(self) -> None:
        from companion.linking import Linking  # noqa: PLC0415 - after the first frame

        home = self._home
        self._linking = Linking(
            home.home_assistant,
            home.tells_the_day,
            lambda: None if self.live else home.almanac,
            self._stopped_from_afar,
            self._link_says,
        )
        self._link = asyncio.get_running_loop().create_task(self._linking.run(), name="Home Assistant")
        self._link.add_done_callback(self._looked)

    async def _begin_person(self) -> None:
        """Whoever's turn it is: first the screening, and nothing that leads to a device before it."""
        try:
            self._follow_settings()
            needed = self._home.screening_needed()
            reasons = () if needed else self._home.blocked()
        except CompanionError as error:
            self._fault(error)
            return
        if needed:
            from companion.screens.screening import ScreeningScreen  # noqa: PLC0415 - lazy screen

            await self.push_screen(ScreeningScreen(self._home.screening_questions()))
        elif reasons:
            self._blocked(reasons)
        else:
            await self._let_through()

    async def _let_through(self) -> None:
        self._cleared = True
        self._stir()
        await self._draw_today()
        self.action_look()

    def _fault(self, error: CompanionError) -> None:
        from companion.screens.screening import BlockedScreen  # noqa: PLC0415 - lazy screen

        self.push_screen(BlockedScreen(words.FAULT_TITLE, [str(error)], words.FAULT_HINT))
        self.exit_code = error.exit_code

    def _blocked(self, reasons: Iterable[str]) -> None:
        from companion.care.screening import ASK_DOCTOR  # noqa: PLC0415 - loaded by the judgement
        from companion.screens.screening import BlockedScreen  # noqa: PLC0415 - lazy screen
        from companion.words import screening  # noqa: PLC0415 - as above

        doctor = bool(self._home.profile.waiting())
        why = [reason.removesuffix(ASK_DOCTOR).rstrip() for reason in reasons]  # below them it is said once for all
        self.push_screen(BlockedScreen(screening.BLOCKED, why, screening.ASK, people=True, doctor=doctor))

    async def on_screening_screen_answered(self, message: ScreeningScreen.Answered) -> None:
        """Keep the answers, then go on or say why not; whoever has no plan yet is asked for their wishes."""
        try:
            self._home.save_screening(message.answers, message.agreed)
            reasons = self._home.blocked()
            has_plan = self._home.almanac.chosen() is not None
        except CompanionError as error:
            self._fault(error)
            return
        await self._to_today()
        if reasons:
            self._cleared = False  # they may have been let through by the answers before these
            await self._stop_looking()
            self._blocked(reasons)
            return
        await self._let_through()
        if not has_plan:
            await self.action_consultation()

    # --- settings and people ------------------------------------------------------------------------------------------

    def _follow_settings(self) -> None:
        """Take over what the settings say. The environment's theme is for this run, and goes before them."""
        said = self._home.preferences()
        if said.theme in {"dark", "light"} and not self._theme_is_said:
            self.theme = themes.LIGHT_NAME if said.theme == "light" else themes.DARK_NAME
        else:
            self.theme = self._first_theme
        self.animation_level = self._moves if said.motion else "none"
        self._said = said
        if self._attention is not None:
            self._attention.cues = said.cues
        if said.mirror != self._mirror:
            self._mirror = said.mirror
            self._today.turn(mirror=said.mirror)

    async def action_settings(self) -> None:
        """Show the settings."""
        if self.live or not self._opened:
            return
        from companion.screens.settings import SettingsScreen  # noqa: PLC0415 - lazy screen

        await self._open(lambda: SettingsScreen(self._home.settings, {"mqtt": self._link_said[0]}))

    def on_settings_screen_changed(self) -> None:
        """Follow what was changed at once."""
        self._follow_settings()
        self._stir()

    def _link_says(self, line: str, wrong: bool) -> None:
        """Home Assistant: how the link is. One quiet line where it is looked for, and a word on today when it fails."""
        self._link_said = (line, wrong)
        self.call_later(self._show_link)

    def _show_link(self) -> None:
        from companion.screens.settings import SettingsScreen  # noqa: PLC0415 - lazy screen
        from companion.words import beside  # noqa: PLC0415 - for a link alone

        line, wrong = self._link_said
        if self._today.is_attached:
            self._today.say_link(beside.NOT_CONNECTED if wrong else "")
        for screen in self.screen_stack:
            if isinstance(screen, SettingsScreen) and screen.is_attached:
                screen.remark("mqtt", line)

    async def action_people(self) -> None:
        """Choose whose turn it is."""
        if self.live or not self._opened:
            return
        from companion.screens.people import PeopleScreen  # noqa: PLC0415 - lazy screen

        await self._open(lambda: PeopleScreen(self._home.people(), self._home.whose_turn()))

    def on_people_screen_added(self, message: PeopleScreen.Added) -> None:
        """Add a person; it is not their turn yet."""
        from companion.screens.people import PeopleScreen  # noqa: PLC0415 - loaded by now

        if not isinstance(self.screen, PeopleScreen):
            return
        try:
            self._home.add_person(message.name)
            self.screen.show(self._home.people())
        except CompanionError as error:
            self.screen.refuse(str(error))

    def on_people_screen_renamed(self, message: PeopleScreen.Renamed) -> None:
        """Call a person something else."""
        from companion.screens.people import PeopleScreen  # noqa: PLC0415 - loaded by now

        if self.live or not isinstance(self.screen, PeopleScreen):
            return
        try:
            self._home.rename_person(message.name, message.new)
            self.screen.show(self._home.people(), self._home.whose_turn())
        except CompanionError as error:
            self.screen.refuse(str(error))

    async def on_people_screen_forgotten(self, message: PeopleScreen.Forgotten) -> None:
        """Forget a person; where it was their turn, nothing of theirs stays on any screen."""
        from companion.screens.people import PeopleScreen  # noqa: PLC0415 - loaded by now
        from companion.words import people as people_words  # noqa: PLC0415 - as above

        screen = self.screen
        if self.live or not isinstance(screen, PeopleScreen):
            return
        cleared = self._cleared
        self._cleared = False  # whoever looks for a device, or reminds, does so for nobody meanwhile
        await self._stop_looking()
        told, went_on = people_words.FORGOTTEN.format(name=message.name), message.name != self._home.whose_turn()
        try:
            self._home.remove_person(message.name)
        except CompanionError as error:
            told = str(error)
            if message.name in self._home.people():
                self._cleared = cleared
                screen.refuse(told)
                return
        self.notify(told)
        if went_on:
            self._cleared = cleared
            screen.show(self._home.people(), self._home.whose_turn())
        else:
            await self._leave_person()
            await self._begin_person()

    async def on_people_screen_chosen(self, message: PeopleScreen.Chosen) -> None:
        """Make it that person's turn: nothing of the other's stays on any screen, and their screening comes first."""
        if self.live:
            return
        await self._leave_person()
        try:
            self._home.choose_person(message.name)
        except CompanionError as error:
            self._fault(error)
            return
        self._stir()
        await self._begin_person()

    async def _leave_person(self) -> None:
        """Let nothing of whose turn it was stay anywhere."""
        self._cleared = False
        await self._stop_looking()
        self._choice, self._wished, self._told, self._noted_at = None, "", None, None
        await self._to_today()
        await self._today.forget()
        if self._linking is not None:
            self._linking.forget()

    # --- a person's own profile ---------------------------------------------------------------------------------------

    async def action_profile(self) -> None:
        """Show what is right for the person whose turn it is."""
        if self.live or not self._opened:
            return
        from companion.screens.profile import ProfileScreen  # noqa: PLC0415 - lazy screen

        device = self._near() if self._cleared else None
        profile = None if device is None else device.profile
        demo = self._home.demo is not None
        await self._open(lambda: ProfileScreen(self._home.profile, profile, demo=demo, mirror=self._mirror))

    def on_profile_screen_changed(self) -> None:
        """Plan and remind with what holds now."""
        self._stir()

    async def on_profile_screen_wanted(self, message: ProfileScreen.Wanted) -> None:
        """Ask what belongs to a line of the profile, over it."""
        if self.live:
            return
        match message.what:
            case "screening":
                from companion.screens.screening import ScreeningScreen  # noqa: PLC0415 - lazy screen

                await self.push_screen(ScreeningScreen(self._home.screening_questions(), way_back=True))
            case "agreed":
                await self.action_agreed()
            case _:
                from companion.care.skin import NOTABLE, days_to_note  # noqa: PLC0415 - with the profile
                from companion.screens.skin_note import SkinNoteScreen  # noqa: PLC0415 - lazy screen

                today = self._home.almanac.now.date()
                try:
                    mistakes = self._home.profile.mistakes()
                except CompanionError as error:
                    self._fault(error)
                    return
                await self.push_screen(SkinNoteScreen(NOTABLE, lambda kind: days_to_note(kind, today), mistakes))

    async def action_agreed(self) -> None:
        """Ask whether a doctor has agreed, to what waits for it."""
        if self.live or not self._opened:
            return
        from companion.screens.agreed import AgreedScreen  # noqa: PLC0415 - lazy screen

        try:
            waiting = self._home.profile.waiting()
        except CompanionError as error:
            self._fault(error)
            return
        if waiting:
            await self.push_screen(AgreedScreen(waiting))

    async def on_agreed_screen_answered(self, message: AgreedScreen.Answered) -> None:
        """Keep a doctor's word, and judge once more; what is not agreed to stays as it was."""
        try:
            self._home.profile.agree(message.agreed)
        except CompanionError as error:
            self._fault(error)
            return
        if message.agreed:
            await self._judge_again()
        else:
            self.pop_screen()

    async def on_skin_note_screen_noted(self, message: SkinNoteScreen.Noted) -> None:
        """Keep what the skin rests after; a treatment is an answer to a health question, and judged as one."""
        from companion.screens.skin_note import SkinNoteScreen  # noqa: PLC0415 - loaded by now
        from companion.words import profile as profile_words  # noqa: PLC0415 - as above

        try:
            self._home.profile.note(message.kind, message.day)
        except CompanionError as error:
            if isinstance(self.screen, SkinNoteScreen):
                self.screen.refuse(str(error))
            return
        self._stir()
        self.notify(profile_words.NOTED[message.kind].format(day=profile_words.DAY.format(day=message.day)))
        if message.kind == "treatment":
            await self._judge_again()
        else:
            self.pop_screen()

    async def on_skin_note_screen_mistaken(self, message: SkinNoteScreen.Mistaken) -> None:
        """Take back what was noted today by mistake."""
        from companion.screens.skin_note import SkinNoteScreen  # noqa: PLC0415 - loaded by now
        from companion.words import profile as profile_words  # noqa: PLC0415 - as above

        try:
            self._home.profile.take_back(message.kind, message.day)
        except CompanionError as error:
            if isinstance(self.screen, SkinNoteScreen):
                self.screen.refuse(str(error))
            return
        self._stir()
        self.notify(profile_words.TAKEN_BACK[message.kind].format(day=profile_words.DAY.format(day=message.day)))
        self.pop_screen()

    async def _judge_again(self) -> None:
        """What the person said has changed: the screening decides once more, before anything leads to a device."""
        self._cleared = False
        await self._stop_looking()
        self._choice, self._wished = None, ""
        await self._to_today()
        self._stir()
        await self._begin_person()

    # --- from screen to screen ----------------------------------------------------------------------------------------

    async def _to_today(self) -> None:
        while len(self.screen_stack) > 1:
            await self.pop_screen()

    async def _to_ground(self) -> None:
        """Leave all that was opened: down to today, or to what the person has to answer or be told first."""
        from companion.screens.screening import BlockedScreen, ScreeningScreen  # noqa: PLC0415 - after the first frame

        while len(self.screen_stack) > 1:
            if not self._cleared and isinstance(self.screen, ScreeningScreen | BlockedScreen):
                return
            await self.pop_screen()

    async def _open(self, make: Callable[[], Screen[None]]) -> None:
        """Show a screen in the place of whatever was opened before it."""
        try:
            screen = make()
        except CompanionError as error:
            self._fault(error)
            return
        await self._to_ground()
        await self.push_screen(screen)

    async def _draw_today(self) -> None:
        """Bring today up to date, where it is seen. Never while a session runs: that has the database to itself."""
        if self.live or not self._cleared or not self._is_at_today:
            return
        device = self._near()
        try:
            glance = self._home.glance(None if device is None else device.profile)
        except CompanionError as error:
            self._fault(error)
            return
        await self._today.show(glance)
        self._say_near()

    @property
    def _is_at_today(self) -> bool:
        return self._today.is_running and self.screen_stack[-1:] == [self._today]

    async def on_today_screen_shown(self) -> None:
        """Today is seen again."""
        await self._draw_today()

    async def action_today(self) -> None:
        """Show today."""
        if self.live or not self._cleared:
            return
        if self._is_at_today:
            await self._draw_today()
        else:
            await self._to_today()  # it is drawn as it comes into sight
        self.action_look()

    def action_jump(self) -> None:
        """Ask for the letter of a place."""
        if self.live or not self._opened:
            return
        from companion.screens.jump import JumpScreen  # noqa: PLC0415 - lazy screen

        places = [place for place in words.PLACES if self.check_action(place[1], ())]
        self.push_screen(JumpScreen(places), self._jumped)

    async def _jumped(self, name: str | None) -> None:
        if name is not None and not self.live:
            await self.run_action(f"app.{name}")

    async def action_plan(self) -> None:
        """Show the plan."""
        if self.live or not self._cleared:
            return
        from companion.screens.plan import PlanScreen  # noqa: PLC0415 - lazy screen

        await self._open(lambda: PlanScreen(self._home.almanac))

    def on_plan_screen_changed(self) -> None:
        """Remind by the plan as it is now."""
        self._stir()

    async def action_water(self) -> None:
        """Show the water of the day."""
        if self.live or not self._opened:
            return
        from companion.screens.water import WaterScreen  # noqa: PLC0415 - lazy screen

        await self._open(lambda: WaterScreen(self._home.almanac))

    def on_water_screen_changed(self) -> None:
        """Remind by what was drunk."""
        self._stir()

    async def action_history(self) -> None:
        """Show what has been done; not while a session runs, because it has the database to itself."""
        if self.live or not self._opened:
            return
        from companion.screens.history import HistoryScreen  # noqa: PLC0415 - lazy screen

        await self._open(lambda: HistoryScreen(self._home.past, self._home.titles(), mirror=self._mirror))

    # --- consultation -------------------------------------------------------------------------------------------------

    async def action_consultation(self) -> None:
        """Ask for wishes, to propose a plan."""
        if self.live or not self._cleared:
            return
        from companion.screens.consultation import ConsultationScreen  # noqa: PLC0415 - lazy screen

        await self._open(lambda: ConsultationScreen(self._home.wishes()))

    async def on_consultation_screen_answered(self, message: ConsultationScreen.Answered) -> None:
        """Propose the plan that suits the answers."""
        from companion.screens.consultation import ProposalScreen  # noqa: PLC0415 - loaded by now

        await self._open(lambda: ProposalScreen(self._home.propose(message.answers)))

    async def on_consultation_screen_left(self) -> None:
        """Go on without a plan."""
        await self.action_today()

    async def on_proposal_screen_accepted(self, message: ProposalScreen.Accepted) -> None:
        """Follow the plan."""
        try:
            self._home.follow(message.proposed, message.start, message.weekdays, message.at)
        except CompanionError as error:
            self._fault(error)
            return
        self._stir()
        await self.action_today()

    async def on_proposal_screen_left(self) -> None:
        """Go on without a plan."""
        await self.action_today()

    # --- water and reminders ------------------------------------------------------------------------------------------

    async def action_glass(self) -> None:
        """Note a glass of water. Nothing while a session runs: no write may stand before a stop."""
        if self.live or not self._opened:
            return
        try:
            almanac = self._home.almanac
            almanac.drink()
            glass_ml = almanac.goal().glass_ml
        except CompanionError as error:
            self.notify(str(error))
            return
        self._noted_at = self._now()
        self.notify(words.GLASS.format(ml=glass_ml), timeout=UNDO_S)
        self._stir()
        await self._draw_water()

    async def action_undo(self) -> None:
        """Take the glass back that was noted just now."""
        if self.live or self._noted_at is None:
            return
        self._noted_at = None
        try:
            taken = self._home.almanac.undo_drink()
        except CompanionError as error:
            self.notify(str(error))
            return
        if taken is not None:
            self.notify(words.GLASS_BACK.format(ml=taken.ml), timeout=UNDO_S / 2)
        self._stir()
        await self._draw_water()

    async def _draw_water(self) -> None:
        await self._draw_today()

    def _stir(self) -> None:
        if self._reminding is not None:
            self._reminding.stir()
        if self._linking is not None:
            self._linking.stir()

    def _almanac_to_remind(self) -> Almanac | None:
        return self._home.almanac if self._cleared and not self.live else None

    def _remind(self, one: Reminder) -> None:
        self._told = (self._now(), one)
        if one.ml and self._linking is not None:
            self._linking.remind(one.ml)
        # Away, it is there until it cannot be put off any more.
        timeout = REMINDER_S if self.app_focus else SNOOZE_S
        self.notify(f"{one.text}\n{words.REMINDER_KEY}", title=one.title, timeout=timeout)
        if self._attention is None:
            return
        from companion.cues import Cue  # noqa: PLC0415 - loaded with it

        self._attention.cue(Cue.REMINDER)
        said = self._said
        if said is not None and said.notify and not (said.only_when_away and self.app_focus) and self._is_here:
            self._attention.notify(one.title, one.text)

    @property
    def _is_here(self) -> bool:
        """Whether the person is at this computer: a demo in a browser may be shown to somebody anywhere."""
        return not (self.is_web and self._home.demo is not None)

    def action_snooze(self) -> None:
        """Have the last reminder told once more, later."""
        if self.live or self._told is None:
            return
        from companion.care.reminders import SNOOZE  # noqa: PLC0415 - a reminder has loaded it

        almanac, one = self._home.almanac, self._told[1]
        self._told = None
        until = almanac.now + SNOOZE
        try:
            almanac.snooze(one.about, until)
        except CompanionError as error:
            self.notify(str(error))
            return
        self.notify(words.AGAIN_AT.format(at=until), timeout=5)
        self._stir()

    # --- looking ------------------------------------------------------------------------------------------------------

    def action_look(self) -> None:
        """Look for devices, unless a look is going on, or a device is there."""
        search = self._search
        if not self._cleared or self.live or search is None or search.since is not None:
            return
        if search.devices and search.failure is None and not self._is_finding:
            return
        if self._looking is not None:
            self._looking.cancel()
        self._looking = asyncio.get_running_loop().create_task(self._look(), name="looking for devices")
        self._looking.add_done_callback(self._looked)

    @property
    def _is_finding(self) -> bool:
        return self._find is not None

    @property
    def _find(self) -> FindScreen | None:
        from companion.screens.find import FindScreen  # noqa: PLC0415 - lazy screen

        return next((screen for screen in self.screen_stack if isinstance(screen, FindScreen)), None)

    async def _look(self) -> None:
        """Look until something was found; again and again as long as somebody waits for it."""
        search = self._search
        if search is None:
            return
        waited_for = True
        while not waited_for or await self._look_once(search):
            await asyncio.sleep(LOOK_AGAIN_S)
            waited_for = self._is_at_today or self._is_finding

    async def _look_once(self, search: Search) -> bool:
        """Look; return whether it is worth while to look once more."""
        from companion.home import NotFoundError  # noqa: PLC0415 - after the first frame
        from companion.words import find as find_words  # noqa: PLC0415 - as above

        search.devices.clear()
        search.failure = None
        search.since = self._now()
        self._searched()
        try:
            await self._home.look(self._seen)
        except NotFoundError as error:
            search.failure = (find_words.FAILED, error.reason, error.advice)
        except CompanionError as error:
            self._fault(error)
            return False
        finally:
            search.since = None
        self._searched()
        return not search.devices

    def _looked(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):  # a mistake of ours: fall loudly instead of going on without
            self._handle_exception(error)

    async def _stop_looking(self) -> None:
        if self._looking is not None and not self._looking.done():
            self._looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._looking

    def _seen(self, device: Device) -> None:
        search = self._search
        if search is None:
            return
        first = not search.devices
        search.devices[device.address] = device
        self._searched()
        if first:
            self.call_later(self._draw_today)  # what is next may depend on what the device can do

    def _searched(self) -> None:
        find = self._find
        if find is not None and find.is_attached:
            find.show()
        self._say_near()

    def _near(self) -> Device | None:
        """The device to go on with: the one that was chosen, or the only one there is."""
        found = {} if self._search is None else self._search.devices
        if self._device is not None:
            return found.get(self._device.address, self._device)
        return next(iter(found.values())) if len(found) == 1 else None

    def _say_near(self) -> None:
        from companion.words import find as find_words  # noqa: PLC0415 - after the first frame
        from companion.words import today as today_words  # noqa: PLC0415 - as above

        search, device = self._search, self._near()
        if search is None or not self._cleared or not self._today.is_running:
            return
        if device is not None:
            nearness = find_words.NEARNESS[4 - find_words.nearness(device.rssi)]
            said = today_words.NEAR.format(device=device.name, nearness=nearness)
        elif search.devices:
            said = today_words.SEVERAL.format(count=len(search.devices))
        elif search.failure is not None:
            reason = search.failure[1]
            said = today_words.FAILED.format(reason=reason[:1].upper() + reason[1:].rstrip("."))
        elif search.since is not None:
            said = f"{today_words.LOOKING} {today_words.LOOKING_HINT}"
        else:
            said = today_words.NONE
        self._today.say_near(said)

    def on_find_screen_again(self) -> None:
        """Look again."""
        self.action_look()

    async def on_find_screen_chosen(self, message: FindScreen.Chosen) -> None:
        """Go on with a device: with the routine that waited for it, or to choose one."""
        if not self._cleared or self.live:
            return
        await self._stop_looking()
        self._device = message.device
        wished, self._wished = self._wished, ""
        if wished:
            await self._take(wished)
        else:
            await self.action_routines()

    async def action_devices(self) -> None:
        """Show what is in reach, to choose a device."""
        if self.live or not self._cleared or self._search is None:
            return
        from companion.screens.find import FindScreen  # noqa: PLC0415 - lazy screen

        search = self._search
        demo = self._home.demo is not None
        await self._open(lambda: FindScreen(search, words.DEMO, words.DEMO_SCREENING) if demo else FindScreen(search))
        if not search.devices:
            self.action_look()

    # --- choosing and preparing ---------------------------------------------------------------------------------------

    async def action_routines(self) -> None:
        """Choose a routine: for the device that is near, or before there is one."""
        if self.live or not self._cleared:
            return
        from companion.screens.routines import RoutinesScreen  # noqa: PLC0415 - lazy screen

        device = self._near()
        if device is None and self._search is not None and self._search.devices:
            await self.action_devices()  # several: which one is in their hand comes first
            return
        profile = None if device is None else device.profile
        first = "" if self._today.glance is None else self._today.glance.planned
        await self._open(
            lambda: RoutinesScreen(
                device, self._home.choices(profile), self._home.note(), first=first, mirror=self._mirror
            )
        )

    async def on_routines_screen_chosen(self, message: RoutinesScreen.Chosen) -> None:
        """Prepare for a routine, once there is a device for it."""
        if not self._cleared or self.live:
            return
        if self._near() is None:
            self._wished = message.choice.name
            await self.action_devices()
            return
        await self._prepare(message.choice)

    async def on_today_screen_taken(self, message: TodayScreen.Taken) -> None:
        """Go on with what is next."""
        if self.live or not self._cleared:
            return
        try:
            patch = self._home.patch_to_look_at()
        except CompanionError as error:
            self._fault(error)
            return
        if patch is not None:
            from companion.screens.patch import PatchScreen  # noqa: PLC0415 - lazy screen

            await self._open(lambda: PatchScreen(patch))
        elif message.planned:
            await self._take(message.planned)
        else:
            await self.action_routines()

    async def _take(self, name: str) -> None:
        """Prepare for the routine of that name; without a device find one first, and where it does not fit, choose."""
        device = self._near()
        if device is None:
            self._wished = name
            await self.action_devices()
            return
        try:
            choices = self._home.choices(device.profile)
        except CompanionError as error:
            self._fault(error)
            return
        choice = next((one for one in choices if one.name == name and not one.refusal), None)
        if choice is None:
            await self.action_routines()
        else:
            await self._prepare(choice)

    async def _prepare(self, choice: Choice, *, asked: bool = False) -> None:
        """Prepare for a routine; the patch test is spoken of first (``asked``: that is done)."""
        from companion.screens.patch import PatchScreen  # noqa: PLC0415 - lazy screen
        from companion.screens.prepare import PrepareScreen  # noqa: PLC0415 - as above

        self._choice = choice
        try:
            patch = None if asked else self._home.patch(choice)
        except CompanionError as error:
            self._fault(error)
            return
        if patch is not None:
            await self._open(lambda: PatchScreen(patch))
            return
        home = self._home
        await self._open(lambda: PrepareScreen(choice, home.today_questions(), home.skin_questions()))

    async def on_patch_screen_answered(self, message: PatchScreen.Answered) -> None:
        """Keep the answer; where it leaves the way open, go on with the routine that was chosen."""
        try:
            self._home.answer_patch(message.answer)
            waits = None if self._choice is None else self._home.patch(self._choice)
        except CompanionError as error:
            self._fault(error)
            return
        self._stir()
        if self._choice is not None and waits is None and self._near() is not None:
            await self._prepare(self._choice, asked=True)
        else:
            await self.action_today()

    async def on_patch_screen_test(self, message: PatchScreen.Test) -> None:
        """Prepare for the routine that begins with the test."""
        await self._take(message.routine)

    def on_prepare_screen_checked(self, message: PrepareScreen.Checked) -> None:
        """Hear what the skin says to a session."""
        from companion.screens.prepare import PrepareScreen  # noqa: PLC0415 - loaded by now

        try:
            skin = self._home.check_skin(message.scores)
            optional = () if self._choice is None else self._home.optional(self._choice)
        except CompanionError as error:
            self._fault(error)
            return
        if not skin.allowed:
            self.call_later(self._not_today, " ".join(skin.lines))
        elif isinstance(self.screen, PrepareScreen):
            self.screen.go_on(skin.lines, optional)

    def on_prepare_screen_wished(self, message: PrepareScreen.Wished) -> None:
        """Go on with the routine as it is with what the person wishes for."""
        from companion.screens.prepare import PrepareScreen  # noqa: PLC0415 - loaded by now

        device, choice = self._near(), self._choice
        if device is None or choice is None or not isinstance(self.screen, PrepareScreen):
            return
        try:
            self._choice = self._home.with_optional(choice, device.profile, message.optional)
        except CompanionError as error:
            self._fault(error)
            return
        self.screen.follow(self._choice)

    async def on_prepare_screen_left(self) -> None:
        """Back to today."""
        await self.action_today()

    async def on_prepare_screen_ready(self, message: PrepareScreen.Ready) -> None:
        """Ask the one door to let the session in."""
        device, choice = self._near(), self._choice
        if self.live or not self._cleared or device is None or choice is None:
            return
        from companion.cues import Cues  # noqa: PLC0415 - loaded with the app's attention
        from companion.home import NotTodayError  # noqa: PLC0415 - loaded since the look
        from companion.screens.session import SessionScreen  # noqa: PLC0415 - lazy screen

        await self._stop_looking()
        self._wait = None, 0.0
        self._cues = None if self._attention is None else Cues(self._attention.cue)
        try:
            started = self._home.start(choice, device, message.today, self._changed, message.optional)
        except NotTodayError as error:
            await self._not_today(str(error))
            return
        except CompanionError as error:
            self._fault(error)
            return
        from companion.widgets.strips import forget_lines  # noqa: PLC0415 - as above

        self._device = device
        await self._to_today()
        self.clear_notifications()
        forget_lines()
        self._quiet.begin()
        self._live = started
        self._guiding = asyncio.get_running_loop().create_task(self._guide(started), name="session")
        await self.push_screen(SessionScreen(started, prepared=len(choice.prepare), mirror=self._mirror))

    async def _not_today(self, why: str) -> None:
        from companion.screens.screening import BlockedScreen  # noqa: PLC0415 - lazy screen
        from companion.words import prepare  # noqa: PLC0415 - as above

        await self._to_today()
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
            if self._linking is not None:
                self._linking.show(None)
            self._quiet.end()
            started.close()
        self.post_message(self.SessionEnded(started, summary, fault))

    def _changed(self, view: View) -> None:
        """Take word of the session that it moved on; drawing waits for its turn."""
        from companion.screens.session import awaited  # noqa: PLC0415 - loaded before the session began
        from companion.session.model import Output  # noqa: PLC0415 - as in stop_now

        if self._was_on and view.output is Output.OFF:
            asyncio.get_running_loop().call_soon(self._quiet.moment)
        self._was_on = view.output is not Output.OFF
        waits = awaited(view)
        if waits != self._wait[0]:
            self._wait = waits, self._now()
        if self._cues is not None:
            asyncio.get_running_loop().call_soon(self._cues.follow, view)
        super().post_message(self.SessionChanged())
        if self._linking is not None:
            self._linking.show(view)

    def _draw_session(self) -> None:
        from companion.screens.session import SessionScreen  # noqa: PLC0415 - loaded by now

        for screen in self.screen_stack:
            if isinstance(screen, SessionScreen) and screen.is_attached:
                screen.update_view()

    def on_companion_app_session_changed(self) -> None:
        """Draw the session's news at once instead of at the next frame."""
        if self._live is not None:
            from companion.session.model import Phase  # noqa: PLC0415 - loaded while a session runs

            if self._pairer is not None and self._live.session.view.phase is not Phase.WAITING:
                self._pairer.done()
            self._draw_session()

    async def on_companion_app_session_ended(self, message: SessionEnded) -> None:
        """Show what came of the session, or why there was none."""
        if self._cues is not None:
            self._cues.end()
            self._cues = None
        if self._leaving:
            from companion.session.exits import EXIT_OF_REASON  # noqa: PLC0415 - with a session
            from companion.session.model import Reason  # noqa: PLC0415 - as above

            reason = Reason.DEFECT if message.summary is None else message.summary.reason
            self.exit(EXIT_OF_REASON[reason])
            return
        await self._to_today()
        if message.summary is None:
            await self._not_connected(message.error)
            return
        from companion.screens.summary import SummaryScreen  # noqa: PLC0415 - lazy screen

        fault = getattr(message.started.session, "storage_fault", None) or ""
        try:
            after = self._home.ended(message.started, message.summary)
        except CompanionError as error:
            after, fault = None, fault or str(error)
        self._stir()
        await self.push_screen(SummaryScreen(message.summary, message.started.plan, fault, after, mirror=self._mirror))

    async def _not_connected(self, error: Exception | None) -> None:
        """Say why there was no session, where devices are chosen."""
        from companion.words import find as find_words  # noqa: PLC0415 - loaded since the look

        reason = getattr(error, "reason", "") or str(error)
        advice = getattr(error, "advice", "") or find_words.TRY_AGAIN
        if self._search is not None:
            self._search.failure = (find_words.CONNECT_FAILED, reason, advice)
        self._wished = "" if self._choice is None else self._choice.name  # to begin again is one key
        await self.action_devices()

    async def let_go(self) -> None:
        """Stop what still runs and wait until the device is let go of. Called when the app is down, however it fell."""
        guiding = self._guiding
        if guiding is not None and not guiding.done():
            self.stop_now()
            guiding.cancel()  # run() takes this as a stop, and waits for the device for a bounded time
            with contextlib.suppress(asyncio.CancelledError):
                await guiding
        await self._stop_looking()
        if self._reminders is not None:
            self._reminders.cancel()
        if self._cues is not None:
            self._cues.end()
        if self._attention is not None:
            self._attention.end()
        if self._link is not None:
            self._link.cancel()  # says goodbye, for a bounded time
            with contextlib.suppress(asyncio.CancelledError):
                await self._link
        await self._home.close()

    # --- everywhere ---------------------------------------------------------------------------------------------------

    def action_theme(self) -> None:
        """Light or dark."""
        self.theme = themes.other(self.theme)

    async def action_help(self) -> None:
        """Show the help over whatever there is."""
        await self._help(evidence=False)

    async def action_evidence(self) -> None:
        """Show what is known, both sides."""
        if not self.live:
            await self._help(evidence=True)

    async def _help(self, *, evidence: bool) -> None:
        from companion.screens.help import HelpScreen  # noqa: PLC0415 - lazy screen
        from companion.widgets.keyline import KeyLine  # noqa: PLC0415 - drawn since the first frame

        if isinstance(self.screen, HelpScreen):
            return
        here = [(hint.key, hint.label) for line in self.screen.query(KeyLine) for hint in line.hints]
        await self.push_screen(HelpScreen(live=self.live, here=here, evidence=evidence))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:  # noqa: ARG002 - Textual's own signature
        """Offer every screen and every action of the app in the palette, as far as they are there now."""
        places = [(f"Go to {name}", what, name) for _, name, what in words.PLACES]
        for title, what, name in (*places, *words.COMMANDS):
            if self.check_action(name, ()):
                yield SystemCommand(title, what, getattr(self, f"action_{name}"))


def run_app(
    demo: str | None,
    seed: int,
    speed: float,
    record: Path | None,
    data_folder: Path | None,
    *,
    person: str | None = None,
    with_keys: bool = False,
) -> int:
    """Run the app until the person leaves; return the exit code.

    ``demo`` is the key of a simulated device or None for the real radio; ``record`` a btsnoop file for the traffic,
    ``with_keys`` with the keys of a pairing in it; ``person`` whose data to show, None for whoever's turn it is.
    Textual's own timers and its terminal driver live in real time, so ``speed`` has to be 1.
    """
    if speed != 1.0:
        sys.stderr.write(f"companion: {words.SPEED}\n")
        return Exit.USAGE
    from companion.household import Household  # noqa: PLC0415 - brings the store and the routines

    household = Household(demo=demo, seed=seed, record=record, with_keys=with_keys, folder=data_folder, person=person)
    app = CompanionApp(household)

    async def live() -> int:
        try:
            code = await app.run_async()
        finally:
            await app.let_go()
        return int(app.exit_code if code is None else code)

    code = asyncio.run(live())
    if household.keys_left_out:
        from companion.words import account  # noqa: PLC0415 - what `companion run` says of it, too

        sys.stderr.write(f"companion: {account.KEYS_LEFT_OUT.format(path=record)}\n")
    return code
