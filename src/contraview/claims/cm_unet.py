"""Does CM-UNet's idea hold: does pre-training the whole U-Net make few masks go further?"""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, UInt8
from scipy.ndimage import binary_erosion, gaussian_filter

from contraview.claims.claim import Claim, Experiment, Figures
from contraview.claims.results import Data
from contraview.core.run import Run
from contraview.core.seeds import numpy_generator
from contraview.evaluation.segmentation import dice, segmentation_figures
from contraview.evaluation.splits import group_split
from contraview.modalities.datasets import dataset
from contraview.modalities.images.arrays import read_npz
from contraview.modalities.images.data import Images
from contraview.systems.cm_unet import CmUnet

METHOD, SCRATCH = "pre-trained: both", "trained from scratch"
RECONSTRUCTION, CONTRAST = "pre-trained: reconstruction alone", "pre-trained: contrast alone"
FILTER, OBSERVER = "vessel filter, threshold from the masks", "second observer"
FEW, MANY = 2, 20
TEST: Final = 8
ARMS: Mapping[str, Mapping[str, Any]] = {
    METHOD: {},
    SCRATCH: {"steps": 0},
    RECONSTRUCTION: {"contrast": 0.0},
    CONTRAST: {"reconstruction": 0.0},
}
DROP = f"share of Dice lost from {MANY} to {FEW} masks"
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "small": {
        "side": None,
        "widths": (8, 16, 32),
        "steps": 100,
        "lr": 3e-3,
        "finetune_steps": 100,
        "finetune_batch": 8,
        "finetune_lr": 1e-2,
    },
    "smoke": {
        "widths": (4, 8),
        "side": 48,
        "crop": 32,
        "steps": 2,
        "batch": 4,
        "finetune_steps": 2,
        "finetune_batch": 2,
    },
}


@lru_cache(maxsize=1)
def chase() -> tuple[Images, UInt8[np.ndarray, "n h w"]]:
    """Fundus images with the first observer's vessels as masks, and the second observer's."""
    arrays = read_npz(dataset("chase_db1")[0])
    width = int(arrays["width"])
    first, second = (
        np.unpackbits(arrays[name], axis=-1)[..., :width] for name in ("vessel_obs1", "vessel_obs2")
    )
    table = pl.DataFrame({"file": arrays["name"].tolist()})
    table = table.with_columns(child=pl.col("file").str.extract(r"(\d+)"))
    return Images(arrays["image"][:, None], table, masks=first), second


def _middle(
    images: Images, second: UInt8[np.ndarray, "n h w"], side: int | None
) -> tuple[Images, UInt8[np.ndarray, "n s t"]]:
    if side is None:
        return images, second
    assert images.masks is not None
    middle = tuple(slice((size - side) // 2, (size + side) // 2) for size in second.shape[1:])
    cut = replace(images, pixels=images.pixels[..., *middle], masks=images.masks[:, *middle])
    return cut, second[:, *middle]


def _data() -> list[Data]:
    return [Data(name="chase_db1", real=True, fingerprint=chase()[0].fingerprint())]


def measure(run: Run, settings: Mapping[str, Any]) -> Figures:
    """Dice and clDice on the images of four children, learnt from those of the other ten.

    ``side`` of the settings cuts so many pixels out of the middle of each image, for a quick look.
    """
    shared = dict(settings)
    images, second = _middle(*chase(), shared.pop("side"))
    children = images.table["child"].to_numpy()
    test, fit = group_split(children, (TEST / len(images), 1 - TEST / len(images)), run.seed)
    pool, judged = images.take(fit), images.take(test)
    drawn = numpy_generator(run.seed, "few masks").permutation(len(pool))[:FEW]
    masks = {FEW: pool.take(drawn), MANY: pool}
    figures: dict[str, dict[str, float]] = {}

    def note(arm: str, count: int, answer: Any) -> None:
        assert judged.masks is not None
        found = segmentation_figures(list(judged.masks), [m.astype(np.int64) for m in answer])
        for name in ("Dice", "clDice"):
            figures.setdefault(f"{name}, {count} masks", {})[arm] = found[name]

    unlabelled = Images(pool.pixels, pool.table)
    for arm, knobs in ARMS.items():
        system = CmUnet(**{**shared, **knobs}).fit(unlabelled, run=run)
        for count in (FEW, MANY) if arm in (METHOD, SCRATCH) else (FEW,):
            note(arm, count, system.finetune(masks[count], run=run).segment(judged))
    for count, labelled in masks.items():
        note(FILTER, count, _filtered(labelled, judged))
        note(OBSERVER, count, second[test])
    few, many = (figures[f"Dice, {count} masks"] for count in (FEW, MANY))
    figures[DROP] = {  # where nothing is found, nothing is lost
        arm: 1 - few[arm] / many[arm] if many[arm] else 0.0 for arm in (METHOD, SCRATCH, FILTER)
    }
    return figures


def _filtered(labelled: Images, judged: Images) -> Bool[np.ndarray, "n h w"]:
    """Dark ridges over the threshold with the best Dice on the labelled images."""
    assert labelled.masks is not None
    known = [vesselness(image) for image in labelled.pixels[:, 0]]
    thresholds = np.quantile(known, np.linspace(0.7, 0.99, 30))
    agreed = [
        np.mean([dice(m > 0, v > t) for m, v in zip(labelled.masks, known, strict=True)])
        for t in thresholds
    ]
    best = thresholds[int(np.argmax(agreed))]
    return np.stack([vesselness(image) > best for image in judged.pixels[:, 0]])


def vesselness(
    image: UInt8[np.ndarray, "h w"], widths: tuple[float, ...] = (1, 2, 3)
) -> Float[np.ndarray, "h w"]:
    """How much a pixel lies on a dark line: the larger eigenvalue of the Hessian, best of scales.

    As in Frangi et al. 1998, without its second eigenvalue. The rim of the camera's field of view,
    eight pixels inside the black border, counts as no vessel.
    """
    pixels = image.astype(np.float64) / 255
    best = np.zeros_like(pixels)
    for width in widths:
        down = gaussian_filter(pixels, width, order=(2, 0))  # pyright: ignore[reportArgumentType] an order an axis
        right = gaussian_filter(pixels, width, order=(0, 2))  # pyright: ignore[reportArgumentType] an order an axis
        both = gaussian_filter(pixels, width, order=(1, 1))  # pyright: ignore[reportArgumentType] an order an axis
        root = np.sqrt(((right - down) / 2) ** 2 + both**2)
        best = np.maximum(best, width**2 * ((right + down) / 2 + root))
    field = binary_erosion(gaussian_filter(pixels, 2) > 0.08, iterations=8)
    return np.where(field, best, 0)


EXPERIMENT = Experiment("cm_unet CHASE_DB1", _data, measure, PRESETS, first_seed=100)
LONGER = Experiment(
    "cm_unet CHASE_DB1, longer",
    _data,
    measure,
    PRESETS
    | {"small": PRESETS["small"] | {"widths": (16, 32, 64), "steps": 300, "finetune_steps": 300}},
    first_seed=300,
)
"""Twice as wide, three times the steps: chosen on split 0 after the first had been measured."""


def _claims(experiment: Experiment, suffix: str, setting: str) -> tuple[Claim, ...]:
    few = f"Dice, {FEW} masks"
    return (
        Claim(
            f"few_masks{suffix}",
            "a U-Net pre-trained on unlabelled images segments better after two masks than one "
            f"trained from scratch{setting}",
            experiment, few, METHOD, SCRATCH, 0.01,
        ),
        Claim(
            f"smaller_drop{suffix}",
            f"pre-trained, a U-Net loses less when twenty masks become two{setting}",
            experiment, DROP, METHOD, SCRATCH, 0.01, "lower",
        ),
        Claim(
            f"both_parts{suffix}",
            "reconstruction and contrast together are better than reconstruction alone" + setting,
            experiment, few, METHOD, RECONSTRUCTION, 0.01,
        ),
    )  # fmt: skip


CLAIMS = (
    *_claims(EXPERIMENT, "", ""),
    *_claims(LONGER, "_longer", "; wider, three times the steps"),
)
