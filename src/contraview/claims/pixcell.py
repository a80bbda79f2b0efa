"""Does PixCell's idea hold: does a self-supervised embedding steer what is drawn?"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from sklearn.linear_model import RidgeCV
from torch import Tensor

from contraview.claims.claim import Claim, Experiment, Figures
from contraview.claims.results import Data
from contraview.core.run import Run
from contraview.core.seeds import numpy_generator
from contraview.evaluation.generation import found_again, frechet_distance
from contraview.index.exact import nearest
from contraview.modalities.datasets import dataset
from contraview.modalities.images.data import Images
from contraview.modalities.images.tiles import read_tiles
from contraview.systems.pixcell import PixCell
from contraview.systems.pixcell.embedder import Embedder

METHOD, UNCONDITIONAL = "told the embedding", "unconditional model"
NEAREST, REAL = "nearest tile of the fit, no model", "tiles of the fit"
FLOW, IDENTITY, LINEAR = "rectified flow", "identity", "ridge regression"
AMONG = 32
FOUND = f"reference found among {AMONG}, top-1"
FRECHET = "Frechet distance to held-out tiles"
RESTAINED = "squared error of the restained embedding"
TEXTURE = 12.0
BOTTOM = 2 / 3
"""Tiles that begin above this share of the slide's height are learnt from."""
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "small": {
        "tile": 48,
        "size": 24,
        "references": 64,
        "embedder_widths": (32, 64, 64),
        "embedder_steps": 60,
        "embedder_batch": 64,
        "width": 96,
        "steps": 180,
        "batch": 32,
        "lr": 2e-3,
        "average": 0.98,
        "flow_steps": 600,
    },
    "smoke": {
        "tile": 96,
        "size": 8,
        "references": 32,
        "embedder_widths": (8, 8),
        "embedder_steps": 2,
        "embedder_batch": 16,
        "width": 16,
        "depth": 1,
        "steps": 2,
        "batch": 8,
        "sampling_steps": 2,
        "flow_width": 8,
        "flow_steps": 2,
    },
}


@lru_cache(maxsize=2)
def slide(tile: int, size: int) -> Images:
    """The H&E region cut into tiles, without empty glass."""
    return read_tiles(dataset("hne_cmu1"), tile=tile, size=size, texture=TEXTURE)


def _data() -> list[Data]:
    print_of = slide(PRESETS["small"]["tile"], PRESETS["small"]["size"]).fingerprint()
    return [
        Data(name="hne_cmu1", real=True, fingerprint=print_of),
        Data(name="hne_cmu1, stain altered", real=False, fingerprint=print_of),
    ]


def measure(run: Run, settings: Mapping[str, Any]) -> Figures:
    """Tiles of the upper part are learnt from; those below are references and truth.

    What is drawn is judged by an encoder of its own, fitted in the same way on the tiles below,
    which the systems never saw, from another seed.
    """
    knobs = dict(settings)
    tiles = slide(knobs.pop("tile"), knobs.pop("size"))
    many = knobs.pop("references")
    y = tiles.table["y"].to_numpy()
    upper, lower = y < BOTTOM * y.max(), y >= BOTTOM * y.max()
    fit, held_out = tiles.take(np.flatnonzero(upper)), tiles.take(np.flatnonzero(lower))
    drawn = numpy_generator(run.seed, "references")
    references = held_out.take(drawn.permutation(len(held_out))[:many])
    known = fit.take(drawn.permutation(len(fit))[:many])

    system = PixCell(**knobs).fit(fit, run=run)
    plain = PixCell(**knobs | {"drop": 1.0}).fit(fit, run=run)
    judge = Embedder(system.config, fit.shape[0], run.seed + 1_000_000)
    judge.learn(held_out, system.config, Run(seed=run.seed + 1_000_000, show=False))

    def seen(pixels: UInt8[np.ndarray, "n c h w"]) -> Float[np.ndarray, "n d"]:
        table = tiles.table[: len(pixels)]
        return judge.of(Images(np.ascontiguousarray(pixels), table)).numpy().astype(np.float64)

    _, near = nearest(system.conditions(fit), system.conditions(references), k=1)
    like = {
        METHOD: system.generate(references, seed=run.seed),
        UNCONDITIONAL: plain.generate(None, count=many, seed=run.seed),
        NEAREST: fit.pixels[near[:, 0].numpy()],
    }
    owners = np.arange(many)
    truth = seen(references.pixels)
    # Embeddings are standardised and so centred: a cosine tells directions, not brightness.
    found = {arm: found_again(seen(pixels), truth, owners, AMONG) for arm, pixels in like.items()}
    held = seen(held_out.pixels)
    spread = {
        METHOD: system.generate(known, seed=run.seed),
        UNCONDITIONAL: like[UNCONDITIONAL],
        REAL: known.pixels,
    }
    distances = {arm: frechet_distance(held, seen(pixels)) for arm, pixels in spread.items()}
    return {FOUND: found, FRECHET: distances, RESTAINED: _restained(system, fit, held_out, run)}


def _restained(system: PixCell, fit: Images, held_out: Images, run: Run) -> Mapping[str, float]:
    """Mean squared error of predicted embeddings of the altered tiles, per dimension."""
    system.learn_stain(fit, altered(fit), run=run)
    start, truth = system.conditions(held_out), system.conditions(altered(held_out))
    ridge = RidgeCV(np.logspace(-3, 4, 15)).fit(
        system.conditions(fit).numpy(), system.conditions(altered(fit)).numpy()
    )
    answers: Mapping[str, Tensor] = {
        FLOW: system.restained(held_out),
        IDENTITY: start,
        LINEAR: torch.from_numpy(ridge.predict(start.numpy())).float(),
    }
    return {arm: float((each - truth).square().mean()) for arm, each in answers.items()}


def altered(tiles: Images) -> Images:
    """The same tiles as if haematoxylin were another, browner and stronger dye: simulated.

    Optical densities are taken apart into haematoxylin, eosin and a rest (Ruifrok and Johnston
    2001), the first is dyed anew, and they are put together again.
    """
    stains = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
    stains /= np.linalg.norm(stains, axis=1, keepdims=True)
    other = stains.copy()
    other[0] = np.array([0.27, 0.57, 0.78]) * 1.3
    pixels = tiles.pixels.transpose(0, 2, 3, 1)
    density = -np.log((pixels.astype(np.float64) + 1) / 256)
    amounts = (density @ np.linalg.inv(stains)).clip(min=0)
    dyed = 256 * np.exp(-(amounts @ other)) - 1
    made = dyed.round().clip(0, 255).astype(np.uint8).transpose(0, 3, 1, 2)
    return Images(np.ascontiguousarray(made), tiles.table)


EXPERIMENT = Experiment("pixcell H&E", _data, measure, PRESETS, first_seed=200)
SLIDE = ("hne_cmu1",)
CLAIMS = (
    Claim(
        "steers",
        "told the embedding of a tile it never saw, the model draws tiles in which the tile is "
        "recognised",
        EXPERIMENT,
        FOUND,
        METHOD,
        UNCONDITIONAL,
        0.1,
        data=SLIDE,
    ),
    Claim(
        "nearer_in_distribution",
        "told embeddings of tiles of the fit, the model's tiles are nearer to held-out ones in "
        "distribution than those of an unconditional model of the same size and steps",
        EXPERIMENT,
        FRECHET,
        METHOD,
        UNCONDITIONAL,
        0.01,
        better="lower",
        data=SLIDE,
    ),
    Claim(
        "flow_beats_linear",
        "a rectified flow leads embeddings to those of another stain better than a linear map",
        EXPERIMENT,
        RESTAINED,
        FLOW,
        LINEAR,
        0.01,
        better="lower",
        data=("hne_cmu1, stain altered",),
    ),
    Claim(
        "flow_beats_identity",
        "a rectified flow leads embeddings to those of another stain better than leaving them",
        EXPERIMENT,
        RESTAINED,
        FLOW,
        IDENTITY,
        0.01,
        better="lower",
        data=("hne_cmu1, stain altered",),
    ),
)
