import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from contraview.core.errors import InputError
from contraview.training.samplers import across_groups, balanced, bootstrap, epochs

LABELS = torch.tensor([7] * 90 + [-1] * 9 + [3])


def samplers(batch: int, seed: int):
    return {
        "epochs": epochs(100, batch, seed),
        "bootstrap": bootstrap(100, batch, seed),
        "balanced": balanced(LABELS, batch, seed),
        "across groups": across_groups(LABELS, batch, seed),
    }


@given(rows=st.integers(1, 60), batch=st.integers(1, 80), seed=st.integers(0, 9))
def test_an_epoch_visits_each_row_once_and_drops_less_than_a_batch(rows, batch, seed):
    rows_at = epochs(rows, batch, seed)
    size = min(rows, batch)
    for epoch in range(2):
        first = epoch * (rows // size)
        seen = torch.cat([rows_at(first + step) for step in range(rows // size)])
        assert len(seen.unique()) == len(seen) > rows - size
        assert 0 <= seen.min() <= seen.max() < rows


def test_epochs_differ_in_order():
    rows_at = epochs(64, 64, seed=0)
    assert not torch.equal(rows_at(0), rows_at(1))
    assert torch.equal(rows_at(0).sort().values, rows_at(1).sort().values)


@pytest.mark.parametrize("name", ["epochs", "bootstrap", "balanced", "across groups"])
@settings(max_examples=25)
@given(steps=st.lists(st.integers(0, 200), min_size=1, max_size=8), seed=st.integers(0, 2**40))
def test_a_batch_depends_on_seed_and_step_alone(name, steps, seed):
    asked_in_order = samplers(16, seed)[name]
    for step in steps:
        fresh = samplers(16, seed)[name]
        assert torch.equal(asked_in_order(step), fresh(step))


@pytest.mark.parametrize("name", ["epochs", "bootstrap", "balanced", "across groups"])
def test_seeds_and_steps_give_other_batches(name):
    one, other = samplers(16, 1)[name], samplers(16, 2)[name]
    assert one(5).dtype == torch.int64
    assert not torch.equal(one(5), other(5))
    assert not torch.equal(one(5), one(6))


def test_bootstrap_draws_with_replacement_and_evenly():
    drawn = torch.cat([bootstrap(10, 1000, seed=0)(step) for step in range(20)])
    counts = torch.bincount(drawn, minlength=10)
    assert counts.sum() == 20_000
    # 2,000 expected, standard deviation 42: five of them either way
    assert 1790 < counts.min() <= counts.max() < 2210
    assert len(bootstrap(3, 8, seed=0)(0)) == 8


def test_balanced_draws_classes_evenly_and_rows_evenly_within():
    drawn = torch.cat([balanced(LABELS, 1000, seed=0)(step) for step in range(18)])
    counts = torch.bincount(drawn, minlength=100)
    by_class = torch.stack([counts[:90].sum(), counts[90:99].sum(), counts[99]])
    assert by_class.sum() == 18_000
    # 6,000 expected, standard deviation 63
    assert 5680 < by_class.min() <= by_class.max() < 6320
    assert counts.min() > 0
    # 667 expected in each of the nine rows, standard deviation 25
    assert 540 < counts[90:99].min() <= counts[90:99].max() < 795


def test_no_rows_are_refused():
    for make in (lambda: epochs(0, 4, 0), lambda: bootstrap(0, 4, 0)):
        with pytest.raises(InputError, match="no rows"):
            make()


def of_groups(sizes):
    return torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))


def met(groups, rows_at, steps):
    """Pairs within a group that meet in a batch, over some steps."""
    counts = [torch.bincount(groups[rows_at(step)]) for step in range(steps)]
    return sum(int((each * (each - 1) // 2).sum()) for each in counts)


@pytest.mark.parametrize("order", ["spread", "rank"])
def test_groups_of_one_size_never_meet_themselves_and_a_pass_visits_each_row_once(order):
    groups = of_groups([7] * 8)[torch.randperm(56, generator=torch.Generator().manual_seed(0))]
    rows_at = across_groups(groups, 8, seed=3, order=order)
    for epoch in range(3):
        passed = [rows_at(7 * epoch + step) for step in range(7)]
        assert all(len(groups[rows].unique()) == 8 for rows in passed)
        assert len(torch.cat(passed).unique()) == 56


def test_by_rank_the_last_batches_hold_only_large_groups_spread_they_are_as_the_whole():
    groups = of_groups([2, 2, 2, 2, 8])  # 16 rows, four batches of 4
    by_rank = across_groups(groups, 4, seed=0, order="rank")
    # Ranks 0 and 1 of all five groups are the first ten rows, the other six are of the large one.
    assert groups[by_rank(3)].tolist() == [4, 4, 4, 4]
    spread = across_groups(groups, 4, seed=0)
    # Half of all rows are of the large group: half of each batch.
    assert [int((groups[spread(step)] == 4).sum()) for step in range(4)] == [2, 2, 2, 2]
    assert met(groups, spread, 4) < met(groups, by_rank, 4)


@given(sizes=st.lists(st.integers(1, 30), min_size=2, max_size=12), seed=st.integers(0, 9))
def test_spread_groups_meet_themselves_less_than_in_random_batches(sizes, seed):
    groups = of_groups(sizes)
    batch, passes = 8, 20
    steps = passes * max(len(groups) // min(batch, len(groups)), 1)
    random = met(groups, epochs(len(groups), batch, seed), steps)
    spread = met(groups, across_groups(groups, batch, seed), steps)
    assert spread <= random + 3 * (random + 1) ** 0.5


def test_passes_differ_unless_told_not_to():
    groups = of_groups([5] * 6)
    again = across_groups(groups, 6, seed=1)
    same = across_groups(groups, 6, seed=1, reshuffle=False)
    assert not torch.equal(again(0).sort().values, again(5).sort().values)
    for step in range(5):
        assert torch.equal(same(step), same(step + 5))
