"""Patches, views, descriptors and the patch network."""

import numpy as np
import pytest
import torch

from contraview.core.seeds import torch_generator
from contraview.modalities.clouds.descriptors import box_statistics, shape_distribution
from contraview.modalities.clouds.nets import PatchEmbedding
from contraview.modalities.clouds.patches import farthest_points, patches
from contraview.modalities.clouds.views import scale_and_translate, unit_sphere

CLOUDS = torch.randn(3, 60, 3, generator=torch_generator(0, "clouds"))


def by_hand(cloud, count):
    """Farthest-point sampling as its definition says, a cloud and a point at a time."""
    chosen = [int((cloud - cloud.mean(0)).norm(dim=1).argmax())]
    while len(chosen) < count:
        apart = torch.stack([(cloud - cloud[i]).norm(dim=1) for i in chosen]).amin(0)
        chosen.append(int(apart.argmax()))
    return chosen


def test_farthest_points_are_those_of_the_definition():
    found = farthest_points(CLOUDS, 12)
    assert found.tolist() == [by_hand(cloud, 12) for cloud in CLOUDS]


def test_farthest_points_of_corners_and_a_crowd_are_the_corners():
    crowd = torch.randn(1, 50, 3, generator=torch_generator(0, "crowd")) * 0.01
    corners = torch.tensor([[[1.0, 1, 0], [1, -1, 0], [-1, 1, 0], [-1, -1.0, 0]]])
    found = farthest_points(torch.cat([crowd, corners], 1), 4)
    assert set(found[0].tolist()) == {50, 51, 52, 53}


def test_patches_are_the_nearest_points_relative_to_their_centre():
    groups, centres = patches(CLOUDS, 5, 7)
    assert groups.shape == (3, 5, 7, 3)
    for cloud, own, around in zip(CLOUDS, groups, centres, strict=True):
        for group, centre in zip(own, around, strict=True):
            nearest = (cloud - centre).norm(dim=1).sort().values[:7]
            torch.testing.assert_close(group.norm(dim=1).sort().values, nearest, atol=1e-3, rtol=0)
            assert (cloud == centre).all(1).any()


def test_patches_do_not_hang_on_the_order_of_the_points():
    shuffled = CLOUDS[:, torch.randperm(60, generator=torch_generator(0, "order"))]
    for one, other in zip(patches(CLOUDS, 5, 7), patches(shuffled, 5, 7), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


def test_equal_points_make_patches_of_zeros():
    groups, centres = patches(torch.ones(2, 30, 3), 4, 6)
    assert (groups.abs() < 1e-6).all()
    assert (centres == 1).all()


def test_a_token_does_not_hang_on_the_order_of_its_points():
    embed = PatchEmbedding(8, 4).eval()
    groups, _ = patches(CLOUDS, 5, 7)
    order = torch.randperm(7, generator=torch_generator(0, "order"))
    torch.testing.assert_close(embed(groups), embed(groups[:, :, order]))


def test_the_unit_sphere_takes_away_place_and_size():
    sphere = unit_sphere(CLOUDS)
    torch.testing.assert_close(sphere.mean(1), torch.zeros(3, 3), atol=1e-6, rtol=0)
    torch.testing.assert_close(sphere.norm(dim=2).amax(1), torch.ones(3))
    torch.testing.assert_close(unit_sphere(CLOUDS * 7 + 3), sphere, atol=1e-5, rtol=0)
    assert (unit_sphere(torch.ones(1, 5, 3)) == 0).all()


def test_stretch_and_shift_are_one_a_cloud_and_axis_and_within_bounds():
    many = torch.tensor([[[0.0, 0, 0], [1, 1, 1]]]).repeat(4000, 1, 1)
    altered = scale_and_translate(many, torch_generator(0, "views"))
    shift, factor = altered[:, 0], altered[:, 1] - altered[:, 0]
    assert shift.abs().max() <= 0.2
    assert 2 / 3 - 1e-6 <= factor.min() < 0.68 < 1.48 < factor.max() <= 1.5 + 1e-6
    assert shift.mean().item() == pytest.approx(0, abs=0.01)
    assert not torch.allclose(factor[:, 0], factor[:, 1])
    again = scale_and_translate(many, torch_generator(0, "views"))
    torch.testing.assert_close(again, altered, atol=0, rtol=0)


def test_descriptors_do_not_see_size_but_shape():
    ball, stick = CLOUDS.numpy(), CLOUDS.numpy() * np.array([1, 0.05, 0.05], np.float32)
    np.testing.assert_allclose(shape_distribution(ball), shape_distribution(ball * 4), atol=1e-3)
    np.testing.assert_allclose(box_statistics(ball), box_statistics(ball * 4 + 2), atol=1e-3)
    assert np.abs(shape_distribution(ball) - shape_distribution(stick)).sum(1).min() > 0.3
    assert box_statistics(stick)[:, 1].max() < 0.2
    assert box_statistics(ball).shape == (3, 9)
