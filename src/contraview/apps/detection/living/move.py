"""Views moved towards more benign rows, without a refit."""

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Float32

from contraview.apps.detection.rules import Rules
from contraview.apps.detection.usual import Usual
from contraview.apps.detection.views import View
from contraview.core.learnt import Learnt, array, demand, texts
from contraview.frameworks.one_class.centroid import Centroid
from contraview.frameworks.one_class.ecod import Ecod
from contraview.frameworks.one_class.neighbours import Neighbours

MOVE: Final = "move"
"""The name under which a model folder holds it."""
MOST_COUNTS: Final = 1e9
"""For fewer rows of a fit than this a row stands."""
MOST_COPIES: Final = 20
"""How often a row may stand in the tails of a column."""


@dataclass(frozen=True)
class Move:
    """Benign rows that join those of the fit, each counting as so many of them.

    - CLAN's centre is the mean of all embeddings: (n m + sum of c_i e_i) / (n + sum of c_i), m the
      mean of the n rows of the fit.
    - The bank of the kNN view gains each row: once where it counts as one, at most k times, so
      that one row can be a neighbourhood of its own.
    - The tails of ECOD gain the values of each row, as often as it counts (rounded, at most 20).
    - The forest stays: it cannot be added to.

    Attributes:
        rows: standardised.
        counts: c, for how many rows of the fit each stands.
        taught: which of them are feedback; the others come from `contraview refit --centre`.
        allowed_values: by column, values that are no longer a broken rule.
        services: those that the rows brought, with their share; no longer new.
    """

    rows: Float32[np.ndarray, "k d"]
    counts: Float[np.ndarray, " k"]
    taught: Bool[np.ndarray, " k"]
    allowed_values: dict[str, list[str]] = field(default_factory=dict)
    services: dict[str, float] = field(default_factory=dict)

    def centroid(
        self, centroid: Centroid, own: int, embedded: Float[np.ndarray, "k e"]
    ) -> Centroid:
        """The moved centre, of ``own`` rows before."""
        if not len(embedded):
            return centroid
        total = own * centroid.mean + self.counts @ embedded.astype(np.float64)
        return Centroid(total / (own + self.counts.sum()), centroid.kappa)

    def view(self, view: View, metric: Float[np.ndarray, "k d"]) -> View:
        """A moved view; ``metric`` are the rows in the space of the kNN view."""
        copies = np.maximum(np.round(self.counts), 1).astype(int)
        if isinstance(view, Neighbours):
            more = np.repeat(metric, np.minimum(copies, view.k), axis=0)
            return Neighbours(np.concatenate([view.bank, more.astype(np.float32)]), view.k)
        if isinstance(view, Ecod):
            more = np.repeat(self.rows, np.minimum(copies, MOST_COPIES), axis=0)
            values = np.concatenate([view.ordered, more.T], axis=1)
            spread = values.astype(np.float64) - values.mean(axis=1, keepdims=True)
            ordered = np.ascontiguousarray(np.sort(values, axis=1))
            return Ecod(ordered, (spread**3).mean(axis=1) < 0)
        return view

    def allowed(self, rules: Rules) -> Rules:
        """The rules without what is allowed: a constant column that moved has none any more, a
        category that was new is known.
        """
        told = self.allowed_values
        constant = {c: value for c, value in rules.constant.items() if c not in told}
        categories = {c: (*known, *told.get(c, ())) for c, known in rules.categories.items()}
        return Rules(constant, categories, rules.rate)

    def usual(self, usual: Usual) -> Usual:
        """What is usual, with the services that came; the columns' tenths stay those of the fit."""
        if usual.services is None or not self.services:
            return usual
        return replace(usual, services=self.services | usual.services)

    def learnt(self) -> Learnt:
        """What `restore` needs."""
        arrays = {"rows": self.rows, "counts": self.counts, "taught": self.taught}
        facts = {"allowed": self.allowed_values, "services": self.services}
        return Learnt(arrays, facts=facts)

    @classmethod
    def restore(cls, learnt: Learnt) -> "Move":
        """What `learnt` described."""
        held, facts = learnt.arrays, learnt.facts
        rows, counts = array(held, "rows", 2), array(held, "counts", 1)
        taught = array(held, "taught", 1, "b")
        demand(len(rows) == len(counts) == len(taught), "move: rows that count as nothing")
        demand((counts >= 0).all() and (counts < MOST_COUNTS).all(), "move: counts beyond measure")
        allowed = {
            column: list(texts(values, column)) for column, values in facts["allowed"].items()
        }
        services = {name: float(share) for name, share in facts["services"].items()}
        return cls(rows, counts, taught, allowed, services)
