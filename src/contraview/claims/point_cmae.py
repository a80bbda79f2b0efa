"""Does Point-CMAE's idea hold: two masks that have to agree, not one mask and not NT-Xent?"""

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Int

from contraview.claims.claim import Claim, Experiment, Figures
from contraview.claims.results import Data
from contraview.core.run import Run
from contraview.evaluation.few_label import accuracy, episode_accuracy
from contraview.evaluation.probes import tuned_svm
from contraview.evaluation.splits import group_split
from contraview.modalities.clouds.data import Clouds
from contraview.modalities.clouds.descriptors import box_statistics, shape_distribution
from contraview.modalities.clouds.furniture import furniture
from contraview.modalities.clouds.views import unit_sphere
from contraview.systems.point_cmae import PointCmae
from contraview.systems.point_cmae.network import fresh_autoencoder

METHOD = "two masks, consistency (Point-CMAE)"
OPPONENT = "one mask, twice the clouds a step (Point-MAE)"
ABLATION = "two masks, no consistency"
NT_XENT = "two masks, NT-Xent on augmented clouds"
UNTRAINED = "untrained encoder"
CLASSICAL = "D2 and box statistics"
ACCURACY = "linear SVM accuracy, unseen families"
FEW = "5-way 5-shot accuracy, unseen families"
POINTS = 384
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "small": {},
    "smoke": {"patches": 8, "patch_points": 8, "width": 16, "patch_width": 4, "depth": 1,
              "steps": 4, "batch": 8},
}  # fmt: skip


@cache
def _furniture() -> Clouds:
    """All objects, with as many points as the claim looks at."""
    every = furniture()
    return Clouds(every.points[:, :POINTS], every.table, "class")


def _data() -> list[Data]:
    return [Data(name="furniture", real=True, fingerprint=_furniture().fingerprint())]


def _split(clouds: Clouds, seed: int) -> tuple[Int[np.ndarray, " a"], Int[np.ndarray, " b"]]:
    """Labelled objects to learn from (three fifths of each class) and of other families."""
    labels, families = clouds.labels(), clouds.table["family"].to_numpy().astype(np.str_)
    learn, test = [], []
    for label in sorted(set(labels) - {""}):
        rows = np.flatnonzero(labels == label)
        one, other = group_split(families[rows], (0.6, 0.4), seed)
        learn.append(rows[one])
        test.append(rows[other])
    return np.concatenate(learn), np.concatenate(test)


def _measure(run: Run, settings: Mapping[str, Any]) -> Figures:
    """Every arm learns from all objects but the test families; its features are then frozen."""
    clouds = _furniture()
    learn, test = _split(clouds, run.seed)
    seen = clouds.take(np.setdiff1d(np.arange(len(clouds)), test))
    vectors = {name: system.embed(clouds) for name, system in _fitted(seen, run, settings).items()}
    spheres = unit_sphere(torch.from_numpy(clouds.points)).numpy()
    vectors[CLASSICAL] = np.concatenate([shape_distribution(spheres), box_statistics(spheres)], 1)
    labels, families = clouds.labels(), clouds.table["family"].to_numpy().astype(np.str_)
    figures: dict[str, dict[str, float]] = {ACCURACY: {}, FEW: {}}
    for name, features in vectors.items():
        probe = tuned_svm(features[learn], labels[learn], families[learn])
        figures[ACCURACY][name] = accuracy(labels[test], probe.predict(features[test]))
        figures[FEW][name] = episode_accuracy(
            features[learn], labels[learn], features[test], labels[test],
            ways=5, shots=5, count=20, seed=run.seed,
        )  # fmt: skip
    return figures


def _fitted(seen: Clouds, run: Run, settings: Mapping[str, Any]) -> dict[str, PointCmae]:
    """The arms; each takes as many decoder passes and steps as the others."""
    batch = PointCmae(**settings).config.batch
    knobs: dict[str, dict[str, Any]] = {
        METHOD: {},
        OPPONENT: {"masks": 1, "contrast": "none", "batch": 2 * batch},
        ABLATION: {"contrast": "none"},
        NT_XENT: {"contrast": "clouds"},
    }
    arms = {n: PointCmae(**{**settings, **k}).fit(seen, run=run) for n, k in knobs.items()}
    untrained = PointCmae(**settings)
    untrained.encoder = fresh_autoencoder(untrained.config, run.seed).encoder
    return arms | {UNTRAINED: untrained}


_EXPERIMENT = Experiment("point_cmae furniture", _data, _measure, PRESETS, first_seed=100)
CLAIMS = (
    Claim(
        "consistency_over_one_mask",
        "two masks that have to agree serve better than one mask, for as many decoder passes",
        _EXPERIMENT, ACCURACY, METHOD, OPPONENT, 0.01,
    ),
    Claim(
        "consistency_over_nt_xent",
        "with masked autoencoding, agreement of tokens serves better than NT-Xent on augmented "
        "clouds",
        _EXPERIMENT, ACCURACY, METHOD, NT_XENT, 0.01,
    ),
    Claim(
        "method_over_untrained",
        "Point-CMAE's features name objects better than those of an untrained encoder",
        _EXPERIMENT, ACCURACY, METHOD, UNTRAINED, 0.01,
    ),
    Claim(
        "one_mask_over_untrained",
        "Point-MAE's features name objects better than those of an untrained encoder",
        _EXPERIMENT, ACCURACY, OPPONENT, UNTRAINED, 0.01,
    ),
)  # fmt: skip
