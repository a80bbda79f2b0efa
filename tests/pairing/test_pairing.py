import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from contraview.core.errors import InputError
from contraview.core.seeds import torch_generator
from contraview.pairing.ema import follow, teacher_of
from contraview.pairing.groups import pairs_within_groups
from contraview.pairing.masks import block_mask, put_back, random_mask, taken
from contraview.pairing.queue import KeyQueue


def test_a_teacher_moves_by_hand_takes_no_gradient_and_stays_in_evaluation_mode():
    student = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Dropout())
    teacher = teacher_of(student)
    before = teacher[0].weight.clone()
    with torch.no_grad():
        student[0].weight += 1.0
    student(torch.randn(8, 2))
    follow(teacher, student, 0.9)
    torch.testing.assert_close(teacher[0].weight, before + 0.1)
    torch.testing.assert_close(teacher[1].running_mean, student[1].running_mean)
    nn.ModuleList([student, teacher]).train()
    assert student[2].training
    assert not any(part.training for part in teacher.modules())
    assert not any(parameter.requires_grad for parameter in teacher.parameters())


def test_a_queue_holds_the_newest_keys_and_nothing_before_it_was_filled():
    queue = KeyQueue(4, 1)
    assert queue.keys().shape == (0, 1)
    queue.push(torch.tensor([[1.0], [2.0], [3.0]]), unit=False)
    assert sorted(queue.keys().flatten().tolist()) == [1, 2, 3]
    queue.push(torch.tensor([[4.0], [5.0]]), unit=False)
    assert sorted(queue.keys().flatten().tolist()) == [2, 3, 4, 5]
    queue.push(torch.arange(10.0)[:, None], unit=False)
    assert sorted(queue.keys().flatten().tolist()) == [6, 7, 8, 9]
    queue.push(torch.tensor([[-3.0]]))
    assert (queue.keys() == -1).any()


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(1, 6))
def test_a_queue_is_a_list_whose_oldest_leave(sizes, size):
    queue, kept = KeyQueue(size, 1), []
    for i, count in enumerate(sizes):
        keys = torch.arange(count, dtype=torch.float32)[:, None] + 100 * i
        queue.push(keys, unit=False)
        kept = (kept + keys.flatten().tolist())[-size:]
    assert sorted(queue.keys().flatten().tolist()) == sorted(kept)


@given(st.integers(1, 5), st.integers(1, 40), st.floats(0, 1))
def test_a_mask_hides_the_same_number_of_places_in_each_sample(samples, places, ratio):
    mask = random_mask(samples, places, ratio, torch_generator(0, "mask"))
    assert (mask.sum(1) == round(ratio * places)).all()


def test_blocks_of_a_mask_cover_their_positions_and_no_other():
    mask = torch.tensor([[True, False, False, True]])
    expected = torch.tensor([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]]).bool()
    assert torch.equal(block_mask(mask, (2, 2), 2)[0, 0], expected)


@given(st.lists(st.integers(0, 5), min_size=6, max_size=40), st.integers(2, 12))
def test_a_batch_holds_two_different_items_of_a_group_and_no_group_twice(groups, batch):
    table = torch.tensor(groups)
    usable = sum(groups.count(group) > 1 for group in set(groups))
    if usable < 2:
        with pytest.raises(InputError, match="two items"):
            pairs_within_groups(table, batch, 0)
        return
    rows_at = pairs_within_groups(table, batch, 0)
    for step in range(3):
        pairs = rows_at(step).view(-1, 2)
        assert len(pairs) == min(batch // 2, usable)
        assert (pairs[:, 0] != pairs[:, 1]).all()
        assert (table[pairs[:, 0]] == table[pairs[:, 1]]).all()
        assert len(set(table[pairs[:, 0]].tolist())) == len(pairs)
    assert torch.equal(rows_at(1), pairs_within_groups(table, batch, 0)(1))


def test_what_is_taken_out_is_put_back_at_its_place():
    tokens = torch.randn(3, 5, 2, generator=torch_generator(0, "tokens"))
    hidden = random_mask(3, 5, 0.4, torch_generator(0, "mask"))
    visible = taken(tokens, ~hidden)
    assert visible.shape == (3, 3, 2)
    assert torch.equal(visible[1], tokens[1][~hidden[1]])
    whole = put_back(visible, hidden, torch.tensor([7.0, 8.0]))
    assert torch.equal(whole[~hidden], tokens[~hidden])
    assert (whole[hidden] == torch.tensor([7.0, 8.0])).all()
