"""Views of windows of a series: jitter, scale and shift (CoST, Woo et al. 2022, arXiv 2202.01575).

By default each sample of a batch has its own coins and its own draws. ``shared`` draws as the
official code of the forecasting study does: one coin and one factor a channel for the whole batch,
so that two windows of a batch are altered alike and are told apart no better for it.
"""

import torch
from jaxtyping import Float
from torch import Tensor

Windows = Float[Tensor, "n t c"]


def cost_view(
    windows: Windows,
    generator: torch.Generator,
    *,
    sigma: float = 0.5,
    p: float = 0.5,
    shared: bool = False,
) -> Windows:
    """Scale, then shift each channel, then add noise; each with probability ``p``.

    Factors are 1 + N(0, sigma^2), shifts and noise N(0, sigma^2), in deviations of the data.
    """
    n, t, c = windows.shape
    samples = 1 if shared else n

    def drawn(*shape: int) -> Tensor:
        return sigma * torch.randn(shape, generator=generator, device=windows.device)

    def heads() -> Tensor:
        coins = torch.rand(samples, 1, 1, generator=generator, device=windows.device)
        return (coins < p).to(windows.dtype)

    windows = windows * (1 + heads() * drawn(samples, 1, c))
    windows = windows + heads() * drawn(samples, 1, c)
    return windows + heads() * drawn(n, t, c)
