import numpy as np
import pytest

from contraview.core.errors import InputError
from contraview.core.seeds import numpy_generator
from contraview.evaluation.robustness import attack_success, scaling_fit


def fitted(rates, seed=0, **scales):
    return scaling_fit(np.asarray(rates), scales, numpy_generator(seed, "fit"), resamples=300)


def test_only_what_was_right_before_counts():
    truth = np.array(list("aabbcc"))
    clean = np.array(list("aabbaa"))  # the last two were wrong anyway
    attacked = np.array(list("abbacc"))
    assert attack_success(truth, clean, attacked) == 0.5
    with pytest.raises(InputError, match="no image is right before"):
        attack_success(truth, np.array(["d"] * 6), attacked)


def test_both_scales_are_told_apart_though_they_go_together():
    g = np.random.default_rng(0)
    images = 10 ** g.uniform(2, 6, 40)
    parameters = images**0.7 * 10 ** g.uniform(0, 1, 40)
    rates = 0.9 - 0.03 * np.log10(images) - 0.08 * np.log10(parameters)
    found = fitted(rates, images=images, parameters=parameters)
    assert found.slopes["images"] == pytest.approx(-3, abs=1e-6)
    assert found.slopes["parameters"] == pytest.approx(-8, abs=1e-6)
    assert found.intercept == pytest.approx(90)
    assert found.r2 == pytest.approx(1)
    assert found.better == "points"
    alone = fitted(rates, images=images)
    assert alone.slopes["images"] < -6  # it also stands for the parameters
    noisy = fitted(rates + g.normal(0, 0.02, 40), images=images, parameters=parameters)
    for name, slope in (("images", -3), ("parameters", -8)):
        assert noisy.intervals[name].low < slope < noisy.intervals[name].high
        assert noisy.intervals[name].low < noisy.slopes[name] < noisy.intervals[name].high


def test_rates_near_their_bounds_lie_on_a_line_of_logits():
    images = np.logspace(0, 8, 17)
    rates = 1 / (1 + np.exp(2 * (np.log10(images) - 4)))
    found = fitted(rates, images=images)
    assert found.r2_logit > 0.99 > found.r2
    assert found.better == "logits"


def test_models_that_cannot_tell_give_no_line():
    some = np.array([0.1, 0.2, 0.3, 0.4])
    assert fitted(some, images=np.full(4, 100.0)) is None
    assert fitted(some[:2], images=np.array([1.0, 10.0])) is None
    together = np.array([1.0, 10, 100, 1000])
    assert fitted(some, images=together, parameters=2 * together) is None
    assert fitted(some) is None
