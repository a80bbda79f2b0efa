"""torchvision beside a CPU build of torch: lightly needs it, its wheel expects more operators."""

from functools import cache
from importlib import import_module
from types import ModuleType

import torch


@cache
def torchvision() -> ModuleType:
    """torchvision, its two missing operators named (and never called) so that it can be imported.

    With torchvision 0.28.0 and torch 2.13.0; to be called before anything imports torchvision.
    """
    for name in ("nms", "qnms"):
        schema = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        torch.library.define(f"torchvision::{name}", schema)
    return import_module("torchvision")
