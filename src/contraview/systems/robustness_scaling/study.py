"""The figures of an audit, as a table, as one flat list, and as a picture."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from jaxtyping import Float

from contraview.core.errors import InputError
from contraview.core.seeds import numpy_generator
from contraview.core.whole_file import write_bytes
from contraview.evaluation.robustness import ScalingFit, scaling_fit
from contraview.systems.robustness_scaling.models import IMAGES, PARAMETERS, Audited

PICTURES: Final = (".png", ".svg")
SCALES: Final = (IMAGES, PARAMETERS)


@dataclass(frozen=True)
class Study:
    """What an audit found.

    Attributes:
        models: in the order given.
        accuracy: on the images as they are.
        rates: the ASR of each family, a row a model, from 0 to 1.
        families: names of the columns of ``rates``.
        fit: of the mean ASR on what is known of the models' scale; None where they cannot tell.
    """

    models: Sequence[Audited]
    accuracy: Float[np.ndarray, " m"]
    rates: Float[np.ndarray, "m f"]
    families: Sequence[str]
    fit: ScalingFit | None

    @classmethod
    def of(
        cls,
        models: Sequence[Audited],
        accuracy: Float[np.ndarray, " m"],
        rates: Float[np.ndarray, "m f"],
        families: Sequence[str],
        *,
        resamples: int,
    ) -> "Study":
        """The study with its fit on every scale that all models have and that varies."""
        scales: dict[str, np.ndarray] = {}
        for scale in SCALES:
            values = [getattr(model, scale) for model in models]
            if None not in values and len(set(values)) > 1:
                scales[scale] = np.array(values, dtype=float)
        fit = scaling_fit(
            rates.mean(1), scales, numpy_generator(0, "scaling fit"), resamples=resamples
        )
        return cls(models, accuracy, rates, families, fit)

    def table(self) -> pl.DataFrame:
        """A row a model: what is known of it, accuracy, mean ASR, ASR of each family; best first.

        Ranked by mean ASR.
        """
        return pl.DataFrame(
            {
                "model": [model.name for model in self.models],
                "objective": [model.objective for model in self.models],
                "images": [model.images for model in self.models],
                "parameters": [model.parameters for model in self.models],
                "accuracy": self.accuracy,
                "mean ASR": self.rates.mean(1),
                **{f"ASR, {name}": self.rates[:, i] for i, name in enumerate(self.families)},
            }
        ).sort("mean ASR", maintain_order=True)

    def figures(self) -> dict[str, float]:
        """Every figure by name; rates from 0 to 1, slopes in points of 100 % per tenfold."""
        found: dict[str, float] = {}
        for model, accuracy, rates in zip(self.models, self.accuracy, self.rates, strict=True):
            found[f"{model.name}: accuracy"] = float(accuracy)
            found[f"{model.name}: mean ASR"] = float(rates.mean())
            for family, rate in zip(self.families, rates, strict=True):
                found[f"{model.name}: ASR, {family}"] = float(rate)
        if self.fit is None:
            return found
        for scale, slope in self.fit.slopes.items():
            interval = self.fit.intervals[scale]
            name = f"mean ASR, points per tenfold {scale}"
            found |= {name: slope, f"{name}, low": interval.low, f"{name}, high": interval.high}
        found["R2 of the line through points"] = self.fit.r2
        found["R2 of the line through logits"] = self.fit.r2_logit
        return {**found, **self._residuals(self.fit)}

    def _residuals(self, fit: ScalingFit) -> Mapping[str, float]:
        """Mean distance from the line of each objective: what scale does not explain."""
        objectives = np.array([model.objective for model in self.models])
        named = [each for each in np.unique(objectives) if each]
        return {
            f"points above the line, {each}": float(fit.residuals[objectives == each].mean())
            for each in named
        }

    def draw(self, path: Path) -> None:
        """ASR by family, a line a model; and mean ASR against scale with the fitted line.

        Raises:
            InputError: a name that ends neither in .png nor in .svg.
        """
        need_picture_name(path)
        from matplotlib import rc_context
        from matplotlib.figure import Figure

        scales = list(self.fit.slopes) if self.fit else []
        with rc_context({"svg.hashsalt": "contraview", "svg.fonttype": "none"}):
            figure = Figure(figsize=(6 + 4 * len(scales), 4), layout="constrained")
            axes = figure.subplots(1, 1 + len(scales), squeeze=False)[0]
            for model, rates in zip(self.models, self.rates, strict=True):
                axes[0].plot(self.families, 100 * rates, marker="o", label=model.name)
            axes[0].set_ylabel("attack success rate, % of what was right")
            axes[0].tick_params("x", rotation=30)
            axes[0].legend(fontsize="small")
            for room, scale in zip(axes[1:], scales, strict=True):
                self._draw_scale(room, scale)
            written = io.BytesIO()
            said = {"Date": None} if path.suffix == ".svg" else None  # the same file at any time
            figure.savefig(written, format=path.suffix[1:], metadata=said)
        write_bytes(path, written.getvalue())

    def _draw_scale(self, axes, scale: str) -> None:
        """Each model at its scale, moved along the other slopes to their mean, and the line."""
        assert self.fit is not None
        known = {
            name: np.log10([float(getattr(model, name)) for model in self.models])
            for name in self.fit.slopes
        }
        shift = sum(
            slope * (known[name] - known[name].mean())
            for name, slope in self.fit.slopes.items()
            if name != scale
        )
        place, mean = known[scale], 100 * self.rates.mean(1) - shift
        axes.plot(10**place, mean, "o")
        ends = np.array([place.min(), place.max()])
        slope = self.fit.slopes[scale]
        axes.plot(10**ends, mean.mean() + slope * (ends - place.mean()))
        interval = self.fit.intervals[scale]
        axes.set_xscale("log")
        axes.set_xlabel(f"{scale} of the model")
        axes.set_title(
            f"{slope:+.1f} points per tenfold ({interval.low:+.1f} to {interval.high:+.1f})",
            fontsize="medium",
        )


def need_picture_name(path: Path) -> None:
    """Refuse a name that does not say which format to draw, before any work is done."""
    if path.suffix not in PICTURES:
        raise InputError(f"{path}: expected a name that ends in {' or '.join(PICTURES)}")
