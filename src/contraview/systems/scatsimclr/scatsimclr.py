"""ScatSimCLR (Kinakh, Taran, Voloshynovskiy 2021, arXiv 2108.13939)."""

from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from contraview.core.errors import InputError
from contraview.core.graph import Graph
from contraview.core.run import Run
from contraview.frameworks.images.pretraining import Method
from contraview.frameworks.images.two_views import Contrast, Term
from contraview.frameworks.images.variant import Variant
from contraview.frameworks.two_view import Views
from contraview.modalities.images.data import Images
from contraview.modalities.images.nets import Encoder
from contraview.networks.fresh import fresh
from contraview.systems.scatsimclr.config import PRESETS, ScatSimCLRConfig
from contraview.systems.scatsimclr.network import ScatteringEncoder
from contraview.systems.scatsimclr.pretext import DrawViews, Jigsaw, Rotation
from contraview.systems.scatsimclr.view_cache import ViewCache


class ScatSimCLR(Variant):
    """Learns features of a few thousand images without labels, with few trained weights.

    Fixed wavelets do the first part of the work: the scattering transform, stable under small
    shifts and distortions. A small adapter behind it is trained by SimCLR's contrast, and beside it
    by a second question about views: by which quarter turn they are turned, or in which order their
    tiles are. It stands on MoCo or SimSiam as well (``base``). Since wavelets are fixed, the maps
    of some views of each image are made once and drawn from (``cached_views``).

    Differs from the official code: lambda is 0 for the first 40 % of the steps, as in the paper
    (``pretext_after=0`` does as the code); group instead of batch normalisation; a cosine schedule
    that does reach its end; no step or image is dropped in the embedding; the last weights are
    kept, not those that did best on test images; tiles go through the same colours as views.

    Verbs: `embed`, `search`; `classify` by a linear probe where `fit` was given labels.
    """

    slug = "scatsimclr"
    Config = ScatSimCLRConfig
    presets: ClassVar = PRESETS

    def network(self, shape: tuple[int, int, int]) -> Encoder:
        """Scattering and adapter."""
        return ScatteringEncoder(shape, self.config)

    def method(self, encoder: Encoder, images: Images, run: Run) -> Method:
        """As the base, on scattering maps of views."""
        assert isinstance(encoder, ScatteringEncoder)
        self._draw = self.drawn(encoder, images, run)
        try:
            return super().method(encoder, images, run)
        finally:
            del self._draw  # what needs it has it, and lets go of the cache when it is done

    def graph(self) -> Graph:
        """Refused: ONNX has no arithmetic of complex numbers."""
        raise InputError(
            "scatsimclr: the scattering transform multiplies complex spectra, and ONNX has no "
            "arithmetic of complex numbers"
        )

    def drawn(self, encoder: ScatteringEncoder, images: Images, run: Run) -> DrawViews:
        """What gives the maps of views of some images: from a cache, where one is wanted."""
        view, config = self.config.views, self.config

        def made(rows: Int[Tensor, " b"], generator: torch.Generator) -> Float[Tensor, "b m y x"]:
            pixels = view(images.batch(rows, generator.device), generator)
            return encoder.scatter.to(pixels.device)(pixels)

        room = config.cache_mb * 2**20
        cache = None
        if config.cached_views:
            cache = ViewCache(
                made, len(images), wanted=config.cached_views, room=room, seed=run.seed
            )
            run.log("view cache", views=cache.views, megabytes=round(cache.kept.nbytes / 2**20, 1))
        if cache is not None and cache.views:
            return cache.draw
        return lambda rows, count, generator: [made(rows, generator) for _ in range(count)]

    def views_of(self, images: Images, run: Run) -> Views:  # noqa: ARG002
        """The maps of two views of each image."""
        draw = self._draw

        def views(rows: Int[Tensor, " b"], generator: torch.Generator) -> tuple[Tensor, Tensor]:
            one, other = draw(rows, 2, generator)
            return one, other

        return views

    def contrast(self, encoder: Encoder, seed: int) -> Contrast:
        """That of the base, on the adapter: nothing before it is trained."""
        assert isinstance(encoder, ScatteringEncoder)
        return super().contrast(encoder.adapter, seed)

    def term(self, encoder: Encoder, images: Images, run: Run) -> Term | None:
        """The pretext task."""
        config = self.config
        if config.pretext == "none":
            return None
        assert isinstance(encoder, ScatteringEncoder)
        whole = config.views.model_copy(update={"crop": 0.0, "rotate": 0.0})

        def pixels(rows: Int[Tensor, " b"], generator: torch.Generator) -> Float[Tensor, "b c h w"]:
            return whole(images.batch(rows, generator.device), generator)

        def make() -> Term:
            if config.pretext == "rotation":
                return Rotation(encoder.adapter, encoder.scatter, self._draw, config)
            return Jigsaw(encoder.adapter, pixels, images.shape, config)

        return fresh(make, run.seed, "pretext")
