"""The autoencoder, and the encoder with its centres."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from contraview.networks.fresh import fresh
from contraview.networks.mlp import mlp
from contraview.objectives.deep_clustering import student_t


class Autoencoder(nn.Module):
    """d-hidden-code and back, ReLU between layers, linear code and output."""

    def __init__(self, inputs: int, hidden: tuple[int, ...], code: int) -> None:
        super().__init__()
        self.encoder = mlp(inputs, *hidden, code)
        self.decoder = mlp(code, *reversed(hidden), inputs)

    def forward(self, rows: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """The rows as they come back."""
        return self.decoder(self.encoder(rows))


class Clusterer(nn.Module):
    """The encoder, k trainable centres in its code, and the decoder where it takes part."""

    def __init__(
        self, autoencoder: Autoencoder, centres: Float[Tensor, "k c"], *, reconstruction: bool
    ) -> None:
        super().__init__()
        self.encoder = autoencoder.encoder
        self.centres = nn.Parameter(centres)
        self.decoder = autoencoder.decoder if reconstruction else None

    def forward(
        self, rows: Float[Tensor, "n d"]
    ) -> tuple[Float[Tensor, "n c"], Float[Tensor, "n k"], Float[Tensor, "n d"] | None]:
        """Codes, soft assignments Q, and the rows as they come back."""
        codes = self.encoder(rows)
        back = None if self.decoder is None else self.decoder(codes)
        return codes, student_t(codes, self.centres), back


def fresh_autoencoder(inputs: int, hidden: tuple[int, ...], code: int, seed: int) -> Autoencoder:
    """An autoencoder with the initial weights that ``seed`` gives."""
    return fresh(lambda: Autoencoder(inputs, hidden, code), seed, "autoencoder")


@torch.inference_mode()
def codes_of(encoder: nn.Module, rows: Float[Tensor, "n d"]) -> Float[np.ndarray, "n c"]:
    """The code of each row, without gradient."""
    encoder.eval()
    return torch.cat([encoder(part) for part in rows.split(65_536)]).numpy()


def nearest_centre(
    vectors: Float[np.ndarray, "n c"], centres: Float[np.ndarray, "k c"]
) -> Int[np.ndarray, " n"]:
    """The number of the centre that is nearest to each vector."""
    apart = torch.cdist(
        torch.from_numpy(vectors),
        torch.from_numpy(centres),
        compute_mode="donot_use_mm_for_euclid_dist",
    )
    return apart.argmin(1).numpy()
