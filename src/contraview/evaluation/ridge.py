"""Ridge regression to several outputs at once, its penalty chosen on later rows."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from contraview.core.errors import InputError
from contraview.core.learnt import Learnt, array, demand

PENALTIES = tuple(np.logspace(-1, 4, 11))
HELD_BACK = 0.2


@dataclass(frozen=True)
class RidgeMap:
    """A linear map with an intercept, kept as arrays."""

    weights: Float[np.ndarray, "d k"]
    bias: Float[np.ndarray, " k"]

    @classmethod
    def fit(cls, inputs: Float[np.ndarray, "n d"], outputs: Float[np.ndarray, "n k"]) -> "RidgeMap":
        """Fit on rows in order of time.

        The penalty is the one of `PENALTIES` with the smallest squared error on the last fifth
        after fitting on the rest; then all rows are fitted.
        """
        if len(inputs) < 10 or len(inputs) != len(outputs):
            raise InputError(
                f"{len(inputs)} inputs and {len(outputs)} outputs; expected as many, 10 at least"
            )
        early = round((1 - HELD_BACK) * len(inputs))
        tried = [_solve(inputs[:early], outputs[:early], penalty) for penalty in PENALTIES]
        errors = [np.square(m.predict(inputs[early:]) - outputs[early:]).mean() for m in tried]
        return _solve(inputs, outputs, PENALTIES[int(np.argmin(errors))])

    def predict(self, inputs: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n k"]:
        """The outputs of each row."""
        return inputs @ self.weights + self.bias

    def learnt(self) -> Learnt:
        """What `restore` needs."""
        return Learnt({"weights": self.weights, "bias": self.bias})

    @classmethod
    def restore(cls, learnt: Learnt) -> "RidgeMap":
        """The map that `learnt` described."""
        weights, bias = array(learnt.arrays, "weights", 2), array(learnt.arrays, "bias", 1)
        demand(weights.shape[1] == len(bias), "ridge: weights and bias that do not fit")
        return cls(weights, bias)


def _solve(
    inputs: Float[np.ndarray, "n d"], outputs: Float[np.ndarray, "n k"], penalty: float
) -> RidgeMap:
    x, y = inputs.astype(np.float64), outputs.astype(np.float64)
    centre, level = x.mean(0), y.mean(0)
    x, y = x - centre, y - level
    weights = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ y)
    return RidgeMap(weights, level - centre @ weights)
