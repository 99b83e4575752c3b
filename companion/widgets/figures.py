"""Big numerals that take as much room as they need, so that words can stand beside them."""

from __future__ import annotations

from textual.geometry import Size

from companion.widgets import numerals
from companion.widgets.countdown import Countdown


class Figures(Countdown):
    """The countdown's figures for a number that does not run; give it ``width: auto`` and a height in lines."""

    def show(self, text: str, tone: str = "text") -> None:
        """Show figures; the room beside them changes with their number."""
        longer = len(text) != len(self.text)
        super().show(text, tone)
        if longer:
            self.refresh(layout=True)

    def get_content_width(self, container: Size, viewport: Size) -> int:  # noqa: ARG002 - Textual's own signature
        """Return the columns that the figures take at this height."""
        height = self.styles.height
        lines = container.height if height is None or not height.is_cells else int(height.value)
        return numerals.width_of(self.text, max(1, lines))
