import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from contraview.core.run import Run
from contraview.core.seeds import torch_generator
from contraview.systems.simsiam import SimSiam

sys.path.insert(0, str(Path(__file__).parent))
import tiny_images
from tiny import Tiny

KNOBS = {"widths": (8, 16), "steps": 20, "batch": 16, "outputs": 16, "bottleneck": 8}
TINY = Tiny(
    tiny_images.data,
    KNOBS,
    labels=tiny_images.labels,
    ask={"search": lambda system: system.search(tiny_images.data(), among=tiny_images.data(), k=3)},
    wrong=("no/such/folder", "", [], 3.5, np.zeros((5, 8, 8))),
)


class Stub(nn.Module):
    """Projects a view to itself and predicts it turned round."""

    def forward(self, view):
        return view.flip(1), view


def test_the_loss_by_hand():
    one, other = torch.tensor([[3.0, 0.0], [0.0, 1.0]]), torch.tensor([[1.0, 1.0], [1.0, 0.0]])
    system = SimSiam(**KNOBS)
    encoder = system.fresh_encoder(tiny_images.data(), 0)
    method = system.method(encoder, lambda rows, generator: (one, other), seed=0)
    step = method.loss(Stub(), torch.arange(2), torch_generator(0))
    # cos((0,3),(1,1)), cos((1,0),(1,0)); cos((1,1),(3,0)), cos((0,1),(0,1))
    assert step.loss.item() == pytest.approx(-((2**-0.5 + 1) / 2 + (2**-0.5 + 1) / 2) / 2)


def test_no_gradient_flows_into_the_target():
    system = SimSiam(**KNOBS)
    images = tiny_images.data()
    encoder = system.fresh_encoder(images, 0)
    views = tuple(
        torch.randn(4, 16, generator=torch_generator(seed), requires_grad=True) for seed in range(2)
    )
    method = system.method(encoder, lambda rows, generator: views, seed=0)

    class OneWay(nn.Module):
        def forward(self, view):
            return view.detach(), view

    step = method.loss(OneWay(), torch.arange(4), torch_generator(0))
    assert not step.loss.requires_grad


def test_it_does_not_collapse_on_stripes(tmp_path):
    run = Run(tmp_path / "r", seed=0)
    SimSiam(**KNOBS | {"steps": 60}).fit(tiny_images.data(), run=run)
    ranks = [e["collapse"]["effective_rank"] for e in run.events() if "collapse" in e]
    assert ranks
    assert ranks[-1] > 3
