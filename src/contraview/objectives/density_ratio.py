"""Real against drawn next states: the contrast whose minimum is a density ratio."""

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from contraview.core.errors import InputError
from contraview.objectives.distributed import mean


def density_ratio(real: Float[Tensor, " n"], drawn: Float[Tensor, "n m"]) -> Float[Tensor, ""]:
    """Tell the state that followed from states drawn at random, by a product of features.

    With g = phi(s, a) · psi(s'), above zero, the mean over the rows of::

        ½ log(1 + 1 / g(s, a, s'_real))  +  ½ mean_m log(1 + g(s, a, s'_drawn))

    Contrastive UCB, Qiu et al. 2022, arXiv 2207.14800: real and drawn states are equally likely.
    The minimum over all functions is g = P(s' | s, a) / P_base(s'), where P_base is what the drawn
    states come from. The link is the product itself, not its exponential as in InfoNCE.

    Args:
        real: g of each pair (s, a) with the state that followed.
        drawn: g of each pair with m drawn states. All states once are the exact mean where
            P_base is even.

    Raises:
        InputError: a product that is not above zero, or no rows.
    """
    if not real.numel() or not drawn.numel():
        raise InputError("no products: expected at least one row and one drawn state")
    if not ((real > 0).all() and (drawn > 0).all()):
        raise InputError("a product of features is not above zero; expected positive features")
    losses = softplus(-real.log()) + softplus(drawn.log()).mean(1)
    return mean(losses.sum() / 2, len(real))
