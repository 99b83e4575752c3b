"""Tables of the page: a caption, column heads, row heads, and a region that scrolls where the screen is narrow."""

from __future__ import annotations

from collections.abc import Sequence

from rig.report.markup import Markup, tag


def table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: int = 0) -> Markup:
    """A table whose first column heads its rows and whose last ``numbers`` columns are numbers."""

    def cell(index: int, content: str) -> Markup:
        return tag("td", content) if index else tag("th", content, scope="row")

    # an empty head above the row heads is a plain cell: a head without text is announced as one
    heads = [tag("th", column, scope="col") if column else tag("td") for column in columns]
    body = [tag("tr", *(cell(index, content) for index, content in enumerate(row))) for row in rows]
    # one class for all cells that are numbers: in a table of a thousand rows a class a cell would be half the page
    class_ = f"numbers-{numbers}" if numbers else None
    inside = tag("table", tag("caption", caption), tag("thead", tag("tr", *heads)), tag("tbody", *body), class_=class_)
    return tag("div", inside, class_="scroll", tabindex="0", role="region", aria_label=caption)
