"""Do weights by quality help where a known share of the generated views is bad?"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from contraview.claims.claim import Claim, Experiment, Figures
from contraview.claims.pictures import FEW, fashion_data, fitted_figures, seen_and_judged
from contraview.core.run import Run
from contraview.core.seeds import numpy_generator, torch_generator
from contraview.frameworks.generators import Autoencoder
from contraview.frameworks.images.pretraining import ImagePretraining
from contraview.frameworks.images.simclr import SimCLR
from contraview.modalities.images.data import Images
from contraview.systems.genview import Attention, GenView

GENVIEW, ORIGINALS = "GenView", "SimCLR, originals alone"
WEIGHED, UNIFORM = "30% bad variations, weights by quality", "30% bad variations, uniform weights"
AUC, WEIGHTS, BAR = "AUC of the weight, good pairs over bad ones", "pair weight", "bar at .7"
BAD_SHARE, BAD_NOISE = 0.3, 6.0
STEP = 0.01
"""The margin of the claim about a bar, which lies this much below its number."""

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "small": {
        "seen": 10_000, "judged": 10_000, "widths": (16, 32, 64, 128), "steps": 250, "batch": 64,
        "generator": {"latents": (24,), "widths": (16, 32, 64), "steps": 400},
        "reference": {"steps": 150},
    },
    "smoke": {
        "seen": 200, "judged": 100, "widths": (8, 16), "steps": 3, "batch": 16,
        "generator": {"latents": (4,), "widths": (4, 8), "steps": 3},
        "reference": {"widths": (4, 8), "steps": 3, "batch": 16},
    },
}  # fmt: skip


class _Shared(GenView):
    """GenView with the generator and the frozen encoder of all arms, and some bad variations."""

    trained: tuple[Autoencoder, Attention]
    bad: Bool[Tensor, " n"] | None = None

    def generator_of(self, images: Images, run: Run) -> Autoencoder:  # noqa: ARG002
        return self.trained[0]

    def reference_of(self, images: Images, run: Run) -> Attention:  # noqa: ARG002
        return self.trained[1]

    def noise_of(self, images: Images) -> Float[Tensor, " n"]:
        noise = super().noise_of(images)
        return noise if self.bad is None else torch.where(self.bad, BAD_NOISE, noise)


def measure(run: Run, settings: Mapping[str, Any]) -> Figures:
    """Accuracy with few labels for each arm; how well the weights tell bad pairs."""
    knobs = dict(settings)
    train, test = seen_and_judged(run.seed, knobs.pop("seen"), knobs.pop("judged"))
    whole = GenView(**knobs)
    quiet = Run(seed=run.seed, show=False)
    trained = whole.generator_of(train, quiet), whole.reference_of(train, quiet)
    count = round(BAD_SHARE * len(train))
    bad = torch.zeros(len(train), dtype=torch.bool)
    bad[numpy_generator(run.seed, "bad").choice(len(train), count, replace=False)] = True

    def arm(bad: Bool[Tensor, " n"] | None, **more: Any) -> _Shared:
        made = _Shared(**knobs | more)
        made.trained, made.bad = trained, bad
        return made

    plain = {name: value for name, value in knobs.items() if name not in ("generator", "reference")}
    arms: dict[str, ImagePretraining] = {
        GENVIEW: arm(None),
        ORIGINALS: SimCLR(**plain),
        WEIGHED: arm(bad),
        UNIFORM: arm(bad, gain=0.0),
    }
    figures = fitted_figures(arms, train, test, run.seed)
    weighed = arms[WEIGHED]
    assert isinstance(weighed, _Shared)
    auc = {WEIGHTS: told_apart(weighed, train, run.seed), BAR: 0.7 - STEP}
    return {**figures, AUC: auc}


@torch.no_grad()
def told_apart(system: _Shared, images: Images, seed: int) -> float:
    """How surely a good pair's weight is above a bad one's, on views of up to 2,000 images."""
    from sklearn.metrics import roc_auc_score

    assert system.bad is not None
    rows = torch.arange(min(len(images), 2000))
    views = system.views_of(images, Run(seed=seed, show=False))
    one, other = views(rows, torch_generator(seed, "views"))
    weights = system.trained[1].likeness(one, other)
    return float(roc_auc_score(np.asarray(~system.bad[rows]), weights.numpy()))


_EXPERIMENT = Experiment("genview bad views", fashion_data, measure, PRESETS, first_seed=100)

CLAIMS = (
    Claim(
        "bad_views",
        "where 30 % of the variations are bad, weights by quality make a better encoder than "
        "uniform ones",
        _EXPERIMENT, FEW, WEIGHED, UNIFORM, 0.005,
    ),
    Claim(
        "tells_bad_pairs",
        "the weight of a good pair is above a bad one's more often than in .7 of all cases",
        _EXPERIMENT, AUC, WEIGHTS, BAR, STEP,
    ),
    Claim(
        "over_originals",
        "a generated view makes a better encoder than two views of the original",
        _EXPERIMENT, FEW, GENVIEW, ORIGINALS, 0.005,
    ),
)  # fmt: skip
