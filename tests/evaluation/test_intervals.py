import numpy as np
import pytest
from scipy.stats import betabinom

from contraview.core.errors import InputError
from contraview.evaluation import intervals
from contraview.evaluation.anomaly import auroc, average_precision
from contraview.evaluation.threshold import alarm_rate, threshold_at_fpr


def generator():
    return np.random.default_rng(0)


def test_counts_are_resamples_of_every_row():
    seen = []

    def spy(a, b):
        seen.append((a, b))
        return a[:, 0].astype(float)

    intervals.bootstrap(spy, [3, 5], generator(), resamples=700)
    first, second = (np.concatenate(part) for part in zip(*seen, strict=True))
    assert first.shape == (700, 3)
    assert second.shape == (700, 5)
    assert (first.sum(axis=1) == 3).all()
    assert (second.sum(axis=1) == 5).all()
    assert first.mean(axis=0) == pytest.approx(np.ones(3), abs=0.12)


def test_memory_is_bounded_by_blocks_and_the_answer_does_not_change(monkeypatch):
    values = generator().normal(size=50)
    whole = intervals.mean_interval(values, generator(), resamples=400)
    monkeypatch.setattr(intervals, "CELLS", 500)
    assert intervals.mean_interval(values, generator(), resamples=400) == whole


def test_interval_of_a_mean_is_near_the_normal_one():
    values = generator().normal(3, 2, size=400)
    low, high = intervals.mean_interval(values, generator())
    half = 1.96 * values.std() / 20
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.02)


def test_interval_of_equal_values_is_a_point():
    assert intervals.mean_interval(np.full(5, 0.25), generator()) == (0.25, 0.25)


def test_auroc_interval_is_that_of_the_resampled_auroc():
    rng = generator()
    benign, attacks = rng.integers(0, 6, 40).astype(float), rng.integers(2, 9, 25).astype(float)
    figures = [
        auroc(rng.choice(benign, len(benign)), rng.choice(attacks, len(attacks)))
        for _ in range(3000)
    ]
    found = intervals.auroc_interval(benign, attacks, generator(), resamples=3000)
    assert found == pytest.approx(tuple(np.quantile(figures, [0.025, 0.975])), abs=0.01)
    assert found.low < auroc(benign, attacks) < found.high


def test_average_precision_interval_is_that_of_the_resampled_average_precision():
    rng = generator()
    benign, attacks = rng.integers(0, 6, 40).astype(float), rng.integers(2, 9, 25).astype(float)
    figures = [
        average_precision(rng.choice(benign, len(benign)), rng.choice(attacks, len(attacks)))
        for _ in range(3000)
    ]
    found = intervals.average_precision_interval(benign, attacks, generator(), resamples=3000)
    assert found == pytest.approx(tuple(np.quantile(figures, [0.025, 0.975])), abs=0.01)
    assert found.low < average_precision(benign, attacks) < found.high


def test_binomial_interval_by_the_textbook():
    assert intervals.binomial_interval(0, 10) == pytest.approx((0, 1 - 0.025**0.1))
    assert intervals.binomial_interval(10, 10) == pytest.approx((0.025**0.1, 1))
    # Clopper and Pearson for 4 of 20
    assert intervals.binomial_interval(4, 20) == pytest.approx((0.0573, 0.4366), abs=1e-4)
    with pytest.raises(InputError, match="5 of 4"):
        intervals.binomial_interval(5, 4)


@pytest.mark.parametrize(("n", "m", "fpr"), [(99, 50, 0.01), (999, 5000, 0.01), (500, 700, 0.05)])
def test_false_alarm_interval_is_the_beta_binomial_one(n, m, fpr):
    rank = int(fpr * (n + 1) + 1e-9)
    expected = betabinom(m, rank, n + 1 - rank).ppf([0.025, 0.975])
    assert intervals.false_alarm_interval(n, m, fpr) == pytest.approx(tuple(expected))


def test_false_alarm_interval_covers_real_draws():
    rng = generator()
    low, high = intervals.false_alarm_interval(300, 400, 0.05)
    alarms = np.array(
        [
            400 * alarm_rate(rng.random(400), threshold_at_fpr(rng.random(300), 0.05))
            for _ in range(1000)
        ]
    )
    assert 0.93 < np.mean((alarms >= low) & (alarms <= high)) < 0.98


def test_a_billion_flows_a_day_take_no_memory():
    low, high = intervals.false_alarm_interval(9_999, 10**9, 1e-3)
    shares = intervals.realised_rate_interval(9_999, 1e-3)
    assert (low / 1e9, high / 1e9) == pytest.approx(tuple(shares), rel=0.01)


def test_realised_rate_and_threshold_intervals_cover_what_they_say():
    rng, fpr, n = generator(), 0.02, 400
    shares = intervals.realised_rate_interval(n, fpr)
    rates, quantiles = [], []
    for _ in range(1000):
        held = rng.random(n)  # of a uniform score the rate above t is 1 - t, its quantile 1 - fpr
        rates.append(1 - threshold_at_fpr(held, fpr))
        low, high = intervals.threshold_interval(held, fpr)
        quantiles.append(low <= 1 - fpr <= high)
    assert 0.93 < np.mean([shares.low <= rate <= shares.high for rate in rates]) < 0.97
    assert 0.94 < np.mean(quantiles) < 0.985


def test_a_threshold_that_may_be_too_low_is_open_above():
    low, high = intervals.threshold_interval(np.arange(1000.0), 1e-3)
    assert high == np.inf
    assert 990 < low < 999
    assert intervals.threshold_interval(np.arange(10.0), 0.5)[0] > 0


def test_an_empty_sample_is_refused():
    with pytest.raises(InputError, match="empty sample"):
        intervals.mean_interval(np.ones(0), generator())
