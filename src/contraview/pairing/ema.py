"""The teacher that follows the student: an exponential moving average of its weights."""

from collections.abc import Callable
from copy import deepcopy
from typing import TypeVar

import torch
from torch import nn

M = TypeVar("M", bound=nn.Module)


def teacher_of(student: M) -> M:
    """A copy of ``student`` that takes no gradient and stays in evaluation mode.

    Evaluation mode means that batch normalisation uses the running statistics that `follow`
    copies, and dropout is off.
    """
    teacher = deepcopy(student).requires_grad_(False).eval()
    teacher.train = lambda mode=True: teacher  # noqa: ARG005 stays as it is, whatever is asked
    return teacher


@torch.no_grad()
def follow(teacher: nn.Module, student: nn.Module, momentum: float) -> None:
    """Move the teacher: t = momentum * t + (1 - momentum) * s for each weight.

    Buffers (running statistics, counters) are copied. To be called after the optimiser's step.
    """
    for own, other in zip(teacher.parameters(), student.parameters(), strict=True):
        own.lerp_(other.detach().to(own.dtype), 1 - momentum)
    for own, other in zip(teacher.buffers(), student.buffers(), strict=True):
        own.copy_(other)


Momentum = float | Callable[[int], float]
"""Constant, or a function of the steps done."""
