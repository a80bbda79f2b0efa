"""Benign flows from after the fit: the scores that a threshold then comes from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from jaxtyping import Float, Float32

from contraview.core.errors import InputError
from contraview.core.learnt import Learnt, array, demand
from contraview.evaluation.intervals import (
    false_alarm_interval,
    realised_rate_interval,
    threshold_interval,
)
from contraview.evaluation.threshold import alarms_allowed, threshold_at_fpr

AMENDMENT: Final = "calibration"
"""The name under which a model folder holds it."""


@dataclass(frozen=True)
class Calibrated:
    """What benign flows that no fit has seen say of a detector.

    Attributes:
        scores: of these flows, ascending.
        rules_rate: the share of them that breaks a rule.
        max_fpr: the false-alarm rate that holds where no other is asked for.
        rows: at most `reserve.MOST` of these flows, standardised: views that move are scored on
            them again. None in models of earlier versions.
    """

    scores: Float[np.ndarray, " n"]
    rules_rate: float
    max_fpr: float
    rows: Float32[np.ndarray, "r d"] | None = None

    @classmethod
    def of(
        cls,
        scores: Float[np.ndarray, " n"],
        rules_rate: float,
        max_fpr: float,
        rows: Float32[np.ndarray, "r d"] | None = None,
    ) -> "Calibrated":
        """From scores in any order.

        Raises:
            InputError: they are too few for the rate.
        """
        alarms_allowed(len(scores), max_fpr)
        return cls(np.sort(scores), rules_rate, max_fpr, rows)

    def again(
        self, score: Callable[[Float32[np.ndarray, "r d"]], Float[np.ndarray, " r"]]
    ) -> "Calibrated":
        """The same flows under views that have moved.

        Raises:
            InputError: the flows are not kept, or those kept are too few for the rate.
        """
        if self.rows is None:
            raise InputError("the calibration keeps no flows; calibrate again with this version")
        return Calibrated.of(score(self.rows), self.rules_rate, self.max_fpr, self.rows)

    def learnt(self) -> Learnt:
        """What `restore` needs."""
        facts = {"rules rate": self.rules_rate, "max fpr": self.max_fpr}
        rows = {} if self.rows is None else {"rows": self.rows}
        return Learnt({"scores": self.scores} | rows, facts=facts)

    @classmethod
    def restore(cls, learnt: Learnt) -> "Calibrated":
        """What `learnt` described."""
        facts = learnt.facts
        arrays = learnt.arrays
        scores, rates = array(arrays, "scores", 1), (facts["rules rate"], facts["max fpr"])
        demand(len(scores) > 0 and (np.diff(scores) >= 0).all(), "calibrated: scores not in order")
        demand(all(0 <= float(rate) <= 1 for rate in rates), "calibrated: no rate")
        rows = array(arrays, "rows", 2) if "rows" in arrays else None
        return cls(scores, float(rates[0]), float(rates[1]), rows)


def outlook(
    benign: Float[np.ndarray, " n"], fpr: float, flows_a_day: int | None = None
) -> dict[str, Any]:
    """What a false-alarm rate means by these benign scores, each figure with a 95 % interval.

    ``threshold`` (None above where it is open), ``realised rate`` of that threshold,
    ``false alarms in 1,000 flows`` and, where a flow rate is given, ``false alarms a day``: the
    interval is for one thousand flows, or one day, all of them benign and like these.

    Raises:
        InputError: too few flows for the rate.
    """
    n = len(benign)
    expected = alarms_allowed(n, fpr) / (n + 1)
    low, high = threshold_interval(benign, fpr)
    figures = {
        "benign flows": n,
        "rate": fpr,
        "threshold": threshold_at_fpr(benign, fpr),
        "threshold, 95 %": [low, None if np.isinf(high) else high],
        "realised rate, 95 %": list(realised_rate_interval(n, fpr)),
        "false alarms in 1,000 flows": 1000 * expected,
        "false alarms in 1,000 flows, 95 %": list(false_alarm_interval(n, 1000, fpr)),
        "lowest rate supported": 1 / (n + 1),
    }
    if flows_a_day is not None:
        figures["flows a day"] = flows_a_day
        figures["false alarms a day"] = flows_a_day * expected
        figures["false alarms a day, 95 %"] = list(false_alarm_interval(n, flows_a_day, fpr))
    return figures
