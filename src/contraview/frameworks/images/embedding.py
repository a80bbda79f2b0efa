"""The verbs of a system that holds one encoder of images, however it was learnt."""

from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import nn

from contraview.core.errors import InputError
from contraview.core.graph import Graph
from contraview.core.system import System
from contraview.frameworks.images.graph import image_graph
from contraview.index.exact import nearest
from contraview.modalities.images.data import Images, ImageSource, read_images

EMBEDDED_AT_ONCE: Final = 512


class ImageEmbedding(System):
    """A system whose `encoder` makes one vector of an image of `shape` (channels, height, width).

    Verbs: `embed`, `search`.
    """

    Source = ImageSource

    encoder: nn.Module
    shape: tuple[int, int, int]

    @classmethod
    def describe(cls, data: Any) -> list[str]:
        """Size, colour, copies, and what was left out."""
        return read_images(data).notes()

    def images_of(self, data: Any) -> Images:
        """What `fit` and the verbs were given, as images."""
        return read_images(data)

    @property
    def fitted(self) -> bool:
        """Whether `fit` or `restore` has run."""
        return hasattr(self, "encoder")

    def embed(self, images: Any, /) -> Float[np.ndarray, "n d"]:
        """The encoder's output for each image, before any head; not normalised."""
        self.need_fit()
        images = self.images_of(images)
        images.need_shape(self.shape, self.slug)
        return embedded(self.encoder, images)

    def vectors(self) -> nn.Module:
        """What `embed` is made by, from pixels from 0 to 1."""
        return self.encoder

    def readout(self) -> tuple[nn.Module | None, tuple[str, ...]]:
        """What reads classes off vectors as a network, and the classes; none by default."""
        return None, ()

    def graph(self) -> Graph:
        """Pixels in, the vectors of `embed` and, where learnt, the classes of `classify` out."""
        self.need_fit()
        readout, classes = self.readout()
        several = getattr(self, "several", False)
        return image_graph(self.shape, self.vectors(), readout, classes, several=several)

    def search(
        self, queries: Any, /, *, among: Any = None, k: int = 10
    ) -> tuple[Int[np.ndarray, "m k"], Float[np.ndarray, "m k"]]:
        """For each query the ``k`` images ``among`` others with the largest cosine, nearest first.

        The images of the fit are not kept in the model: ``among`` has to be given.
        """
        self.need_fit()
        if among is None:
            raise InputError(f"{self.slug}: keeps no images; name those to search with --among")
        bank, asked = (torch.from_numpy(self.embed(each)) for each in (among, queries))
        distance, place = nearest(bank, asked, k, metric="cosine")
        return place.numpy(), 1 - distance.numpy()


@torch.inference_mode()
def embedded(encoder: nn.Module, images: Images) -> Float[np.ndarray, "n d"]:
    """What a network gives for each image, a batch at a time."""
    encoder.eval()
    device = next(encoder.parameters()).device
    rows = torch.arange(len(images)).split(EMBEDDED_AT_ONCE)
    found = [encoder(images.batch(part, device)).cpu() for part in rows]
    return torch.cat(found).numpy()
