"""Does a contrast beside the error help a forecaster, and is it better learnt together?"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import numpy as np
from jaxtyping import Float

from contraview.claims.claim import Claim, Experiment, Figures
from contraview.claims.results import Data
from contraview.core.run import Run
from contraview.evaluation.ridge import RidgeMap
from contraview.modalities.datasets import dataset
from contraview.modalities.series.data import Series, read_series
from contraview.modalities.series.scaling import Scaler
from contraview.systems.ts_forecast import TsForecast

ETT: Final = "ETTh1"
MONTH: Final = 30 * 24
FITTED, JUDGED, END = 12 * MONTH, 16 * MONTH, 20 * MONTH
"""Rows: twelve months to learn from, four that settings were chosen on, four to judge."""
LENGTH, HORIZON, DAY = 48, 24, 24

TOGETHER, ERROR, APART = "end to end, TS2Vec's contrast", "error alone", "two steps, ridge"
MOCO = "end to end, MoCo's contrast"
MSE, MAE = "MSE", "MAE"
CHOICES: Final[Mapping[str, Mapping[str, Any]]] = {
    TOGETHER: {},
    ERROR: {"contrast": "none"},
    APART: {"training": "two_step"},
    MOCO: {"contrast": "moco"},
}
PRESETS: Final[Mapping[str, Mapping[str, Any]]] = {
    "small": {},
    "smoke": {"width": 8, "outputs": 8, "depth": 1, "heads": 2, "steps": 3},
}


@lru_cache(maxsize=1)
def _ett() -> Series:
    return read_series(dataset("ett_h1"))


def _data() -> list[Data]:
    return [{"name": ETT, "real": True, "fingerprint": _ett().fingerprint()}]


def forecasts(run: Run, settings: Mapping[str, Any]) -> Figures:
    """Every arm learns from the same year and forecasts the same months, a day from two."""
    fit, test = _ett().take(range(FITTED)), _ett().take(range(JUDGED - LENGTH, END))
    knobs = {**settings, "length": LENGTH, "horizon": HORIZON}
    predicted = {}
    truth = np.empty(0)
    for arm, choice in CHOICES.items():
        predicted[arm], truth = TsForecast(**{**knobs, **choice}).fit(fit, run=run).hindcast(test)
    predicted |= plain(fit, test)
    return {
        MSE: {arm: float(np.square(each - truth).mean()) for arm, each in predicted.items()},
        MAE: {arm: float(np.abs(each - truth).mean()) for arm, each in predicted.items()},
    }


def plain(fit: Series, test: Series) -> dict[str, Float[np.ndarray, "n h c"]]:
    """Forecasts that need no network: two that repeat, and one linear map for all channels."""
    scaler = Scaler.fit(fit.values)
    seen, _ = _windows(scaler.scaled(test.values))
    inputs, outputs = _windows(scaler.scaled(fit.values))
    ridge = RidgeMap.fit(_by_channel(inputs), _by_channel(outputs))
    linear = ridge.predict(_by_channel(seen)).reshape(len(seen), -1, HORIZON)
    return {
        "last value": np.repeat(seen[:, -1:], HORIZON, axis=1),
        "the day before": seen[:, -DAY:],
        "ridge, one for all channels": linear.transpose(0, 2, 1),
    }


def _windows(
    values: Float[np.ndarray, "t c"],
) -> tuple[Float[np.ndarray, "n s c"], Float[np.ndarray, "n h c"]]:
    """Every window and what follows it."""
    both = np.lib.stride_tricks.sliding_window_view(values, LENGTH + HORIZON, axis=0)
    both = both.transpose(0, 2, 1)
    return both[:, :LENGTH], both[:, LENGTH:]


def _by_channel(windows: Float[np.ndarray, "n s c"]) -> Float[np.ndarray, "m s"]:
    """Each channel of each window as a row of its own, windows in order."""
    return windows.transpose(0, 2, 1).reshape(-1, windows.shape[1])


_EXPERIMENT: Final = Experiment("forecasts", _data, forecasts, PRESETS, first_seed=100)

CLAIMS = (
    Claim(
        "contrast_beside_error",
        "a contrast beside the error makes the forecasts of a transformer better",
        _EXPERIMENT,
        MSE,
        TOGETHER,
        ERROR,
        0.002,
        "lower",
    ),
    Claim(
        "end_to_end",
        "learning forecast and contrast together is better than one after the other",
        _EXPERIMENT,
        MSE,
        TOGETHER,
        APART,
        0.002,
        "lower",
    ),
)
