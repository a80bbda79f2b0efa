"""Channels on one scale, learnt from the fitting rows alone."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from contraview.core.learnt import Learnt, array, demand

Values = Float[np.ndarray, "*n c"]


@dataclass(frozen=True)
class Scaler:
    """Mean and deviation of each channel; a channel that is constant keeps its deviation of 1."""

    mean: Float[np.ndarray, " c"]
    scale: Float[np.ndarray, " c"]

    @classmethod
    def fit(cls, values: Float[np.ndarray, "t c"]) -> "Scaler":
        """The scale of these rows, and of no others."""
        spread = values.std(0)
        return cls(values.mean(0), np.where(spread > 1e-9 * np.abs(values).max(0), spread, 1.0))

    def scaled(self, values: Values) -> Values:
        """With mean 0 and deviation 1 over the fitting rows."""
        return (values - self.mean) / self.scale

    def restored(self, values: Values) -> Values:
        """Back in the units of the data."""
        return values * self.scale + self.mean

    def learnt(self) -> Learnt:
        """What `restore` needs."""
        return Learnt({"mean": self.mean, "scale": self.scale})

    @classmethod
    def restore(cls, learnt: Learnt) -> "Scaler":
        """The scaler that `learnt` described."""
        mean, scale = array(learnt.arrays, "mean", 1), array(learnt.arrays, "scale", 1)
        demand(len(mean) == len(scale) and (scale > 0).all(), "scaler: no scale")
        return cls(mean, scale)
