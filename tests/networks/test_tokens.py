import pytest
import torch

from contraview.networks.fresh import fresh
from contraview.networks.tokens import MaskedLanguageModel, PooledTokens, TokenEncoder
from contraview.networks.transformer import Transformer

IDS = torch.tensor([[2, 5, 6, 3, 0, 0], [2, 7, 3, 0, 0, 0], [2, 5, 6, 7, 8, 3], [2, 3, 0, 0, 0, 0]])


def encoder(**knobs):
    sizes = {"length": 8, "width": 16, "depth": 2, "heads": 4} | knobs
    return fresh(lambda: TokenEncoder(10, **sizes), 0, "encoder").eval()


@pytest.mark.parametrize("pooling", ["cls", "mean"])
@pytest.mark.parametrize("positions", ["learnt", "sinusoidal"])
def test_padding_changes_no_vector(pooling, positions):
    model = PooledTokens(encoder(positions=positions), pooling)
    together = model(IDS)
    for row, vector in zip(IDS, together, strict=True):
        alone = model(row[row > 0][None])[0]
        torch.testing.assert_close(alone, vector, atol=1e-6, rtol=0)


def test_rows_come_back_in_their_order_whatever_their_lengths():
    rows = IDS.repeat(5, 1)
    model = PooledTokens(encoder(), "mean")
    torch.testing.assert_close(model(rows), model(IDS).repeat(5, 1), atol=1e-6, rtol=0)
    assert model(rows[:0]).shape == (0, 16)


def test_the_padded_mean_counts_padding_and_so_depends_on_it():
    model = PooledTokens(encoder(), "padded_mean")
    short, wide = model(IDS[1:2, :3]), model(IDS[1:2])
    assert not torch.allclose(short, wide)
    torch.testing.assert_close(wide[0], model.encoder(IDS[1:2])[0].mean(0))


def test_dropout_and_drophead_each_make_two_passes_differ():
    for knobs in ({"dropout": 0.1}, {"drophead": 0.3}):
        model = encoder(**knobs)
        assert torch.equal(model(IDS), model(IDS))
        model.train()
        assert not torch.equal(model(IDS), model(IDS))


def test_without_dropout_training_draws_nothing():
    model = encoder().train()
    before = torch.get_rng_state()
    assert torch.equal(model(IDS), model(IDS))
    assert torch.equal(torch.get_rng_state(), before)


def test_drophead_leaves_out_whole_heads_and_scales_the_others():
    heads, width = 4, 16
    transformer = Transformer(width, depth=1, heads=heads, drophead=0.5).train()
    block = transformer.blocks[0]
    block.out = torch.nn.Identity()
    seen = []
    block.drop.register_forward_hook(lambda _m, _i, mixed: seen.append(mixed))
    tokens = torch.randn(1, 3, width)
    block.eval()(tokens)
    block.train()(tokens)
    whole, dropped = seen[0].view(3, heads, -1), seen[2].view(3, heads, -1)
    for head in range(heads):
        ratio = dropped[:, head] / whole[:, head]
        assert torch.allclose(ratio, torch.zeros(1)) or torch.allclose(ratio, torch.full((1,), 2.0))


def test_the_language_model_reads_its_answer_off_the_token_vectors():
    model = MaskedLanguageModel(encoder())
    places = torch.zeros_like(IDS, dtype=torch.bool)
    places[0, 1] = places[2, 4] = True
    logits = model(IDS, places)
    assert logits.shape == (2, 10)
    (logits[0, 5]).backward()
    assert model.encoder.tokens.weight.grad[5].abs().sum() > 0
    names = dict(model.named_parameters())
    assert [name for name, value in names.items() if value.shape == (10, 16)] == [
        "encoder.tokens.weight"
    ]
