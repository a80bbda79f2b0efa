import numpy as np
import pytest

from contraview.core.errors import InputError
from contraview.evaluation.segmentation import (
    cl_dice,
    dice,
    hausdorff,
    iou,
    segmentation_figures,
)

EMPTY = np.zeros((20, 30), bool)


def bar(rows, columns=slice(5, 25)):
    region = EMPTY.copy()
    region[rows, columns] = True
    return region


def test_overlap_by_hand():
    one, other = bar(slice(0, 2)), bar(slice(1, 4))
    assert dice(one, other) == pytest.approx(2 * 20 / (40 + 60))
    assert iou(one, other) == pytest.approx(20 / 80)
    assert dice(EMPTY, EMPTY) == iou(EMPTY, EMPTY) == 1
    assert dice(one, EMPTY) == iou(one, EMPTY) == 0


def test_cl_dice_forgives_thickness_and_not_a_missing_vessel():
    thin, thick = bar(slice(10, 11)), bar(slice(8, 13))
    assert cl_dice(thick, thin) == 1
    assert dice(thick, thin) < 0.4
    two = thin | bar(slice(3, 4))
    assert cl_dice(two, thin) == pytest.approx(2 / 3)
    assert cl_dice(EMPTY, EMPTY) == 1
    assert cl_dice(thin, EMPTY) == 0


def test_hausdorff_is_the_farthest_stray_pixel_either_way():
    one, other = bar(slice(10, 11)), bar(slice(10, 11))
    other[17, 24] = True
    assert hausdorff(one, other) == hausdorff(other, one) == 7
    assert hausdorff(EMPTY, EMPTY) == 0
    assert hausdorff(one, EMPTY) == pytest.approx(np.hypot(20, 30))


def test_figures_are_means_over_items_and_classes_without_background():
    truth = np.zeros((4, 4), int)
    truth[0], truth[1] = 1, 2
    half = truth.copy()
    half[1] = 0
    figures = segmentation_figures([truth, truth], [truth, half])
    assert figures["Dice"] == pytest.approx((1 + 1 + 1 + 0) / 4)
    assert set(figures) == {"Dice", "IoU", "Hausdorff", "clDice"}
    volume = np.zeros((3, 3, 3), int)
    volume[1] = 1
    assert set(segmentation_figures([volume], [volume])) == {"Dice", "IoU", "Hausdorff"}


def test_what_cannot_be_judged_is_refused():
    mask = np.ones((2, 2), int)
    with pytest.raises(InputError, match="0 masks"):
        segmentation_figures([], [])
    with pytest.raises(InputError, match=r"mask 0: \(2, 2\) positions, predicted \(3, 2\)"):
        segmentation_figures([mask], [np.ones((3, 2), int)])
    with pytest.raises(InputError, match="background alone"):
        segmentation_figures([mask * 0], [mask])
