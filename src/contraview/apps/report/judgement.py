"""What the labels say about the alerts, where there are labels: all figures from evaluation/."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Shaped

from contraview.core.errors import InputError
from contraview.core.seeds import numpy_generator
from contraview.evaluation import anomaly, intervals
from contraview.evaluation.curves import precision_recall_curve, roc_curve

Curve = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Figure:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Share(Figure):
    """A share of rows, with its exact binomial interval."""

    count: int
    rows: int

    @classmethod
    def of(cls, flags: Bool[np.ndarray, " n"]) -> "Share":
        """How many of the rows are flagged."""
        count, rows = int(flags.sum()), len(flags)
        return cls(count / rows, *intervals.binomial_interval(count, rows), count, rows)


@dataclass(frozen=True)
class KindFigures:
    """How well one kind of attack is told from the benign flows of the same capture.

    Attributes:
        name: the label.
        detected: the share of its flows that are alerts, at the threshold in use.
        auroc: signed; with a bootstrap interval.
        precision: average precision against all benign flows; with a bootstrap interval.
        roc: false-alarm rate and detection rate.
        precision_recall: recall and precision.
    """

    name: str
    detected: Share
    auroc: Figure
    precision: Figure
    roc: Curve
    precision_recall: Curve


@dataclass(frozen=True)
class Judgement:
    """All of it: each kind of attack, and the false alarms that came with it."""

    kinds: tuple[KindFigures, ...]
    false_alarms: Share
    precision: Share


def judge(
    scores: Float[np.ndarray, " n"],
    alerts: Bool[np.ndarray, " n"],
    labels: Shaped[np.ndarray, " n"],
    *,
    benign: str = "benign",
    seed: int = 0,
) -> Judgement:
    """Judge alerts by labels, each kind of attack against the benign flows; rarest kind last.

    Args:
        scores: higher is more anomalous.
        alerts: which rows raised one.
        labels: the kind of each row; rows with an empty label are left out.
        benign: the label of benign rows.
        seed: of the bootstrap.
    """
    known, quiet = labels != "", labels == benign
    attacks = known & ~quiet
    if not quiet.any() or not attacks.any():
        raise InputError(f"labels: expected rows called {benign!r}, and rows of some attack")
    names, counts = np.unique(labels[attacks], return_counts=True)
    kinds = []
    for name in names[np.argsort(-counts, kind="stable")]:
        rows = labels == name
        both = scores[quiet], scores[rows]
        generator = numpy_generator(seed, "report", str(name))
        area = intervals.auroc_interval(*both, generator)
        mean = intervals.average_precision_interval(*both, generator)
        kinds.append(
            KindFigures(
                str(name),
                Share.of(alerts[rows]),
                Figure(anomaly.auroc(*both), *area),
                Figure(anomaly.average_precision(*both), *mean),
                roc_curve(*both),
                precision_recall_curve(*both),
            )
        )
    raised = attacks[alerts & known]
    precision = Share.of(raised) if len(raised) else Share(0.0, 0.0, 1.0, 0, 0)
    return Judgement(tuple(kinds), Share.of(alerts[quiet]), precision)
