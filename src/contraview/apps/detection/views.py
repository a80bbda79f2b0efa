"""The classical views beside CLAN, and the space that distances are taken in."""

from collections.abc import Callable
from typing import Final

import numpy as np
from jaxtyping import Float

from contraview.apps.detection.settings import DetectorConfig
from contraview.core.run import Run
from contraview.frameworks.one_class.ecod import Ecod
from contraview.frameworks.one_class.forest import IsolationForest
from contraview.frameworks.one_class.neighbours import Neighbours
from contraview.modalities.flows.features import FeatureMap

CATEGORY_WEIGHT: Final = 0.7
"""Indicators of a category count this much in a distance: two different categories are 1 apart."""
CLIP: Final = 8.0

View = IsolationForest | Ecod | Neighbours
KINDS: Final = {"ecod": Ecod, "forest": IsolationForest, "neighbours": Neighbours}


def fit_views(
    config: DetectorConfig, features: FeatureMap, matrix: Float[np.ndarray, "n d"], run: Run
) -> dict[str, View]:
    """The views of a detector, learnt from standardised benign rows; the light form has one."""
    makers: dict[str, Callable[[], View]] = {
        "ecod": lambda: Ecod.fit(matrix),
        "forest": lambda: IsolationForest.fit(matrix, trees=config.trees, seed=run.seed),
        "neighbours": lambda: Neighbours.fit(
            metric(features, matrix), k=config.neighbour, cap=config.bank, seed=run.seed
        ),
    }
    wanted = ("ecod",) if config.light else tuple(makers)
    models = {}
    with run.progress("fit views", len(wanted)) as advance:
        for name in wanted:
            models[name] = makers[name]()
            advance()
    return models


def metric(features: FeatureMap, matrix: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    """The space of the kNN view: numbers clipped at 8 sd, categories as weighted 0 and 1."""
    numbers = len(features.numeric)
    indicators = matrix[:, numbers:] * features.spread[numbers:] + features.mean[numbers:]
    clipped = np.clip(matrix[:, :numbers], -CLIP, CLIP)
    weighted = CATEGORY_WEIGHT * indicators
    return np.concatenate([clipped, weighted], axis=1).astype(np.float32)
