import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from contraview.core.errors import InputError
from contraview.core.run import Run
from contraview.core.seeds import torch_generator
from contraview.frameworks.hallucination import HallucinatedPositives, Hallucination
from contraview.frameworks.images.moco import MoCo
from contraview.frameworks.images.simclr import SimCLR
from contraview.frameworks.images.simsiam import SimSiam
from contraview.frameworks.images.two_views import Term
from contraview.frameworks.images.variant import Variant
from contraview.networks.heads import head
from contraview.objectives.unit import unit

sys.path.insert(0, str(Path(__file__).parents[1] / "systems"))
import tiny_images

TINY = {"widths": (8, 16), "steps": 3, "batch": 16}
ALL = pytest.mark.parametrize("system", [SimCLR, MoCo, SimSiam], ids=lambda each: each.slug)


def loss_of(system, **knobs):
    made, images = system(**TINY | knobs), tiny_images.data()
    method = made.method(made.fresh_encoder(images, 0), images, Run(seed=0))
    return method, method.loss(method.model, torch.arange(16), torch_generator(0))


@ALL
def test_hallucinated_positives_are_averaged_in_by_their_weight(system):
    alone = loss_of(system)[1].loss
    method, step = loss_of(system, positives={"weight": 3.0})
    terms = step.terms
    torch.testing.assert_close(terms["pairs"], alone)
    torch.testing.assert_close(step.loss, (alone + 3 * terms["hallucinated"]) / 4)
    step.loss.backward()
    assert all(p.grad.abs().sum() > 0 for p in method.model.hallucinator.parameters())


@ALL
@pytest.mark.parametrize("kind", ["mlp", "linear", "reweight", "none"])
def test_every_head_trains_on_every_method_and_is_put_aside(system, kind):
    images = tiny_images.data()
    made = system(**TINY, head=kind).fit(images, run=Run(seed=0))
    assert made.embed(images).shape == (60, 16)
    untrained = made.fresh_encoder(images, 0)
    same = [torch.equal(a, b) for a, b in zip(
        untrained.parameters(), made.encoder.cpu().parameters(), strict=True)]  # fmt: skip
    assert not all(same)


@ALL
def test_a_variant_on_a_base_is_that_base_until_something_is_changed(system):
    images = tiny_images.data()
    knobs = TINY | {"outputs": 16}
    own = system(**knobs).fit(images, run=Run(seed=4)).embed(images)
    variant = type("Plain", (Variant,), {"slug": "plain"})
    other = variant(**knobs, base=system.slug).fit(images, run=Run(seed=4)).embed(images)
    np.testing.assert_array_equal(own, other)


class Lengths(Term):
    """The mean square of a learnt number times each row's own: counts from the second step on."""

    name = "lengths"

    def __init__(self):
        super().__init__()
        self.factor, self.done = torch.nn.Parameter(torch.tensor(2.0)), 0

    @property
    def weight(self):
        return 0.5 if self.done else 0.0

    def inputs(self, rows, generator):
        return (rows.float(),)

    def forward(self, pairs, numbers):
        return (self.factor * numbers).square().mean()

    def follow(self, done):
        self.done = done


@ALL
def test_a_further_term_is_added_by_its_weight_once_it_counts(system):
    alone = loss_of(system)[1].loss
    with_term = type("Longer", (system,), {"term": lambda *_: Lengths()})
    method, step = loss_of(with_term)
    torch.testing.assert_close(step.loss, alone)
    assert not step.terms
    step.loss.backward()
    assert method.model.term.factor.grad == 0  # none is missing, which DDP would not bear
    method.after_step(method.model, 1)
    rows = torch.arange(16)
    step = method.loss(method.model, rows, torch_generator(0))
    value = (2.0 * rows).square().mean()
    torch.testing.assert_close(step.terms["lengths"], value)
    torch.testing.assert_close(step.loss, step.terms["pairs"] + 0.5 * value)


def test_a_hallucination_lies_further_from_the_key_on_the_unit_sphere():
    draw = torch_generator(0)
    queries, keys = torch.randn((2, 50, 8), generator=draw)
    made = HallucinatedPositives(Hallucination.of(operator="linear", reach=2.0), 8)
    found = made(queries, keys, draw)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(50))
    before = (unit(queries) * unit(keys)).sum(1)
    assert ((found * unit(keys)).sum(1) < before).all()


def test_a_linear_hallucination_by_hand():
    made = HallucinatedPositives(Hallucination.of(operator="linear", reach=1.0), 2)
    queries, keys = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    drawn = torch.rand((1, 1), generator=torch_generator(5)).item()
    found = made(queries, keys, torch_generator(5))
    moved = np.array([1 + drawn, -drawn])
    np.testing.assert_allclose(found[0], moved / np.linalg.norm(moved), rtol=1e-6)


def test_no_gradient_flows_into_the_key_and_noise_is_as_long_as_the_move():
    keys = torch.randn((40, 8), generator=torch_generator(1), requires_grad=True)
    queries = torch.randn((40, 8), generator=torch_generator(2), requires_grad=True)
    for operator in ("mlp", "linear", "noise"):
        made = HallucinatedPositives(Hallucination.of(operator=operator), 8)
        made(queries, keys, torch_generator(3)).sum().backward()
        assert keys.grad is None
        assert queries.grad.abs().sum() > 0
    drawn = torch.rand((40, 1), generator=torch_generator(3))
    move = (drawn * (unit(queries) - unit(keys))).norm(dim=1)
    noise = made(queries, keys, torch_generator(3)) - unit(queries)
    # On the sphere a step s off the tangent ends at most s away.
    assert (noise.norm(dim=1) <= 2 * move + 1e-5).all()
    assert (noise.norm(dim=1) > 0.2 * move).all()


def test_the_fixed_head_multiplies_feature_i_by_kappa_to_the_minus_i():
    made, width = head("reweight", 4, 9, 9, kappa=2.0, seed=0)
    assert width == 4
    torch.testing.assert_close(made(torch.ones(1, 4)), torch.tensor([[1, 0.5, 0.25, 0.125]]))
    assert not list(made.parameters())
    deep, _ = head("reweight", 2048, 9, 9, kappa=1.05, seed=0)
    strengths = deep(torch.ones(1, 2048))[0]
    assert (strengths[:1700] > 0).all()
    assert (strengths[1800:] == 0).all()


def test_a_knob_that_does_not_fit_is_named():
    with pytest.raises(InputError, match=r"positives.weight=-1"):
        SimCLR(positives={"weight": -1})
    with pytest.raises(InputError, match="head='two'"):
        MoCo(head="two")
