"""Further positives made in the space of embeddings (Hallucinator)."""

from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from contraview.core.config import Config
from contraview.networks.mlp import mlp
from contraview.objectives.unit import unit


class Hallucination(Config):
    """One more positive for each query, further from its key than the query itself.

    Wu, Hobbs, Hovakimyan 2023, arXiv 2307.12168. No official code is public: the operator, its
    width and its reach are this library's reading of the paper's text.
    """

    weight: float = Field(
        0.0, ge=0, description="w, weight of the loss on hallucinated positives; 0: without them"
    )
    reach: float = Field(
        1.0, gt=0, description="l_max: a query moves away from its key by up to so many differences"
    )
    operator: Literal["mlp", "linear", "noise"] = Field(
        "mlp",
        description="mlp: q + MLP(moved q); linear: the moved q itself; noise: q plus Gaussian "
        "noise as long as the move (the last two are controls)",
    )


class HallucinatedPositives(nn.Module):
    """Makes a hallucinated positive of a query and its key, on the unit sphere.

    With unit q and k, l uniform from 0 to ``reach`` for each row::

        e = q + l (q - k)            away from the other view
        h = unit(q + MLP(e))         smoothed: two layers, ReLU

    Gradients flow into q and the MLP, not into k.

    Args:
        settings: operator and reach.
        width: of embeddings.
    """

    def __init__(self, settings: Hallucination, width: int) -> None:
        super().__init__()
        self.settings = settings
        self.smooth = mlp(width, width, width) if settings.operator == "mlp" else None

    def forward(
        self,
        queries: Float[Tensor, "n d"],
        keys: Float[Tensor, "n d"],
        generator: torch.Generator,
    ) -> Float[Tensor, "n d"]:
        """Unit vectors, row for row."""
        q, k = unit(queries), unit(keys.detach())
        drawn = torch.rand((len(q), 1), generator=generator, device=q.device)
        move = self.settings.reach * drawn * (q - k)
        if self.smooth is not None:
            return unit(q + self.smooth(q + move))
        if self.settings.operator == "linear":
            return unit(q + move)
        noise = torch.randn(q.shape, generator=generator, device=q.device)
        return unit(q + unit(noise) * move.detach().norm(dim=1, keepdim=True))
