"""How one item of any kind of data looks: a picture, a drawing, or words.

Each wing that has items has a module ``shown`` with one function, ``show(data, i)``; pages ask for
it by the data they hold. Nothing of a drawing comes from the data but numbers, so that no file can
put markup on a page; words are only ever shown as text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, Literal

import numpy as np
from jaxtyping import Float

from contraview.core.plain_text import visible

INKS: Final = ("#2f86c9", "#d9722e", "#2f9e78", "#b765a0", "#c9962b", "#7b6bd6")
"""Colours that can be told apart on light and on dark."""
LONGEST: Final = 4_000
"""Characters of words that are shown."""


@dataclass(frozen=True)
class Shown:
    """How an item looks.

    Attributes:
        kind: the media type of ``content``.
        content: PNG, SVG, or UTF-8 text.
    """

    kind: Literal["image/png", "image/svg+xml", "text/plain"]
    content: bytes


def show(data: Any, i: int) -> Shown:
    """How item ``i`` (from 0) of what a reader gave looks, as its wing draws it."""
    wing = type(data).__module__.rpartition(".")[0]
    return import_module(f"{wing}.shown").show(data, i)


def words(text: str) -> Shown:
    """An item that is read: control characters made visible, line ends kept, cut where long."""
    cut = text[:LONGEST]
    kept = "\n".join(visible(line) for line in cut.split("\n"))
    more = f"\n... ({len(text):,} characters)" if len(text) > LONGEST else ""
    return Shown("text/plain", (kept + more).encode())


def curves(
    lines: Sequence[Float[np.ndarray, " _"]], *, width: int = 320, height: int = 120, mark: int = -1
) -> Shown:
    """Curves one above the other, each from its least to its largest value.

    Args:
        lines: the values of each, at equal steps; what is not finite is a gap.
        width: of the drawing.
        height: of the drawing.
        mark: a step to mark; none where it is negative.
    """
    each = height / max(len(lines), 1)
    drawn = []
    if mark >= 0 and lines:
        x = 4 + (width - 8) * mark / max(len(lines[0]) - 1, 1)
        drawn.append(f'<path d="M{x:.1f} 0V{height}" stroke="#888" stroke-dasharray="3 3"/>')
    for i, values in enumerate(lines):
        drawn += _line(values, INKS[i % len(INKS)], width, i * each + 4, each - 8)
    return drawing(drawn, width, height)


def drawing(parts: Sequence[str], width: int, height: int) -> Shown:
    """Elements of SVG as one drawing."""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" fill="none">'
    return Shown("image/svg+xml", (head + "".join(parts) + "</svg>").encode())


def _line(
    values: Float[np.ndarray, " _"], ink: str, width: int, top: float, height: float
) -> list[str]:
    values = _thinned(np.asarray(values, dtype=np.float64), 2 * width)
    finite = np.isfinite(values)
    if not finite.any():
        return []
    low, high = values[finite].min(), values[finite].max()
    spread = high - low if high > low else 1.0
    x = 4 + (width - 8) * np.arange(len(values)) / max(len(values) - 1, 1)
    y = top + height * (1 - (np.where(finite, values, low) - low) / spread)
    path, pen = [], "M"
    for i in range(len(values)):
        if finite[i]:
            path.append(f"{pen}{x[i]:.1f} {y[i]:.1f}")
            pen = "L"
        else:
            pen = "M"
    return [f'<path d="{"".join(path)}" stroke="{ink}" stroke-width="1.3"/>']


def _thinned(values: Float[np.ndarray, " n"], most: int) -> Float[np.ndarray, " m"]:
    """Of many values the least and the largest of each stretch, so that no peak is lost."""
    if len(values) <= most:
        return values
    parts = np.array_split(values, most // 2)
    return np.concatenate([[part.min(), part.max()] for part in parts])
