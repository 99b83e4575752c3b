"""Today, the first screen: what is next in one line and one key, and around it how things stand.

Everything it shows is told to it. Its first frame is there before anything is known, so it brings nothing of weight.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from companion.widgets.keyline import KeyHint, KeyLine
from companion.words import app as shared
from companion.words import today as words

if TYPE_CHECKING:
    from companion.home import Glance


class TodayScreen(Screen[None]):
    """What is next. As the first screen of all its style sheet is among the app's own."""

    AUTO_FOCUS = None
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", words.KEY_PREPARE, show=False),
        Binding("r", "app.routines", words.KEY_OTHERS, show=False),
        Binding("d", "app.devices", show=False),
        Binding("c", "app.consultation", words.KEY_PLAN, show=False),
        Binding("o", "app.people", words.KEY_PEOPLE, show=False),
    ]

    class Taken(Message):
        """The person pressed the one key: ``planned`` is the routine that was offered, empty for the choice of one."""

        def __init__(self, planned: str) -> None:
            super().__init__()
            self.planned = planned

    class Shown(Message):
        """The screen is seen again, and may be out of date."""

    def __init__(self, notice: str = "", *, mirror: bool = True) -> None:
        super().__init__()
        self._notice = notice
        self._mirror = mirror
        self._glance: Glance | None = None
        self._near = ""

    def compose(self) -> ComposeResult:
        """Lay the screen out; the pictures come with what they show."""
        with Horizontal(id="top"):
            yield Static(shared.TITLE, id="name")
            yield Static(self._notice, id="notice")
        with Horizontal(id="body"):
            with Vertical(id="column"):
                yield Static(words.WAIT, id="headline", markup=False)
                yield Static("", id="detail", markup=False)
                yield Static("", id="near", markup=False)
                yield Static("", id="link", markup=False)
                yield Static("", id="milestone", markup=False)
                yield Static("", id="tip", markup=False)
                yield Static("", id="water")
            yield Vertical(id="picture")
        yield Static("", id="phase", markup=False)
        yield KeyLine(self._hints(), id="keys")

    def on_screen_resume(self) -> None:
        """Ask for what holds by now."""
        self.post_message(self.Shown())

    @property
    def glance(self) -> Glance | None:
        """What is shown."""
        return self._glance

    @property
    def near(self) -> str:
        """What is said of the device."""
        return self._near

    async def show(self, glance: Glance) -> None:
        """Show this from now on."""
        self._glance = glance
        self._say("#headline", glance.headline)
        self._say("#detail", glance.detail)
        self._say("#milestone", glance.milestone)
        self._say("#tip", glance.tip)
        self._say("#phase", glance.phase)
        self.query_one("#water", Static).update(_water(glance))
        notice = "  ·  ".join(part for part in (glance.person, self._notice) if part)
        self.query_one("#notice", Static).update(Content(notice))
        await self._picture(glance)
        self.query_one("#keys", KeyLine).offer(self._hints())

    def say_near(self, text: str) -> None:
        """Say how it is with the device."""
        if text != self._near:
            self._near = text
            self._say("#near", text)

    def say_link(self, text: str) -> None:
        """Say that the link to other machines is not as it should be; nothing where it is."""
        for part in self.query("#link").results(Static):  # none any more while the app is going down
            part.display = bool(text)
            part.update(Content(text))

    async def forget(self) -> None:
        """Show nothing of anybody: another person's turn has come."""
        self._glance = None
        for part in ("#detail", "#milestone", "#tip", "#phase", "#water"):
            self.query_one(part, Static).update("")
        self._say("#headline", words.WAIT)
        self.query_one("#notice", Static).update(Content(self._notice))
        await self.query("#weeks, #face").remove()
        self.query_one("#keys", KeyLine).offer(self._hints())

    def turn(self, *, mirror: bool) -> None:
        """Show the face as a mirror does, or facing the person."""
        from companion.widgets.facemap import FaceMap  # noqa: PLC0415 - after the first frame

        self._mirror = mirror
        for face in self.query(FaceMap):
            face.turn(mirror=mirror)

    async def _picture(self, glance: Glance) -> None:
        from companion.widgets.facemap import FaceMap  # noqa: PLC0415 - after the first frame
        from companion.widgets.weeks import Weeks  # noqa: PLC0415 - as above

        if not self.query(FaceMap):
            await self.query_one("#picture").mount(FaceMap(mirror=self._mirror, id="face"))
        self.query_one(FaceMap).show(zones=glance.zones, planned=True)
        if glance.days and not self.query(Weeks):
            await self.mount(Weeks(id="weeks"), before="#phase")
        for weeks in self.query(Weeks):
            weeks.display = bool(glance.days)
            weeks.show(glance.days, glance.today)

    def _say(self, selector: str, text: str) -> None:
        part = self.query_one(selector, Static)
        part.display = bool(text)
        part.update(Content(text))

    def _hints(self) -> tuple[KeyHint, ...]:
        glance = self._glance
        everywhere = (
            KeyHint("g", shared.KEY_JUMP, "app.jump"),
            KeyHint("?", shared.KEY_HELP, "app.help"),
            KeyHint("ctrl+q", shared.KEY_LEAVE, "app.quit"),
        )
        if glance is None:
            return everywhere[1:]
        if glance.patch:
            first: tuple[KeyHint, ...] = (KeyHint("enter", words.KEY_LOOK, "screen.take"),)
        elif glance.planned:
            others = KeyHint("r", words.KEY_OTHERS, "app.routines")
            first = (KeyHint("enter", words.KEY_PREPARE, "screen.take"), others)
        else:
            first = (KeyHint("enter", words.KEY_ROUTINES, "screen.take"),)
        plan = () if glance.has_plan else (KeyHint("c", words.KEY_PLAN, "app.consultation"),)
        other = (KeyHint("o", words.KEY_PEOPLE, "app.people"),) if glance.person else ()
        return (*first, *plan, *other, KeyHint("w", shared.KEY_GLASS, "app.glass"), *everywhere)

    def action_take(self) -> None:
        """Go on with what is next."""
        if self._glance is not None:
            self.post_message(self.Taken(self._glance.planned))


def _water(glance: Glance) -> Content:
    """A dot for each glass of the goal, those that were drunk filled; then the numbers."""
    if glance.goal_ml is None:
        return Content.styled(words.WATER_NO_GOAL.format(today=glance.water_ml) if glance.water_ml else "", "$muted")
    glasses = max(1, -(-glance.goal_ml // glance.glass_ml))
    drunk = min(glasses, glance.water_ml // glance.glass_ml)
    if glasses > 14:  # a small glass and a large goal: a dot stands for more than one
        drunk, glasses = round(drunk * 14 / glasses), 14
    numbers = words.WATER.format(today=glance.water_ml, goal=glance.goal_ml)
    return Content.assemble(("●" * drunk, "$done"), ("○" * (glasses - drunk), "$muted"), f"  {numbers}")
