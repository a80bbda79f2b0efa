"""The variation of an image that one of its views is made of: drawn by a generator, or ready."""

import os
import re
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from contraview.core.config import Config
from contraview.core.errors import InputError
from contraview.core.seeds import torch_generator
from contraview.frameworks.generators import Autoencoder
from contraview.frameworks.images.embedding import EMBEDDED_AT_ONCE
from contraview.modalities.images.data import Images, read_images
from contraview.modalities.images.files import SUFFIXES

Source = Callable[[Int[Tensor, " b"], torch.Generator], Float[Tensor, "b c h w"]]
"""A variation of each of some images."""


class Variations(Config):
    """Where variations come from."""

    folder: str | None = Field(
        None,
        description="ready-made ones: for each image NAME.png, or NAME_0.png, NAME_1.png, ..., in "
        "the same sub-folders; arrays are named 000000, 000001, ...; unset: a generator is learnt",
    )
    levels: tuple[float, ...] = Field(
        (0.0, 0.25, 0.5, 0.75, 1.0),
        min_length=1,
        description="noise on the latents, in standard deviations of the prior, for images with "
        "little subject up to those with much; paper: 0, 100, ..., 400 of its generator's steps",
    )
    noise: float | None = Field(
        None, ge=0, description="the same noise for all images; unset: by the share of subject"
    )
    each: int | None = Field(
        None, ge=1, description="variations an image, drawn once; unset: a new one at every step"
    )


def noise_levels(share: Float[Tensor, " n"], levels: tuple[float, ...]) -> Float[Tensor, " n"]:
    """The level of each image: bins of one width over the share of subject, from 0 to 1.

    All subject (1) is in the last bin; no share is beyond it.
    """
    bins = (share * len(levels)).long().clamp(max=len(levels) - 1)
    return share.new_tensor(levels)[bins]


def drawn(
    generator: Autoencoder,
    images: Images,
    noise: Float[Tensor, " n"],
    *,
    each: int | None,
    seed: int,
) -> Source:
    """Variations out of the generator: the image's latents with noise on, decoded.

    Args:
        generator: learnt and frozen.
        images: whose latents are worked out now, once.
        noise: of each image, in standard deviations of the prior.
        each: see `Variations`.
        seed: of the noise where it is drawn once.
    """
    device = next(chain(generator.parameters(), generator.buffers())).device
    with torch.no_grad():
        parts = [
            generator.encode(images.batch(part, device))
            for part in torch.arange(len(images)).split(EMBEDDED_AT_ONCE)
        ]
    means = [torch.cat(level) for level in zip(*parts, strict=True)]
    noise = noise.to(device)
    fixed = None
    if each is not None:
        draw = torch_generator(seed, "variations")
        fixed = [torch.randn(len(m), each, m.shape[1], generator=draw).to(device) for m in means]

    @torch.no_grad()
    def source(rows: Int[Tensor, " b"], step: torch.Generator) -> Float[Tensor, "b c h w"]:
        rows = rows.to(device)
        if fixed is None:
            added = [
                torch.randn(len(rows), m.shape[1], generator=step, device=step.device)
                for m in means
            ]
        else:
            number = torch.randint(
                fixed[0].shape[1], (len(rows),), generator=step, device=step.device
            )
            added = [level[rows, number] for level in fixed]
        size = noise[rows, None]
        return generator.decode(
            tuple(m[rows] + size * a for m, a in zip(means, added, strict=True))
        )

    return source


def ready_made(folder: str | Path, images: Images) -> Source:
    """Variations that lie in a folder, as ``contraview generate`` writes them.

    Of images with several, each is as likely at a step; the least number that any image has is the
    number that is used of all.

    Raises:
        InputError: no such folder, or an image without a variation.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; expected one with variations of the images")
    found: dict[Path, list[Path]] = {}
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() in SUFFIXES:
            name = path.relative_to(root).with_suffix("")
            found.setdefault(name, []).append(path)
            plain = name.with_name(re.sub(r"_\d+$", "", name.name))
            if plain != name:
                found.setdefault(plain, []).append(path)
    chosen = []
    for name in _names(images):
        if name not in found:
            raise InputError(f"{root}: no variation of {name}; expected {name}.png or {name}_0.png")
        chosen.append(found[name])
    each = min(map(len, chosen))
    channels, height, width = images.shape
    if height != width:
        raise InputError(
            f"images of {width} x {height} pixels; expected squares beside ready-made variations"
        )
    made = read_images(
        [path for files in chosen for path in files[:each]], size=height, channels=channels
    )

    def source(rows: Int[Tensor, " b"], step: torch.Generator) -> Float[Tensor, "b c h w"]:
        number = torch.randint(each, (len(rows),), generator=step, device=step.device)
        return made.batch(rows.to(step.device) * each + number, step.device)

    return source


def _names(images: Images) -> list[Path]:
    """The name of each image without its suffix, below the folder that all files share."""
    if "file" not in images.table.columns:
        return [Path(f"{row:06d}") for row in range(len(images))]
    files = [Path(name) for name in images.texts("file")]
    shared = os.path.commonpath([file.parent for file in files])
    return [file.relative_to(shared).with_suffix("") for file in files]
