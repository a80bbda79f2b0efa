"""How well predicted regions agree with drawn ones: overlap, centre lines, farthest border."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Bool, Integer
from scipy.ndimage import distance_transform_edt

from contraview.core.errors import InputError
from contraview.evaluation.skeleton import skeleton

Region = Bool[np.ndarray, "*positions"]


def dice(truth: Region, predicted: Region) -> float:
    """Twice the shared positions over the sum of both sizes; 1 where both are empty."""
    sizes = int(truth.sum()) + int(predicted.sum())
    return 2 * int((truth & predicted).sum()) / sizes if sizes else 1.0


def iou(truth: Region, predicted: Region) -> float:
    """Shared positions over those of either; 1 where both are empty."""
    either = int((truth | predicted).sum())
    return int((truth & predicted).sum()) / either if either else 1.0


def cl_dice(truth: Bool[np.ndarray, "h w"], predicted: Bool[np.ndarray, "h w"]) -> float:
    """Centre-line Dice: whether the same vessels are there, however thick they are drawn.

    The harmonic mean of the share of the predicted skeleton inside the truth and the share of the
    true skeleton inside the prediction (Shit et al. 2021, arXiv 2003.07311, eq. 1 and 2). 1 where
    both are empty, 0 where one is.
    """
    if not truth.any() or not predicted.any():
        return float(truth.any() == predicted.any())
    precision = truth[skeleton(predicted)].mean()
    sensitivity = predicted[skeleton(truth)].mean()
    both = precision + sensitivity
    return float(2 * precision * sensitivity / both) if both else 0.0


def hausdorff(truth: Region, predicted: Region) -> float:
    """The largest distance from a position of one region to the nearest of the other, in pixels.

    0 where both are empty; the diagonal of the image where one is, which nothing can exceed.
    """
    if not truth.any() or not predicted.any():
        same = truth.any() == predicted.any()
        return 0.0 if same else float(np.linalg.norm(truth.shape))
    to_truth = np.asarray(distance_transform_edt(~truth))
    to_predicted = np.asarray(distance_transform_edt(~predicted))
    return float(max(to_truth[predicted].max(), to_predicted[truth].max()))


def segmentation_figures(
    truth: Sequence[Integer[np.ndarray, "..."]], predicted: Sequence[Integer[np.ndarray, "..."]]
) -> dict[str, float]:
    """Dice, IoU and Hausdorff distance; for images clDice too; means over items and classes.

    Class 0 is background and is not judged. A class is judged on every item, so predicting it
    where it is not costs as much as missing it where it is.

    Raises:
        InputError: nothing to judge, or a prediction of another size.
    """
    if len(truth) != len(predicted) or not len(truth):
        raise InputError(f"{len(truth)} masks and {len(predicted)} answers; expected one each")
    for number, (one, other) in enumerate(zip(truth, predicted, strict=True)):
        if one.shape != other.shape:
            raise InputError(f"mask {number}: {one.shape} positions, predicted {other.shape}")
    classes = sorted({int(k) for mask in truth for k in np.unique(mask)} - {0})
    if not classes:
        raise InputError("the masks hold background alone; expected a class to judge")
    measures: dict[str, Callable[..., float]] = {"Dice": dice, "IoU": iou, "Hausdorff": hausdorff}
    if truth[0].ndim == 2:
        measures["clDice"] = cl_dice
    return {
        name: float(
            np.mean(
                [
                    measure(one == k, other == k)
                    for one, other in zip(truth, predicted, strict=True)
                    for k in classes
                ]
            )
        )
        for name, measure in measures.items()
    }
