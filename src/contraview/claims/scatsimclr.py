"""Does a rotation task help a small scattering model, and does it match a larger trained one?"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from contraview.claims.claim import Claim, Experiment, Figures
from contraview.claims.pictures import (
    PIXELS,
    PROBE_C,
    UNTRAINED,
    fashion_data,
    few_label_figures,
    flat,
    seen_and_judged,
)
from contraview.core.run import Run
from contraview.core.seeds import numpy_generator
from contraview.evaluation.few_label import accuracy, few_labels
from contraview.evaluation.probes import LinearProbe
from contraview.frameworks.images.embedding import embedded
from contraview.frameworks.images.pretraining import ImagePretraining
from contraview.frameworks.images.simclr import SimCLR
from contraview.frameworks.images.two_views import Contrast, Pair, RowWeights
from contraview.modalities.images.data import Images
from contraview.modalities.images.nets import Encoder
from contraview.systems.scatsimclr.network import ScatteringEncoder
from contraview.systems.scatsimclr.pretext import DrawViews
from contraview.systems.scatsimclr.scatsimclr import ScatSimCLR

ROTATION, CONTRAST = "contrast and rotation", "contrast alone"
TASK = "rotation alone"
SMALL, LARGE = "scattering and adapter", "SimCLR, convolutions"
SMALL_UNTRAINED, LARGE_UNTRAINED = f"{SMALL}, untrained", f"{LARGE}, untrained"
METRIC = "accuracy, 200 labels a class"
LABELLED = 200

_FITTED: dict[str, Any] = {
    "widths": (32, 32),
    "stem": 32,
    "batch": 64,
    "coefficients": "standardised",  # better than raw for the contrast alone, on pilot seed 0
}
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "small": {"seen": 5000, "judged": 5000, "steps": 400, "views": 8, "adapter": _FITTED,
              "convolutions": (32, 64, 128, 128)},
    "smoke": {"seen": 120, "judged": 100, "steps": 4, "views": 2,
              "adapter": {"widths": (8,), "stem": 8, "batch": 16}, "convolutions": (8, 16)},
}  # fmt: skip
SCARCE: Mapping[str, Mapping[str, Any]] = {
    "small": {**PRESETS["small"], "seen": 1000},
    "smoke": PRESETS["smoke"],
}


class _Nothing(Contrast):
    """No contrast at all: what the pretext task learns alone."""

    def __init__(self, adapter: Encoder) -> None:
        super().__init__()
        self.network, self.width = adapter, adapter.outputs

    def forward(self, one: Tensor, other: Tensor) -> list[Pair]:
        return [Pair(self.network(one), self.network(other))]

    def compare(self, pair: Pair, weights: RowWeights = None) -> Float[Tensor, ""]:  # noqa: ARG002
        return 0 * pair.queries.sum()


class _OfOneCache(ScatSimCLR):
    """Arms of a seed draw from the same views, which are made once."""

    kept: ClassVar[dict[tuple[int, str], DrawViews]] = {}

    def drawn(self, encoder: ScatteringEncoder, images: Images, run: Run) -> DrawViews:
        key = run.seed, images.fingerprint()
        if key not in self.kept:
            self.kept.clear()
            self.kept[key] = super().drawn(encoder, images, run)
        return self.kept[key]


class _TaskAlone(_OfOneCache):
    def contrast(self, encoder: Encoder, seed: int) -> Contrast:  # noqa: ARG002
        assert isinstance(encoder, ScatteringEncoder)
        return _Nothing(encoder.adapter)


def _maps(encoder: ScatteringEncoder, images: Images) -> Float[Tensor, "n m y x"]:
    rows = torch.arange(len(images)).split(512)
    return torch.cat([encoder.scatter(images.batch(part)) for part in rows])


@torch.inference_mode()
def _vectors(system: ImagePretraining, maps: Tensor) -> Float[np.ndarray, "n d"]:
    assert isinstance(system.encoder, ScatteringEncoder)
    adapter = system.encoder.adapter.eval()
    return torch.cat([adapter(part) for part in maps.split(512)]).numpy()


def rotation(run: Run, settings: Mapping[str, Any]) -> Figures:
    """The same scattering model with the task, without it, and with nothing else."""
    knobs = {**settings["adapter"], "steps": settings["steps"], "cached_views": settings["views"]}
    train, test = seen_and_judged(run.seed, settings["seen"], settings["judged"])
    arms = {
        ROTATION: _OfOneCache(**knobs),
        CONTRAST: _OfOneCache(**knobs, pretext="none"),
        TASK: _TaskAlone(**knobs, pretext_after=0.0, pretext_weight=1.0),
    }
    untrained = _OfOneCache(**knobs)
    untrained.encoder = untrained.fresh_encoder(train, run.seed)
    assert isinstance(untrained.encoder, ScatteringEncoder)
    maps = _maps(untrained.encoder, train), _maps(untrained.encoder, test)
    inputs = {PIXELS: (flat(train), flat(test))}
    for arm, system in {**arms, UNTRAINED: untrained}.items():
        if arm != UNTRAINED:
            system.fit(train, run=Run(seed=run.seed, show=False))
        inputs[arm] = _vectors(system, maps[0]), _vectors(system, maps[1])
    _OfOneCache.kept.clear()
    return _figures(inputs, train, test, run.seed)


def scarce(run: Run, settings: Mapping[str, Any]) -> Figures:
    """A scattering front end with a small adapter beside convolutions that are trained alike."""
    knobs = {"steps": settings["steps"], "batch": settings["adapter"]["batch"]}
    seen, test = seen_and_judged(run.seed, 2 * settings["seen"], settings["judged"])
    train, probed = (
        seen.take(range(settings["seen"])),
        seen.take(range(settings["seen"], len(seen))),
    )
    own = {**settings["adapter"], "steps": settings["steps"], "cached_views": settings["views"]}
    arms: dict[str, ImagePretraining] = {
        SMALL: ScatSimCLR(**own, pretext="none"),
        LARGE: SimCLR(**knobs, widths=settings["convolutions"]),
    }
    inputs = {PIXELS: (flat(probed), flat(test))}
    for arm, system in arms.items():
        untrained = system.fresh_encoder(train, run.seed)
        inputs[f"{arm}, untrained"] = embedded(untrained, probed), embedded(untrained, test)
        system.fit(train, run=Run(seed=run.seed, show=False))
        inputs[arm] = system.embed(probed), system.embed(test)
    return _figures(inputs, probed, test, run.seed)


def _figures(inputs: Mapping[str, Any], train: Images, test: Images, seed: int) -> Figures:
    """Accuracy with 200 labels a class, and with few."""
    labels, truth = train.labels(), test.labels()
    strengths = {arm: PROBE_C.get(arm, SimCLR().config.probe_c) for arm in inputs}
    rows = few_labels(labels, LABELLED, numpy_generator(seed, "many labels"))
    many = {
        arm: accuracy(
            truth, LinearProbe.fit(fit[rows], labels[rows], c=strengths[arm]).predict(asked)
        )
        for arm, (fit, asked) in inputs.items()
    }
    return {METRIC: many, **few_label_figures(inputs, strengths, labels, truth, seed)}


CLAIMS = (
    Claim(
        "rotation",
        "asking for the quarter turn of a view beside the contrast makes a better encoder of 5,000 "
        "images than the contrast alone, in as many steps",
        Experiment("scatsimclr rotation", fashion_data, rotation, PRESETS, first_seed=100),
        METRIC, ROTATION, CONTRAST, 0.005,
    ),
    Claim(
        "few_images",
        "on 1,000 images, fixed scattering with a small trained adapter is better than four "
        "trained convolutions with five times its weights",
        Experiment("scatsimclr few images", fashion_data, scarce, SCARCE, first_seed=100),
        METRIC, SMALL, LARGE, 0.005,
    ),
)  # fmt: skip
