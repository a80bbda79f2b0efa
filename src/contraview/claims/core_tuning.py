"""From one SimCLR encoder: does Core-tuning use twenty labels a class better than plain tuning?"""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from contraview.claims.claim import Claim, Experiment, Figures
from contraview.claims.pictures import PIXELS, PROBE_C, fashion_data, flat, seen_and_judged
from contraview.core.run import Run
from contraview.core.seeds import numpy_generator
from contraview.evaluation.few_label import accuracy, few_labels
from contraview.evaluation.probes import LinearProbe
from contraview.frameworks.images.simclr import SimCLR
from contraview.modalities.images.data import Images
from contraview.systems.core_tuning import CoreTuning

METHOD, PLAIN = "Core-tuning", "cross entropy alone"
SUPCON, MIXUP = "cross entropy and supervised contrast", "cross entropy on mixed features"
UNTRAINED, PROBE = "cross entropy alone, untrained start", "linear probe, start frozen"
ARMS: Mapping[str, Mapping[str, Any]] = {
    METHOD: {},
    PLAIN: {"eta": 0.0, "mixed": False},
    SUPCON: {"mixed": False, "focal": False},
    MIXUP: {"eta": 0.0},
    UNTRAINED: {"eta": 0.0, "mixed": False, "start": None},
}
LABELS = 20
ACCURACY = f"accuracy, {LABELS} labels a class"
SCATTER = "scatter within classes over scatter between, test images"
RATES = (1e-3, 3e-3, 1e-2)
"""For each arm the rate is taken that is best on further training images."""

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "small": {
        "seen": 10_000,
        "judged": 10_000,
        "validation": 1_000,
        "start": {"widths": (16, 32, 64, 128), "steps": 600},
        "steps": 200,
    },
    "smoke": {
        "seen": 300,
        "judged": 100,
        "validation": 50,
        "start": {"widths": (8, 16), "steps": 3, "batch": 16},
        "steps": 2,
        "batch": 16,
    },
}


def measure(run: Run, settings: Mapping[str, Any]) -> Figures:
    """All arms begin with the very same encoder and see the same labelled images and steps."""
    knobs = dict(settings)
    seen, test = seen_and_judged(run.seed, knobs.pop("seen"), knobs.pop("judged"))
    labels, truth = seen.labels(), test.labels()
    rows = few_labels(labels, LABELS, numpy_generator(run.seed, "few labels"))
    others = np.setdiff1d(np.arange(len(seen)), rows)
    validation = seen.take(others[: knobs.pop("validation")])
    labelled = seen.take(rows)
    start = SimCLR(**knobs.pop("start")).fit(seen, run=run)
    found: dict[str, float] = {}
    scatter: dict[str, float] = {}
    with TemporaryDirectory() as folder:
        knobs |= {"start": str(start.save(Path(folder) / "start")), "widths": start.config.widths}
        for arm, changes in ARMS.items():
            tuned = _best({**knobs, **changes}, labelled, labels[rows], validation, run)
            found[arm] = accuracy(truth, _named(tuned, test))
            scatter[arm] = scatter_ratio(tuned.embed(test), truth)
    frozen, asked = start.embed(labelled), start.embed(test)
    probe = LinearProbe.fit(frozen, labels[rows], c=start.config.probe_c)
    pixels = LinearProbe.fit(flat(labelled), labels[rows], c=PROBE_C[PIXELS])
    found[PROBE] = accuracy(truth, probe.predict(asked))
    found[PIXELS] = accuracy(truth, pixels.predict(flat(test)))
    scatter |= {PROBE: scatter_ratio(asked, truth), PIXELS: scatter_ratio(flat(test), truth)}
    return {ACCURACY: found, SCATTER: scatter}


def _best(
    knobs: Mapping[str, Any],
    labelled: Images,
    labels: Shaped[np.ndarray, " n"],
    validation: Images,
    run: Run,
) -> CoreTuning:
    """The fit with the rate that names most validation images right; the lower one of equals."""
    fits = [CoreTuning(**knobs, lr=lr).fit(labelled, labels=labels, run=run) for lr in RATES]
    return max(fits, key=lambda fit: accuracy(validation.labels(), _named(fit, validation)))


def _named(system: CoreTuning, images: Images) -> Shaped[np.ndarray, " n"]:
    return np.asarray(system.classes)[system.classify(images).argmax(1)]


def scatter_ratio(vectors: Float[np.ndarray, "n d"], labels: Shaped[np.ndarray, " n"]) -> float:
    """Squared distances to the own class's mean over those of class means to the mean of all.

    Both are sums over rows; lower is a clearer separation, whatever the vectors' scale.
    """
    rows = vectors.astype(np.float64)
    classes, codes = np.unique(labels, return_inverse=True)
    means = np.stack([rows[codes == i].mean(0) for i in range(len(classes))])[codes]
    return float(((rows - means) ** 2).sum() / ((means - rows.mean(0)) ** 2).sum())


_EXPERIMENT = Experiment("core_tuning few labels", fashion_data, measure, PRESETS, first_seed=100)
_SAID = f"from one SimCLR encoder and {LABELS} labels a class, Core-tuning"
CLAIMS = (
    Claim(
        "over_cross_entropy", f"{_SAID} names more images right than tuning by cross entropy",
        _EXPERIMENT, ACCURACY, METHOD, PLAIN, 0.005,
    ),
    Claim(
        "tighter_classes", f"{_SAID} leaves classes less scattered against what parts them",
        _EXPERIMENT, SCATTER, METHOD, PLAIN, 0.01, "lower",
    ),
    Claim(
        "over_supervised_contrast",
        f"{_SAID} names more images right than cross entropy with plain supervised contrast",
        _EXPERIMENT, ACCURACY, METHOD, SUPCON, 0.005,
    ),
    Claim(
        "over_feature_mixup",
        f"{_SAID} names more images right than cross entropy on the same mixed features",
        _EXPERIMENT, ACCURACY, METHOD, MIXUP, 0.005,
    ),
)  # fmt: skip
