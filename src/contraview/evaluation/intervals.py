"""How far a figure could be off: bootstrap, binomial and false-alarm intervals."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.special import bdtr, betaincinv, betaln, gammaln

from contraview.core.errors import InputError
from contraview.evaluation.threshold import alarms_allowed

Counts = Int[np.ndarray, "r _"]
CELLS = 4_000_000
"""Cells of counts held at a time, so that memory does not grow with rows times resamples."""


class Interval(NamedTuple):
    """From ``low`` to ``high``."""

    low: float
    high: float


def bootstrap(
    statistic: Callable[..., Float[np.ndarray, " r"]],
    sizes: Sequence[int],
    generator: np.random.Generator,
    *,
    resamples: int = 2000,
    level: float = 0.95,
) -> Interval:
    """The percentile bootstrap interval of a statistic of independently drawn strata.

    Each stratum (benign rows, each attack class, paired seeds) is resampled with replacement to
    its own size. The statistic is given, a stratum an argument, *how often* each row was drawn,
    ``[r, n]`` for r resamples at once: data is sorted or ranked once, not once a resample.

    Args:
        statistic: from one ``[r, n]`` array of counts a stratum to r figures.
        sizes: rows of each stratum.
        generator: where the draws come from.
        resamples: bootstrap samples in all.
        level: share of the figures between low and high.
    """
    if min(sizes) < 1:
        raise InputError("bootstrap of an empty sample; expected at least one row in each")
    block = max(1, CELLS // max(sizes))
    figures = []
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        figures.append(statistic(*(_counts(size, rows, generator) for size in sizes)))
    tail = (1 - level) / 2
    low, high = np.quantile(np.concatenate(figures), [tail, 1 - tail])
    return Interval(float(low), float(high))


def mean_interval(
    values: Float[np.ndarray, " n"],
    generator: np.random.Generator,
    *,
    resamples: int = 10_000,
    level: float = 0.95,
) -> Interval:
    """The bootstrap interval of a mean."""

    def mean(counts: Counts) -> Float[np.ndarray, " r"]:
        return counts @ values / len(values)

    return bootstrap(mean, [len(values)], generator, resamples=resamples, level=level)


def auroc_interval(
    benign: Float[np.ndarray, " n"],
    attacks: Float[np.ndarray, " m"],
    generator: np.random.Generator,
    *,
    resamples: int = 1000,
    level: float = 0.95,
) -> Interval:
    """The bootstrap interval of `anomaly.auroc`, benign and attack rows resampled apart."""
    ordered = np.sort(benign)
    below = np.searchsorted(ordered, attacks, side="left")
    up_to = np.searchsorted(ordered, attacks, side="right")

    def area(of_benign: Counts, of_attacks: Counts) -> Float[np.ndarray, " r"]:
        drawn = np.pad(of_benign.cumsum(axis=1), ((0, 0), (1, 0)))
        ranks = drawn[:, below] + drawn[:, up_to]
        return (of_attacks * ranks).sum(axis=1) / (2 * len(benign) * len(attacks))

    sizes = [len(benign), len(attacks)]
    return bootstrap(area, sizes, generator, resamples=resamples, level=level)


def average_precision_interval(
    benign: Float[np.ndarray, " n"],
    attacks: Float[np.ndarray, " m"],
    generator: np.random.Generator,
    *,
    resamples: int = 1000,
    level: float = 0.95,
) -> Interval:
    """The bootstrap interval of `anomaly.average_precision`, the share of attacks as it is."""
    attacks = np.sort(attacks)[::-1]
    ordered = np.sort(benign)[::-1]
    # For each attack how many rows score at least as high, which is the precision at its score.
    over = np.searchsorted(-ordered, -attacks, side="right")
    reached = np.searchsorted(-attacks, -attacks, side="right")

    def mean_precision(of_benign: Counts, of_attacks: Counts) -> Float[np.ndarray, " r"]:
        false = np.pad(of_benign.cumsum(axis=1), ((0, 0), (1, 0)))[:, over]
        true = np.pad(of_attacks.cumsum(axis=1), ((0, 0), (1, 0)))[:, reached]
        return (of_attacks * true / np.maximum(true + false, 1)).sum(axis=1) / len(attacks)

    sizes = [len(benign), len(attacks)]
    return bootstrap(mean_precision, sizes, generator, resamples=resamples, level=level)


def binomial_interval(successes: int, trials: int, *, level: float = 0.95) -> Interval:
    """The exact (Clopper and Pearson 1934) interval of a share: never narrower than it says."""
    if not 0 <= successes <= trials or trials < 1:
        raise InputError(f"{successes} of {trials}: expected a count out of at least one trial")
    tail = (1 - level) / 2
    low = betaincinv(successes, trials - successes + 1, tail) if successes else 0.0
    high = betaincinv(successes + 1, trials - successes, 1 - tail) if successes < trials else 1.0
    return Interval(float(low), float(high))


def false_alarm_interval(
    calibration_rows: int, scored_rows: int, fpr: float, *, level: float = 0.95
) -> Interval:
    """How many of ``scored_rows`` benign rows will raise an alarm, as counts.

    With the threshold of `threshold.threshold_at_fpr` on n rows and r = floor(fpr (n + 1)), the
    true false-alarm rate of continuous scores is Beta(r, n + 1 - r) over draws of the calibration
    rows (Vovk 2012), so the count among m new rows is beta-binomial. Ties only lower it. It
    holds for rows like the calibration rows: not under drift.
    """
    rank = alarms_allowed(calibration_rows, fpr)
    a, b, m = rank, calibration_rows + 1 - rank, scored_rows
    likely = m * float(betaincinv(a, b, 1 - 1e-9))
    count = np.arange(min(m, math.ceil(likely + 10 * math.sqrt(likely) + 40)) + 1)
    choose = gammaln(m + 1) - gammaln(count + 1) - gammaln(m - count + 1)
    cumulative = np.exp(choose + betaln(count + a, m - count + b) - betaln(a, b)).cumsum()
    tail = (1 - level) / 2
    low, high = np.searchsorted(cumulative, [tail, 1 - tail])
    return Interval(float(low), float(min(high, m)))


def realised_rate_interval(calibration_rows: int, fpr: float, *, level: float = 0.95) -> Interval:
    """Where the true false-alarm rate of the threshold lies: Beta(r, n + 1 - r), as above."""
    rank = alarms_allowed(calibration_rows, fpr)
    tail = (1 - level) / 2
    low, high = betaincinv(rank, calibration_rows + 1 - rank, [tail, 1 - tail])
    return Interval(float(low), float(high))


def threshold_interval(
    benign: Float[np.ndarray, " n"], fpr: float, *, level: float = 0.95
) -> Interval:
    """Where the score lies that a share ``fpr`` of all benign rows exceeds.

    Between two order statistics of the held-out scores, with no assumption on them: the number of
    held-out scores above that score is binomial (n, fpr). Infinite above where even the largest
    held-out score may be too small.
    """
    n, tail = len(benign), (1 - level) / 2
    expected = n * fpr
    counts = np.arange(min(n, math.ceil(expected + 10 * math.sqrt(expected) + 40)) + 1)
    at_most = bdtr(counts, n, fpr)
    fewest = int(np.searchsorted(at_most, tail))
    most = int(np.searchsorted(at_most, 1 - tail)) + 1
    descending = np.sort(benign)[::-1]
    low = float(descending[most - 1]) if most <= n else -math.inf
    high = float(descending[fewest - 1]) if fewest else math.inf
    return Interval(low, high)


def _counts(size: int, resamples: int, generator: np.random.Generator) -> Counts:
    """How often each of ``size`` rows is in each resample."""
    drawn = generator.integers(size, size=(resamples, size))
    drawn += np.arange(resamples)[:, None] * size
    return np.bincount(drawn.ravel(), minlength=resamples * size).reshape(resamples, size)
