"""A false-alarm rate turned into a threshold, by benign rows that nothing was fitted on."""

import math

import numpy as np
from jaxtyping import Float

from contraview.core.errors import InputError

ROUNDING = 1e-9
"""0.29 * 100 is a hair below 29: products of a rate and a count are floored with this slack."""


def rows_needed(fpr: float) -> int:
    """The fewest held-out benign rows that support a false-alarm rate of ``fpr``."""
    if not 0 < fpr < 1:
        raise InputError(f"false-alarm rate {fpr:g}; expected a share between 0 and 1")
    return math.ceil(1 / fpr - ROUNDING) - 1


def alarms_allowed(rows: int, fpr: float) -> int:
    """The rank, from the top, of the held-out score that is the threshold: floor(fpr (n + 1)).

    Raises:
        InputError: it would be zero; the message says how many rows are needed.
    """
    if rows < rows_needed(fpr):
        raise InputError(
            f"{rows} held-out benign rows cannot support a false-alarm rate of {fpr:g}; expected "
            f"at least {rows_needed(fpr)}, better {math.ceil(10 / fpr - ROUNDING)}"
        )
    return math.floor(fpr * (rows + 1) + ROUNDING)


def threshold_at_fpr(benign: Float[np.ndarray, " n"], fpr: float) -> float:
    """The score above which a row raises an alarm, at a false-alarm rate of at most ``fpr``.

    A row's conformal p-value is (number of held-out benign scores at or above its own, plus one)
    / (n + 1). It is at most ``fpr`` exactly where the score is *strictly above* the
    floor(fpr (n + 1))-th largest held-out score, which is what this returns. Over draws of benign
    rows the expected false-alarm rate is then at most ``fpr``, with no assumption on the scores
    (Vovk, Gammerman and Shafer 2005); ties only lower it.

    Args:
        benign: scores of benign rows that took no part in fitting; higher is more anomalous.
        fpr: the share of benign rows that may raise an alarm.

    Raises:
        InputError: too few rows for this rate (1 % needs 99), or a score that is not a number.
    """
    rank = alarms_allowed(len(benign), fpr)
    if np.isnan(benign).any():
        raise InputError("held-out benign scores hold NaN; expected numbers")
    return float(np.partition(benign, len(benign) - rank)[len(benign) - rank])


def alarm_rate(scores: Float[np.ndarray, " n"], threshold: float) -> float:
    """The share of rows that raise an alarm: of benign rows the realised false-alarm rate, of
    attack rows the detection rate (recall, TPR).
    """
    if not len(scores):
        raise InputError("no scores to take a rate of")
    return float((scores > threshold).mean())
