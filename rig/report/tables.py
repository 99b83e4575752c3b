"""Tables of the page: a caption, column heads, row heads, and a region that scrolls where the screen is narrow."""

from __future__ import annotations

from collections.abc import Sequence

from rig.report.markup import Markup, tag


def table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: int = 0) -> Markup:
    """A table whose first column heads its rows and whose last ``numbers`` columns are numbers."""
    first = len(columns) - numbers

    def cell(index: int, content: str) -> Markup:
        class_ = "number" if index >= first else None
        return tag("td", content, class_=class_) if index else tag("th", content, scope="row")

    # an empty head above the row heads is a plain cell: a head without text is announced as one
    heads = [
        tag("th", column, scope="col", class_="number" if index >= first else None) if column else tag("td")
        for index, column in enumerate(columns)
    ]
    body = [tag("tr", *(cell(index, content) for index, content in enumerate(row))) for row in rows]
    inside = tag("table", tag("caption", caption), tag("thead", tag("tr", *heads)), tag("tbody", *body))
    return tag("div", inside, class_="scroll", tabindex="0", role="region", aria_label=caption)
