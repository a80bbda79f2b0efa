"""A detector's figures on labelled rows, alike in `contraview evaluate` and in claims."""

import numpy as np
from jaxtyping import Bool, Float, Shaped

from contraview.core.errors import InputError
from contraview.evaluation.anomaly import (
    average_precision,
    class_mean,
    per_class_alarm_rate,
    per_class_auroc,
    unsigned_auroc,
)
from contraview.evaluation.splits import random_split
from contraview.evaluation.threshold import alarm_rate, threshold_at_fpr

FEWEST = 20
"""A class with fewer rows has its own figures but no part in a mean over classes."""

BENIGN = "\0benign"
"""A name that no attack class has: what the data calls its benign rows does not matter here."""

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
    first, second = random_split(len(quiet), (0.5, 0.5), seed=0)
    threshold = threshold_at_fpr(quiet[first], max_fpr)
    named = np.where(benign, BENIGN, labels.astype(str))
    by_class = per_class_auroc(scores, named, benign=BENIGN)
    found = per_class_alarm_rate(scores, named, threshold)
    large = [name for name in by_class if (named == name).sum() >= FEWEST] or list(by_class)
    unsigned = {name: unsigned_auroc(quiet, scores[named == name]) for name in large}
    rate = f"{max_fpr:g}"
    return {
        AUROC: class_mean({name: by_class[name] for name in large}),
        "unsigned AUROC, class mean": class_mean(unsigned),
        "average precision": average_precision(quiet, scores[~benign]),
        tpr_name(max_fpr): class_mean({name: found[name] for name in large}),
        f"TPR at FPR {rate}, all attacks": alarm_rate(scores[~benign], threshold),
        f"realised FPR at {rate}": alarm_rate(quiet[second], threshold),
        **{f"AUROC, {name}": value for name, value in by_class.items()},
        **{f"TPR at FPR {rate}, {name}": found[name] for name in by_class},
    }
