import pytest
import torch

from contraview.networks.unet import UNet, UNetDecoder, UNetEncoder


def unet(widths=(4, 8, 8), outputs=2, **knobs):
    return UNet(UNetEncoder(1, widths, **knobs), UNetDecoder(widths, outputs, **knobs)).eval()


@pytest.mark.parametrize("norm", ["batch", "group"])
@pytest.mark.parametrize(("dimensions", "sizes"), [(2, (16, 24)), (3, (8, 8, 12))])
def test_maps_have_the_size_of_the_input(norm, dimensions, sizes):
    network = unet(norm=norm, dimensions=dimensions)
    assert network(torch.randn(2, 1, *sizes)).shape == (2, 2, *sizes)


@pytest.mark.parametrize("sizes", [(17, 22), (3, 5), (1, 1)])
def test_any_size_goes_in_and_padding_is_cut_off_again(sizes):
    assert unet()(torch.randn(1, 1, *sizes)).shape == (1, 2, *sizes)


def test_padding_repeats_the_edge_and_leaves_the_image_where_it_is():
    network, image = unet(), torch.randn(1, 1, 14, 16)
    padded = torch.cat([image, image[:, :, -1:].expand(-1, -1, 2, -1)], dim=2)
    torch.testing.assert_close(network(image), network(padded)[:, :, :14])


def test_levels_halve_and_skips_reach_the_decoder():
    encoder = UNetEncoder(1, (4, 8, 16)).eval()
    maps = encoder(torch.randn(1, 1, 16, 16))
    assert [tuple(each.shape[1:]) for each in maps] == [(4, 16, 16), (8, 8, 8), (16, 4, 4)]
    decoder = UNetDecoder((4, 8, 16), 1).eval()
    without = [torch.zeros_like(maps[0]), *maps[1:]]
    assert not torch.allclose(decoder(maps), decoder(without))


def test_with_batch_normalisation_a_crop_is_answered_like_the_same_place_of_the_whole():
    torch.manual_seed(0)
    network, image = unet(), torch.randn(1, 1, 96, 96)
    whole, crop = network(image), network(image[:, :, 16:80, 16:80])
    torch.testing.assert_close(whole[:, :, 40:56, 40:56], crop[:, :, 24:40, 24:40])
