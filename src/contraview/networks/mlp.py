"""Multilayer perceptrons: projection heads, predictors, plain encoders."""

from itertools import pairwise
from typing import Literal

from torch import nn

Norm = Literal["none", "batch", "layer"]


def mlp(*widths: int, norm: Norm = "none", last_norm: bool = False) -> nn.Sequential:
    """Linear layers of these ``widths`` with ReLU between them, none after the last.

    Args:
        *widths: inputs, hidden widths, outputs.
        norm: normalisation before each ReLU.
        last_norm: normalise the output too, without learnt scale (BYOL, SimSiam, MoCo v3 do).
    """
    layers: list[nn.Module] = []
    last = len(widths) - 2
    for i, (inputs, outputs) in enumerate(pairwise(widths)):
        normed = norm != "none" and (i < last or last_norm)
        layers.append(nn.Linear(inputs, outputs, bias=not normed))
        if normed:
            layers.append(_norm(norm, outputs, affine=i < last))
        if i < last:
            layers.append(nn.ReLU())
    return nn.Sequential(*layers)


def _norm(norm: Norm, width: int, *, affine: bool) -> nn.Module:
    if norm == "batch":
        return nn.BatchNorm1d(width, affine=affine)
    return nn.LayerNorm(width, elementwise_affine=affine)
