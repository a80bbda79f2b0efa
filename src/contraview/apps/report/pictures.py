"""What a model of images makes of some images: their views, their neighbours, a map."""

import io
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from contraview.apps.report.contents import EmbeddingMap, Pictures
from contraview.core.errors import InputError
from contraview.core.seeds import numpy_generator, torch_generator
from contraview.modalities.images.data import Images

VIEWED: Final = 8
"""Images whose views are shown."""
QUERIES, NEIGHBOURS = 10, 6
SAMPLE: Final = 1_200
"""Images on the map, and among which neighbours are sought."""
CELL, GAP = 72, 4
"""Pixels of an image on a sheet, and between images."""
KINDS: Final = 12
"""Classes that are told apart on the map, the commonest first."""
OTHER, UNNAMED = "other classes", "images"


def pictures_of(system: Any, images: Any, *, seed: int = 0) -> Pictures:
    """Sheets and a map of images as ``system`` sees them; nothing of it is kept in the model.

    Args:
        system: fitted, with `embed`; where its settings have `views` these are shown too.
        images: what its reader gave.
        seed: draws which images are shown.

    Raises:
        InputError: data of another kind, or fewer than two images.
    """
    if not isinstance(images, Images) or not hasattr(system, "embed"):
        raise InputError(f"{system.slug}: pictures are made of images, by systems that embed them")
    if len(images) < 2:
        raise InputError(f"{len(images)} images to show; expected at least 2")
    drawn = numpy_generator(seed, "report pictures").permutation(len(images))[:SAMPLE]
    sample = images.take(drawn)
    vectors = np.asarray(system.embed(sample), dtype=np.float64)
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return Pictures(
        neighbours=_neighbours(sample, unit),
        views=_views(system, sample, seed),
        map=_map(sample, unit),
        shown=len(sample),
    )


def _views(system: Any, sample: Images, seed: int) -> bytes | None:
    """A row of images, and below each two views of it."""
    view = getattr(system.config, "views", None)
    if not callable(view):
        return None
    generator = torch_generator(seed, "report views")
    pixels = sample.batch(torch.arange(min(VIEWED, len(sample))))
    rows = [pixels, view(pixels, generator), view(pixels, generator)]
    return sheet([(row.clamp(0, 1) * 255).round().byte().numpy() for row in rows])


def _neighbours(sample: Images, unit: np.ndarray) -> bytes:
    """A row a query: the image, then those with the largest cosine."""
    queries = min(QUERIES, len(sample))
    cosines = unit[:queries] @ unit.T
    cosines[np.arange(queries), np.arange(queries)] = -np.inf
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, : min(NEIGHBOURS, len(sample) - 1)]
    return sheet([sample.pixels[[i, *nearest[i]]] for i in range(queries)])


def _map(sample: Images, unit: np.ndarray) -> EmbeddingMap:
    centred = unit - unit.mean(axis=0)
    _, spread, axes = np.linalg.svd(centred, full_matrices=False)
    total = float((spread**2).sum())
    explained = float((spread[:2] ** 2).sum()) / total if total else 0.0
    places = np.zeros((len(sample), 2))
    places[:, : len(axes[:2])] = centred @ axes[:2].T
    if sample.label is None:
        return EmbeddingMap(places, np.full(len(sample), UNNAMED), explained, UNNAMED)
    labels = sample.labels()
    names, counts = np.unique(labels[labels != ""], return_counts=True)
    common = names[np.argsort(-counts, kind="stable")][:KINDS]
    return EmbeddingMap(places, np.where(np.isin(labels, common), labels, OTHER), explained, OTHER)


def sheet(rows: Sequence[UInt8[np.ndarray, "_ _ _ _"]]) -> bytes:
    """Rows of images as one PNG, each brought to the same size without smoothing small ones."""
    most = max(len(row) for row in rows)
    whole = Image.new("RGB", (most * (CELL + GAP) - GAP, len(rows) * (CELL + GAP) - GAP), "white")
    for y, row in enumerate(rows):
        for x, pixels in enumerate(row):
            plain = np.ascontiguousarray(
                pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)
            )
            small = max(plain.shape[:2]) <= CELL
            way = Image.Resampling.NEAREST if small else Image.Resampling.LANCZOS
            placed = Image.fromarray(plain).convert("RGB").resize((CELL, CELL), way)
            whole.paste(placed, (x * (CELL + GAP), y * (CELL + GAP)))
    content = io.BytesIO()
    whole.save(content, "PNG", optimize=True)
    return content.getvalue()
