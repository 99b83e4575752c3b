"""What is right for one person: maximum, health answers, what the skin rests after, and their zones on the face.

Shows what the profile says and hands on what the person wants; what is allowed is decided there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from companion.config import CompanionError
from companion.routines.zones import ZONES
from companion.widgets.facemap import FaceMap
from companion.widgets.keyline import KeyHint, KeyLine
from companion.words import app as shared
from companion.words import profile as said
from companion.words import profile_screen as words

if TYPE_CHECKING:
    from companion.profile import Profile
    from protocols.model import DeviceProfile

_BAR = 20
_LABEL = 26


class _Row(NamedTuple):
    """One line of the list: what it is called, how it stands, what there is to say, and the tone of how it stands."""

    id: str
    label: str
    value: str
    note: str
    tone: str = "$foreground"


class ProfileScreen(Screen[None]):
    """A list on one side, the face with the zones that are never treated at the other; both can be clicked."""

    CSS_PATH = "profile.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "step(-5)", words.KEY_LESS, show=False),
        Binding("right", "step(5)", words.KEY_MORE, show=False),
        Binding("minus", "step(-1)", show=False),
        Binding("plus,equals_sign", "step(1)", show=False),
        Binding("space", "take", words.KEY_SWITCH, show=False),
        Binding("escape,q", "back", shared.KEY_BACK, show=False),
    ]

    class Wanted(Message):
        """The person wants to ``screening`` (answer again), ``agreed`` (a doctor's word) or ``skin`` (note one)."""

        def __init__(self, what: str) -> None:
            super().__init__()
            self.what = what

    class Changed(Message):
        """Limits or zones are others now."""

    def __init__(
        self, profile: Profile, device: DeviceProfile | None = None, *, demo: bool = False, mirror: bool = True
    ) -> None:
        super().__init__()
        self._profile = profile
        self._device = device
        self._demo = demo
        self._mirror = mirror
        self._rows: tuple[_Row, ...] = ()
        self._refused = ""  # the line under which a refusal stands

    def compose(self) -> ComposeResult:
        """Lay the screen out."""
        with Horizontal(id="top"):
            yield Static(shared.TITLE, id="name")
            yield Static("", id="who", markup=False)
        with Horizontal(id="body"):
            with Vertical(id="column"):
                yield Static(words.TITLE, id="headline")
                yield OptionList(id="rows")
                yield Static("", id="note", markup=False)
                yield Static("", id="refusal", markup=False)
            yield FaceMap(mirror=self._mirror, id="face")
        yield KeyLine(id="keys")

    def on_mount(self) -> None:
        """Begin at the first line."""
        self._show()
        self.query_one("#rows", OptionList).focus()

    def on_screen_resume(self) -> None:
        """Show what holds by now: a question in between may have changed it."""
        if self._rows:
            self._show()

    # --- what it shows ------------------------------------------------------------------------------------------------

    def _show(self) -> None:
        """Bring every line up to date; what is under the hand stays there."""
        listed = self.query_one("#rows", OptionList)
        at = listed.highlighted or 0
        self._rows = tuple(self._all())
        listed.clear_options()
        listed.add_options(Option(self._line(row), id=row.id) for row in self._rows)
        listed.highlighted = min(at, len(self._rows) - 1)
        self.query_one("#who", Static).update(Content(self._profile.person().name))
        self._tell()

    def _all(self) -> list[_Row]:
        profile, person = self._profile, self._profile.person()
        most = profile.most()
        note = words.COMFORTABLE_NOTE if most == 100 else words.COMFORTABLE_FIRST.format(most=most)
        rows = [_Row("comfortable", words.COMFORTABLE, _bar(profile.comfortable()), note)]
        rows += [self._questions(), self._doctor(), self._skin(), self._neck(on=person.neck)]
        for zone in ZONES.values():
            if zone.neck and not person.neck:
                continue
            off = zone.id in person.no_go
            value = f"{words.MARK_OFF} {words.NO}" if off else f"{words.MARK_ON} {words.YES}"
            about = words.ZONE_NOTE_OFF if off else words.ZONE_NOTE_ON
            rows.append(_Row(zone.id, zone.label, value, about, "$now" if off else "$muted"))
        return rows

    def _questions(self) -> _Row:
        answered = self._profile.answered()
        if answered is None:
            value = words.LEFT_OUT if self._demo else words.NOT_ANSWERED
            return _Row("screening", words.QUESTIONS, value, words.QUESTIONS_FIRST, "$muted")
        value = words.ANSWERED.format(day=f"{answered[0].day} {answered[0]:%b}")
        until = said.DAY.format(day=answered[1])
        return _Row("screening", words.QUESTIONS, value, words.QUESTIONS_NOTE.format(until=until))

    def _doctor(self) -> _Row:
        if self._profile.waiting():
            return _Row("agreed", words.DOCTOR, words.WAITS, words.DOCTOR_WAITS, "$now")
        agreed = self._profile.agreed()
        if agreed:
            lines = (said.AGREED_LINE.format(what=what, day=said.DAY.format(day=on)) for what, on in agreed)
            return _Row("agreed", words.DOCTOR, words.AGREED, "\n".join(lines), "$done")
        return _Row("agreed", words.DOCTOR, words.NOT_NEEDED, words.DOCTOR_NONE, "$muted")

    def _skin(self) -> _Row:
        noted = self._profile.noted()
        if not noted:
            return _Row("skin", words.SKIN, words.NOTHING, words.SKIN_NOTE, "$muted")
        lines = (said.ON[kind].format(day=said.DAY.format(day=on)) for kind, on in noted)
        return _Row("skin", words.SKIN, words.RESTS, "\n".join(lines), "$now")

    def _neck(self, *, on: bool) -> _Row:
        note = words.NECK_NOTE
        if self._device is not None:
            note = words.NECK_CLEARED if self._device.neck_cleared else words.NECK_NOT_CLEARED
            note = note.format(device=self._device.name)
        value = f"{words.MARK_ON} {words.YES}" if on else f"{words.MARK_OFF} {words.NO}"
        return _Row("neck", words.NECK, value, note, "$foreground" if on else "$muted")

    def _line(self, row: _Row) -> Content:
        after = "\n" if row.id == "neck" else ""  # the zones stand apart
        return Content.assemble((f"{row.label:<{_LABEL}}", "$foreground"), (row.value, row.tone), after)

    @property
    def _row(self) -> _Row:
        at = self.query_one("#rows", OptionList).highlighted
        return self._rows[min(at or 0, len(self._rows) - 1)]

    def _tell(self) -> None:
        """Say what there is to say about the line under the hand, and light its zone."""
        row, person = self._row, self._profile.person()
        self.query_one("#note", Static).update(Content(row.note))
        neck = () if person.neck else tuple(zone.id for zone in ZONES.values() if zone.neck)
        lit = row.id if row.id in ZONES else None
        # What is left out keeps its hatching under the hand: its mark in the list says where it is.
        left_out = tuple(zone for zone in ZONES if zone in person.no_go or zone in neck)
        self.query_one(FaceMap).show(zones=tuple(ZONES), current=lit, no_go=left_out)
        self.query_one("#keys", KeyLine).offer((*_hints(row.id), *_EVERYWHERE))

    # --- what the person wants ----------------------------------------------------------------------------------------

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Show what is under the hand now."""
        event.stop()
        if event.option_id != self._refused:  # a list that is drawn anew says that of the same line, too
            self._refuse("")
        self._tell()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Do what the line is for."""
        event.stop()
        self._do(event.option_id or "")

    def on_face_map_touched(self, event: FaceMap.Touched) -> None:
        """Leave the zone that was clicked out, or treat it again."""
        event.stop()
        for index, row in enumerate(self._rows):
            if row.id == event.zone:
                self.query_one("#rows", OptionList).highlighted = index
                self._do(event.zone)

    def action_take(self) -> None:
        """Do what the line under the hand is for."""
        self._do(self._row.id)

    def _do(self, what: str) -> None:
        profile = self._profile
        match what:
            case "screening" if not self._demo:
                self.post_message(self.Wanted(what))
            case "skin":
                self.post_message(self.Wanted(what))
            case "agreed" if profile.waiting():
                self.post_message(self.Wanted(what))
            case "neck":
                self._keep(lambda: profile.set_neck(on=not profile.person().neck))
            case zone if zone in ZONES:
                self._keep(lambda: profile.leave_out(profile.person().no_go ^ {zone}))

    def action_step(self, by: int) -> None:
        """Lower or raise the maximum, by the person's own hand."""
        if self._row.id != "comfortable":
            return
        profile = self._profile
        now = profile.comfortable()
        wanted = now + by if abs(by) == 1 else (now // 5 * 5 + by if by > 0 else -(-now // 5) * 5 + by)
        if by > 0:
            wanted = wanted if now >= profile.most() else min(wanted, profile.most())
        self._keep(lambda: profile.set_comfortable(max(1, wanted)))

    def _keep(self, change: Callable[[], None]) -> None:
        refusal = ""
        try:
            change()
        except CompanionError as error:
            refusal = str(error)
        else:
            self.post_message(self.Changed())
        self._show()
        self._refuse(refusal)

    def _refuse(self, why: str) -> None:
        self._refused = self._row.id if why else ""
        self.query_one("#refusal", Static).update(Content(why))

    async def action_back(self) -> None:
        """Leave."""
        self.dismiss()


_EVERYWHERE = (
    KeyHint("esc", shared.KEY_BACK, "screen.back"),
    KeyHint("g", shared.KEY_JUMP, "app.jump"),
    KeyHint("?", shared.KEY_HELP, "app.help"),
)


def _hints(row: str) -> tuple[KeyHint, ...]:
    match row:
        case "comfortable":
            return (KeyHint("←", words.KEY_LESS, "screen.step(-5)"), KeyHint("→", words.KEY_MORE, "screen.step(5)"))
        case "screening":
            return (KeyHint("space", words.KEY_ANSWER, "screen.take"),)
        case "agreed":
            return (KeyHint("space", words.KEY_AGREED, "screen.take"),)
        case "skin":
            return (KeyHint("space", words.KEY_NOTE, "screen.take"),)
        case _:
            return (KeyHint("space", words.KEY_SWITCH, "screen.take"),)


def _bar(percent: int) -> str:
    """The maximum as a picture and a number."""
    full = max(1, round(percent / 100 * _BAR / 2))
    return "━" * full + "╌" * (_BAR // 2 - full) + f" {words.PERCENT.format(percent=percent)}"
