import torch

from contraview.modalities.flows.nets import ResidualBlock, ResidualMLP


def test_the_official_encoder_has_its_parameters():
    net = ResidualMLP(72, width=1024, depth=4, outputs=64)
    expected = 2 * (72 * 1024 + 1024) + 3 * (1024**2 + 1024) + 1024 * 64 + 64
    assert sum(p.numel() for p in net.parameters()) == expected


def test_a_block_adds_its_input_after_the_activation():
    block = ResidualBlock(2, 2)
    torch.nn.init.eye_(block.main[0].weight)
    torch.nn.init.zeros_(block.main[0].bias)
    rows = torch.tensor([[1.0, -2.0]])
    assert torch.equal(block(rows), torch.tensor([[2.0, -2.0]]))


def test_a_block_that_widens_learns_its_skip():
    assert isinstance(ResidualBlock(2, 3).skip, torch.nn.Linear)
    assert isinstance(ResidualBlock(3, 3).skip, torch.nn.Identity)
