import numpy as np
import pytest
import torch

from contraview.core.errors import InputError
from contraview.core.seeds import torch_generator
from contraview.modalities.series.scaling import Scaler
from contraview.modalities.series.views import cost_view
from contraview.modalities.series.windows import gather, starts


def test_windows_end_where_their_future_does():
    first = starts(20, 5, 3, 4)
    assert first.tolist() == [0, 4, 8, 12]
    values = torch.arange(20.0)[:, None]
    assert gather(values, torch.from_numpy(first), 5)[1, :, 0].tolist() == [4, 5, 6, 7, 8]
    assert starts(8, 5, 3).tolist() == [0]
    with pytest.raises(InputError, match="7 rows; a window needs 5 and 3"):
        starts(7, 5, 3)


def test_the_scale_is_that_of_the_fitting_rows_and_can_be_undone():
    values = np.stack([np.arange(10.0), np.full(10, 7.0)], 1)
    scaler = Scaler.fit(values[:5])
    assert scaler.mean.tolist() == [2, 7]
    np.testing.assert_allclose(scaler.scaled(values[:5])[:, 0].std(), 1)
    assert np.isfinite(scaler.scaled(values)).all()
    np.testing.assert_allclose(scaler.restored(scaler.scaled(values)), values)


def changes(*, shared, p=1.0, sigma=0.5):
    """What a view did to windows of ones and of twos; noise is what differs between times."""
    ones = torch.ones(6, 50, 3)
    altered = cost_view(ones, torch_generator(0), sigma=sigma, p=p, shared=shared)
    return altered.mean(1)


def test_by_default_each_sample_is_altered_by_draws_of_its_own():
    assert changes(shared=False).std(0).min() > 0.2


def test_shared_draws_alter_a_whole_batch_alike():
    assert changes(shared=True).std(0).max() < 0.2  # noise alone, averaged over 50 steps


def test_coins_are_a_samples_own_or_the_batchs():
    ones = torch.ones(500, 1, 1)
    own = cost_view(ones, torch_generator(1), p=0.5) == ones
    assert own.float().mean().item() == pytest.approx(1 / 8, abs=0.05)
    alike = [
        (cost_view(ones, torch_generator(seed), p=0.5, shared=True) == ones).float().mean()
        for seed in range(20)
    ]
    assert set(map(float, alike)) <= {0.0, 1.0}
