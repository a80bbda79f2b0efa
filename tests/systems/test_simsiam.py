import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from contraview.core.run import Run
from contraview.core.seeds import torch_generator
from contraview.frameworks.images.simsiam import SimSiam
from contraview.frameworks.images.two_views import Pair

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


def test_the_loss_by_hand():
    contrast = SimSiam(**KNOBS).contrast(
        SimSiam(**KNOBS).fresh_encoder(tiny_images.data(), 0), seed=0
    )
    pair = Pair(torch.tensor([[0.0, 3.0], [1.0, 0.0]]), torch.tensor([[1.0, 1.0], [1.0, 0.0]]))
    assert contrast.compare(pair).item() == pytest.approx(-(2**-0.5 + 1) / 2)
    weighted = contrast.compare(pair, torch.tensor([2.0, 0.0])).item()
    assert weighted == pytest.approx(-(2**-0.5))


def test_each_view_predicts_the_other_and_no_gradient_flows_into_the_target():
    system = SimSiam(**KNOBS)
    contrast = system.contrast(system.fresh_encoder(tiny_images.data(), 0), seed=0)
    one, other = torch.rand((2, 6, 3, 16, 16), generator=torch_generator(0))
    first, second = contrast(one, other)
    torch.testing.assert_close(first.queries, contrast.predictor(contrast.network(one)))
    torch.testing.assert_close(first.keys, contrast.network(other))
    torch.testing.assert_close(second.keys, contrast.network(one))
    assert first.queries.requires_grad
    assert not first.keys.requires_grad
    assert not second.keys.requires_grad


def test_it_does_not_collapse_on_stripes(tmp_path):
    run = Run(tmp_path / "r", seed=0)
    SimSiam(**KNOBS | {"steps": 60}).fit(tiny_images.data(), run=run)
    ranks = [e["collapse"]["effective_rank"] for e in run.events() if "collapse" in e]
    assert ranks
    assert ranks[-1] > 3
