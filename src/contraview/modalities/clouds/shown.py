"""How a cloud looks: its points from the side and a little from above, near ones larger."""

from typing import Final

import numpy as np

from contraview.core.shown import INKS, Shown, drawing
from contraview.modalities.clouds.data import Clouds

SIDE: Final = 200
POINTS: Final = 600
TURN: Final = np.array(
    [[0.80, 0.0, 0.60], [0.25, 0.91, -0.33], [-0.55, 0.41, 0.73]]  # rows: right, up, to the eye
)


def show(data: Clouds, i: int) -> Shown:
    """At most `POINTS` of the points, the same each time."""
    points = data.points[i].astype(np.float64)
    points = points[:: max(len(points) // POINTS, 1)]
    turned = (points - points.mean(axis=0)) @ TURN.T
    reach = np.abs(turned[:, :2]).max() or 1.0
    depth = turned[:, 2]
    near = (depth - depth.min()) / (np.ptp(depth) or 1.0)
    marks = [
        f'<circle cx="{SIDE / 2 * (1 + 0.94 * x / reach):.1f}" '
        f'cy="{SIDE / 2 * (1 - 0.94 * y / reach):.1f}" r="{1.0 + 1.2 * n:.1f}" '
        f'fill="{INKS[0]}" fill-opacity="{0.35 + 0.6 * n:.2f}"/>'
        for (x, y, _), n in sorted(zip(turned, near, strict=True), key=lambda each: each[1])
    ]
    return drawing(marks, SIDE, SIDE)
