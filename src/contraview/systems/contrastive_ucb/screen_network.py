"""SPR-UCB's network: screens to latents, latents forward in time, and a distribution of returns."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import linear, one_hot, relu

LATENT = (64, 7, 7)


class NoisyLinear(nn.Module):
    """A linear layer whose weights carry learnt, factorised noise while it is trained.

    Fortunato et al. 2018, arXiv 1706.10295, section 3: noise f(e_out) f(e_in)^T with
    f(x) = sign(x) sqrt |x|, drawn anew at each call; first noise 0.1 / sqrt(inputs).
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = inputs**-0.5
        self.weight = nn.Parameter(torch.empty(outputs, inputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(outputs).uniform_(-bound, bound))
        self.weight_noise = nn.Parameter(torch.full((outputs, inputs), 0.1 * bound))
        self.bias_noise = nn.Parameter(torch.full((outputs,), 0.1 * bound))

    def forward(self, rows: Float[Tensor, "n i"]) -> Float[Tensor, "n o"]:
        """The layer; without noise in evaluation mode."""
        if not self.training:
            return linear(rows, self.weight, self.bias)
        outputs, inputs = self.weight.shape
        left, right = _folded(outputs, rows.device), _folded(inputs, rows.device)
        weight = self.weight + self.weight_noise * torch.outer(left, right)
        return linear(rows, weight, self.bias + self.bias_noise * left)


def _folded(size: int, device: torch.device) -> Float[Tensor, " n"]:
    noise = torch.randn(size, device=device)
    return noise.sign() * noise.abs().sqrt()


class ScreenNetwork(nn.Module):
    """Encoder, transition model, duelling distributional head, predictor.

    Args:
        actions: how many.
        hidden: width of the head; its first layer is the projection too.
        atoms: of the distribution of returns.
        reach: the atoms lie evenly from -reach to reach.
    """

    support: Tensor

    def __init__(self, actions: int, *, hidden: int, atoms: int, reach: float) -> None:
        super().__init__()
        self.actions, self.atoms = actions, atoms
        self.register_buffer("support", torch.linspace(-reach, reach, atoms))
        self.encoder = nn.Sequential(
            nn.Conv2d(4, 32, 8, stride=4),
            nn.ReLU(),
            nn.Conv2d(32, 64, 4, stride=2),
            nn.ReLU(),
            nn.Conv2d(64, 64, 3),
            nn.ReLU(),
        )
        self.forwards = nn.Sequential(
            nn.Conv2d(64 + actions, 64, 3, padding=1),
            nn.GroupNorm(8, 64),
            nn.ReLU(),
            nn.Conv2d(64, 64, 3, padding=1),
            nn.ReLU(),
        )
        self.project = NoisyLinear(math.prod(LATENT), hidden)
        self.value = NoisyLinear(hidden, atoms)
        self.advantage = NoisyLinear(hidden, actions * atoms)
        self.predict = nn.Linear(hidden, hidden)

    def encode(self, screens: Float[Tensor, "n 4 84 84"]) -> Float[Tensor, "n 64 7 7"]:
        """Latents of screens with brightness 0 to 1."""
        return scaled(self.encoder(screens))

    def next(
        self, latents: Float[Tensor, "n 64 7 7"], actions: Int[Tensor, " n"]
    ) -> Float[Tensor, "n 64 7 7"]:
        """The latents a step later, after these actions; each action is a plane of its own."""
        planes = one_hot(actions, self.actions).to(latents.dtype)[:, :, None, None]
        joined = torch.cat([latents, planes.expand(-1, -1, *latents.shape[2:])], dim=1)
        return scaled(self.forwards(joined))

    def logits(self, latents: Float[Tensor, "n 64 7 7"]) -> Float[Tensor, "n a m"]:
        """Of the distribution of each action's return: value + advantage - mean advantage."""
        hidden = relu(self.project(latents.flatten(1)))
        advantage = self.advantage(hidden).view(-1, self.actions, self.atoms)
        return self.value(hidden)[:, None] + advantage - advantage.mean(1, keepdim=True)

    def worth(self, latents: Float[Tensor, "n 64 7 7"]) -> Float[Tensor, "n a"]:
        """Expected return of each action."""
        return (self.logits(latents).softmax(2) * self.support).sum(2)

    def projected(self, latents: Float[Tensor, "n 64 7 7"]) -> Float[Tensor, "n h"]:
        """What is compared over time: the first layer of the head."""
        return self.project(latents.flatten(1))


def scaled(latents: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Each item's latents brought to 0 to 1, so that steps forward do not run away."""
    flat = latents.flatten(1)
    low, high = flat.min(1, keepdim=True).values, flat.max(1, keepdim=True).values
    return ((flat - low) / (high - low + 1e-5)).view_as(latents)
