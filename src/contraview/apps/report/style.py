"""How every figure of the report looks, and how it becomes SVG that follows light and dark mode.

Figures are drawn with the light colours below. In the SVG each colour is then replaced by the
CSS variable of the same name, so that the page's style sheet decides, also after dark. Colours
are told apart under the common forms of colour blindness (after Okabe and Ito 2008), and none
carries a meaning alone: shape, place or a word says the same.
"""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from contraview.apps.report.markup import Markup, tag

COLOURS: Final = {
    "ink": "#20262e",
    "muted": "#66707d",
    "grid": "#e2e6eb",
    "surface": "#fefefe",
    "quiet": "#9aa5b3",  # benign
    "capture": "#0a6ead",
    "found": "#c8480b",  # an attack that raised an alert
    "missed": "#dd9a2b",
    "kind-1": "#0072b2",
    "kind-2": "#d55e00",
    "kind-3": "#009e73",
    "kind-4": "#cc79a7",
    "kind-5": "#e69f00",
    "kind-6": "#56b4e9",
    "kind-7": "#6a3d9a",
    "kind-8": "#7b5b3a",
}
"""Name of the CSS variable, and its colour in light mode; no two are equal."""

DARK: Final = {
    "ink": "#e8ebef",
    "muted": "#a3adb9",
    "grid": "#343c47",
    "surface": "#1a1f26",
    "quiet": "#7d8897",
    "capture": "#58b0ee",
    "found": "#f58049",
    "missed": "#e9c46a",
    "kind-1": "#58a6e0",
    "kind-2": "#f07c30",
    "kind-3": "#2fc79a",
    "kind-4": "#e79cc4",
    "kind-5": "#f0b93f",
    "kind-6": "#9bd5f7",
    "kind-7": "#b392f0",
    "kind-8": "#c9a27c",
}
"""The same names in dark mode."""

INK, MUTED, GRID = COLOURS["ink"], COLOURS["muted"], COLOURS["grid"]
KINDS: Final = [colour for name, colour in COLOURS.items() if name.startswith("kind-")]

STYLE: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "contraview",  # the same figure gives the same bytes
    "text.parse_math": False,  # a "$" in somebody's data is a dollar sign
    "font.family": "sans-serif",
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.labelsize": 11,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": GRID,
    "axes.linewidth": 1,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "figure.facecolor": "none",
    "figure.constrained_layout.use": True,
    "figure.dpi": 72,  # one unit of a drawing is one pixel
    "grid.color": GRID,
    "grid.linewidth": 1,
    "legend.frameon": False,
    "legend.fontsize": 11,
    "legend.handlelength": 1.4,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "text.color": INK,
    "xtick.color": GRID,
    "xtick.labelcolor": MUTED,
    "xtick.labelsize": 10.5,
    "xtick.major.size": 4,
    "xtick.minor.size": 0,
    "ytick.color": GRID,
    "ytick.labelcolor": MUTED,
    "ytick.labelsize": 10.5,
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
}


@contextmanager
def drawing(width: int, height: int) -> Iterator[Figure]:
    """A figure of so many pixels, drawn in the style of the report."""
    with mpl.rc_context(STYLE):
        yield Figure(figsize=(width / 72, height / 72))


def svg(figure: Figure, says: str) -> Markup:
    """A drawn figure as inline SVG; ``says`` is read out where it cannot be seen."""
    buffer = io.StringIO()
    with mpl.rc_context(STYLE):
        FigureCanvasSVG(figure).print_svg(buffer)
    drawn = buffer.getvalue()
    box = re.search(r'viewBox="0 0 (\S+) (\S+)"', drawn)
    assert box, "every SVG of matplotlib has a view box"
    body = drawn[drawn.index(">", drawn.index("<svg")) + 1 : drawn.rindex("</svg>")]
    body = re.sub(r"<(metadata|style).*?</\1>", "", body, flags=re.DOTALL)
    body = re.sub(r"<[^>]+>", lambda found: _lighter(found[0]), body)
    return tag(
        "svg",
        Markup(re.sub(r"\s*\n\s*", "\n", body)),
        viewBox=f"0 0 {box[1]} {box[2]}",
        role="img",
        aria_label=says,
        style=f"max-width:{float(box[1]) * 1.15:.0f}px",
    )


def _lighter(element: str) -> str:
    """An element in the colours and the font of the page, without what nothing refers to."""
    if element.startswith("<g"):
        element = re.sub(r' id="[^"]*"', "", element)
    element = re.sub(r" font-family: [^;]*;| transform=\"rotate\(-0 [^)]*\)\"", "", element)
    element = re.sub(r"(\d\.\d\d)\d+", r"\1", element).replace("xlink:href", "href")
    for name, colour in COLOURS.items():
        element = element.replace(colour, f"var(--{name})")
    return element
