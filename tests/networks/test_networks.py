import pytest
import torch

from contraview.networks.conv import ConvEncoder
from contraview.networks.fresh import fresh
from contraview.networks.mlp import mlp
from contraview.networks.transformer import Transformer, pooled, sinusoidal


def test_fresh_weights_depend_on_seed_and_name_and_leave_torchs_generator_alone():
    state = torch.random.get_rng_state()
    one, again = (fresh(lambda: torch.nn.Linear(3, 3), 0, "a") for _ in range(2))
    assert torch.equal(one.weight, again.weight)
    assert not torch.equal(one.weight, fresh(lambda: torch.nn.Linear(3, 3), 1, "a").weight)
    assert not torch.equal(one.weight, fresh(lambda: torch.nn.Linear(3, 3), 0, "b").weight)
    assert torch.equal(state, torch.random.get_rng_state())


@pytest.mark.parametrize(("dimensions", "shape"), [(1, (5, 2, 40)), (2, (5, 2, 20, 24))])
def test_a_conv_encoder_gives_a_vector_that_depends_on_its_item_alone(dimensions, shape):
    net = fresh(lambda: ConvEncoder(2, (8, 16), dimensions=dimensions), 0, "conv")
    items = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    assert net(items).shape == (5, net.outputs) == (5, 16)
    torch.testing.assert_close(net(items)[2:3], net(items[2:3]))


def test_an_mlp_ends_in_a_linear_layer_unless_its_output_is_normalised():
    layers = mlp(4, 8, 2, norm="batch")
    assert [type(layer).__name__ for layer in layers] == ["Linear", "BatchNorm1d", "ReLU", "Linear"]
    last = mlp(4, 2, norm="batch", last_norm=True)[-1]
    assert isinstance(last, torch.nn.BatchNorm1d)
    assert not last.affine


def test_padding_changes_nothing_for_real_tokens():
    net = fresh(lambda: Transformer(16, depth=2, heads=4), 0, "t").eval()
    tokens = torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(0))
    padded = torch.cat([tokens, torch.full((2, 3, 16), 7.0)], dim=1)
    real = torch.arange(8).expand(2, 8) < 5
    alone, among = net(tokens), net(padded, real)
    torch.testing.assert_close(alone, among[:, :5])
    torch.testing.assert_close(pooled(alone, None, "mean"), pooled(among, real, "mean"))
    torch.testing.assert_close(pooled(alone, None, "cls"), pooled(among, real, "cls"))
    difference = pooled(alone, None, "mean") - pooled(among, real, "padded_mean")
    assert difference.abs().max() > 0.05


def test_sinusoidal_positions_are_the_papers():
    table = sinusoidal(3, 4)
    torch.testing.assert_close(table[0], torch.tensor([0.0, 1.0, 0.0, 1.0]))
    torch.testing.assert_close(table[2, 0], torch.tensor(2.0).sin())
    torch.testing.assert_close(table[2, 3], torch.tensor(0.02).cos())


def test_places_are_added_before_every_block():
    net = fresh(lambda: Transformer(8, depth=2, heads=2), 0, "t").eval()
    tokens, places = torch.randn(2, 2, 3, 8, generator=torch.Generator().manual_seed(0))
    one, two = net.blocks
    by_hand = net.norm(two(one(tokens + places) + places))
    torch.testing.assert_close(net(tokens, places=places), by_hand)


def test_drop_path_leaves_branches_out_for_whole_samples_and_only_in_training():
    net = fresh(lambda: Transformer(8, depth=3, heads=2, drop_path=0.5), 0, "t")
    assert [block.drop_path for block in net.blocks] == [0, 0.25, 0.5]
    branch = torch.ones(4000, 2, 3)
    torch.manual_seed(0)
    kept = net.blocks[2]._kept(branch)
    assert set(kept.unique().tolist()) == {0.0, 2.0}
    assert (kept == kept[:, :1, :1]).all()
    assert kept.mean().item() == pytest.approx(1, abs=0.06)
    assert net.eval().blocks[2]._kept(branch) is branch
