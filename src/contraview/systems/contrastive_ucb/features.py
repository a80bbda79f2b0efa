"""Low-rank features of states and actions that can be counted: phi and psi as tables."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from contraview.core.seeds import torch_generator


class FactorTables(nn.Module):
    """phi(s, a) on the simplex and psi(s') above zero, so that psi · phi may be a density ratio.

    With phi as the chance of each of d hidden causes and psi_k(s') as how much likelier than at
    random s' is under cause k, P(s' | s, a) = P_base(s') psi(s')^T phi(s, a) is a mixture of d.

    Args:
        steps: how many maps of their own, one a step of the episode; 1 shares them.
        pairs: states times actions.
        states: how many.
        rank: d.
        sharpness: spread of the first logits of phi: pairs that were never tried point each to
            causes of their own, mostly ones that nothing has been seen of.
        seed: of the first values.
    """

    def __init__(
        self, steps: int, pairs: int, states: int, rank: int, *, sharpness: float, seed: int
    ) -> None:
        super().__init__()
        generator = torch_generator(seed, "factors")
        logits = torch.randn(steps, pairs, rank, generator=generator) * sharpness
        self.logits = nn.Parameter(logits)
        self.log_psi = nn.Parameter(torch.zeros(steps, states, rank))

    def forward(
        self, step: Int[Tensor, " n"], pair: Int[Tensor, " n"], real: Int[Tensor, " n"]
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, "n s"]]:
        """psi(s')^T phi(s, a) of some pairs: with the state that followed, and with every state."""
        phi = self.logits[step, pair].softmax(1)
        if len(self.log_psi) == 1:
            every = phi @ self.log_psi[0].exp().T
        else:
            every = torch.einsum("nd,nsd->ns", phi, self.log_psi[step].exp())
        return every.gather(1, real[:, None])[:, 0], every

    @torch.no_grad()
    def all_phi(self) -> Float[np.ndarray, "t n d"]:
        """Features of every pair."""
        return self.logits.softmax(2).double().numpy()

    @torch.no_grad()
    def ratios(self) -> Float[np.ndarray, "t n s"]:
        """psi(s')^T phi(s, a) for every pair and next state."""
        return torch.einsum("tnd,tsd->tns", self.logits.softmax(2), self.log_psi.exp()).numpy()
