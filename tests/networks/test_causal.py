import pytest
import torch

from contraview.networks.causal import CausalConvs, Recurrent


@pytest.mark.parametrize(
    ("network", "reach"),
    [
        (CausalConvs(4, depth=3, dilated=False), 12),
        (CausalConvs(4, depth=3, dilated=True), 28),
        (Recurrent(4, depth=2), 39),
    ],
    ids=["tcn", "dilated tcn", "lstm"],
)
def test_a_step_sees_its_past_as_far_as_it_reaches_and_no_future(network, reach):
    steps = torch.randn(1, 40, 4, requires_grad=True)
    out = network(steps)
    assert out.shape == steps.shape
    out[0, 39].sum().backward()
    seen = steps.grad[0].abs().sum(1) > 0
    assert int(seen.int().argmax()) == 39 - reach
    steps.grad = None
    network(steps)[0, 10].sum().backward()
    assert not steps.grad[0, 11:].any()
