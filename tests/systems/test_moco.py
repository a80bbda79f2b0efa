import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from contraview.core.run import Run
from contraview.core.seeds import torch_generator
from contraview.frameworks.images.moco import MoCo
from contraview.frameworks.images.two_views import Pair
from contraview.objectives.unit import unit

sys.path.insert(0, str(Path(__file__).parent))
import tiny_images
from tiny import Tiny

KNOBS = {"widths": (8, 16), "steps": 20, "batch": 16, "hidden": 16, "outputs": 8, "queue": 40}
TINY = Tiny(
    tiny_images.data,
    KNOBS,
    labels=tiny_images.labels,
    ask={"search": lambda system: system.search(tiny_images.data(), among=tiny_images.data(), k=3)},
    wrong=("no/such/folder", "", [], 3.5, np.zeros((5, 8, 8))),
)


def made(**knobs):
    system = MoCo(**KNOBS | knobs)
    images = tiny_images.data()
    return system.method(system.fresh_encoder(images, 0), images, Run(seed=0))


def test_the_loss_by_hand_first_without_then_with_a_queue():
    one, other = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[1.0, 1.0], [0.0, 2.0]])
    system = MoCo(**KNOBS | {"outputs": 2, "temperature": 0.5})
    contrast = system.contrast(system.fresh_encoder(tiny_images.data(), 0), seed=0)
    q1, q2 = one.numpy(), other.numpy() / np.array([[2**0.5], [2]])
    k1, k2 = q1[::-1], q2[::-1]
    pairs = [Pair(one, unit(other).roll(1, 0)), Pair(other, one.roll(1, 0))]

    def by_hand(q, k, queue):
        e = np.exp(q @ np.vstack([k, queue]).T / 0.5)
        return np.mean([-np.log(e[i, i] / e[i].sum()) for i in range(2)])

    for queue in (np.empty((0, 2)), k2):  # the keys of the second view have entered by then
        found = [contrast.compare(pair).item() for pair in pairs]
        assert found == pytest.approx([by_hand(q1, k2, queue), by_hand(q2, k1, queue)], rel=1e-5)
        contrast.keep(pairs)


def test_each_views_query_is_compared_with_the_teachers_key_of_the_other():
    contrast = made().model.contrast
    one, other = torch.rand((2, 4, 3, 16, 16), generator=torch_generator(0))
    with torch.no_grad():
        first, second = contrast(one, other)
        torch.testing.assert_close(first.queries, contrast.student.network(one))
        torch.testing.assert_close(first.keys, contrast.student.teacher(other))
        torch.testing.assert_close(second.keys, contrast.student.teacher(one))


def test_the_teacher_follows_and_takes_no_gradient():
    method = made(momentum=0.9)
    student = method.model.contrast.student
    step = method.loss(method.model, torch.arange(8), torch_generator(0))
    step.loss.backward()
    assert all(p.grad is None for p in student.teacher.parameters())
    with torch.no_grad():
        for p in student.network.parameters():
            p += 1.0
    before = [p.clone() for p in student.teacher.parameters()]
    method.after_step(method.model, 1)
    for own, earlier, other in zip(
        student.teacher.parameters(), before, student.network.parameters(), strict=True
    ):
        torch.testing.assert_close(own, 0.9 * earlier + 0.1 * other)


def test_the_queue_is_part_of_the_model_and_holds_unit_keys():
    method = made()
    for step in range(4):
        method.loss(method.model, torch.arange(step, step + 16), torch_generator(step))
    keys = method.model.contrast.queue.keys()
    assert keys.shape == (40, 8)
    torch.testing.assert_close(keys.norm(dim=1), torch.ones(40))
    assert any("queue." in name for name in method.model.state_dict())


def test_an_interrupted_training_goes_on_bit_for_bit(tmp_path, monkeypatch):
    images = tiny_images.data()
    whole = MoCo(**KNOBS).fit(images, run=Run(seed=1)).embed(images)
    from contraview.frameworks.images import pretraining

    train = pretraining.train

    def stopping(model, loss, *rest, **named):
        calls = []

        def counted(*inputs):
            calls.append(1)
            if len(calls) > 12:
                raise KeyboardInterrupt
            return loss(*inputs)

        train(model, counted, *rest, **named, checkpoint_every=10)

    monkeypatch.setattr(pretraining, "train", stopping)
    with pytest.raises(KeyboardInterrupt):
        MoCo(**KNOBS).fit(images, run=Run(tmp_path / "r", seed=1))
    monkeypatch.undo()
    again = MoCo(**KNOBS).fit(images, run=Run(tmp_path / "r", seed=1)).embed(images)
    np.testing.assert_array_equal(again, whole)
