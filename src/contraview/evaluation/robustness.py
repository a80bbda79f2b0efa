"""How much of what a classifier had right is lost under a change, and how that goes with scale."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from contraview.core.errors import InputError
from contraview.evaluation.intervals import Interval

_EDGE = 0.005
"""A rate of 0 or 1 has no finite logit: rates are kept this far from both."""


def attack_success(
    truth: Shaped[np.ndarray, " n"],
    clean: Shaped[np.ndarray, " n"],
    attacked: Shaped[np.ndarray, " n"],
) -> float:
    """P(wrong on the changed image | right on the image itself), the ASR.

    Images that were wrong before say nothing about the change and are left out: otherwise a weak
    model looks fragile.

    Args:
        truth: the class of each image.
        clean: what it is taken for as it is.
        attacked: what it is taken for once changed.
    """
    right = clean == truth
    if not right.any():
        raise InputError("no image is right before the change; expected at least one")
    return float((attacked[right] != truth[right]).mean())


@dataclass(frozen=True)
class ScalingFit:
    """A line through the rates of many models: rate = intercept + sum of slope x log10(scale).

    Attributes:
        slopes: of each scale, in points of 100 % per tenfold.
        intervals: 95 % of the slopes over models drawn anew.
        intercept: the rate at scale 1, in points.
        residuals: rate minus line of each model, in points.
        r2: share of the rates' variance that the line explains.
        r2_logit: the same, in rates too, for a line through the logits: rates are bounded.
    """

    slopes: Mapping[str, float]
    intervals: Mapping[str, Interval]
    intercept: float
    residuals: Float[np.ndarray, " m"]
    r2: float
    r2_logit: float

    @property
    def better(self) -> str:
        """Which line explains more: through the "points" or the "logits"."""
        return "points" if self.r2 >= self.r2_logit else "logits"


def scaling_fit(
    rates: Float[np.ndarray, " m"],
    scales: Mapping[str, Float[np.ndarray, " m"]],
    generator: np.random.Generator,
    *,
    resamples: int = 2000,
) -> ScalingFit | None:
    """Least squares of the rates on log10 of all scales at once, so that none stands for another.

    Args:
        rates: of each model, from 0 to 1.
        scales: training images, parameters, ...: above 0, one a model.
        generator: of the bootstrap over models.
        resamples: of the bootstrap; those in which a scale does not vary are left out.

    Returns:
        None where the models cannot tell: too few of them, a scale that does not vary, or scales
        that vary together.
    """
    names = list(scales)
    columns = [np.log10(np.asarray(scales[name], dtype=float)) for name in names]
    design = np.column_stack([np.ones(len(rates)), *columns])
    if not names or len(rates) < design.shape[1] + 1 or not _full(design):
        return None
    points = 100 * rates
    weights = _line(design, points)
    drawn: list[np.ndarray] = []
    for _ in range(resamples):
        rows = generator.integers(len(rates), size=len(rates))
        if _full(design[rows]):
            drawn.append(_line(design[rows], points[rows]))
    low, high = np.quantile(np.stack(drawn), [0.025, 0.975], axis=0)
    kept = rates.clip(_EDGE, 1 - _EDGE)
    logits = design @ _line(design, np.log(kept / (1 - kept)))
    return ScalingFit(
        slopes={name: float(weights[i + 1]) for i, name in enumerate(names)},
        intervals={
            name: Interval(float(low[i + 1]), float(high[i + 1])) for i, name in enumerate(names)
        },
        intercept=float(weights[0]),
        residuals=points - design @ weights,
        r2=_explained(points, design @ weights),
        r2_logit=_explained(points, 100 / (1 + np.exp(-logits))),
    )


def _line(design: Float[np.ndarray, "m p"], values: Float[np.ndarray, " m"]) -> np.ndarray:
    return np.linalg.lstsq(design, values, rcond=None)[0]


def _full(design: Float[np.ndarray, "m p"]) -> bool:
    """Whether the columns vary apart, by more than rounding."""
    spread = design.copy()
    spread[:, 1:] -= spread[:, 1:].mean(0)
    singular = np.linalg.svd(spread, compute_uv=False)
    return len(singular) == design.shape[1] and bool(singular[-1] > 1e-6 * singular[0])


def _explained(values: Float[np.ndarray, " m"], found: Float[np.ndarray, " m"]) -> float:
    total = np.square(values - values.mean()).sum()
    return float(1 - np.square(values - found).sum() / total) if total else 1.0
