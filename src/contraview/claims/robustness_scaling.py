"""Does more training data, a wider network or another objective make a model harder to upset?"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from contraview.claims.claim import Claim, Experiment, Figures
from contraview.claims.pictures import FASHION, fashion, fashion_data
from contraview.core.run import Run
from contraview.core.seeds import numpy_generator
from contraview.frameworks.images.simclr import SimCLR
from contraview.modalities.images.data import Images
from contraview.modalities.images.nets import ImageEncoder
from contraview.networks.fresh import fresh
from contraview.systems.robustness_scaling import RobustnessScaling
from contraview.systems.robustness_scaling.models import Audited, models_of
from contraview.training.loop import train
from contraview.training.samplers import epochs
from contraview.training.schedule import Schedule
from contraview.training.step import Step

SLOPE = "mean ASR, points per tenfold training images"
MEAN = "mean ASR"
ACCURACY = "accuracy without any change"
FITTED, FLAT = "cross-entropy, slope over sizes", "no slope"
WIDE, NARROW = "cross-entropy, all images", "cross-entropy, a fourth of the width"
SELF = "SimCLR and a linear probe"
UNTRAINED = "untrained encoder and a linear probe"
FAMILY = "stripe mask"
"""The family on which the objectives were furthest apart in pilots."""

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "small": {
        "sizes": (100, 300, 1000, 3000, 10_000), "judged": 2000, "severity": 0.25,
        "widths": (16, 32, 64, 128), "narrow": (4, 8, 16, 32), "steps": 400, "batch": 64,
        "simclr": {"steps": 300, "batch": 64},
    },
    "smoke": {
        "sizes": (50, 100, 200), "judged": 100, "severity": 0.5,
        "widths": (8, 16), "narrow": (4, 8), "steps": 5, "batch": 16,
        "simclr": {"steps": 3, "batch": 16},
    },
}  # fmt: skip


class Classifier(nn.Module):
    """The encoder that every arm has, and a linear layer."""

    def __init__(self, widths: tuple[int, ...], classes: int) -> None:
        super().__init__()
        self.encoder = ImageEncoder(1, widths)
        self.last = nn.Linear(self.encoder.outputs, classes)

    def forward(self, pixels: Tensor) -> Tensor:
        """Scores of the classes."""
        return self.last(self.encoder(pixels))


def classifier(
    images: Images, classes: tuple[str, ...], settings: Mapping[str, Any], widths: str, run: Run
) -> Classifier:
    """Trained by cross-entropy for the same number of steps however many images there are."""
    model = fresh(lambda: Classifier(settings[widths], len(classes)), run.seed, "classifier")
    model.encoder.standardise.learn(images)
    numbers = torch.from_numpy(np.searchsorted(classes, images.labels()))

    def loss(network: nn.Module, rows: Int[Tensor, " b"], generator: torch.Generator) -> Step:
        scores = network(images.batch(rows, generator.device))
        return Step(cross_entropy(scores, numbers[rows].to(generator.device)))

    train(
        model,
        loss,
        epochs(len(images), settings["batch"], run.seed),
        Schedule.of(steps=settings["steps"], batch=settings["batch"], lr=2e-3, warmup=0.05),
        run=run,
        name="classifier",
    )
    return model


def audited(run: Run, settings: Mapping[str, Any]) -> tuple[list[Audited], RobustnessScaling]:
    """Every model, trained on nested parts of the same images, and the bench they are shown."""
    generator = numpy_generator(run.seed, "robustness")
    train_part, test_part = fashion(FASHION[0]), fashion(FASHION[1])
    order = generator.permutation(len(train_part))
    most = max(settings["sizes"])
    bench = RobustnessScaling(most=settings["judged"], severity=settings["severity"]).fit(
        test_part, run=run
    )
    models: dict[str, Any] = {}
    for size in settings["sizes"]:
        part = train_part.take(order[:size])
        models[WIDE if size == most else f"{size} images"] = classifier(
            part, bench.classes, settings, "widths", run
        )
    part = train_part.take(order[:most])
    models[NARROW] = classifier(part, bench.classes, settings, "narrow", run)
    learnt = SimCLR(widths=settings["widths"], **settings["simclr"])
    models[SELF] = learnt.fit(part, labels=part.labels(), run=run)
    blank = SimCLR(widths=settings["widths"], **settings["simclr"] | {"steps": 1, "lr": 1e-12})
    models[UNTRAINED] = blank.fit(part, labels=part.labels(), run=run)
    found = models_of(models, bench.classes)
    sizes = {WIDE: most, **{f"{size} images": size for size in settings["sizes"][:-1]}}
    return [Audited(m.name, m.answer, sizes.get(m.name)) for m in found], bench


def measure(run: Run, settings: Mapping[str, Any]) -> Figures:
    """One bank of changed test images for all models; slopes over the sizes alone."""
    models, bench = audited(run, settings)
    scaled = bench.study([model for model in models if model.images])
    assert scaled.fit is not None
    rows = bench.study(models).table().to_dicts()
    by_name = {row["model"]: row for row in rows}
    metrics = {MEAN: MEAN, ACCURACY: "accuracy"}
    metrics |= {f"ASR, {family}": f"ASR, {family}" for family in bench.config.families}
    return {
        SLOPE: {FITTED: scaled.fit.slopes["images"], FLAT: 0.0},
        **{
            metric: {name: row[column] for name, row in by_name.items()}
            for metric, column in metrics.items()
        },
    }


_EXPERIMENT = Experiment(
    "robustness_scaling fashion", fashion_data, measure, PRESETS, first_seed=100
)

CLAIMS = (
    Claim(
        "objective",
        "objective matters beyond scale: with the same images, encoder and accuracy within a few "
        f"points, under the {FAMILY} cross-entropy loses less of what it had right than SimCLR and "
        "a linear probe",
        _EXPERIMENT, f"ASR, {FAMILY}", WIDE, SELF, 0.02, "lower",
    ),
    Claim(
        "data",
        "the mean attack success rate falls with the number of training images",
        _EXPERIMENT, SLOPE, FITTED, FLAT, 0.5, "lower",
    ),
    Claim(
        "width",
        "at the same number of images a network four times as wide has a lower mean attack success "
        "rate",
        _EXPERIMENT, MEAN, WIDE, NARROW, 0.02, "lower",
    ),
)  # fmt: skip
