"""`contraview serve MODEL DATA`: any model's items on its embedding map, with neighbours."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from fastapi import APIRouter, HTTPException
from fastapi.responses import Response
from jaxtyping import Float

import contraview
from contraview.apps.batch.answers import columns
from contraview.apps.report.report import training_steps
from contraview.apps.serve.principal import Axes, unit
from contraview.apps.serve.scoring import Scoring, scoring_api
from contraview.apps.serve.service import application, listen, read_token, run, say_where
from contraview.core.errors import InputError
from contraview.core.plain_text import plain
from contraview.core.run import Run
from contraview.core.seeds import numpy_generator
from contraview.core.shown import show
from contraview.core.verbs import VERBS
from contraview.modalities.flows.data import FlowSource

MOST: Final = 20_000
"""Items on the page; of more, so many drawn at random."""
KINDS: Final = 12
"""Values of a column that a colour can tell apart."""
BINS: Final = 5
NEAREST: Final = 12
ADDED: Final = ("classify", "cluster", "score", "regress")
"""Verbs whose answer is shown beside each item."""


class Items:
    """What the page on a model's items shows.

    Args:
        system: a fitted system.
        data: what its reader gave.
        folder: the model folder, for its name and its run's events.

    Raises:
        InputError: data of another kind, or fewer than two items.
    """

    def __init__(self, system: Any, data: Any, folder: Path) -> None:
        self.system, self.all = system, len(data)
        if self.all < 2:
            raise InputError(f"{self.all} items to show; expected at least 2")
        self.rows = np.arange(self.all)
        if self.all > MOST:
            drawn = numpy_generator(0, "served items").permutation(self.all)[:MOST]
            self.rows = np.sort(drawn)
            data = data.take(self.rows)
        self.data, self._folder = data, folder
        self.table = self._table()
        self.vectors = self._vectors()
        self.axes = None if self.vectors is None else Axes.of(self.vectors)
        self.colours = _colours(self.table)

    @classmethod
    def of(cls, folder: Path, sources: tuple[str, ...]) -> "Items":
        """The items of files, read as the fit's own data was."""
        system = contraview.load(folder)
        return cls(system, system.read(sources), folder)

    def about(self) -> dict[str, Any]:
        """What is shown."""
        return {
            "mode": "items",
            "model": self._folder.name,
            "system": self.system.slug,
            "items": len(self.rows),
            "all": self.all,
            "mapped": self.axes is not None,
            "explained": None if self.axes is None else self.axes.explained,
            "colours": list(self.colours),
        }

    def places(self) -> list[list[float]]:
        """The place of each item on the map."""
        if self.axes is None or self.vectors is None:
            raise HTTPException(404, f"{self.system.slug} embeds nothing")
        return np.round(self.axes(self.vectors), 4).tolist()

    def item(self, i: int) -> dict[str, Any]:
        """What is known of an item, and what the model says of it."""
        self._check(i)
        row = self.table.row(i, named=True)
        facts = {plain(name): _fact(value) for name, value in row.items()}
        return {"item": i, "row": int(self.rows[i]), "facts": facts}

    def neighbours(self, i: int, k: int) -> list[dict[str, Any]]:
        """The items with the largest cosine to one."""
        self._check(i)
        if self.vectors is None:
            raise HTTPException(404, f"{self.system.slug} embeds nothing")
        cosine = self.vectors @ self.vectors[i]
        cosine[i] = -np.inf
        order = np.argsort(-cosine, kind="stable")[: min(k, len(cosine) - 1)]
        return [{"item": int(j), "similarity": round(float(cosine[j]), 4)} for j in order]

    def picture(self, i: int) -> Response:
        """How an item looks."""
        self._check(i)
        shown = show(self.data, i)
        return Response(
            shown.content, media_type=shown.kind, headers={"cache-control": "max-age=3600"}
        )

    def curves(self) -> dict[str, list[dict[str, Any]]]:
        """Step, loss and effective rank of each training of the model's run."""
        return {
            plain(name): [
                {
                    "step": event["step"],
                    "loss": event["loss"],
                    "rank": event.get("collapse", {}).get("effective_rank"),
                }
                for event in steps
            ]
            for name, steps in training_steps(Run(self._folder).events()).items()
        }

    def _check(self, i: int) -> None:
        if not 0 <= i < len(self.rows):
            raise HTTPException(404, f"no item {i}; there are {len(self.rows)}")

    def _table(self) -> pl.DataFrame:
        table = self.data.collect()
        label = getattr(self.data, "label", None)
        if label is not None and label not in table.columns:
            table = table.with_columns(pl.Series(label, self.data.labels().astype(str)))
        for verb in ADDED:
            if isinstance(self.system, VERBS[verb]):
                said = columns(verb, self.system, self.data)
                fresh = [name for name in said.columns if name not in table.columns]
                table = pl.concat([table, said.select(fresh)], how="horizontal")
        return table

    def _vectors(self) -> Float[np.ndarray, "n e"] | None:
        if not isinstance(self.system, VERBS["embed"]):
            return None
        parts = [np.asarray(self.system.embed(part)) for part in self.data.parts()]
        return unit(np.concatenate(parts).astype(np.float64))


def items_api(items: Items) -> APIRouter:
    """The map, items, neighbours, the run's curves. Items are numbered from 0."""
    api = APIRouter(prefix="/api", tags=["items"])

    @api.get("/places")
    def places() -> list[list[float]]:
        """The place of each item on two principal axes of the embeddings."""
        return items.places()

    @api.get("/colours/{name}")
    def colours(name: str) -> dict[str, Any]:
        """A group for each item by a column: `names`, and the `kinds` that number them; -1 has no
        value.
        """
        if name not in items.colours:
            raise HTTPException(404, f"no colours by {name}")
        return items.colours[name]

    @api.get("/items/{number}")
    def item(number: int) -> dict[str, Any]:
        """What is known of an item, and what the model says of it."""
        return items.item(number)

    @api.get("/items/{number}/neighbours")
    def neighbours(number: int, k: int = NEAREST) -> list[dict[str, Any]]:
        """The nearest items by the cosine of their embeddings."""
        return items.neighbours(number, max(min(k, 100), 1))

    @api.get("/items/{number}/shown", response_class=Response)
    def shown(number: int) -> Response:
        """How an item looks: PNG, SVG or text."""
        return items.picture(number)

    @api.get("/curves")
    def curves() -> dict[str, list[dict[str, Any]]]:
        """Loss and effective rank over the steps of each training."""
        return items.curves()

    return api


@dataclass(frozen=True)
class ItemSettings:
    """What `contraview serve MODEL DATA` was told; see `Settings` of the page on alerts."""

    model: Path
    data: tuple[str, ...]
    host: str
    port: int
    token_file: Path | None


def serve_items(settings: ItemSettings) -> None:
    """Read, embed, and serve until told to stop."""
    token = read_token(settings.host, settings.token_file)
    listening = listen(settings.host, settings.port)
    try:
        items = Items.of(settings.model, settings.data)
        if items.all > len(items.rows):
            sys.stderr.write(f"{items.all:,} items; {len(items.rows):,} drawn at random\n")

        def metrics() -> Iterable[tuple[str, str, int | float]]:
            yield "contraview_items", "Items on the page", len(items.rows)

        guard = application(
            items.about,
            [items_api(items), *_scored(items.system)],
            metrics=metrics,
            healthy=lambda: None,
            host=settings.host,
            token=token,
        )
        say_where(listening, settings.host)
        run(guard, listening)
    finally:
        listening.close()


def _scored(system: Any) -> Iterator[APIRouter]:
    """Flows can be sent as JSON; items of other wings are files."""
    if system.Source is FlowSource and isinstance(system, VERBS["score"]):
        yield scoring_api(Scoring(lambda: system))


def _colours(table: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """The columns that items can be coloured by: of few values, or numbers in five parts."""
    found = {}
    for name in table.columns:
        column = table[name]
        if column.dtype.is_nested() or column.null_count() == column.len():
            continue
        many = column.n_unique()
        if 2 <= many <= KINDS + 1 and not column.dtype.is_float():
            found[plain(name)] = _groups(column.cast(pl.String))
        elif column.dtype.is_float() and many > BINS and not name.startswith("p_"):
            found[plain(name)] = _fifths(column)
    return found


def _groups(column: pl.Series) -> dict[str, Any]:
    names = sorted(column.drop_nulls().unique().to_list())
    place = {name: i for i, name in enumerate(names)}
    kinds = [-1 if value is None or value == "" else place[value] for value in column]
    return {"names": [plain(name) for name in names], "kinds": kinds}


def _fifths(column: pl.Series) -> dict[str, Any]:
    values = column.to_numpy().astype(np.float64)
    finite = np.isfinite(values)
    edges = np.unique(np.quantile(values[finite], np.linspace(0, 1, BINS + 1)))
    kinds = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    names = [f"{low:.4g} to {high:.4g}" for low, high in pairwise(edges)]
    return {"names": names, "kinds": np.where(finite, kinds, -1).tolist()}


def _fact(value: Any) -> Any:
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    return plain(str(value))
