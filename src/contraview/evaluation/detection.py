"""A detector's figures on labelled rows, alike in `contraview evaluate` and in claims."""

import numpy as np
from jaxtyping import Bool, Float, Shaped

from contraview.core.errors import InputError
from contraview.evaluation.anomaly import auroc, average_precision, class_mean, unsigned_auroc
from contraview.evaluation.splits import random_split
from contraview.evaluation.threshold import alarm_rate, threshold_at_fpr

FEWEST = 20
"""A class with fewer rows has its own figures but no part in a mean over classes."""

AUROC = "AUROC, class mean"


def tpr_name(max_fpr: float) -> str:
    """The name of the detection rate at a false-alarm rate."""
    return f"TPR at FPR {max_fpr:g}, class mean"


def detection_figures(
    scores: Float[np.ndarray, " n"],
    labels: Shaped[np.ndarray, " n"],
    benign: Bool[np.ndarray, " n"],
    max_fpr: float,
) -> dict[str, float]:
    """Signed AUROC and detection rates, by class and on average over classes.

    The threshold comes from one random half of the benign rows (seed 0), the realised false-alarm
    rate from the other half. Classes of fewer than 20 rows are left out of the means.

    Raises:
        InputError: no benign row or no attack; too few benign rows for the false-alarm rate.
    """
    if benign.all() or not benign.any():
        raise InputError(
            f"{int(benign.sum())} of {len(benign)} rows are benign; expected benign rows and "
            "attacks: say which are benign, as in --benign 'label == BENIGN'"
        )
    quiet = scores[benign]
    classes = {str(name): scores[~benign & (labels == name)] for name in np.unique(labels[~benign])}
    large = [name for name, values in classes.items() if len(values) >= FEWEST] or list(classes)
    first, second = random_split(len(quiet), (0.5, 0.5), seed=0)
    threshold = threshold_at_fpr(quiet[first], max_fpr)
    by_class = {name: auroc(quiet, values) for name, values in classes.items()}
    found = {name: alarm_rate(values, threshold) for name, values in classes.items()}
    rate = f"{max_fpr:g}"
    return {
        AUROC: class_mean({name: by_class[name] for name in large}),
        "unsigned AUROC, class mean": class_mean(
            {name: unsigned_auroc(quiet, classes[name]) for name in large}
        ),
        "average precision": average_precision(quiet, scores[~benign]),
        tpr_name(max_fpr): class_mean({name: found[name] for name in large}),
        f"TPR at FPR {rate}, all attacks": alarm_rate(scores[~benign], threshold),
        f"realised FPR at {rate}": alarm_rate(quiet[second], threshold),
        **{f"AUROC, {name}": value for name, value in by_class.items()},
        **{f"TPR at FPR {rate}, {name}": value for name, value in found.items()},
    }
