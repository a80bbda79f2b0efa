"""Few labels on Fashion-MNIST: what an encoder learnt without labels is worth beside cheap ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from contraview.claims.claim import Claim, Experiment, Figures
from contraview.claims.results import Data
from contraview.core.run import Run
from contraview.core.seeds import numpy_generator
from contraview.evaluation.few_label import accuracy, few_labels
from contraview.evaluation.probes import LinearProbe
from contraview.frameworks.images.embedding import embedded
from contraview.frameworks.images.pretraining import ImagePretraining
from contraview.modalities.datasets import dataset
from contraview.modalities.images.data import Images, read_images

LABELS = (5, 10, 20)
FEW = f"accuracy, mean over {', '.join(map(str, LABELS))} labels a class"
UNTRAINED = "untrained encoder"
PIXELS = "raw pixels"
PROBE_C: Mapping[str, float] = {UNTRAINED: 0.1, PIXELS: 0.1}
"""Inverse regularisation of the probe on each kind of input, the best of a grid in pilots."""
FASHION = ("fashion_mnist", "fashion_mnist_test")


def fashion(name: str) -> Images:
    """A part of Fashion-MNIST with its labels."""
    return read_images(dataset(name), labels="label")


def fashion_data() -> list[Data]:
    """Names and fingerprints of both parts."""
    return [Data(name=name, real=True, fingerprint=fashion(name).fingerprint()) for name in FASHION]


@dataclass(frozen=True)
class FewLabels:
    """A frozen encoder, its untrained twin and the pixels, each read out by the same probe.

    The encoder sees 10,000 training images (fewer at smoke size) without labels. Labels are drawn
    from these, the same for every arm; the test images are the official ones.
    """

    system: type[ImagePretraining]
    name: str

    def __call__(self, run: Run, settings: Mapping[str, Any]) -> Figures:
        """Accuracy on the test images for each number of labels, and the mean."""
        knobs = dict(settings)
        seen, judged = knobs.pop("seen"), knobs.pop("judged")
        train, test = seen_and_judged(run.seed, seen, judged)
        system = self.system(**knobs).fit(train, run=run)
        untrained = system.fresh_encoder(train, run.seed)
        inputs = {
            self.name: (system.embed(train), system.embed(test)),
            UNTRAINED: (embedded(untrained, train), embedded(untrained, test)),
            PIXELS: (flat(train), flat(test)),
        }
        strengths = {self.name: system.config.probe_c, **PROBE_C}
        return few_label_figures(inputs, strengths, train.labels(), test.labels(), run.seed)


def seen_and_judged(seed: int, seen: int, judged: int) -> tuple[Images, Images]:
    """So many training images, and of the official test images, drawn by the seed."""
    generator = numpy_generator(seed, "pictures")
    train, test = fashion(FASHION[0]), fashion(FASHION[1])
    return (
        train.take(generator.choice(len(train), seen, replace=False)),
        test.take(generator.choice(len(test), judged, replace=False)),
    )


def flat(images: Images) -> Float[np.ndarray, "n d"]:
    """Pixels as vectors."""
    return images.pixels.reshape(len(images), -1).astype(np.float32) / 255


def few_label_figures(
    inputs: Mapping[str, tuple[Float[np.ndarray, "n _"], Float[np.ndarray, "m _"]]],
    strengths: Mapping[str, float],
    labels: np.ndarray,
    truth: np.ndarray,
    seed: int,
) -> Figures:
    """Accuracy of a linear probe on each arm's vectors, fitted on the same few labelled rows."""
    figures: dict[str, dict[str, float]] = {}
    for count in LABELS:
        rows = few_labels(labels, count, numpy_generator(seed, "few labels", count))
        figures[f"accuracy, {count} labels a class"] = {
            arm: accuracy(
                truth,
                LinearProbe.fit(fit[rows], labels[rows], c=strengths[arm]).predict(test),
            )
            for arm, (fit, test) in inputs.items()
        }
    mean = {arm: float(np.mean([each[arm] for each in figures.values()])) for arm in inputs}
    return {FEW: mean, **figures}


def fitted_figures(
    arms: Mapping[str, ImagePretraining], train: Images, test: Images, seed: int
) -> Figures:
    """`few_label_figures` of every arm, fitted on ``train``; of an untrained encoder; of pixels."""
    inputs, strengths = {}, dict(PROBE_C)
    for name, system in arms.items():
        system.fit(train, run=Run(seed=seed, show=False))
        inputs[name] = system.embed(train), system.embed(test)
        strengths[name] = system.config.probe_c
    untrained = next(iter(arms.values())).fresh_encoder(train, seed)
    inputs[UNTRAINED] = embedded(untrained, train), embedded(untrained, test)
    inputs[PIXELS] = flat(train), flat(test)
    return few_label_figures(inputs, strengths, train.labels(), test.labels(), seed)


def few_label_claims(
    system: type[ImagePretraining], name: str, smoke: Mapping[str, Any]
) -> Sequence[Claim]:
    """The two claims of a plain framework: against its untrained twin, and against pixels."""
    experiment = Experiment(
        f"{system.slug} few labels",
        fashion_data,
        FewLabels(system, name),
        presets={
            "small": {
                "seen": 10_000,
                "judged": 10_000,
                "widths": (16, 32, 64, 128),
                "steps": 300,
            },
            "smoke": {"seen": 300, "judged": 200, "steps": 5, "batch": 16, **smoke},
        },
        first_seed=100,
    )
    said = "a linear probe on few labels is more often right on an encoder learnt without labels"
    return (
        Claim(
            "few_labels_untrained", f"{said} than on the same encoder untrained",
            experiment, FEW, name, UNTRAINED, 0.02,
        ),
        Claim(
            "few_labels_pixels", f"{said} than on the pixels",
            experiment, FEW, name, PIXELS, 0.02,
        ),
    )  # fmt: skip
