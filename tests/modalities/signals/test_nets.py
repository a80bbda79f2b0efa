import torch

from contraview.modalities.signals.nets import MBConv, MBConvEncoder


def test_it_reads_any_length_and_gives_one_vector_a_segment():
    encoder = MBConvEncoder(2, (8, 6, 12, 16), (1, 2), kernel=5)
    assert encoder(torch.randn(3, 2, 200)).shape == (3, 16)
    assert encoder(torch.randn(3, 2, 333)).shape == (3, 16)


def test_an_embedding_does_not_depend_on_its_batch():
    encoder = MBConvEncoder(1, (8, 8, 16), (2,), kernel=3)
    segments = torch.randn(5, 1, 100)
    torch.testing.assert_close(encoder(segments)[:1], encoder(segments[:1]))


def test_a_block_adds_its_input_only_where_shapes_agree():
    alike = MBConv(8, 8, kernel=3, stride=1, expansion=6)
    torch.nn.init.zeros_(alike.narrow[1].weight)
    signals = torch.randn(2, 8, 20)
    assert torch.equal(alike(signals), signals)
    assert MBConv(8, 8, kernel=3, stride=2, expansion=6)(signals).shape == (2, 8, 10)


def test_the_paper_sizes_have_16_blocks_and_some_three_million_weights():
    encoder = MBConvEncoder(
        4, (32, 16, 24, 40, 80, 112, 192, 320, 256), (1, 2, 2, 3, 3, 4, 1), kernel=3
    )
    assert sum(isinstance(module, MBConv) for module in encoder.modules()) == 16
    assert 3.2e6 < sum(p.numel() for p in encoder.parameters()) < 3.7e6
