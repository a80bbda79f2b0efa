"""What does a projection head hide, and can fixed weights take its place?"""

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from contraview.claims.claim import Claim, Experiment, Figures
from contraview.claims.pictures import fashion, fashion_data
from contraview.claims.results import Data
from contraview.core.run import Run
from contraview.core.seeds import numpy_generator, torch_generator
from contraview.evaluation.few_label import accuracy
from contraview.evaluation.probes import LinearProbe
from contraview.frameworks.two_view import Views
from contraview.modalities.datasets import dataset
from contraview.modalities.images.data import Images, read_images
from contraview.modalities.images.digits import read_digits
from contraview.systems.projection_head import ProjectionHead
from contraview.systems.projection_head.linear import inequality, two_layers

BEFORE, AFTER = "before the head", "after the head"
FIXED, NONE, UNTRAINED = "fixed weights, before them", "no head", "untrained encoder"
DIGIT, ITEM = "digit, accuracy of a linear probe", "item, accuracy of a linear probe"
HIDDEN = "accuracy lost behind the head"
TOLD = "digit, accuracy of a linear probe; the trained head's less 2 points"
INEQUALITY = "largest over smallest singular value of the features"
DRIFT = "drift from balance, relative"
TRAINED = "trained head, less 2 points"
UPPER, LOWER, BOUND = "upper layer", "lower layer", "bound"
SIGNALS = 6

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "small": {"seen": 5_000, "probed": 2_000, "judged": 2_000, "chance": 0.5,
              "widths": (16, 32, 64, 128), "steps": 300},
    "smoke": {"seen": 200, "probed": 150, "judged": 100, "chance": 0.5,
              "widths": (8, 16), "steps": 3, "batch": 16},
}  # fmt: skip


@cache
def _digits() -> Images:
    return read_digits(dataset("digits_5k"))


def _data() -> list[Data]:
    digits = Data(name="digits_5k", real=True, fingerprint=_digits().fingerprint())
    return [*fashion_data(), digits]


def _side_by_side(items: Images, digits: Images, generator: np.random.Generator) -> Images:
    """Each item with a digit to its right, drawn at random."""
    drawn = digits.take(generator.integers(len(digits), size=len(items)))
    pixels = np.concatenate([items.pixels, drawn.pixels], axis=3)[:, 0]
    return read_images({"x": pixels, "item": items.labels(), "digit": drawn.labels()})


class _Disrupted(ProjectionHead):
    """Views in which the digit is, with some chance, another image's."""

    chance: float = 0.5

    def views_of(self, images: Images, run: Run) -> Views:
        two = super().views_of(images, run)

        def views(rows: Int[Tensor, " b"], generator: torch.Generator) -> tuple[Tensor, Tensor]:
            one, other = two(rows, generator)
            return self._disrupted(one, generator), self._disrupted(other, generator)

        return views

    def _disrupted(self, view: Tensor, generator: torch.Generator) -> Tensor:
        middle = view.shape[3] // 2
        n = len(view)
        others = torch.randperm(n, generator=generator, device=generator.device)
        chosen = torch.rand(n, generator=generator, device=generator.device) < self.chance
        other = torch.where(chosen, others, torch.arange(n, device=others.device))
        return torch.cat([view[..., :middle], view[other][..., middle:]], dim=3)


def measure(run: Run, settings: Mapping[str, Any]) -> Figures:
    """Digit and item, read before and after heads that were trained under the same views."""
    knobs = dict(settings)
    seen, probed, judged = (knobs.pop(name) for name in ("seen", "probed", "judged"))
    chance = knobs.pop("chance")
    # Shifts and colours alone: a crop could take either half away.
    knobs["views"] = {"crop": 0.0, "flip": 0.0, "grey": 0.0, "blur": 0.0, "jitter": 0.5}
    generator = numpy_generator(run.seed, "projection head")
    order = generator.permutation(len(_digits()))
    half = len(order) * 3 // 5
    train = _drawn(fashion("fashion_mnist"), order[:half], seen, generator)
    test = _drawn(fashion("fashion_mnist_test"), order[half:], judged, generator)
    known = train.take(np.arange(probed))
    vectors: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for head in ("mlp", "reweight", "none"):
        system = _Disrupted(**knobs, head=head)
        system.chance = chance
        system.fit(train, run=Run(seed=run.seed, show=False))
        fitted, asked = system.layers(known), system.layers(test)
        name = {"mlp": BEFORE, "reweight": FIXED, "none": NONE}[head]
        vectors[name] = fitted["encoder"], asked["encoder"]
        if head == "mlp":
            vectors[AFTER] = fitted["head"], asked["head"]
            system.encoder = system.fresh_encoder(train, run.seed)
            vectors[UNTRAINED] = system.embed(known), system.embed(test)
    figures = {
        metric: {
            arm: accuracy(
                test.texts(column), LinearProbe.fit(fit, known.texts(column), c=0.1).predict(asked)
            )
            for arm, (fit, asked) in vectors.items()
        }
        for metric, column in ((DIGIT, "digit"), (ITEM, "item"))
    }
    lost = {
        name: figures[metric][BEFORE] - figures[metric][AFTER]
        for name, metric in (("digit", DIGIT), ("item", ITEM))
    }
    bar = {
        FIXED: figures[DIGIT][FIXED],
        TRAINED: figures[DIGIT][BEFORE] - 0.02,
    }
    return {**figures, HIDDEN: lost, TOLD: bar}


def _drawn(items: Images, digits: np.ndarray, count: int, generator: np.random.Generator) -> Images:
    chosen = items.take(generator.choice(len(items), count, replace=False))
    return _side_by_side(chosen, _digits().take(digits), generator)


def measure_linear(run: Run, settings: Mapping[str, Any]) -> Figures:
    """Two linear layers on signals of equal strength that the views keep more or less of."""
    draw = torch_generator(run.seed, "two layers")
    n, width, d = settings["rows"], 2 * SIGNALS, 2 * SIGNALS
    kept = torch.zeros(
        d, dtype=torch.float64
    )  # share of the variance that two views have in common
    kept[:SIGNALS] = torch.linspace(0.95, 0.35, SIGNALS, dtype=torch.float64)
    signal, *noises = torch.randn((3, n, d), generator=draw, dtype=torch.float64)
    one, other = (kept.sqrt() * signal + (1 - kept).sqrt() * noise for noise in noises)
    first, second = two_layers(one, other, width=width, steps=settings["steps"], seed=draw)
    lower = one @ first.T
    upper = lower @ second.T
    balance = first @ first.T - second.T @ second
    return {
        INEQUALITY: {LOWER: inequality(lower, SIGNALS), UPPER: inequality(upper, SIGNALS)},
        DRIFT: {LOWER: (balance.norm() / (first @ first.T).norm()).item(), BOUND: 0.01},
    }


_COMPOSITE = Experiment("projection head digits", _data, measure, PRESETS, first_seed=100)
_LINEAR = Experiment(
    "projection head linear",
    lambda: [Data(name="Gaussian signals", real=False, fingerprint="drawn from the seed")],
    measure_linear,
    {"small": {"rows": 2_000, "steps": 3_000}, "smoke": {"rows": 100, "steps": 20}},
    first_seed=100,
)

CLAIMS = (
    Claim(
        "head_hides",
        "what views often replace is read better before the head than after it",
        _COMPOSITE, DIGIT, BEFORE, AFTER, 0.03,
    ),
    Claim(
        "head_hides_selectively",
        "the head hides more of what views replace than of what they keep",
        _COMPOSITE, HIDDEN, "digit", "item", 0.01,
    ),
    Claim(
        "fixed_near_trained",
        "features trained under fixed weights are within two points of those under a trained head",
        _COMPOSITE, TOLD, FIXED, TRAINED, 0.001,
    ),
    Claim(
        "fixed_over_none",
        "features trained under fixed weights are better than those without a head",
        _COMPOSITE, DIGIT, FIXED, NONE, 0.01,
    ),
    Claim(
        "upper_layer_unequal",
        "of two linear layers the upper one weights features more unequally",
        _LINEAR, INEQUALITY, UPPER, LOWER, 0.1,
    ),
    Claim(
        "balance_is_kept",
        "a balanced start stays balanced to a hundredth",
        _LINEAR, DRIFT, LOWER, BOUND, 0.0001, "lower",
    ),
)  # fmt: skip
