"""InfoNCE, the contrastive cross entropy that most of the systems share."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import softplus

from contraview.core.errors import InputError
from contraview.objectives.distributed import gather, mean, weighted
from contraview.objectives.log_sum_exp import log_sum_exp


def info_nce(
    queries: Float[Tensor, "n d"],
    keys: Float[Tensor, "m d"],
    *,
    scale: float | Float[Tensor, ""],
    weights: Int[Tensor, " n"] | Float[Tensor, "n M"] | None = None,
    weights_inside_log: bool = False,
    exclude_self: bool = False,
    extra_keys: Float[Tensor, "k d"] | None = None,
    row_weights: Float[Tensor, " n"] | None = None,
) -> Float[Tensor, ""]:
    """Find each query's positive keys among all keys.

    With s_ij = scale · q_i · k_j, the mean over queries of::

        Σ_j w_ij (log Σ_a exp s_ia - s_ij)                      weights outside the log
        log Σ_a exp s_ia - log Σ_j w_ij exp s_ij                weights inside the log

    van den Oord et al. 2018, arXiv 1807.03748, eq. 4, is w_ii = 1. Weights outside the log are
    supervised contrast's L_out (Khosla et al. 2020, arXiv 2004.11362, eq. 2), inside its L_in
    (eq. 3, up to a constant). Memory is linear in n + m beside the weights that are given.

    Args:
        queries: [n, d], taken as they are: pass unit vectors for the cosine.
        keys: [m, d]. Pass the very same tensor as `queries` to compare a batch with itself at half
            the work.
        scale: what multiplies the products: one over the temperature, or a learned scalar tensor.
        weights: how much each key is a positive of each query. None: key i of query i, alone.
            Integers [n]: the position in `keys` of each query's only positive. [n, m]: weights, not
            negative and constant to the gradient; queries whose weights are all zero are left out
            of the mean.
        weights_inside_log: sum weighted positives inside the logarithm. A single positive of
            weight one gives the same either way.
        exclude_self: query i and key i are the same item: leave the pair out.
        extra_keys: [k, d], further negatives, such as a queue.
        row_weights: [n], what each query's loss is multiplied with before the mean; constant to
            the gradient. None: one.

    Across processes the keys are gathered in order of rank (columns of [n, m] weights are all of
    these, M); sums and counts over queries are added up, then divided. `extra_keys` are each
    process's own.

    Raises:
        InputError: a scale that is not positive, no rows, or no positive left.
    """
    if not isinstance(scale, Tensor) and not scale > 0:
        raise InputError(f"scale is {scale}: expected a number above 0 (1 / temperature)")
    if len(queries) == 0 or len(keys) == 0:
        raise InputError(f"{len(queries)} queries and {len(keys)} keys: expected at least one each")
    if exclude_self and weights is None:
        raise InputError("exclude_self removes each query's only positive: give weights")

    # The scale is shared evenly so that a batch compared with itself stays symmetric.
    root = scale**0.5
    same = keys is queries
    at_least = torch.promote_types(queries.dtype, torch.float32)
    q = queries.to(at_least) * root
    k, start = gather(q if same else keys.to(at_least) * root)
    symmetric = k is q and extra_keys is None
    candidates = k if extra_keys is None else torch.cat([k, extra_keys.to(at_least) * root])

    own = torch.arange(start, start + len(q), device=q.device)
    left_out = [own] if exclude_self else []
    if weights is None or not weights.is_floating_point():
        positive = own if weights is None else start + weights
        left_out.append(positive)
        # A triangle of tiles can leave out partners only where partnership is mutual.
        mutual = symmetric and torch.equal(positive[positive], own)
        negatives = log_sum_exp(
            q, None if mutual else candidates, left_out=torch.stack(left_out, 1)
        )
        # -log p of the positive, from the others' sum: keeps its digits however small the loss is.
        losses = softplus(negatives - _products(q, k, positive))
        return mean(weighted(losses, row_weights).sum(), len(losses))

    weights = weights.detach().to(at_least)
    alone = own[:, None] if exclude_self else None
    if exclude_self:
        weights = weights.scatter(1, own[:, None], 0)
    everything = log_sum_exp(q, None if symmetric else candidates, left_out=alone)
    if weights_inside_log:
        losses = everything - log_sum_exp(q, k, weights=weights)
    else:
        losses = weights.sum(1) * everything - (q * (weights @ k)).sum(1)
    counted = (weights > 0).any(1)
    return mean(weighted(losses, row_weights).where(counted, 0).sum(), counted.sum())


def _products(
    queries: Float[Tensor, "n d"], keys: Float[Tensor, "m d"], chosen: Int[Tensor, " n"]
) -> Float[Tensor, " n"]:
    """The product of each query with the key at its position."""
    return _Products.apply(queries, keys, chosen)  # pyright: ignore[reportReturnType]


class _Products(torch.autograd.Function):
    """What autograd would do, bit for bit, without a stored copy of the chosen keys."""

    @staticmethod
    def forward(ctx, queries, keys, chosen):  # pyright: ignore
        ctx.save_for_backward(queries, keys, chosen)
        return keys.index_select(0, chosen).mul_(queries).sum(1)

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream):  # pyright: ignore
        queries, keys, chosen = ctx.saved_tensors
        of_queries = keys.index_select(0, chosen).mul_(upstream[:, None])
        of_keys = None
        if ctx.needs_input_grad[1]:
            of_keys = torch.zeros_like(keys).index_add_(0, chosen, queries * upstream[:, None])
        return of_queries, of_keys, None
