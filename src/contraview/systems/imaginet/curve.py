"""What a detector of synthetic images is worth, also after its images have been laundered."""

from collections.abc import Mapping
from typing import Final, Protocol, runtime_checkable

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Shaped

from contraview.core.errors import InputError
from contraview.evaluation.anomaly import auroc
from contraview.modalities.images.data import Images
from contraview.modalities.images.perturbations import Kind, Perturbation, perturbed

LEVELS: Final[Mapping[Kind, tuple[float, ...]]] = {
    "jpeg": (90, 75, 60, 40, 20),
    "resize": (0.75, 0.5),
    "blur": (0.02, 0.05),
}
"""Quality; share of the side kept; sigma as share of the side."""


@runtime_checkable
class Detector(Protocol):
    """What is judged."""

    config: object
    generators: tuple[str, ...]

    def classify(self, images: Images, /) -> Float[np.ndarray, "n 2"]:
        """Probabilities of real and synthetic."""
        ...

    def classified(self, images: Images, /) -> pl.DataFrame:
        """With the generator's name."""
        ...


def balanced_accuracy(chance: Float[np.ndarray, " n"], made: Bool[np.ndarray, " n"]) -> float:
    """The mean of what is right among real and among synthetic images, at one half."""
    return float(((chance[made] > 0.5).mean() + (chance[~made] <= 0.5).mean()) / 2)


def calibration_error(chance: Float[np.ndarray, " n"], made: Bool[np.ndarray, " n"]) -> float:
    """Mean distance of what is said and what is so, over ten bins of the probability (ECE)."""
    bins = np.minimum((chance * 10).astype(int), 9)
    gaps = [
        abs(chance[bins == each].mean() - made[bins == each].mean()) * (bins == each).mean()
        for each in np.unique(bins)
    ]
    return float(np.sum(gaps))


def curve(system: Detector, images: Images, names: Shaped[np.ndarray, " n"]) -> dict[str, float]:
    """AUC and balanced accuracy along the levels, by generator, and how often it is named right."""
    made = names != system.config.real  # pyright: ignore[reportAttributeAccessIssue]
    if made.all() or not made.any():
        raise InputError(
            f"{int(made.sum())} of {len(made)} images are synthetic; expected real and synthetic"
        )
    chance = system.classify(images)[:, 1]
    figures = {
        "AUC": auroc(chance[~made], chance[made]),
        "balanced accuracy": balanced_accuracy(chance, made),
        "calibration error": calibration_error(chance, made),
    }
    for name in np.unique(names[made]):
        told = "" if name in system.generators else ", not seen in training"
        figures[f"AUC, {name}{told}"] = auroc(chance[~made], chance[names == name])
    known = np.isin(names, system.generators)
    if known.any() and len(system.generators) > 1:
        said = system.classified(images)["generator"].to_numpy()
        figures["generator named right"] = float((said[known] == names[known]).mean())
        if (made & ~known).any():
            others = said[made & ~known]
            figures["unseen generator called unknown"] = float((others == "unknown").mean())
    for kind, levels in LEVELS.items():
        for level in levels:
            shown = perturbed(images, Perturbation.of(kind=kind, level=level), seed=0)
            chance = system.classify(shown)[:, 1]
            figures[f"AUC, {kind} {level:g}"] = auroc(chance[~made], chance[made])
            figures[f"balanced accuracy, {kind} {level:g}"] = balanced_accuracy(chance, made)
    return figures
