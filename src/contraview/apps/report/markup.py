"""HTML that is safe by construction: text is escaped as it enters a tag, markup is not."""

from html import escape

from contraview.core.plain_text import visible


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Child = str | int | float | None
"""What a tag may hold: markup as it is, everything else escaped and `visible`, None left out."""


def tag(name: str, *children: Child, **attributes: str | float | None) -> Markup:
    """``<name attributes>children</name>``; underscores stand for hyphens, ``class_`` for class."""
    shown = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{shown}>{joined(*children)}</{name}>")


def joined(*children: Child) -> Markup:
    """Children one after another."""
    return Markup("".join(_html(child) for child in children if child is not None))


def _html(child: Child) -> str:
    if isinstance(child, Markup):
        return child
    return escape("\n".join(map(visible, str(child).split("\n"))))


def table(head: list[str], rows: list[list[Child]], *, numbers: range = range(0)) -> Markup:
    """A table that scrolls on a narrow screen; the columns ``numbers`` are set to the right.

    A cell is text, markup inside a cell, or a whole ``<td>``.
    """

    def side(i: int) -> str | None:
        return "number" if i in numbers else None

    def cell(i: int, child: Child) -> Markup:
        if isinstance(child, Markup) and child.startswith("<td"):
            return child
        return tag("td", child, class_=side(i))

    top = tag("tr", *(tag("th", name, scope="col", class_=side(i)) for i, name in enumerate(head)))
    body = (tag("tr", *(cell(i, child) for i, child in enumerate(row))) for row in rows)
    whole = tag("table", tag("thead", top), tag("tbody", *body))
    return tag("div", whole, class_="scroll", tabindex="0", role="region", aria_label=head[0])
