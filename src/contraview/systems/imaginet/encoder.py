"""The encoder with several exits, what it is trained on, and by which loss."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad

from contraview.modalities.images.data import Images
from contraview.modalities.images.nets import Standardise
from contraview.modalities.images.perturbations import compressed, noisy
from contraview.modalities.images.views import smoothed
from contraview.networks.conv import ConvEncoder
from contraview.networks.mlp import mlp
from contraview.objectives.sup_con import sup_con
from contraview.systems.imaginet.config import ImagiNetConfig, Laundering
from contraview.training.step import Loss, Step

Pixels = Float[Tensor, "n c h w"]
UNKNOWN = -1
"""The generator's number of a real image, and of a synthetic one whose generator is not told."""


class ExitEncoder(nn.Module):
    """Convolutional blocks that can be left early: each exit is a mean over positions and a head.

    Args:
        channels: of the images.
        config: widths, exits, width of the projections.
        generators: how many are told apart by the layers that cross-entropy trains.
    """

    def __init__(self, channels: int, config: ImagiNetConfig, generators: int) -> None:
        super().__init__()
        self.standardise = Standardise(channels)
        layers = list(ConvEncoder(channels, config.widths, dimensions=2).blocks.children())
        self.blocks = nn.ModuleList(
            nn.Sequential(*layers[start : start + 3]) for start in range(0, len(layers), 3)
        )
        self.exits = sorted({*config.exits, len(config.widths)})
        if config.objective == "self_con":
            widths = [config.widths[each - 1] for each in self.exits]
            # Without the batch normalisation all projections begin, and stay, on one another.
            self.heads = nn.ModuleList(
                mlp(width, width, config.outputs, norm="batch") for width in widths
            )
        else:
            self.exits = self.exits[-1:]
            last = config.widths[-1]
            self.heads = nn.ModuleList([nn.Linear(last, 2), nn.Linear(last, max(generators, 1))])

    def pooled(self, pixels: Pixels) -> list[Float[Tensor, "n _"]]:
        """The mean map at each exit, the sub-networks' before the backbone's."""
        items = self.standardise(pixels)
        found: list[Tensor] = []
        for number, block in enumerate(self.blocks, start=1):
            items = block(items)
            if number in self.exits:
                found.append(items.flatten(2).mean(2))
        return found

    def features(self, pixels: Pixels) -> Float[Tensor, "n d"]:
        """The backbone's own output, which classifiers read."""
        return self.pooled(pixels)[-1]

    def forward(self, pixels: Pixels) -> list[Float[Tensor, "n _"]]:
        """A projection an exit; or, where cross-entropy trains, logits of origin and generator."""
        found = self.pooled(pixels)
        if len(found) < len(self.heads):
            found = found * len(self.heads)
        return [head(each) for head, each in zip(self.heads, found, strict=True)]


def self_con(
    projections: Sequence[Float[Tensor, "n d"]],
    origin: Int[Tensor, " n"],
    generator: Int[Tensor, " n"],
    config: ImagiNetConfig,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """SupCon over all exits: of the origin on every image, of the generator on synthetic ones.

    Positives of an anchor are the other exits of its image and all exits of images of its class. An
    anchor without a positive has no part in the mean; a batch without images of known generator has
    a second term of zero.
    """
    exits = len(projections)
    first = sup_con(torch.cat(list(projections)), origin.repeat(exits), config.temperature)
    told = generator != UNKNOWN
    if not told.any():
        return first, first.new_zeros(())
    second = torch.cat([each[told] for each in projections])
    return first, sup_con(second, generator[told].repeat(exits), config.temperature)


def detector_loss(
    images: Images, origin: Int[Tensor, " n"], generator: Int[Tensor, " n"], config: ImagiNetConfig
) -> Loss:
    """The two weighted terms on laundered images, contrastive or by cross-entropy."""

    def loss(model: nn.Module, rows: Int[Tensor, " b"], draws: torch.Generator) -> Step:
        pixels = laundered(images.batch(rows, draws.device), draws, config.laundering)
        answers = model(pixels)
        of_origin, of_generator = (each[rows].to(draws.device) for each in (origin, generator))
        if config.objective == "self_con":
            terms = self_con(answers, of_origin, of_generator, config)
        else:
            told = of_generator != UNKNOWN
            named = cross_entropy(answers[1][told], of_generator[told]) if told.any() else 0.0
            terms = cross_entropy(answers[0], of_origin), torch.as_tensor(named)
        whole = config.origin_weight * terms[0] + config.generator_weight * terms[1]
        return Step(whole, terms={"origin": terms[0], "generator": terms[1]})

    return loss


def laundered(pixels: Pixels, generator: torch.Generator, config: Laundering) -> Pixels:
    """Each image shifted, perhaps flipped and turned, and half of them recompressed or the like."""
    n, _, height, width = pixels.shape
    pixels = _shifted(pixels, generator, round(config.shift * min(height, width)))
    chances = torch.rand(3, n, generator=generator, device=generator.device)
    pixels = torch.where(_column(chances[0] < config.turn), pixels.flip(3), pixels)
    if height == width:
        pixels = torch.where(_column(chances[1] < config.turn), pixels.rot90(1, (2, 3)), pixels)
    kind = torch.randint(4, (n,), generator=generator, device=generator.device)
    strength = torch.rand(n, generator=generator, device=generator.device)
    kind[chances[2] >= config.chance] = UNKNOWN
    low, high = config.quality
    changed = pixels.clone()
    for number, form in enumerate(("JPEG", "WEBP")):
        rows = torch.nonzero(kind == number)[:, 0]
        quality = (low + strength[rows] * (high - low)).round().long()
        changed[rows] = compressed(pixels[rows], quality, form)
    rows = torch.nonzero(kind == 2)[:, 0]
    if len(rows):
        sigmas = (strength[rows] * config.blur * width).clamp(min=0.1)
        changed[rows] = smoothed(pixels[rows], sigmas)
    rows = torch.nonzero(kind == 3)[:, 0]
    variance = config.noise[0] + strength[rows] * (config.noise[1] - config.noise[0])
    changed[rows] = noisy(pixels[rows], generator, sigma=variance.sqrt() / 255)
    return changed


def _shifted(pixels: Pixels, generator: torch.Generator, reach: int) -> Pixels:
    """A crop of the old size from the image with its border repeated by ``reach`` pixels."""
    if not reach:
        return pixels
    n, _, height, width = pixels.shape
    larger = pad(pixels, (reach,) * 4, mode="replicate")
    down, right = torch.randint(2 * reach + 1, (2, n), generator=generator, device=generator.device)
    rows = (down[:, None] + torch.arange(height, device=pixels.device))[:, :, None]
    columns = (right[:, None] + torch.arange(width, device=pixels.device))[:, None, :]
    images = torch.arange(n, device=pixels.device)[:, None, None]
    return larger[images, :, rows, columns].permute(0, 3, 1, 2)


def _column(chosen: Tensor) -> Tensor:
    return chosen[:, None, None, None]
