"""The Dice loss: overlap of predicted and true regions, whatever their size."""

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import one_hot

from contraview.core.errors import InputError
from contraview.objectives.distributed import mean


def dice_loss(
    logits: Float[Tensor, "n c *positions"],
    classes: Int[Tensor, "n ..."],
    *,
    smooth: float = 1.0,
) -> Float[Tensor, ""]:
    """One minus the soft Dice coefficient, mean over items and over classes but the background.

    With p the softmax of the logits and y the truth as 0 or 1, for each item and class k > 0::

        1 - (2 sum_i p_i y_i + smooth) / (sum_i p_i + sum_i y_i + smooth)

    Milletari et al. 2016 (V-Net), eq. 3, without the squares; ``smooth`` makes an item without the
    class cost nothing when nothing is predicted. A region of ten pixels weighs as much as one of a
    thousand, which is why thin vessels do not vanish in the background.

    Args:
        logits: one map a class, class 0 first.
        classes: the true class of each position, 0 is background.
        smooth: in pixels.

    Across processes the sum over items is added up, then divided by their number.
    """
    count = logits.shape[1]
    if count < 2:
        raise InputError(f"{count} class; expected at least 2, the first being background")
    predicted = logits.softmax(1).flatten(2)[:, 1:]
    truth = one_hot(classes.long(), count).movedim(-1, 1).flatten(2)[:, 1:].to(predicted.dtype)
    shared = (predicted * truth).sum(2)
    sizes = predicted.sum(2) + truth.sum(2)
    losses = 1 - (2 * shared + smooth) / (sizes + smooth)
    return mean(losses.mean(1).sum(), len(losses))
