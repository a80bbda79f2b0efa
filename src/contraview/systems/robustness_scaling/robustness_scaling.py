"""The robustness scaling study (The Impact of Scaling Training Data on Adversarial Robustness)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
from jaxtyping import Float, Shaped

from contraview.core.errors import InputError
from contraview.core.learnt import Learnt, array, demand
from contraview.core.run import Run
from contraview.core.seeds import numpy_generator, stream_seed
from contraview.core.system import System
from contraview.evaluation.probes import labels_of
from contraview.evaluation.robustness import attack_success
from contraview.modalities.images.data import Images, ImageSource, read_images
from contraview.modalities.images.perturbations import bank, perturbed
from contraview.systems.robustness_scaling.config import PRESETS, RobustnessScalingConfig
from contraview.systems.robustness_scaling.models import Audited, models_of
from contraview.systems.robustness_scaling.study import Study, need_picture_name

TRUTH = "truth"


class RobustnessScaling(System):
    """Measures how often a harmless change makes a model wrong that was right, and what helps.

    `fit` makes a bench of your labelled test images. `audit` shows it to any number of models, as
    they are and under six families of black-box perturbation: noise, square and stripe masks,
    pasted objects, corruptions, shifts of style. For each model it gives the accuracy and, family
    by family, the attack success rate: the share of wrong answers among images that were right
    before. For models whose training images or parameters are known it fits the mean rate on log10
    of both at once, with intervals over models.

    The study compared 36 public models on ImageNet and found about 3.2 points less per tenfold
    training data and 13.4 less per tenfold parameters; it trains nothing. No official code was
    found: strengths (``severity``) and the exact perturbations are our own, and its human baseline
    is left out. Every model is shown the same changed images: the bank hangs on the bench alone.

    Verb: `audit`.
    """

    slug = "robustness_scaling"
    Config = RobustnessScalingConfig
    Source = ImageSource
    presets: ClassVar = PRESETS

    images: Images
    truth: Shaped[np.ndarray, " n"]
    seed: int

    @classmethod
    def describe(cls, data: Any) -> list[str]:
        """Size, colour, copies, and what was left out."""
        return read_images(data).notes()

    def fit(
        self,
        images: Any,
        /,
        *,
        labels: Sequence[str] | np.ndarray | None = None,
        run: Run | None = None,
    ) -> "RobustnessScaling":
        """Make the bench: labelled images that no audited model was trained on.

        Args:
            images: see `read_images`.
            labels: the class of each; by default the column that the images name. Images without a
                class are left out.
            run: its seed draws images and perturbations.
        """
        run, images = run or Run(), read_images(images)
        names = labels_of(images.labels() if labels is None else labels, len(images))
        known = np.flatnonzero(names != "")
        generator = numpy_generator(run.seed, "bench")
        if len(known) > self.config.most:
            known = np.sort(generator.choice(known, self.config.most, replace=False))
        self.images, self.truth = images.take(known), names[known]
        self.seed = stream_seed(run.seed, "bank")
        run.log("data", images=len(known), fingerprint=self.images.fingerprint())
        return self

    @property
    def fitted(self) -> bool:
        """Whether `fit` or `restore` has run."""
        return hasattr(self, "images")

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of the bench in sorted order: the order of a callable's scores."""
        return tuple(map(str, np.unique(self.truth)))

    def read(self, data: Any) -> list[Audited]:
        """Models to audit; see `models_of`."""
        self.need_fit()
        done = isinstance(data, list) and data and isinstance(data[0], Audited)
        return data if done else models_of(data, self.classes)

    def audit(self, models: Any, /, *, plot: Path | str | None = None) -> dict[str, float]:
        """Accuracy, ASR of each family and their mean for each model, and the scaling fit.

        Args:
            models: what `models_of` takes.
            plot: a file to draw the study into, .png or .svg.
        """
        if plot is not None:
            need_picture_name(Path(plot))
        study = self.study(models)
        if plot is not None:
            study.draw(Path(plot))
        return study.figures()

    def study(self, models: Any, /) -> Study:
        """The audit as a table, figures and a drawing."""
        found = self.read(models)
        clean = [_answers(model, self.images) for model in found]
        for model, each in zip(found, clean, strict=True):
            if not (each == self.truth).any():
                raise InputError(
                    f"{model.name}: not right on any of {len(self.truth)} images, such as "
                    f"{str(each[0])!r} for {str(self.truth[0])!r}; expected the classes "
                    f"{', '.join(self.classes)}"
                )
        columns = [self._rates(found, clean, family) for family in self.config.families]
        return Study.of(
            found,
            np.array([(each == self.truth).mean() for each in clean]),
            np.stack(columns, axis=1),
            self.config.families,
            resamples=self.config.resamples,
        )

    def _rates(
        self, models: Sequence[Audited], clean: Sequence[np.ndarray], family: str
    ) -> Float[np.ndarray, " m"]:
        """The ASR of each model, the mean over the kinds of a family."""
        rates: list[list[float]] = []
        for perturbation in bank(self.config.severity)[family]:
            shown = perturbed(self.images, perturbation, self.seed)
            rates.append(
                [
                    attack_success(self.truth, before, _answers(model, shown))
                    for model, before in zip(models, clean, strict=True)
                ]
            )
        return np.array(rates).mean(0)

    def learnt(self) -> Learnt:
        """The images of the bench, their classes and the seed of the bank."""
        return Learnt(
            {"pixels": self.images.pixels},
            {"truth": pl.DataFrame({TRUTH: self.truth.tolist()})},
            {"seed": self.seed},
        )

    def restore(self, learnt: Learnt) -> None:
        """Take up what `learnt` gave."""
        table = learnt.tables["truth"]
        pixels = array(learnt.arrays, "pixels", 4, "u")
        demand(
            pixels.dtype == np.uint8 and len(pixels) == table.height and pixels.size > 0,
            f"{len(pixels)} images for {table.height} truths",
        )
        self.images = Images(pixels, table, label=TRUTH)
        self.truth, self.seed = self.images.labels(), int(learnt.facts["seed"])


def _answers(model: Audited, images: Images) -> Shaped[np.ndarray, " n"]:
    return np.asarray(model.answer(images), dtype=str)
