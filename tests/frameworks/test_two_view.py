import torch
from torch import nn
from torch.nn.functional import normalize

from contraview.core.run import Run
from contraview.frameworks.momentum import Student, following, momentum_loss
from contraview.frameworks.two_view import two_view
from contraview.networks.fresh import fresh
from contraview.networks.mlp import mlp
from contraview.objectives.info_nce import info_nce
from contraview.objectives.nt_xent import nt_xent
from contraview.pairing.queue import KeyQueue
from contraview.training.loop import train
from contraview.training.samplers import epochs
from contraview.training.schedule import Schedule

ROWS = torch.randn(64, 8, generator=torch.Generator().manual_seed(0))
SCHEDULE = Schedule(steps=30, batch=16, lr=1e-2, final_lr=1e-2)


def views(rows, generator):
    def view():
        return ROWS[rows] + 0.1 * torch.randn(len(rows), 8, generator=generator)

    return view(), view()


def network():
    return fresh(lambda: mlp(8, 32, 4), 0, "network")


def test_a_two_view_loss_is_its_objective_on_both_embeddings():
    net, rows = network(), torch.arange(6)
    step = two_view(views, nt_xent)(net, rows, torch.Generator().manual_seed(1))
    one, other = views(rows, torch.Generator().manual_seed(1))
    torch.testing.assert_close(step.loss, nt_xent(net(one), net(other)))


def test_views_of_other_shapes_go_through_apart():
    class Mean(nn.Module):
        def forward(self, rows):
            return rows.mean(2)

    def uneven(rows, _):
        items = ROWS[rows].view(len(rows), 2, 4)
        return items, items[:, :, :3]

    step = two_view(uneven, nt_xent)(Mean(), torch.arange(4), torch.Generator())
    assert step.loss.isfinite()


def test_training_makes_the_two_views_of_a_row_easier_to_find():
    net = network()
    one, other = views(torch.arange(64), torch.Generator().manual_seed(5))
    before = nt_xent(net(one), net(other)).item()
    train(net, two_view(views, nt_xent), epochs(64, 16, 0), SCHEDULE, run=Run(show=False))
    assert nt_xent(net(one), net(other)).item() < before - 0.1


def objective(queries, keys, earlier):
    extra = None if earlier is None else normalize(earlier)
    return info_nce(normalize(queries), normalize(keys), scale=5.0, extra_keys=extra)


def test_a_momentum_student_learns_its_teacher_follows_and_a_queue_fills():
    queue = KeyQueue(32, 4)
    student = Student(network(), predictor=fresh(lambda: mlp(4, 8, 4), 0, "head"), queue=queue)
    weight = student.network[0].weight.detach().clone()
    loss = momentum_loss(views, objective, queue)
    run = Run(show=False)
    train(student, loss, epochs(64, 16, 0), SCHEDULE, run=run, after_step=following(0.5))
    assert int(queue.count) == 30 * 16
    moved = (student.network[0].weight - weight).norm()
    apart = (student.network[0].weight - student.teacher[0].weight).norm()
    assert 0 < apart < moved


def test_a_momentum_rate_may_be_a_schedule_and_the_teacher_gets_no_gradient():
    student = Student(network())
    loss = momentum_loss(views, objective)
    run = Run(show=False)
    train(student, loss, epochs(64, 16, 0), SCHEDULE, run=run, after_step=following(lambda _: 1.0))
    assert torch.equal(student.teacher[0].weight, network()[0].weight)
    assert all(parameter.grad is None for parameter in student.teacher.parameters())
