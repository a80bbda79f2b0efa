"""What a reader gives: points, or a surface that points can be drawn from."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from contraview.core.errors import InputError
from contraview.core.seeds import numpy_generator


@dataclass(frozen=True)
class Shape:
    """One object in three dimensions, in the units of its file.

    Attributes:
        name: the file, and the part of it where it holds several.
        vertices: [v, 3], the corners of the surface; the cloud itself where there are no faces.
        triangles: [t, 3] rows of ``vertices``; none for a cloud.
        facts: what the file or a table says of it (a class, a category), as text.
    """

    name: str
    vertices: Float[np.ndarray, "v 3"]
    triangles: Int[np.ndarray, "t 3"] = field(default_factory=lambda: np.empty((0, 3), np.int64))
    facts: dict[str, str] = field(default_factory=dict)

    def points(self, count: int, seed: int) -> Float[np.ndarray, "p 3"]:
        """``count`` points of the object, the same for the same seed.

        A surface is sampled evenly by area. Of a cloud a random part is taken; one with fewer
        points gives all it has.

        Raises:
            InputError: nothing there, a coordinate that is not finite, or a surface without area.
        """
        there = len(self.vertices)
        if not there:
            raise InputError(f"{self.name}: holds no points; expected at least one")
        if not np.isfinite(self.vertices).all():
            row = int(np.flatnonzero(~np.isfinite(self.vertices).all(1))[0])
            raise InputError(f"{self.name}: point {row + 1} is not finite; expected three numbers")
        generator = numpy_generator(seed, "points")
        if len(self.triangles):
            drawn = surface_points(self.vertices, self.triangles, count, generator, self.name)
        else:
            drawn = self.vertices[generator.choice(there, min(count, there), replace=False)]
        return drawn.astype(np.float32)


def padded(points: Float[np.ndarray, "p 3"], count: int, seed: int) -> Float[np.ndarray, "q 3"]:
    """The points, and as many of them again as are missing to ``count``."""
    missing = count - len(points)
    again = numpy_generator(seed, "again").integers(len(points), size=missing)
    return np.concatenate([points, points[again]])


def surface_points(
    vertices: Float[np.ndarray, "v 3"],
    triangles: Int[np.ndarray, "t 3"],
    count: int,
    generator: np.random.Generator,
    name: str = "mesh",
) -> Float[np.ndarray, "p 3"]:
    """Points drawn evenly by area from the surface that ``triangles`` make.

    A triangle is chosen with the chance of its area. A point in it is
    (1 - √r) A + √r (1 - s) B + √r s C for uniform r and s (Osada et al. 2002, eq. 1).

    Raises:
        InputError: the triangles have no area.
    """
    a, b, c = (vertices[triangles[:, corner]] for corner in range(3))
    areas = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
    total = areas.sum()
    if not total > 0:
        raise InputError(f"{name}: its {len(triangles)} triangles have no area; expected a surface")
    chosen = np.searchsorted(np.cumsum(areas / total), generator.random(count), side="right")
    chosen = np.minimum(chosen, len(triangles) - 1)
    root, share = np.sqrt(generator.random((count, 1))), generator.random((count, 1))
    return (1 - root) * a[chosen] + root * ((1 - share) * b[chosen] + share * c[chosen])


def fan(polygon: Int[np.ndarray, "f k"]) -> Int[np.ndarray, "t 3"]:
    """Polygons of k corners as the k - 2 triangles around their first corner."""
    middle = range(1, polygon.shape[1] - 1)
    return np.concatenate([polygon[:, [0, i, i + 1]] for i in middle])
