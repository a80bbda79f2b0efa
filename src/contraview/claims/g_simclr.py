"""Do batches of different pseudo-classes hold fewer false negatives, and does that help?"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import torch
from jaxtyping import Shaped

from contraview.claims.claim import Claim, Experiment, Figures
from contraview.claims.emoji import both_vendors, emoji_data
from contraview.claims.pictures import FEW, fitted_figures
from contraview.core.run import Run
from contraview.core.seeds import numpy_generator
from contraview.frameworks.images.pretraining import ImagePretraining
from contraview.frameworks.images.simclr import SimCLR
from contraview.modalities.images.data import Images
from contraview.systems.g_simclr import GSimCLR
from contraview.training.samplers import Batches, across_groups

GUIDED, RANDOM, SAME = "pseudo-classes", "random batches", "random, the same in each pass"
ORACLE = "true classes (oracle)"
FALSE = "share of negatives of the anchor's own class"
SEEN_SHARE = 0.6

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "small": {
        "side": 32, "concepts": 1911, "widths": (16, 32, 64, 128), "steps": 300, "batch": 64,
        "pseudo": {"steps": 200, "widths": (16, 32, 64)},
    },
    "smoke": {
        "side": 16, "concepts": 200, "widths": (8, 16), "steps": 3, "batch": 16,
        "pseudo": {"steps": 3, "widths": (4, 8)},
    },
}  # fmt: skip


class _SameBatches(SimCLR):
    """SimCLR whose random batches are the same in each pass, as the official code's are."""

    def batches(self, images: Images, run: Run) -> Batches:
        alone = torch.arange(len(images))
        return across_groups(alone, self.config.batch, run.seed, reshuffle=False)


def false_negatives(batches: Batches, truth: Shaped[np.ndarray, " n"], steps: int) -> float:
    """The share of a batch's pairs of different images that are of one class, over some steps."""
    same = pairs = 0
    for step in range(steps):
        sizes = np.unique(truth[batches(step).numpy()], return_counts=True)[1]
        same += int((sizes * (sizes - 1)).sum())
        pairs += int(sizes.sum() * (sizes.sum() - 1))
    return same / pairs


def measure(run: Run, settings: Mapping[str, Any]) -> Figures:
    """Accuracy with few labels, and false negatives, for each way to make batches."""
    knobs = dict(settings)
    side, concepts, pseudo = (knobs.pop(name) for name in ("side", "concepts", "pseudo"))
    emoji = both_vendors(side)
    names = emoji.texts("unified")
    chosen = numpy_generator(run.seed, "concepts").permutation(np.unique(names))[:concepts]
    cut = round(SEEN_SHARE * len(chosen))
    train, test = (
        emoji.take(np.flatnonzero(np.isin(names, part))) for part in (chosen[:cut], chosen[cut:])
    )
    found = GSimCLR(**knobs, pseudo=pseudo).groups(train, Run(seed=run.seed, show=False))
    train = replace(train, table=train.table.with_columns(pseudo=pl.Series(found)))
    arms: dict[str, ImagePretraining] = {
        GUIDED: GSimCLR(**knobs, group_by="pseudo"),
        RANDOM: SimCLR(**knobs),
        SAME: _SameBatches(**knobs),
        ORACLE: GSimCLR(**knobs, group_by="subcategory"),
    }
    figures = fitted_figures(arms, train, test, run.seed)
    shares = {
        arm: false_negatives(system.batches(train, run), train.labels(), system.config.steps)
        for arm, system in arms.items()
    }
    return {**figures, FALSE: shares}


_EXPERIMENT = Experiment("g_simclr emoji", emoji_data, measure, PRESETS, first_seed=100)

CLAIMS = (
    Claim(
        "false_negatives",
        "batches of different pseudo-classes hold fewer negatives of the anchor's own class",
        _EXPERIMENT, FALSE, GUIDED, RANDOM, 0.0005, "lower",
    ),
    Claim(
        "few_labels",
        "and make a better encoder than random batches of the same size",
        _EXPERIMENT, FEW, GUIDED, RANDOM, 0.005,
    ),
)  # fmt: skip
