"""Whether a method beats its baseline, by what the two did on the same seeds."""

import numpy as np
from scipy.special import ndtr, stdtrit

from contraview.claims.results import Better, Difference, Verdict
from contraview.core.errors import InputError
from contraview.core.seeds import numpy_generator
from contraview.evaluation.intervals import mean_interval

LEVEL = 0.95
FEWEST_SEEDS = 3
"""With fewer seeds no verdict is given: two differences say next to nothing about their spread."""


def paired_difference(method: list[float], baseline: list[float], better: Better) -> Difference:
    """The mean over seeds of method against baseline, with its 95 % bootstrap interval.

    It is above zero where the method is better, also where lower figures are better. Seeds are
    resampled in pairs, so what a seed does to both arms cancels. A plain percentile interval of
    few values is too narrow (five normal differences: it covers 84 %, not 95 %), so its level is
    raised to where a t interval would be (the expanded percentile interval of Hesterberg, What
    Teachers Should Know About the Bootstrap, 2015): measured cover 92 % with five seeds, 94 % with
    eight or ten. With three it is the range of the differences, and covers 75 %.

    Args:
        method: one figure a seed.
        baseline: the baseline's figures on the same seeds.
        better: whether higher or lower figures are.
    """
    if len(method) != len(baseline):
        raise InputError(f"{len(method)} and {len(baseline)} figures; expected one pair a seed")
    sign = 1 if better == "higher" else -1
    differences = sign * (np.array(method) - np.array(baseline))
    generator = numpy_generator(0, "verdict")
    low, high = mean_interval(differences, generator, level=_expanded(len(differences)))
    return Difference(mean=float(differences.mean()), low=low, high=high)


def judge(difference: Difference, margin: float, seeds: int) -> Verdict:
    """Holds where the whole interval reaches ``margin``; does not hold where none of it does.

    That is: holds if low >= margin, does not hold if high < margin, undecided otherwise and where
    fewer than three seeds were run. The margin is fixed before the first comparison.
    """
    if seeds < FEWEST_SEEDS:
        return "undecided"
    if difference["low"] >= margin:
        return "holds"
    return "does not hold" if difference["high"] < margin else "undecided"


def _expanded(seeds: int) -> float:
    """The level at which percentiles of resampled means lie as far out as Student's t would."""
    if seeds < 2:
        return LEVEL
    quantile = stdtrit(seeds - 1, (1 + LEVEL) / 2)
    return float(1 - 2 * ndtr(-quantile * np.sqrt(seeds / (seeds - 1))))
