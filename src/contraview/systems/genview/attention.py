"""What of an image is subject and what is background, told by a frozen encoder's map."""

from typing import Final, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from contraview.frameworks.images.embedding import EMBEDDED_AT_ONCE
from contraview.modalities.images.data import Images
from contraview.modalities.images.nets import ImageEncoder

SAMPLED: Final = 10_000
"""The component and the threshold are taken from at most so many images."""


class Parts(NamedTuple):
    """An image's subject and background, as vectors."""

    subject: Float[Tensor, "n d"]
    background: Float[Tensor, "n d"]


class Attention(nn.Module):
    """Subject and background of images, along the first principal component of a map's tokens.

    The tokens of an image are the positions of a frozen encoder's last map. Their first principal
    component parts what stands out from what does not, but its sign is arbitrary. Here it points to
    the subject by the rule that subjects stand in the middle: over all images, the middle half of
    the map projects higher than its border. The mean token is taken away: after a ReLU all tokens
    share it, and all cosines would be near one.

    Args:
        encoder: frozen; taken as it is.
    """

    component: Tensor
    mean: Tensor
    threshold: Tensor

    def __init__(self, encoder: ImageEncoder) -> None:
        super().__init__()
        self.encoder = encoder.requires_grad_(False).eval()
        self.register_buffer("component", torch.zeros(encoder.outputs))
        self.register_buffer("mean", torch.zeros(encoder.outputs))
        self.register_buffer("threshold", torch.zeros(()))

    @torch.no_grad()
    def tokens(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n t d"]:
        """The positions of the map, row by row, less the mean of all."""
        self.encoder.eval()
        return self.encoder.features(pixels).flatten(2).transpose(1, 2) - self.mean

    @torch.no_grad()
    def learn(self, images: Images, foreground: float) -> "Attention":
        """Take the component, its sign and the threshold from images.

        Args:
            images: evenly spaced ones are taken where there are more than 10,000.
            foreground: the share of all their tokens that shall count as subject.
        """
        device = self.component.device
        rows = torch.arange(0, len(images), -(-len(images) // SAMPLED))
        parts = [
            self.tokens(images.batch(part, device)).double()
            for part in rows.split(EMBEDDED_AT_ONCE)
        ]
        every = torch.cat(parts)
        mean = every.mean((0, 1))
        every = every - mean
        flat = every.flatten(0, 1)
        component = torch.linalg.eigh(flat.T @ flat)[1][:, -1]
        middle = middle_of(images.batch(rows[:1], device), self.encoder)
        projected = every @ component
        if projected[:, middle].mean() < projected[:, ~middle].mean():
            component, projected = -component, -projected
        self.component.copy_(component)
        self.mean.add_(mean)
        self.threshold.copy_(_cut(projected.flatten(), foreground))
        return self

    def share(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        """The share of each image's tokens that is subject."""
        return (self.tokens(pixels) @ self.component >= self.threshold).float().mean(1)

    def parts(self, pixels: Float[Tensor, "n c h w"]) -> Parts:
        """Subject and background of each image.

        The map m is the projection brought to 0 to 1 within the image; tokens are averaged with
        weights m and 1 - m. An image of one token, or without contrast, is half of each.
        """
        tokens = self.tokens(pixels)
        along = tokens @ self.component
        low, high = along.amin(1, keepdim=True), along.amax(1, keepdim=True)
        width = high - low
        m = torch.where(width > 0, (along - low) / width.clamp(min=1e-12), 0.5)
        return Parts(_pooled(tokens, m), _pooled(tokens, 1 - m))

    def likeness(
        self, one: Float[Tensor, "n c h w"], other: Float[Tensor, "n c h w"]
    ) -> Float[Tensor, " n"]:
        """s_f - s_b: the cosine of two views' subjects less that of their backgrounds."""
        first, second = self.parts(one), self.parts(other)
        return cosine_similarity(first.subject, second.subject) - cosine_similarity(
            first.background, second.background
        )


def pair_weights(likeness: Float[Tensor, " n"], gain: float) -> Float[Tensor, " n"]:
    """How much each pair counts, one on average: ``n exp(g q_i) / sum_j exp(g q_j)``.

    Over the batch, so their spread depends on it and on the gain g; with g = 0 all are one.
    """
    return len(likeness) * torch.softmax(gain * likeness.detach(), 0)


def _cut(values: Float[Tensor, " n"], above: float) -> Float[Tensor, ""]:
    """The middle of the gap that leaves the share nearest to ``above`` above it.

    Plain backgrounds give many equal values: a cut at one of them would part equals by rounding.
    """
    ordered = values.sort().values
    gaps = (ordered.diff() > 1e-6 * (ordered[-1] - ordered[0])).nonzero().squeeze(1)
    if not len(gaps):
        return ordered[0]
    nearest = gaps[(gaps + 1 - (1 - above) * len(ordered)).abs().argmin()]
    return (ordered[nearest] + ordered[nearest + 1]) / 2


def _pooled(tokens: Float[Tensor, "n t d"], m: Float[Tensor, "n t"]) -> Float[Tensor, "n d"]:
    weights = m / m.sum(1, keepdim=True).clamp(min=1e-12)
    return (weights[..., None] * tokens).sum(1)


def middle_of(pixels: Float[Tensor, "n c h w"], encoder: ImageEncoder) -> Tensor:
    """Which tokens lie in the middle half of the map, along both sides."""
    height, width = encoder.features(pixels).shape[2:]

    def inner(length: int) -> Tensor:
        places = torch.arange(length, device=pixels.device)
        return (2 * places + 1 - length).abs() <= length / 2

    return (inner(height)[:, None] & inner(width)).flatten()
