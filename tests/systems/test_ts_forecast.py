import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

import contraview
from contraview.core.errors import InputError
from contraview.core.run import Run
from contraview.core.seeds import torch_generator
from contraview.objectives.hierarchical import hierarchical
from contraview.pairing.queue import KeyQueue
from contraview.systems.ts_forecast import TsForecast, TsForecastConfig
from contraview.systems.ts_forecast.network import (
    ForecastNetwork,
    cost_contrast,
    moco_contrast,
    steps_contrast,
)
from contraview.systems.ts_forecast.ts_forecast import forecast_loss

sys.path.insert(0, str(Path(__file__).parent))
import tiny_series
from tiny import Tiny

TINY = Tiny(
    tiny_series.data,
    {"length": 16, "horizon": 8, "width": 8, "outputs": 8, "depth": 1, "heads": 2, "steps": 20},
)
KNOBS = TINY.knobs


def fitted(**knobs):
    return TsForecast(**{**KNOBS, **knobs}).fit(tiny_series.data(), run=Run(seed=0))


def test_it_forecasts_a_period_better_than_the_last_value_does():
    series = tiny_series.data()
    system = TsForecast(**{**KNOBS, "width": 16, "steps": 80}).fit(
        series.take(range(160)), run=Run(seed=0)
    )
    figures = system.backtest(series.take(range(160, 240)))
    assert figures["MSE"] < 0.5 * figures["last value MSE"]


@pytest.mark.parametrize("backbone", ["transformer", "lstm", "tcn", "dilated_tcn"])
@pytest.mark.parametrize("contrast", ["none", "moco"])
def test_every_backbone_fits_saves_and_loads(backbone, contrast, tmp_path):
    system = fitted(backbone=backbone, contrast=contrast, steps=2)
    again = contraview.load(system.save(tmp_path / "model"))
    assert again.forecast(tiny_series.data()).equals(system.forecast(tiny_series.data()))


@pytest.mark.parametrize("contrast", ["hierarchical", "moco", "cost"])
def test_two_steps_learn_by_contrast_alone_and_read_out_by_ridge(contrast, tmp_path):
    system = fitted(training="two_step", contrast=contrast)
    untouched = TsForecast(**KNOBS, training="two_step", contrast=contrast)
    untouched.channels, untouched.targets = system.channels, system.targets
    before = untouched._fresh(0)
    for a, b in zip(system.network.decoder.parameters(), before.decoder.parameters(), strict=True):
        assert torch.equal(a, b)
    for a, b in zip(system.network.encoder.parameters(), before.encoder.parameters(), strict=True):
        assert not torch.equal(a, b)
    again = contraview.load(system.save(tmp_path / "model"))
    assert again.forecast(tiny_series.data()).equals(system.forecast(tiny_series.data()))
    figures = again.backtest(tiny_series.data())
    assert figures["MSE"] < figures["last value MSE"]


def test_the_forecast_follows_the_last_row_in_the_units_of_the_data():
    system = fitted(steps=100)
    following = system.forecast(tiny_series.data())
    assert following.columns == ["date", "load", "heat"]
    assert following["date"][0] == datetime(2024, 1, 11, 0)
    assert following["date"][7] == datetime(2024, 1, 11, 7)
    assert following["load"].is_between(30, 70).all()


def test_only_the_targets_are_forecast():
    series = tiny_series.data(targets=("heat",))
    system = TsForecast(**KNOBS).fit(series, run=Run(seed=0))
    assert system.forecast(series).columns == ["date", "heat"]
    assert system.hindcast(series)[0].shape == (240 - 24 + 1, 8, 1)


def test_the_scale_is_of_the_fitting_rows_and_later_rows_change_nothing():
    rows = tiny_series.table()
    wild = pl.concat([rows[:160], rows[160:].with_columns(pl.col("load") * 100)])
    one = TsForecast(**KNOBS).fit(rows[:160], run=Run(seed=0))
    other = TsForecast(**KNOBS).fit(wild[:160], run=Run(seed=0))
    assert one.scaler.mean[0] == pytest.approx(rows["load"][:160].mean())
    assert one.forecast(rows[:160]).equals(other.forecast(wild[:160]))


def test_centred_a_level_that_drifts_is_followed():
    rows = tiny_series.table()
    higher = rows.with_columns(pl.col("load") + 500)
    system = fitted()
    gap = system.forecast(higher)["load"] - system.forecast(rows)["load"]
    np.testing.assert_allclose(gap.to_numpy(), 500, atol=0.01)


def steps(n=4, t=6, d=8, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, t, d, generator=g)


def test_alpha_is_not_the_switch_for_unit_vectors():
    one, other = steps(), steps(seed=1)
    for unit in (True, False):
        for alpha in (0.0, 0.5, 1.0):
            config = TsForecastConfig(alpha=alpha, unit=unit)
            z = [torch.nn.functional.normalize(v, dim=2) if unit else v for v in (one, other)]
            torch.testing.assert_close(steps_contrast(one, other, config), hierarchical(*z, alpha))


def heard_masks(keep):
    """Which steps the network is told to keep over some steps of training."""
    heard = []

    class Listening(ForecastNetwork):
        def forward(self, windows, kept=None, altered=None):
            heard.append(kept)
            return super().forward(windows, kept, altered)

    config = TsForecastConfig(**KNOBS, keep=keep)
    network = Listening(2, [0, 1], config)
    values = torch.randn(60, 2)
    loss = forecast_loss(network, config, values, torch.arange(30), [0, 1])
    loss(network, torch.arange(30), torch_generator(0))
    return heard[0].float()


def test_keep_is_the_chance_that_a_step_is_kept_not_that_it_is_masked():
    assert heard_masks(0.9).mean().item() == pytest.approx(0.9, abs=0.04)
    assert heard_masks(1.0).all()
    assert len({row.numpy().tobytes() for row in heard_masks(0.5)}) > 1  # a sample's own


def test_dropped_steps_are_zero_once_embedded():
    network = ForecastNetwork(2, [0], TsForecastConfig(**KNOBS)).eval()
    windows, kept = torch.randn(1, 16, 2), torch.ones(1, 16, dtype=torch.bool)
    kept[0, 3] = False
    changed = windows.clone()
    changed[0, 3] += 5
    a, b = (network.encoder(w, kept) for w in (windows, changed))
    assert torch.equal(a, b)


def test_the_loss_weighs_error_and_contrast_by_lambda():
    config = TsForecastConfig(**KNOBS, balance=0.3)
    network = ForecastNetwork(2, [0, 1], config)
    loss = forecast_loss(network, config, torch.randn(60, 2), torch.arange(30), [0, 1])
    step = loss(network, torch.arange(8), torch_generator(0))
    expected = 0.7 * step.terms["mse"] + 0.3 * step.terms["contrast"]
    torch.testing.assert_close(step.loss, expected)


@pytest.mark.parametrize("unit", [True, False])
def test_moco_by_hand_with_keys_of_length_one_unless_told_otherwise(unit):
    config = TsForecastConfig(contrast="moco", unit=unit, temperature=0.5)
    queue = KeyQueue(10, 8)
    queue.push(steps(3, seed=2).mean(1), unit=unit)
    earlier = queue.keys()
    query, key = steps().mean(1), steps(seed=1).mean(1)
    if unit:
        query, key = (torch.nn.functional.normalize(z) for z in (query, key))
    logits = torch.cat([(query * key).sum(1, keepdim=True), query @ earlier.T], 1) / 0.5
    expected = (logits.logsumexp(1) - logits[:, 0]).mean()
    got = moco_contrast(steps(), steps(seed=1), queue, config, torch_generator(0))
    torch.testing.assert_close(got, expected)
    assert int(queue.count) == 7
    torch.testing.assert_close(queue.keys()[3:], key)


def test_a_queue_need_not_be_a_multiple_of_the_batch():
    system = fitted(contrast="moco", queue=50, steps=3)
    assert len(system.network.queue.keys()) == 50


def test_moco_may_look_at_one_step_the_same_for_all():
    config = TsForecastConfig(contrast="moco", vector="step")
    queue = KeyQueue(10, 8)
    moco_contrast(steps(), steps(seed=1), queue, config, torch_generator(0))
    unit = torch.nn.functional.normalize(steps(seed=1), dim=2)
    assert any(torch.allclose(queue.keys(), unit[:, t]) for t in range(6))


def test_the_teacher_follows_and_takes_no_gradient():
    system = fitted(contrast="moco", momentum=0.5, steps=3)
    student, teacher = system.network.student(), system.network.teacher
    assert not any(p.requires_grad for p in teacher.parameters())
    for a, b in zip(student.parameters(), teacher.parameters(), strict=True):
        assert not torch.equal(a, b)


def test_cost_is_moco_on_trend_and_the_spectrum_of_the_rest():
    one, other, keys = steps(), steps(seed=1), steps(seed=2)
    queue, again = KeyQueue(10, 4), KeyQueue(10, 4)
    for each in (queue, again):
        each.push(torch.eye(4))
    config = TsForecastConfig(contrast="cost", spectral=0.0)
    got = cost_contrast(one, other, keys, queue, config, torch_generator(0))
    trend = moco_contrast(one[..., :4], keys[..., :4], again, config, torch_generator(0))
    torch.testing.assert_close(got, trend)
    season = TsForecastConfig(contrast="cost", spectral=1.0)
    again = KeyQueue(10, 4)
    again.push(torch.eye(4))
    one.requires_grad_()
    other.requires_grad_()
    cost_contrast(one, other, keys, again, season, torch_generator(0)).backward()
    assert other.grad[..., 4:].any()  # the season's second view is trained too
    assert not other.grad[..., :4].any()


PAPER = {
    "balance": 0.5, "alpha": 0.5, "temperature": 1.0, "queue": 256, "momentum": 0.999,
    "sigma": 0.5, "p_view": 0.5, "spectral": 0.0005, "width": 128, "heads": 8, "outputs": 320,
    "batch": 16, "lr": 1e-3, "epochs": 20, "steps": None, "length": 48, "horizon": 24,
    "centre": False,
}  # fmt: skip


@pytest.mark.parametrize("knob", PAPER)
def test_the_paper_preset_has_the_official_settings(knob):
    assert getattr(TsForecast.preset("paper").config, knob) == PAPER[knob]


@pytest.mark.parametrize(
    ("knobs", "says"),
    [
        ({"horizon": 60}, "horizon 60 is longer than the window of 48"),
        ({"training": "two_step", "contrast": "none"}, "learns by contrast alone"),
        ({"epochs": 2}, "exactly one of steps and epochs"),
        ({"width": 30}, "4 heads do not divide"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(knobs, says):
    with pytest.raises(InputError, match=says):
        TsForecast(**knobs)


def test_other_series_than_those_learnt_are_refused():
    system = fitted(steps=1)
    with pytest.raises(InputError, match="the model learnt from load, heat"):
        system.forecast(tiny_series.table().drop("heat"))
    with pytest.raises(InputError, match="a step is"):
        system.forecast(tiny_series.table()[::2])
    with pytest.raises(InputError, match="10 rows; the model forecasts from the last 16"):
        system.forecast(tiny_series.table()[:10])
    with pytest.raises(InputError, match="20 rows; a window needs 16 and 8"):
        TsForecast(**KNOBS).fit(tiny_series.table()[:20])


def test_on_the_command_line(tmp_path, capsys):
    from contraview.apps.cli import main

    tiny_series.table().write_csv(tmp_path / "x.csv", datetime_format="%Y-%m-%d %H:%M:%S")
    data, model, out = str(tmp_path / "x.csv"), str(tmp_path / "model"), tmp_path / "next.csv"
    knobs = ["--length", "16", "--horizon", "8", "--width", "8", "--steps", "5"]
    assert main(["fit", "ts_forecast", data, "--out", model, "--split", "time", *knobs]) == 0
    assert main(["forecast", model, data, "--out", str(out)]) == 0
    assert pl.read_csv(out).shape == (8, 3)
    capsys.readouterr()
    assert main(["evaluate", model, data]) == 0
    assert "MSE" in capsys.readouterr().out
    tiny_series.table()[::3].write_csv(tmp_path / "y.csv")
    assert main(["forecast", model, str(tmp_path / "y.csv")]) == 2
    assert "a step is" in capsys.readouterr().err
    assert main(["fit", "ts_forecast", data, "--out", model + "2", "--split", "random"]) == 2
    assert "split in time only" in capsys.readouterr().err
    assert not (tmp_path / "model2" / "system.json").exists()
