"""A network's weights as named arrays, the form in which they are stored."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn


def weights_of(module: nn.Module) -> dict[str, np.ndarray]:
    """Every parameter and buffer of ``module`` by name."""
    return {name: value.detach().cpu().numpy() for name, value in module.state_dict().items()}


def set_weights(module: nn.Module, weights: Mapping[str, np.ndarray]) -> None:
    """Give ``module`` the weights that `weights_of` gave, for the same names and shapes."""
    module.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
