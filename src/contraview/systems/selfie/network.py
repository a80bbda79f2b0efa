"""The patch network, attention pooling, and the whole network that is fine-tuned."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from contraview.core.errors import InputError
from contraview.modalities.images.data import Images
from contraview.modalities.images.nets import Standardise
from contraview.networks.fresh import fresh
from contraview.networks.transformer import Transformer
from contraview.pairing.masks import taken
from contraview.systems.selfie.config import SelfieConfig

STATISTICS_BATCH = 256


def _norm(kind: str, width: int) -> nn.Module:
    return nn.BatchNorm2d(width) if kind == "batch" else nn.GroupNorm(min(8, width // 4), width)


class Bottleneck(nn.Module):
    """ResNet's block: narrow, 3 x 3, wide again, added to its input (He et al. 2015)."""

    def __init__(self, inputs: int, outputs: int, stride: int, norm: str) -> None:
        super().__init__()
        inner = max(outputs // 4, 4)
        self.branch = nn.Sequential(
            nn.Conv2d(inputs, inner, 1, bias=False), _norm(norm, inner), nn.ReLU(),
            nn.Conv2d(inner, inner, 3, stride, 1, bias=False), _norm(norm, inner), nn.ReLU(),
            nn.Conv2d(inner, outputs, 1, bias=False), _norm(norm, outputs),
        )  # fmt: skip
        self.short: nn.Module = nn.Identity()
        if inputs != outputs or stride != 1:
            self.short = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), _norm(norm, outputs)
            )

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d y x"]:
        """The maps of the block."""
        return (self.short(maps) + self.branch(maps)).relu()


def stage(inputs: int, outputs: int, stride: int, depth: int, norm: str) -> nn.Sequential:
    """``depth`` bottleneck blocks; one convolution where that is 0. The first one strides."""
    if depth == 0:
        kernel = max(3, 2 * stride - 1)  # no pixel is stepped over
        conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        return nn.Sequential(conv, _norm(norm, outputs), nn.ReLU())
    first = Bottleneck(inputs, outputs, stride, norm)
    return nn.Sequential(first, *(Bottleneck(outputs, outputs, 1, norm) for _ in range(depth - 1)))


class PatchNetwork(nn.Module):
    """P: pixels from 0 to 1 of a patch, or of a whole image, to maps; their mean is a vector."""

    def __init__(self, channels: int, config: SelfieConfig) -> None:
        super().__init__()
        self.standardise = Standardise(channels)
        inputs: Sequence[int] = (channels, *config.widths)
        stages = zip(inputs, config.widths, config.strides, config.depths, strict=False)
        self.stages = nn.Sequential(*(stage(*each, config.norm) for each in stages))
        self.outputs = config.widths[-1]

    def features(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d y x"]:
        """The maps of the last stage."""
        return self.stages(self.standardise(pixels))

    def forward(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """One vector a patch."""
        return self.features(pixels).mean((2, 3))


class Positions(nn.Module):
    """A learnt vector for each place of the grid, row by row."""

    def __init__(self, grid: int, width: int, kind: str) -> None:
        super().__init__()
        shapes = [(grid, 1), (1, grid)] if kind == "rows and columns" else [(grid, grid)]
        self.parts = nn.ParameterList(
            nn.Parameter(torch.randn(*shape, width) * width**-0.5) for shape in shapes
        )

    def forward(self) -> Float[Tensor, "p d"]:
        """All of them."""
        whole = self.parts[0]
        for part in self.parts[1:]:
            whole = whole + part
        return whole.flatten(0, 1)


class PatchChoice(nn.Module):
    """Patch network, positions, and the transformer that pools the patches that are seen.

    Args:
        patch: the patch network.
        config: of the system.
    """

    def __init__(self, patch: PatchNetwork, config: SelfieConfig) -> None:
        super().__init__()
        width = patch.outputs
        self.config, self.patch = config, patch
        self.positions = Positions(config.grid, width, config.positions)
        self.start = nn.Parameter(torch.randn(width) * width**-0.5)
        self.pool = Transformer(
            width, depth=config.layers, heads=config.heads, hidden=config.feedforward
        )

    def vectors(self, patches: Float[Tensor, "n p c s s"]) -> Float[Tensor, "n p d"]:
        """Each patch by itself: none sees another."""
        return self.patch(patches.flatten(0, 1)).unflatten(0, patches.shape[:2])

    def summary(
        self, vectors: Float[Tensor, "n p d"], seen: Bool[Tensor, "n p"]
    ) -> Float[Tensor, "n d"]:
        """u: what attention makes of a start token u0 among the patches that are seen."""
        if self.config.place_context:
            vectors = vectors + self.positions()
        start = self.start.expand(len(vectors), 1, -1)
        return self.pool(torch.cat([start, taken(vectors, seen)], 1))[:, 0]

    def forward(
        self,
        patches: Float[Tensor, "n p c s s"],
        hidden: Bool[Tensor, "n p"],
        order: Int[Tensor, "n m"] | None = None,
    ) -> tuple[Float[Tensor, "n m d"], Float[Tensor, "n m d"]]:
        """The query of each missing place, v_k = u + pos_k, and the vector of each missing patch.

        Args:
            patches: of each image, row by row.
            hidden: which are missing, as many of each image.
            order: asks at these places in turn, numbers among the missing ones.
        """
        vectors = self.vectors(patches)
        places = taken(self.positions().expand_as(vectors), hidden)
        if order is not None:
            places = places.gather(1, order[:, :, None].expand_as(places))
        return self.summary(vectors, ~hidden)[:, None] + places, taken(vectors, hidden)


class Summary(nn.Module):
    """The embedding before any label: u of all patches."""

    def __init__(self, choice: PatchChoice) -> None:
        super().__init__()
        self.choice = choice

    def forward(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """One vector an image."""
        patches = cut_patches(pixels, self.choice.config.grid)
        seen = torch.ones(patches.shape[:2], dtype=torch.bool, device=pixels.device)
        return self.choice.summary(self.choice.vectors(patches), seen)


class WholeNetwork(nn.Module):
    """The patch network on whole images, one stage more, and the mean over positions."""

    def __init__(self, patch: PatchNetwork, config: SelfieConfig) -> None:
        super().__init__()
        self.patch = patch
        self.last = stage(patch.outputs, config.last_width, 2, config.last_depth, config.norm)
        self.outputs = config.last_width

    def forward(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """One vector an image."""
        return self.last(self.patch.features(pixels)).mean((2, 3))


def cut_patches(pixels: Float[Tensor, "n c h w"], grid: int) -> Float[Tensor, "n p c y x"]:
    """The patches of a ``grid`` x ``grid``, row by row."""
    n, c, height, width = pixels.shape
    cells = pixels.view(n, c, grid, height // grid, grid, width // grid)
    return cells.permute(0, 2, 4, 1, 3, 5).flatten(1, 2)


def fresh_choice(shape: tuple[int, int, int], config: SelfieConfig, seed: int) -> PatchChoice:
    """The network of pre-training with the initial weights that ``seed`` gives.

    The patch network is drawn from a stream of its own.
    """
    patch = fresh(lambda: PatchNetwork(shape[0], config), seed, "patch network")
    return fresh(lambda: PatchChoice(patch, config), seed, "attention pooling")


def check_patches(shape: tuple[int, int, int], config: SelfieConfig) -> None:
    """Refuse images that the grid does not divide, and patches that the strides use up."""
    _, height, width = shape
    grid = config.grid
    if height != width or height % grid:
        raise InputError(
            f"selfie: images of {width} x {height} pixels; expected squares with a side that "
            f"grid {grid} divides: read them with --size {max(height // grid, 8) * grid}"
        )
    side = height // grid - config.patch_crop
    left = side
    for stride in config.strides:
        left = -(-left // stride)
    if left < 2:
        raise InputError(
            f"selfie: patches of {max(side, 0)} pixels shrink to {max(left, 0)} behind strides "
            f"{config.strides}; expected 2 at least: smaller strides, the first being 1, or a "
            "coarser grid"
        )


@torch.no_grad()
def retake_statistics(network: nn.Module, images: Images) -> None:
    """Take the running statistics of batch normalisation anew, as their mean over ``images``.

    Patches alone have other statistics than the same places in a whole image.
    """
    layers = [each for each in network.modules() if isinstance(each, nn.BatchNorm2d)]
    if not layers:
        return
    kept = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # torch's word for the mean over all batches
    network.train()
    device = next(network.parameters()).device
    for rows in torch.arange(len(images)).split(STATISTICS_BATCH):
        network(images.batch(rows, device))
    for layer, momentum in zip(layers, kept, strict=True):
        layer.momentum = momentum
