import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from contraview.core.errors import InputError
from contraview.index import exact
from contraview.index.exact import nearest


def test_by_hand():
    bank = torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]])
    distances, indices = nearest(bank, torch.tensor([[0.0, 0.0]]), 3)
    assert distances.tolist() == [[0.0, 1.0, 5.0]]
    assert indices.tolist() == [[0, 2, 1]]
    distances, indices = nearest(bank, torch.tensor([[0.0, 2.0]]), 3, metric="cosine")
    assert distances.tolist() == [[0.0, pytest.approx(0.2), 1.0]]
    assert indices.tolist() == [[2, 1, 0]]


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equals_scikit_learn_over_many_tiles(metric, dtype, monkeypatch):
    monkeypatch.setattr(exact, "QUERY_TILE", 17)
    monkeypatch.setattr(exact, "BANK_TILE", 50)
    generator = torch.Generator().manual_seed(0)
    bank = torch.randn(333, 7, generator=generator, dtype=dtype)
    queries = torch.randn(60, 7, generator=generator, dtype=dtype)
    oracle = NearestNeighbors(n_neighbors=60, algorithm="brute", metric=metric)
    expected = oracle.fit(bank.double().numpy()).kneighbors(queries.double().numpy())
    distances, indices = nearest(bank, queries, 60, metric=metric)
    assert np.array_equal(indices.numpy(), expected[1])
    assert distances.numpy() == pytest.approx(expected[0], rel=1e-6, abs=1e-7)


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=40),
    st.integers(1, 12),
    st.sampled_from([1, 3, 100]),
)
def test_ties_come_in_the_order_of_the_bank_whatever_the_tiles(points, k, tile):
    bank = torch.tensor(points, dtype=torch.float32)
    k = min(k, len(bank))
    queries = bank[:5]
    differences = (queries[:, None] - bank).square().sum(dim=2)
    order = differences.sort(dim=1, stable=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "BANK_TILE", tile)
        distances, indices = nearest(bank, queries, k)
    assert torch.equal(indices, order.indices[:, :k])
    assert torch.allclose(distances, order.values[:, :k].sqrt())


def test_a_copy_is_at_distance_zero_even_far_from_the_origin():
    bank = 1e3 + torch.randn(100, 20, generator=torch.Generator().manual_seed(0))
    distances, indices = nearest(bank, bank[40:50], 1)
    assert indices[:, 0].tolist() == list(range(40, 50))
    assert (distances == 0).all()


def test_the_bank_may_be_longer_than_memory_allows(tmp_path):
    rows = np.random.default_rng(0).normal(size=(500, 3)).astype(np.float32)
    rows.tofile(tmp_path / "bank")
    bank = torch.from_file(str(tmp_path / "bank"), size=1500, dtype=torch.float32).view(500, 3)
    assert torch.equal(nearest(bank, bank[:9], 4)[1], nearest(torch.tensor(rows), bank[:9], 4)[1])


def test_copies_come_in_order_at_any_distance_and_tile(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    bank = torch.randn(50, 31, generator=generator).repeat(20, 1)
    queries = torch.randn(10, 31, generator=generator)
    _, indices = nearest(bank, queries, 40)
    monkeypatch.setattr(exact, "BANK_TILE", 97)
    assert torch.equal(nearest(bank, queries, 40)[1], indices)
    assert torch.equal(indices[:, :20] - indices[:, :1], torch.arange(0, 1000, 50).expand(10, 20))


def test_no_queries_give_no_neighbours():
    distances, indices = nearest(torch.ones(3, 2), torch.ones(0, 2), 2)
    assert distances.shape == indices.shape == (0, 2)


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match="4 neighbours of 3 rows; expected 1 to 3"):
        nearest(torch.ones(3, 2), torch.ones(1, 2), 4)
    with pytest.raises(InputError, match="bank row holds NaN"):
        nearest(torch.full((3, 2), torch.nan), torch.ones(1, 2), 1)
