"""The summary: the face with time per zone as tone, a few numbers, how it felt, what comes next, a glass of water."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from companion.home import After
from companion.session.model import Reason, SessionPlan, Summary
from companion.widgets.countdown import clock_text
from companion.widgets.facemap import FaceMap
from companion.widgets.keyline import KeyHint, KeyLine
from companion.words import app as shared
from companion.words import session as session_words
from companion.words import summary as words


class SummaryScreen(Screen[None]):
    """What came of a session. Nothing runs any more when it is shown."""

    CSS_PATH = "summary.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,space,escape", "app.today", words.KEY_DONE)]
    AUTO_FOCUS = None

    def __init__(
        self, summary: Summary, plan: SessionPlan, note: str = "", after: After | None = None, *, mirror: bool = True
    ) -> None:
        super().__init__()
        self._after = after
        self._mirror = mirror
        self._summary = summary
        self._plan = plan
        self._note = note

    def compose(self) -> ComposeResult:
        """Lay the screen out."""
        summary = self._summary
        with Horizontal(id="top"):
            yield Static(shared.TITLE, id="name")
            yield Static(self._plan.title, id="routine", markup=False)
        with Horizontal(id="body"):
            yield FaceMap(mirror=self._mirror, id="face")
            with Vertical(id="column"):
                good = summary.reason in {Reason.COMPLETED, Reason.TIME_LIMIT}
                yield Static(words.HEADLINES[summary.reason], id="headline", classes="good" if good else "")
                yield Static(self._note or words.NOTES[summary.reason], id="why", markup=False)
                yield Static(self._numbers(), id="numbers")
                yield Static(self._zones(), id="zones")
                yield Static("" if self._after is None else self._after.next, id="next", markup=False)
                yield Static(words.WATER, id="water")
        yield KeyLine(
            (
                KeyHint("enter", words.KEY_DONE, "app.today"),
                KeyHint("w", words.KEY_GLASS, "app.glass"),
                KeyHint("g", shared.KEY_JUMP, "app.jump"),
                KeyHint("?", shared.KEY_HELP, "app.help"),
                KeyHint("ctrl+q", shared.KEY_LEAVE, "app.quit"),
            )
        )

    def on_mount(self) -> None:
        """Put the time per zone on the face."""
        times = self._summary.zone_seconds
        longest = max(times.values(), default=0.0)
        zones = tuple(dict.fromkeys(step.zone for step in self._plan.steps if step.zone))
        tones = tuple((zone, seconds / longest) for zone, seconds in times.items() if seconds > 0)
        self.query_one(FaceMap).show(zones=zones, tones=tones)

    def _numbers(self) -> Content:
        summary = self._summary
        if summary.output_s <= 0:
            return Content.styled(words.NO_OUTPUT, "$muted")
        share = round(100 * summary.highest_percent / max(1, self._plan.comfortable_percent))
        lines = [words.TIME.format(minutes=clock_text(summary.output_s)), words.HIGHEST.format(share=share)]
        if summary.skipped_zones:
            left_out = session_words.listed([session_words.zone_label(z).lower() for z in summary.skipped_zones])
            lines.append(words.SKIPPED.format(zones=left_out))
        if self._after is not None and self._after.felt:
            lines.append(self._after.felt)
        return Content("\n".join(lines))

    def _zones(self) -> Content:
        times = {zone: seconds for zone, seconds in self._summary.zone_seconds.items() if seconds > 0}
        if not times:
            return Content("")
        longest = max(times.values())
        rows: dict[str, dict[str, float]] = {}
        for zone, seconds in times.items():
            side, _, kind = zone.partition("-")
            sided = side in {"left", "right"}
            rows.setdefault(kind if sided else zone, {})[side if sided else ""] = seconds
        parts: list[str | tuple[str, str]] = []
        if any("" not in sides for sides in rows.values()):
            parts = [" " * 12, (f"{words.LEFT:<12}{words.RIGHT}\n", "$muted")]
        for kind, sides in rows.items():
            parts.append((f"{kind.capitalize():<12}", "$muted"))
            for side in ("",) if "" in sides else ("left", "right"):
                lasted = sides.get(side, 0.0)
                bar = "━" * round(5 * lasted / longest)
                parts += [(f"{bar:<6}", "$done"), (f"{clock_text(lasted) if lasted else '-':<6}", "$foreground")]
            parts.append("\n")
        return Content.assemble(*parts)
