"""Point clouds as a person has them, all with the same number of points: `read_clouds`."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float, Int, Shaped
from pydantic import Field

from contraview.core.config import Config
from contraview.core.errors import InputError
from contraview.modalities.clouds.readers.shapes import read_shapes
from contraview.modalities.clouds.shape import Shape, padded

PART = 2048
"""Clouds of a part: 25 MB at 1024 points."""


class CloudSource(Config):
    """How point clouds are read."""

    labels: str | None = Field(
        None,
        description="what says the class: 'folder' (the first folder below the one given), a "
        "column of the table of files, or a fact of the file",
    )
    points: int = Field(
        1024, ge=16, description="points taken of each object; fewer where no cloud has as many"
    )
    draw: int = Field(0, ge=0, description="which points: another number draws others")

    def read(self, source: Any) -> "Clouds":
        """The clouds of ``source``; see `read_clouds`."""
        if isinstance(source, Clouds):
            return source
        if not isinstance(source, str) and isinstance(source, Sequence) and not len(source):
            raise InputError("no point clouds; expected at least one")
        return Clouds.of(read_shapes(source), self)


def read_clouds(source: Any, settings: CloudSource | None = None, **knobs: Any) -> "Clouds":
    """Read point clouds and meshes, each as the same number of points.

    Args:
        source: a path, a glob or a folder (.obj, .off and .ply meshes are sampled by area; .ply,
            .npy, .npz, .xyz, .pts, .asc, .txt and .csv clouds; .sh3f libraries), an array
            [points, 3] or [clouds, points, 3], a table with a column ``file``, or several of
            these. `Clouds` are given back as they are.
        settings: how to read them.
        **knobs: the fields of `CloudSource`, in place of ``settings``.

    Raises:
        InputError: nothing there, damaged, or not understood; the file and its line are named.
    """
    return (settings or CloudSource.of(**knobs)).read(source)


@dataclass(frozen=True)
class Clouds:
    """Clouds of the same number of points, in the units of their files.

    Attributes:
        points: [n, p, 3].
        table: one row a cloud: ``cloud``, the file it is from, and what is known of it.
        label: the column of ``table`` that holds the class, if one was named; it may be missing
            where nobody asks for `labels`, as in data that a model names.
    """

    points: Float[np.ndarray, "n p 3"]
    table: pl.DataFrame
    label: str | None = None

    @classmethod
    def of(cls, shapes: Iterable[Shape], settings: CloudSource) -> "Clouds":
        """Points drawn from shapes; what is drawn of one does not depend on the others.

        Clouds with fewer points than the largest, or than were asked for, repeat some.
        """
        drawn, rows = [], []
        for shape in shapes:
            drawn.append(shape.points(settings.points, settings.draw))
            rows.append({"cloud": shape.name, **shape.facts})
        if not rows:
            raise InputError("no point clouds; expected at least one")
        columns = dict.fromkeys(key for row in rows for key in row)
        table = pl.DataFrame({c: [row.get(c, "") for row in rows] for c in columns})
        count = max(map(len, drawn))
        points = np.stack([padded(each, count, settings.draw) for each in drawn])
        return cls(points, table, settings.labels)

    def __len__(self) -> int:
        return len(self.points)

    def parts(self) -> Iterator["Clouds"]:
        """The clouds in order, `PART` at a time."""
        for start in range(0, len(self), PART):
            yield self.take(range(start, min(start + PART, len(self))))

    def collect(self) -> pl.DataFrame:
        """One row a cloud: its file and what is known of it."""
        return self.table

    def labels(self) -> Shaped[np.ndarray, " n"]:
        """The class of each cloud as text; empty where it has none.

        Raises:
            InputError: nothing was named as the class, or nothing is called so.
        """
        first, facts = self.table["cloud"][0], self.table.columns[1:]
        if self.label is None:
            raise InputError(f"{first}: has no labels; name them, as in --labels folder")
        if self.label not in facts:
            raise InputError(
                f"{first}: nothing is called {self.label!r}; what is known of the clouds: "
                f"{', '.join(facts) or 'nothing'}"
            )
        return self.table[self.label].to_numpy().astype(np.str_)

    def take(self, rows: Sequence[int] | Int[np.ndarray, " m"]) -> "Clouds":
        """The clouds with these numbers, in this order."""
        chosen = np.asarray(rows, np.int64)
        return replace(self, points=self.points[chosen], table=self.table[chosen])

    def fingerprint(self) -> str:
        """SHA-256 over the points in order, to single precision."""
        head = repr(self.points.shape).encode()
        return hashlib.sha256(head + np.ascontiguousarray(self.points).tobytes()).hexdigest()
