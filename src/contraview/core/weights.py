"""A network's weights as named arrays, the form in which they are stored."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from contraview.core.errors import InputError


def weights_of(module: nn.Module) -> dict[str, np.ndarray]:
    """Every parameter and buffer of ``module`` by name."""
    return {name: value.detach().cpu().numpy() for name, value in module.state_dict().items()}


def set_weights(module: nn.Module, weights: Mapping[str, np.ndarray]) -> None:
    """Give ``module`` the weights that `weights_of` gave, for the same names and shapes.

    Raises:
        InputError: other names, other shapes, or numbers that are not finite.
    """
    for name, value in weights.items():
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            raise InputError(f"weights {name!r}: numbers that are not finite; fit the model again")
    wanted = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    given = {name: tuple(value.shape) for name, value in weights.items()}
    for name in (*wanted, *given):
        if wanted.get(name) != given.get(name):
            raise InputError(
                f"weights {name!r}: {_said(given.get(name))}; expected {_said(wanted.get(name))}, "
                "by the settings"
            )
    module.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})


def _said(shape: tuple[int, ...] | None) -> str:
    return "none" if shape is None else f"an array of shape {list(shape)}"
