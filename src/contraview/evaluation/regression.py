"""How far predicted numbers are off."""

import numpy as np
from jaxtyping import Float, Shaped

from contraview.core.errors import InputError


def regression_figures(
    truth: Shaped[np.ndarray, " n"], predicted: Float[np.ndarray, " m"]
) -> dict[str, float]:
    """Mean absolute error, root mean squared error, and R^2 (0 is as good as the mean)."""
    if not len(truth) or len(truth) != len(predicted):
        raise InputError(f"{len(truth)} values and {len(predicted)} predictions; expected one each")
    errors = predicted - truth
    total = np.square(truth - truth.mean()).sum()
    return {
        "MAE": float(np.abs(errors).mean()),
        "RMSE": float(np.sqrt(np.square(errors).mean())),
        "R2": float(1 - np.square(errors).sum() / total) if total else 0.0,
    }
