"""One session seen again, second by second: the face as it was, the level, and what was noted.

Draws the journal that was kept; nothing here reaches a device.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Final, Protocol

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Input, Static

from companion.almanac import Session
from companion.config import CompanionError
from companion.session.model import JournalEntry, JournalKind
from companion.widgets.countdown import Countdown, clock_text
from companion.widgets.facemap import FaceMap
from companion.widgets.keyline import KeyHint, KeyLine
from companion.widgets.replay import Happening, replay_of
from companion.widgets.sessions import ending, title_of
from companion.widgets.trace import Trace
from companion.words import app as shared
from companion.words import history_screen as words
from companion.words.session import zone_label

_FAR_S: Final = 10


class Kept(Protocol):
    """What the screen needs of what was kept."""

    def entries(self, session_id: int) -> Sequence[tuple[float, JournalEntry]]:
        """The journal of a session in order: seconds since its start, and the entry."""

    def say(self, session_id: int, text: str, photos: Sequence[str] = ()) -> bool:
        """Keep words and photos' paths on a session; False where it is not this person's."""


class ReplayedScreen(Screen[Session]):
    """A past session. Its result is the session with the note as it is now."""

    CSS_PATH = "replayed.tcss"
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "second(-1)", show=False),
        Binding("right", "second(1)", show=False),
        Binding("shift+left,pageup", f"second(-{_FAR_S})", show=False),
        Binding("shift+right,pagedown", f"second({_FAR_S})", show=False),
        Binding("up", "zone(-1)", show=False),
        Binding("down", "zone(1)", show=False),
        Binding("home", "second(-1000000)", show=False),
        Binding("end", "second(1000000)", show=False),
        Binding("n", "note", words.KEY_NOTE, show=False),
        Binding("escape,q", "back", shared.KEY_BACK, show=False),
    ]

    def __init__(self, kept: Kept, session: Session, titles: Mapping[str, str], *, mirror: bool = True) -> None:
        super().__init__()
        self._kept = kept
        self._session = session
        self._titles = titles
        self._mirror = mirror
        self._replay = replay_of(kept.entries(session.id))
        self._t = 0
        self._said = ""

    # --- what it is made of -------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """Lay the screen out."""
        session = self._session
        about = " · ".join(filter(None, (title_of(session, self._titles), session.device, ending(session))))
        with Horizontal(id="top"):
            yield Static(words.WHEN.format(at=session.started_at), id="name")
            yield Static(Content(about), id="about")
        with Horizontal(id="body"):
            yield FaceMap(mirror=self._mirror, id="face")
            with Vertical(id="column"):
                yield Static(id="zone")
                yield Countdown(id="clock")
                yield Static(id="level")
                yield Static(id="noted")
        with Vertical(id="chart"):
            yield Trace(id="trace")
        with Vertical(id="below"):
            with Horizontal(id="note"):
                yield Static(words.NOTE, id="note-label")
                yield Static(id="text")
                yield Input(id="write", compact=True)
            yield Static(id="photos")
        yield KeyLine()

    def on_mount(self) -> None:
        """Begin where the output began."""
        self.query_one("#write", Input).cursor_blink = False
        first = next((stay.begins for stay in self._replay.stays), 0.0)
        self._t = int(first) + (1 if first else 0)
        self._write(writing=False)
        self._draw()

    @property
    def _last(self) -> int:
        return -int(-self._replay.length_s // 1)

    # --- drawing ------------------------------------------------------------------------------------------------------

    def _draw(self) -> None:
        replay, t = self._replay, self._t
        index = replay.stay_at(t)
        stay = None if index is None else replay.stays[index]
        done = dict.fromkeys(one.zone for one in replay.stays if one.ends <= t)
        zones = tuple(dict.fromkeys([*(one.zone for one in replay.stays), *self._session.zones]))
        self.query_one(FaceMap).show(zones=zones, current=None if stay is None else stay.zone, done=tuple(done))
        if stay is not None:
            title = zone_label(stay.zone)
        elif not replay.stays:
            title = ""
        elif t < replay.stays[0].begins:
            title = words.BEGIN
        else:
            title = words.END if t >= replay.stays[-1].ends else words.BETWEEN
        self.query_one("#zone", Static).update(Content.styled(title, "bold $now" if stay else "$muted"))
        self.query_one("#clock", Countdown).show(clock_text(t), "text" if replay.length_s else "muted")
        percent = replay.level_at(t)
        level = Content.styled(words.OFF if replay.length_s else "", "$muted")
        if percent:
            told_percent = (words.LEVEL.format(percent=percent), "bold $foreground")
            level = Content.assemble(told_percent, (f"  {words.OF_FULL}", "$muted"))
        self.query_one("#level", Static).update(level)
        happening = replay.happening_at(t)
        noted = told(happening) if happening is not None else "" if replay.length_s else words.NO_JOURNAL
        self.query_one("#noted", Static).update(Content.styled(noted, "$muted"))
        self.query_one(Trace).show(replay, t)

    def _write(self, *, writing: bool) -> None:
        session = self._session
        self.query_one("#write").display = writing
        text = self.query_one("#text", Static)
        text.display = not writing
        text.update(Content(session.text or words.NO_NOTE))
        text.set_class(not session.text, "none")
        photos = self.query_one("#photos", Static)
        said = self._said or (words.PHOTOS + ", ".join(session.photos) if session.photos else "")
        photos.update(Content(said))
        photos.display = bool(said)
        photos.set_class(bool(self._said), "said")
        if writing:
            hints = [KeyHint("enter", words.KEY_KEEP, "screen.keep"), KeyHint("esc", words.KEY_CANCEL, "screen.back")]
        else:
            hints = [
                KeyHint("← →", words.KEY_SECOND, "screen.second(1)"),
                KeyHint("↑ ↓", words.KEY_ZONE, "screen.zone(1)"),
                KeyHint("n", words.KEY_NOTE, "screen.note"),
                KeyHint("esc", shared.KEY_BACK, "screen.back"),
                KeyHint("?", shared.KEY_HELP, "app.help"),
            ]
        self.query_one(KeyLine).offer(hints)

    # --- moving -------------------------------------------------------------------------------------------------------

    @property
    def _writing(self) -> bool:
        return bool(self.query_one("#write").display)

    def action_second(self, by: int) -> None:
        """Go some seconds on, or back."""
        self._go(self._t + by)

    def action_zone(self, by: int) -> None:
        """Go to the beginning of the next zone, or of the one before."""
        begins = [int(stay.begins) + 1 for stay in self._replay.stays]
        ahead = [t for t in begins if (t > self._t if by > 0 else t < self._t)]
        if ahead:
            self._go(ahead[0] if by > 0 else ahead[-1])

    def _go(self, t: int) -> None:
        if self._writing:
            return
        self._t = min(max(t, 0), self._last)
        self._draw()

    @on(Trace.Pointed)
    def _pointed(self, event: Trace.Pointed) -> None:
        event.stop()
        self._go(int(event.t))

    # --- the note -----------------------------------------------------------------------------------------------------

    def action_note(self) -> None:
        """Write the note, in its place."""
        field = self.query_one("#write", Input)
        self._said = ""
        field.value = self._session.text
        field.cursor_position = len(field.value)
        self._write(writing=True)
        field.focus(scroll_visible=False)

    def action_keep(self) -> None:
        """Keep what was written."""
        self._keep(self.query_one("#write", Input).value)

    @on(Input.Submitted, "#write")
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._keep(event.value)

    def _keep(self, text: str) -> None:
        text = text.strip()
        try:
            kept = self._kept.say(self._session.id, text, self._session.photos)
        except CompanionError as error:
            self._said = str(error)
        else:
            self._said = words.NOTE_KEPT if kept else words.NOTE_NOT_KEPT
            if kept:
                self._session = replace(self._session, text=text)
        self._over()

    def _over(self) -> None:
        self.set_focus(None)
        self._write(writing=False)

    def action_back(self) -> None:
        """Leave what is being written; else the screen."""
        if self._writing:
            self._over()
        else:
            self.dismiss(self._session)


def told(happening: Happening) -> str:
    """Return in words what was noted."""
    data = happening.data
    match happening.kind:
        case JournalKind.CONNECTED:
            return words.EVENTS["connected again" if data.get("again") else "connected"]
        case JournalKind.WATER:
            return words.EVENTS["water low" if data.get("low") else "water fine"]
        case JournalKind.SENSATION:
            return words.EVENTS["felt"].format(answer=data["answer"]) if "answer" in data else ""
        case JournalKind.WARNING:
            return str(data.get("message", ""))
        case JournalKind.LINK_LOST:
            return words.EVENTS["link lost"]
        case kind:
            return words.EVENTS.get(kind.value, "")
