"""What a fitted system can be asked to do. A verb enters here with the first system that has it."""

from typing import Any, Protocol, runtime_checkable

import numpy as np
import polars as pl
from jaxtyping import Float, Int, Shaped


@runtime_checkable
class Embeds(Protocol):
    """Rows in, one vector a row out."""

    def embed(self, data: Any, /) -> Float[np.ndarray, "n d"]:
        """The embedding of each row."""
        ...


@runtime_checkable
class Scores(Protocol):
    """Rows in, one number a row out: higher is more anomalous."""

    def score(self, data: Any, /) -> Float[np.ndarray, " n"]:
        """The anomaly score of each row."""
        ...


@runtime_checkable
class Classifies(Protocol):
    """Rows in, one probability a class and row out.

    A system that has ``several = True`` speaks of items that may have several classes each.
    """

    classes: tuple[str, ...]

    def classify(self, data: Any, /) -> Float[np.ndarray, "n c"]:
        """The probability of each class; rows sum to one, but where items have ``several``."""
        ...


@runtime_checkable
class Clusters(Protocol):
    """Items in, one group an item out."""

    def cluster(self, data: Any, /) -> Int[np.ndarray, " n"]:
        """The group of each item, numbered from 0."""
        ...


@runtime_checkable
class Regresses(Protocol):
    """Items in, one number an item out."""

    def regress(self, data: Any, /) -> Float[np.ndarray, " n"]:
        """The value of each item, in the unit of the labels it was fitted on."""
        ...


@runtime_checkable
class Searches(Protocol):
    """Queries in, for each the most similar items of a collection out."""

    def search(
        self, queries: Any, /, *, among: Any = None, k: int = 10
    ) -> tuple[Int[np.ndarray, "m k"], Float[np.ndarray, "m k"]]:
        """Positions in ``among`` and similarities, most similar first.

        ``among`` None searches what the system was fitted on, where it keeps that.
        """
        ...


@runtime_checkable
class Forecasts(Protocol):
    """A series in, the rows that follow its end out."""

    def forecast(self, data: Any, /) -> pl.DataFrame:
        """The steps after the last row, in the units and columns of the data."""
        ...

    def backtest(self, data: Any, /) -> dict[str, float]:
        """Errors of the forecasts of every window of a stretch that was not fitted on."""
        ...


@runtime_checkable
class Segments(Protocol):
    """Images or volumes in, a class a pixel out."""

    def segment(self, data: Any, /) -> list[Int[np.ndarray, "*positions"]]:
        """The class of each pixel of each item, 0 is background."""
        ...


@runtime_checkable
class Generates(Protocol):
    """Makes new items, like references where these are given."""

    def generate(
        self, references: Any = None, /, *, count: int = 1, seed: int = 0
    ) -> Shaped[np.ndarray, "m ..."]:
        """``count`` items for each reference, or in all without references."""
        ...


@runtime_checkable
class Aligns(Protocol):
    """Sequences in, where each lies on the reference out."""

    def align(self, data: Any, /) -> pl.DataFrame:
        """One row a sequence: the columns of a SAM record."""
        ...


@runtime_checkable
class Acts(Protocol):
    """States of an environment in, actions out."""

    def act(self, states: Any, /) -> Int[np.ndarray, " n"]:
        """The action to take in each state."""
        ...


@runtime_checkable
class Audits(Protocol):
    """Looks for a weakness, gives figures."""

    def audit(self, data: Any, /) -> dict[str, float]:
        """Figures by name."""
        ...


VERBS: dict[str, type] = {
    "embed": Embeds,
    "score": Scores,
    "classify": Classifies,
    "cluster": Clusters,
    "regress": Regresses,
    "search": Searches,
    "forecast": Forecasts,
    "segment": Segments,
    "generate": Generates,
    "align": Aligns,
    "act": Acts,
    "audit": Audits,
}
