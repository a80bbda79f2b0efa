"""PixCell (Yellapragada et al. 2025, arXiv 2506.05127)."""

from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from contraview.core.errors import InputError
from contraview.core.learnt import Learnt, sizes
from contraview.core.run import Run
from contraview.core.seeds import torch_generator
from contraview.core.system import System
from contraview.core.weights import set_weights, weights_of
from contraview.modalities.images.tiles import TileSource, read_tiles
from contraview.networks.dit import DiT
from contraview.systems.pixcell import denoiser, flow
from contraview.systems.pixcell.config import PRESETS, PixCellConfig
from contraview.systems.pixcell.embedder import Embedder


class PixCell(System):
    """Draws new tissue tiles that look like a few reference tiles; no labels, no text.

    First an encoder learns, by SimCLR, to embed tiles, and is then frozen. A diffusion transformer
    learns to draw each tile while it is told the tile's own embedding, which is left out now and
    then, so that it can draw without one too. A reference's embedding then steers what is drawn,
    the more so the larger ``guidance`` is. Between two stains of the same tissue a rectified flow
    can be learnt, from the embeddings of one to those of the other (`learn_stain`, `restain`).

    Differs from the official code (github.com/cvlab-stonybrook/PixCell): it draws pixels, not the
    latents of an autoencoder of 8 times smaller sides, which cannot be shipped; the embedder is
    fitted on the user's own tiles, not taken from a model of 30 million; the embedding steers every
    layer's normalisation together with the time, where the paper attends to it; AdamW, not CAME.
    Drawing tiles from cell masks is not part of this version.

    Verb: `generate`.
    """

    slug = "pixcell"
    Config = PixCellConfig
    Source = TileSource
    presets: ClassVar = PRESETS

    shape: tuple[int, int, int]
    embedder: Embedder
    denoiser: DiT
    stain: flow.FlowNet | None = None

    @classmethod
    def describe(cls, data: Any) -> list[str]:
        """How many tiles there are, of which size."""
        return read_tiles(data).notes()

    def fit(self, tiles: Any, /, *, run: Run | None = None) -> "PixCell":
        """Fit the embedder, then the denoiser.

        Args:
            tiles: a folder, files, arrays or `Images`; square, and a multiple of ``patch`` wide.
            run: seed, folder and progress.
        """
        run = run or Run()
        images = read_tiles(tiles)
        channels, height, width = images.shape
        if height != width or height % self.config.patch:
            raise InputError(
                f"pixcell: tiles of {width} x {height} pixels; expected squares whose side is a "
                f"multiple of patch {self.config.patch}: bring them there with --size"
            )
        if len(images) < 2:
            raise InputError(f"pixcell: {len(images)} tile; expected at least 2")
        self.shape = images.shape
        self._facts = {"tiles": len(images), "fingerprint": images.fingerprint()}
        run.log("data", **self._facts)
        self.embedder = Embedder(self.config, channels, run.seed)
        self.embedder.learn(images, self.config, run)
        self.denoiser = denoiser.learn(images, self.embedder.of(images), self.config, run)
        self.stain = None
        return self

    @property
    def fitted(self) -> bool:
        """Whether `fit` or `restore` has run."""
        return hasattr(self, "denoiser")

    def conditions(self, tiles: Any, /) -> Float[Tensor, "n d"]:
        """What the denoiser is told of each tile: its standardised embedding."""
        self.need_fit()
        images = read_tiles(tiles)
        images.need_shape(self.shape, self.slug)
        return self.embedder.of(images)

    def generate(
        self, references: Any = None, /, *, count: int = 1, seed: int = 0
    ) -> UInt8[np.ndarray, "m c h w"]:
        """New tiles, pixels from 0 to 255.

        Args:
            references: tiles to draw ``count`` new ones like each, in their order; None draws
                ``count`` tiles of whatever kind.
            count: tiles, for each reference or in all.
            seed: the same seed draws the same tiles.
        """
        self.need_fit()
        if references is None:
            return self.draw(None, count, seed)
        return self.draw(self.conditions(references), count, seed)

    def draw(
        self, conditions: Float[Tensor, "n d"] | None, count: int, seed: int
    ) -> UInt8[np.ndarray, "m c h w"]:
        """As `generate`, for embeddings instead of tiles."""
        if count < 1:
            raise InputError(f"pixcell: {count} tiles asked for; expected at least 1")
        if conditions is not None:
            conditions = conditions.repeat_interleave(count, dim=0)
        many = count if conditions is None else len(conditions)
        start = torch.randn(many, *self.shape, generator=torch_generator(seed, "pixcell", "draw"))
        return denoiser.draw(self.denoiser, start, conditions, self.config).numpy()

    def learn_stain(self, tiles: Any, stained: Any, /, *, run: Run | None = None) -> "PixCell":
        """Learn to lead the embeddings of ``tiles`` to those of the same tissue, ``stained``.

        Args:
            tiles: in one stain.
            stained: the same places in the same order, in the other.
            run: seed, folder and progress.
        """
        one, other = read_tiles(tiles), read_tiles(stained)
        start, end = self.conditions(one), self.conditions(other)
        if len(start) != len(end):
            raise InputError(f"pixcell: {len(start)} tiles and {len(end)} stained; expected pairs")
        pairs = f"{one.fingerprint()} {other.fingerprint()}"
        self.stain = flow.learn_flow(start, end, self.config, run or Run(), pairs)
        return self

    def restained(self, tiles: Any, /) -> Float[Tensor, "n d"]:
        """The embeddings that `learn_stain` expects of ``tiles`` in the other stain."""
        start = self.conditions(tiles)
        if self.stain is None:
            raise InputError("pixcell: learnt no stain; call learn_stain first")
        return flow.follow_flow(self.stain, start, self.config.flow_euler)

    def restain(
        self, tiles: Any, /, *, count: int = 1, seed: int = 0
    ) -> UInt8[np.ndarray, "m c h w"]:
        """Tiles as the tissue of ``tiles`` may look in the other stain; see `generate`."""
        return self.draw(self.restained(tiles), count, seed)

    def learnt(self) -> Learnt:
        """Embedder, denoiser (its averaged weights) and, where learnt, the flow between stains."""
        parts = {
            "embedder": Learnt(weights_of(self.embedder)),
            "denoiser": Learnt(weights_of(self.denoiser)),
        }
        if self.stain is not None:
            parts["stain"] = Learnt(weights_of(self.stain))
        learnt = Learnt.joined(parts)
        learnt.facts |= {"shape": list(self.shape), "fit": self._facts}
        return learnt

    def restore(self, learnt: Learnt) -> None:
        """Take up what `learnt` gave."""
        channels, height, width = sizes(learnt.facts["shape"], 3, "shape")
        self.shape, self._facts = (channels, height, width), learnt.facts["fit"]
        self.embedder = Embedder(self.config, channels, 0)
        set_weights(self.embedder, learnt.part("embedder").arrays)
        self.embedder.requires_grad_(False).eval()
        condition = self.embedder.outputs
        self.denoiser = denoiser.fresh_denoiser(self.config, self.shape, condition, 0)
        set_weights(self.denoiser, learnt.part("denoiser").arrays)
        self.denoiser.requires_grad_(False).eval()
        if "stain" in learnt.facts:
            self.stain = flow.fresh_flow(self.config, condition, 0)
            set_weights(self.stain, learnt.part("stain").arrays)
