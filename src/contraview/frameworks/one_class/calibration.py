"""A raw score turned into the surprise it means on benign rows that took no part in the fit."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from contraview.core.errors import InputError
from contraview.core.learnt import Learnt, array, demand

TAIL = 0.1
"""The share of calibration scores that the tail is fitted on."""

FEWEST_EXCESSES = 10
ROUNDING = 1e-9
"""A score that is above a calibration score by less than this, or by less than this share of
itself, counts as equal to it: it may be the same row, summed in another order.
"""
SHAPES = (0.05, 0.5)
"""Bounds of the tail's shape: never lighter than exponential, never of infinite variance."""


@dataclass(frozen=True)
class Calibration:
    """-log p of a score, p the chance that a benign row scores as high.

    Within the calibration scores p is the conformal p-value, (number of calibration scores at or
    above it, plus 1) / (n + 1). Beyond their 90 % point u that count soon reaches its floor, and a
    generalised Pareto tail goes on: -log(share above u) + log(1 + shape (s - u) / scale) / shape,
    its shape and scale from the mean and variance of the excesses (Hosking and Wallis 1987), the
    shape clipped. Surprises of different detectors are in one unit and can be averaged.

    Attributes:
        ordered: the calibration scores, ascending.
        start: u, where the tail begins; infinite where fewer than ten scores lie beyond it.
        share: (number of calibration scores above u, plus 1) / (n + 1).
        shape: of the tail.
        scale: of the tail, in units of the score.
    """

    ordered: Float[np.ndarray, " n"]
    start: float
    share: float
    shape: float
    scale: float

    @classmethod
    def fit(cls, scores: Float[np.ndarray, " n"]) -> "Calibration":
        """Learn from the scores of held-out benign rows; higher is more anomalous."""
        if not len(scores):
            raise InputError("no benign scores to calibrate on; expected at least one")
        if not np.isfinite(scores).all():
            raise InputError("benign scores hold NaN or infinity; expected finite numbers")
        ordered = np.sort(scores.astype(np.float64))
        start = float(np.quantile(ordered, 1 - TAIL))
        excesses = ordered[ordered > start] - start
        share = (len(excesses) + 1) / (len(ordered) + 1)
        if len(excesses) < FEWEST_EXCESSES:
            return cls(ordered, np.inf, share, SHAPES[0], 1.0)
        mean, variance = float(excesses.mean()), float(excesses.var(ddof=1))
        shape = 0.5 * (1 - mean**2 / variance) if variance > 0 else SHAPES[0]
        shape = float(np.clip(shape, *SHAPES))
        # A tail of this shape has the mean scale / (1 - shape): kept also where shape was clipped.
        return cls(ordered, start, share, shape, mean * (1 - shape))

    def surprise(self, scores: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """-log p in nats: 0 is as benign as can be, log(1000) is one benign row in a thousand.

        It never falls where the score rises. The order of rows within the calibration scores is
        that of their counts, so rows between two neighbouring calibration scores tie.
        """
        low = scores - ROUNDING * np.maximum(1, np.abs(scores))
        at_or_above = len(self.ordered) - np.searchsorted(self.ordered, low, side="left")
        excess = np.maximum(scores - self.start, 0.0)
        tail = np.log1p(self.shape * excess / self.scale) / self.shape - np.log(self.share)
        return np.where(low > self.start, tail, self.empirical[at_or_above])

    @cached_property
    def empirical(self) -> Float[np.ndarray, " counts"]:
        """-log((count + 1) / (n + 1)) for every count from 0 to n."""
        n = len(self.ordered)
        return -np.log((np.arange(n + 1) + 1) / (n + 1))

    def learnt(self) -> Learnt:
        """What `restore` needs."""
        tail = np.array([self.start, self.share, self.shape, self.scale])
        return Learnt(arrays={"ordered": self.ordered, "tail": tail})

    @classmethod
    def restore(cls, learnt: Learnt) -> "Calibration":
        """The calibration that `learnt` described."""
        ordered, tail = array(learnt.arrays, "ordered", 1), learnt.arrays["tail"]
        demand(
            len(ordered) > 0 and (np.diff(ordered) >= 0).all(), "calibration: scores not in order"
        )
        start, share, shape, scale = map(float, tail)
        demand(
            not np.isnan(start) and 0 < share <= 1 and 0 < shape < 1 and 0 < scale < np.inf,
            "calibration: no tail",
        )
        return cls(ordered, start, share, shape, scale)
