"""Do hallucinated positives help where real ones are too easy?"""

from collections.abc import Mapping
from tempfile import TemporaryDirectory
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from contraview.claims.claim import Claim, Experiment, Figures
from contraview.claims.pictures import (
    FEW,
    PIXELS,
    PROBE_C,
    UNTRAINED,
    fashion_data,
    few_label_figures,
    flat,
    seen_and_judged,
)
from contraview.core.run import Run
from contraview.frameworks.images.embedding import embedded
from contraview.frameworks.images.simclr import NTXentContrast, SimCLR
from contraview.frameworks.images.two_views import Contrast, Pair
from contraview.frameworks.two_view import Views
from contraview.modalities.images.data import Images
from contraview.modalities.images.nets import Encoder
from contraview.systems.hallucinator import Hallucinator

METHOD, BASE = "with hallucinated positives", "SimCLR"
LINEAR, NOISE = "moved, not smoothed", "noise of the same length"
THIRD = "a third real view, 1.5 times the cost"
COSINE = "cosine with the key, end of training"
WEAK = {"crop": 0.8, "ratio": 1.0, "flip": 0.5, "jitter": 0.0, "grey": 0.0, "blur": 0.0}
"""Flips and small shifts alone: positives that are too easy."""

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "small": {"seen": 10_000, "judged": 10_000, "widths": (16, 32, 64, 128), "steps": 300},
    "smoke": {"seen": 200, "judged": 100, "widths": (8, 16), "steps": 3, "batch": 16},
}


class _ThreeContrast(NTXentContrast):
    def forward(self, one: Tensor, other: Tensor) -> list[Pair]:
        first, third, second = self.network(torch.cat([one, other])).chunk(3)
        return [Pair(first, second), Pair(third, second)]


class _ThreeViews(SimCLR):
    """SimCLR with a third view, which has to find the second as the first does."""

    def views_of(self, images: Images, run: Run) -> Views:
        two = super().views_of(images, run)

        def views(rows: Int[Tensor, " b"], generator: torch.Generator) -> tuple[Tensor, Tensor]:
            one, other = two(rows, generator)
            third = self.config.views(images.batch(rows, generator.device), generator)
            return torch.cat([one, third]), other

        return views

    def contrast(self, encoder: Encoder, seed: int) -> Contrast:
        return _ThreeContrast(encoder, self.config, seed)


def measure(run: Run, settings: Mapping[str, Any]) -> Figures:
    """Accuracy with few labels for each arm; how far hallucinations stay from their keys."""
    knobs = dict(settings)
    train, test = seen_and_judged(run.seed, knobs.pop("seen"), knobs.pop("judged"))
    knobs["views"] = WEAK
    arms = {
        METHOD: Hallucinator(**knobs),
        BASE: SimCLR(**knobs),
        LINEAR: Hallucinator(**knobs, positives={"weight": 1.0, "operator": "linear"}),
        NOISE: Hallucinator(**knobs, positives={"weight": 1.0, "operator": "noise"}),
        THIRD: _ThreeViews(**knobs),
    }
    inputs = {}
    with TemporaryDirectory() as folder:
        watched = Run(folder, seed=run.seed, show=False)
        for arm, system in arms.items():
            system.fit(train, run=watched if arm == METHOD else Run(seed=run.seed, show=False))
            inputs[arm] = system.embed(train), system.embed(test)
        step = [event for event in watched.events() if event["kind"] == "step"][-1]
    untrained = arms[BASE].fresh_encoder(train, run.seed)
    inputs[UNTRAINED] = embedded(untrained, train), embedded(untrained, test)
    inputs[PIXELS] = flat(train), flat(test)
    strengths = {arm: PROBE_C.get(arm, SimCLR().config.probe_c) for arm in inputs}
    figures = few_label_figures(inputs, strengths, train.labels(), test.labels(), run.seed)
    cosines = {
        "hallucination": step["terms"]["hallucinated cosine"],
        "query": step["terms"]["cosine"],
    }
    return {**figures, COSINE: cosines}


_EXPERIMENT = Experiment("hallucinator weak views", fashion_data, measure, PRESETS, first_seed=100)

CLAIMS = (
    Claim(
        "over_base",
        "where views are weak, hallucinated positives make a better encoder than SimCLR alone",
        _EXPERIMENT, FEW, METHOD, BASE, 0.005,
    ),
    Claim(
        "over_noise",
        "and a better one than positives made by noise of the same length",
        _EXPERIMENT, FEW, METHOD, NOISE, 0.005,
    ),
    Claim(
        "not_undone",
        "the layers do not undo the move: hallucinations stay further from the key than queries",
        _EXPERIMENT, COSINE, "hallucination", "query", 0.01, "lower",
    ),
)  # fmt: skip
