"""Do soft targets from several rough labels beat no labels, and labels that must be the same?"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from contraview.claims.claim import Claim, Experiment, Figures
from contraview.claims.pictures import (
    FASHION,
    PIXELS,
    UNTRAINED,
    fashion,
    fashion_data,
    flat,
)
from contraview.core.run import Run
from contraview.core.seeds import numpy_generator
from contraview.evaluation.multi_label import MultiLabelProbe, multi_hot, multi_label_map
from contraview.frameworks.images.embedding import embedded
from contraview.frameworks.images.two_views import Contrast, Pair, RowWeights, Term
from contraview.modalities.images.bands import Bands
from contraview.modalities.images.data import Images
from contraview.modalities.images.nets import Encoder
from contraview.networks.fresh import fresh
from contraview.objectives.info_nce import info_nce
from contraview.objectives.unit import unit
from contraview.systems.softcon.config import SoftConConfig
from contraview.systems.softcon.softcon import SoftCon, SoftTerm

SOFT, ALONE = "soft contrast and InfoNCE", "InfoNCE alone"
STRICT = "same label sets and InfoNCE"
CLASSIFIER = "classifier on the weak labels"
MAP = "mAP of a linear probe on a tenth of the labels"
FLIPS, PROBED = 0.1, 0.1
ITEMS = 4

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "small": {"seen": 5000, "judged": 5000, "widths": (16, 32, 64, 128), "steps": 300},
    "smoke": {"seen": 200, "judged": 100, "widths": (8, 16), "steps": 3, "batch": 16},
}


def mosaics(source: Images, count: int, generator: np.random.Generator) -> Bands:
    """Images of four items of 14 x 14 pixels, of 1 to 4 classes, which are their labels."""
    names = source.labels()
    classes = np.unique(names)
    rows = {name: np.flatnonzero(names == name) for name in classes}
    chosen = np.empty((count, ITEMS), np.int64)
    for row in range(count):
        kinds = generator.choice(classes, generator.integers(1, ITEMS + 1), replace=False)
        every = np.concatenate([kinds, generator.choice(kinds, ITEMS - len(kinds))])
        chosen[row] = [generator.choice(rows[name]) for name in generator.permutation(every)]
    small = source.pixels.reshape(len(source), 14, 2, 14, 2).mean((2, 4)).astype(np.uint8)
    pixels = small[chosen].reshape(count, 2, 2, 14, 14).transpose(0, 1, 3, 2, 4)
    labels = [";".join(sorted(set(names[four]))) for four in chosen]
    table = pl.DataFrame({"classes": labels})
    return Bands(pixels.reshape(count, 1, 28, 28), table, label="classes")


def flipped(
    truth: Bool[np.ndarray, "n c"], generator: np.random.Generator
) -> Bool[np.ndarray, "n c"]:
    """Labels as rough as a land-cover map: each entry is wrong with a chance of a tenth."""
    return truth ^ (generator.random(truth.shape) < FLIPS)


class _SameSets(SoftTerm):
    """Supervised contrast among images whose label sets are the same, and no others."""

    name = "same sets"

    def forward(self, pairs: list[Pair], *inputs: Shaped[Tensor, "..."]) -> Float[Tensor, ""]:
        (labels,) = inputs
        same = (labels[:, None] == labels[None]).all(2).float()
        same = same * labels.any(1, keepdim=True)  # images without labels take no part here either
        shares = same / same.sum(1, keepdim=True).clamp(min=1)
        one, other = unit(pairs[0].queries), unit(pairs[1].queries)
        scale = 1 / self._temperature
        there = info_nce(one, other, scale=scale, weights=shares)
        return (there + info_nce(other, one, scale=scale, weights=shares)) / 2


class _Strict(SoftCon):
    def term(self, encoder: Encoder, images: Images, run: Run) -> Term:  # noqa: ARG002
        return _SameSets(self._weak, self.config)


class _NoContrast(Contrast):
    """Embeddings of two masked views, which are not compared."""

    def __init__(self, encoder: Encoder, masked: Any) -> None:
        super().__init__()
        self.network, self.width, self.masked = encoder, encoder.outputs, masked

    def forward(self, one: Tensor, other: Tensor) -> list[Pair]:
        return [Pair(self.network(self.masked(one)), self.network(self.masked(other)))]

    def compare(self, pair: Pair, weights: RowWeights = None) -> Float[Tensor, ""]:  # noqa: ARG002
        return 0 * pair.queries.sum()


class _Named(SoftTerm):
    """Binary cross entropy of a linear classifier."""

    name = "classifier"

    def __init__(self, labels: Float[Tensor, "n c"], config: SoftConConfig, width: int) -> None:
        super().__init__(labels, config)
        self.linear = nn.Linear(width, labels.shape[1])

    def forward(self, pairs: list[Pair], *inputs: Shaped[Tensor, "..."]) -> Float[Tensor, ""]:
        (labels,) = inputs
        each = [binary_cross_entropy_with_logits(self.linear(v), labels) for v in pairs[0]]
        return torch.stack(each).mean()


class _Classifier(SoftCon):
    """The encoder trained by its weak labels alone, on the same views."""

    def contrast(self, encoder: Encoder, seed: int) -> Contrast:
        masks: Any = super().contrast(encoder, seed)
        return _NoContrast(encoder, masks.masked)

    def term(self, encoder: Encoder, images: Images, run: Run) -> Term:  # noqa: ARG002
        return fresh(
            lambda: _Named(self._weak, self.config, encoder.outputs), run.seed, "classifier"
        )


def measure(run: Run, settings: Mapping[str, Any]) -> Figures:
    """Figures of each arm's probe, which sees right labels of a tenth of the images."""
    knobs = dict(settings)
    generator = numpy_generator(run.seed, "mosaics")
    train = mosaics(fashion(FASHION[0]), knobs.pop("seen"), generator)
    test = mosaics(fashion(FASHION[1]), knobs.pop("judged"), generator)
    truth, classes = multi_hot(train.labels())
    rough = [";".join(np.array(classes)[row]) for row in flipped(truth, generator)]
    arms = {
        SOFT: SoftCon(**knobs),
        ALONE: SoftCon(**knobs, soft_weight=0.0),
        STRICT: _Strict(**knobs),
        CLASSIFIER: _Classifier(**knobs),
    }
    inputs: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for arm, system in arms.items():
        system.fit(train, labels=rough, run=Run(seed=run.seed, show=False))
        inputs[arm] = system.embed(train), system.embed(test)
    bare = arms[ALONE]
    seen, asked = bare.images_of(train), bare.images_of(test)
    untrained = bare.fresh_encoder(seen, run.seed)
    inputs[UNTRAINED] = embedded(untrained, seen), embedded(untrained, asked)
    inputs[PIXELS] = flat(train), flat(test)
    rows = generator.permutation(len(train))[: max(int(PROBED * len(train)), 20)]
    right, named = train.labels()[rows], multi_hot(test.labels(), classes)[0]
    figures = {}
    for arm, (fit, test_vectors) in inputs.items():
        probe = MultiLabelProbe.fit(fit[rows], right, c=bare.config.probe_c)
        figures[arm] = multi_label_map(named, probe.classify(test_vectors))
    return {MAP: figures}


_EXPERIMENT = Experiment("softcon mosaics", fashion_data, measure, PRESETS, first_seed=100)
_SAID = "with rough labels of several classes, soft contrast makes a better encoder of mosaics than"

CLAIMS = (
    Claim("over_infonce", f"{_SAID} InfoNCE alone", _EXPERIMENT, MAP, SOFT, ALONE, 0.01),
    Claim(
        "over_strict",
        f"{_SAID} supervised contrast among images whose label sets are the same",
        _EXPERIMENT, MAP, SOFT, STRICT, 0.01,
    ),
)  # fmt: skip
