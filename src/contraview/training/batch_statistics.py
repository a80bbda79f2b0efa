"""Layers whose output for a row depends on the other rows that pass with it."""

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def batch_statistics(model: nn.Module) -> str | None:
    """The first layer that takes statistics over the rows of a pass, in words, or None.

    Such a layer (BatchNorm1d and its kin, while training) sees only the rows of one process, and
    only those of one chunk: results on several processes, or in chunks, are then others than those
    of the whole batch. Group and layer normalisation look at one row at a time.
    """
    for name, layer in model.named_modules():
        if isinstance(layer, _BatchNorm) and layer.training:
            return f"{type(layer).__name__} ({name})"
    return None
