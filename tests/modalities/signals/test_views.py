import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from contraview.core.seeds import torch_generator
from contraview.modalities.signals import views

ALL = {
    "cut_out": lambda x, g: views.cut_out(x, g, share=0.3),
    "magnitude_warp": lambda x, g: views.magnitude_warp(x, g, sigma=0.3, knots=3),
    "time_warp": lambda x, g: views.time_warp(x, g, sigma=0.5, knots=3),
    "noise": lambda x, g: views.noise(x, g, sigma=0.2),
    "permute_channels": views.permute_channels,
}
every_view = pytest.mark.parametrize("view", ALL.values(), ids=ALL)


def generator(seed=0):
    return torch_generator(seed, "views")


def waves(n=6, c=3, t=100):
    return torch.randn(n, c, t, generator=torch.Generator().manual_seed(1)).cumsum(2)


@every_view
@given(n=st.integers(1, 4), c=st.integers(1, 4), t=st.integers(8, 40), seed=st.integers(0, 99))
def test_every_view_keeps_the_length_and_stays_finite(view, n, c, t, seed):
    segments = waves(n, c, t)
    altered = view(segments, generator(seed))
    assert altered.shape == segments.shape
    assert altered.isfinite().all()


@every_view
def test_draws_differ_between_samples_and_come_from_the_generator(view):
    same = waves()[:1].expand(6, 3, 100).clone()
    altered = view(same, generator())
    assert len({row.numpy().tobytes() for row in altered}) > 1
    assert torch.equal(view(same, generator()), altered)
    assert not torch.equal(view(same, generator(1)), altered)


def test_cut_out_zeroes_one_stretch_of_all_channels():
    altered = views.cut_out(torch.ones(50, 2, 100), generator(), share=0.2)
    hidden = altered == 0
    assert (hidden.sum(2) == 20).all()
    assert torch.equal(hidden[:, 0], hidden[:, 1])
    edges = hidden[:, 0].int().diff(dim=1).abs().sum(1)
    assert (edges <= 2).all()
    first = hidden[:, 0].int().argmax(1)
    assert first.min() < 10
    assert first.max() > 70


def test_magnitude_warp_is_smooth_and_around_one():
    curves = views.magnitude_warp(torch.ones(200, 1, 100), generator(), sigma=0.2, knots=4)
    assert curves.mean().item() == pytest.approx(1, abs=0.03)
    assert curves.diff(dim=2).abs().max() < 0.15
    assert 0.1 < curves.std() < 0.3


def test_time_warp_keeps_both_ends_and_the_order_of_moments():
    ramp = torch.arange(100.0).expand(20, 2, 100).clone()
    warped = views.time_warp(ramp, generator(), sigma=0.5, knots=4)
    torch.testing.assert_close(warped[:, :, [0, -1]], ramp[:, :, [0, -1]], atol=1e-3, rtol=0)
    assert (warped.diff(dim=2) > 0).all()
    assert torch.equal(warped[:, 0], warped[:, 1])
    assert (warped - ramp).abs().max() > 2


def test_channels_are_permuted_not_mixed():
    segments = waves()
    altered = views.permute_channels(segments, generator())
    for before, after in zip(segments, altered, strict=True):
        assert {row.numpy().tobytes() for row in before} == {row.numpy().tobytes() for row in after}


def test_sometimes_tosses_a_coin_a_sample():
    view = views.sometimes(lambda x, _: torch.zeros_like(x), 0.3)
    altered = view(torch.ones(2000, 2, 3), generator())
    assert (altered.mean((1, 2)) == 0).float().mean().item() == pytest.approx(0.3, abs=0.04)
    assert set(altered.mean((1, 2)).tolist()) == {0.0, 1.0}
    assert torch.equal(views.sometimes(ALL["noise"], 0.0)(waves(), generator()), waves())


def test_z_score_takes_each_channel_of_each_segment_alone_and_knows_flat_ones():
    segments = waves() * 50 + 1000
    segments[2, 1] = 1000.1
    scored = views.z_score(segments)
    np.testing.assert_allclose(scored.mean(2), 0, atol=1e-4)
    spread = scored.std(2, correction=0)
    assert spread[2, 1] == 0
    spread[2, 1] = 1
    np.testing.assert_allclose(spread, 1, atol=1e-4)
