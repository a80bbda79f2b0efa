"""The autoencoder: patches to tokens, a shared encoder, one decoder a mask."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from contraview.frameworks.masked import MaskedDecoder
from contraview.modalities.clouds.nets import PatchEmbedding, place_embedding
from contraview.modalities.clouds.patches import patches
from contraview.networks.fresh import fresh
from contraview.networks.mlp import mlp
from contraview.networks.transformer import Transformer
from contraview.pairing.masks import taken
from contraview.systems.point_cmae.config import PointCmaeConfig


@dataclass(frozen=True)
class Branch:
    """What the network makes of clouds under one mask.

    Attributes:
        rebuilt: [n h, m, 3], the points of the hidden patches, relative to their centres.
        truth: [n h, m, 3], the points that are there.
        decoded: [n, g, d], the decoder's token of every patch, in order.
        shape: [n, e], shape vectors of the visible tokens.
        projected: [n, o], the same behind the projector, where there is one.
    """

    rebuilt: Float[Tensor, "h m 3"]
    truth: Float[Tensor, "h m 3"]
    decoded: Float[Tensor, "n g d"]
    shape: Float[Tensor, "n e"]
    projected: Float[Tensor, "n o"] | None


class Encoder(nn.Module):
    """Clouds to tokens and to one shape vector each."""

    def __init__(self, config: PointCmaeConfig) -> None:
        super().__init__()
        self.config = config
        self.patch = PatchEmbedding(config.width, config.patch_width)
        self.place = place_embedding(config.width)
        self.blocks = Transformer(
            config.width, depth=config.depth, heads=config.heads, drop_path=config.drop_path
        )
        self.start = None  # of each branch: its class token, and the place of that
        if config.pooling == "cls_max":
            self.start = nn.Parameter(torch.empty(config.masks, 2, config.width))
            nn.init.trunc_normal_(self.start, std=0.02)

    def forward(self, clouds: Float[Tensor, "n p 3"]) -> Float[Tensor, "n e"]:
        """The shape vector of each cloud, all patches visible."""
        groups, centres = patches(clouds, self.config.patches, self.config.patch_points)
        return self.shape(self._context(self.patch(groups), self.place(centres), 0))

    def encode(
        self,
        tokens: Float[Tensor, "n g d"],
        places: Float[Tensor, "n g d"],
        shown: Bool[Tensor, "n g"],
        branch: int,
    ) -> Float[Tensor, "n v d"]:
        """The shown tokens in context, after the class token of the branch where there is one."""
        return self._context(taken(tokens, shown), taken(places, shown), branch)

    def _context(
        self, tokens: Float[Tensor, "n v d"], places: Float[Tensor, "n v d"], branch: int
    ) -> Float[Tensor, "n w d"]:
        if self.start is not None:
            first = self.start[branch].expand(tokens.shape[0], 2, -1)
            tokens = torch.cat([first[:, :1], tokens], 1)
            places = torch.cat([first[:, 1:], places], 1)
        return self.blocks(tokens, places=places)

    def shape(self, encoded: Float[Tensor, "n v d"]) -> Float[Tensor, "n e"]:
        """The maximum over the tokens, beside their mean or the class token."""
        patch = self.patches(encoded)
        beside = encoded[:, 0] if self.start is not None else patch.mean(1)
        return torch.cat([beside, patch.amax(1)], 1)

    def patches(self, encoded: Float[Tensor, "n v d"]) -> Float[Tensor, "n w d"]:
        """The tokens that stand for patches."""
        return encoded[:, 1:] if self.start is not None else encoded


class Decoder(nn.Module):
    """One branch's decoder: its own places, mask token, blocks and head."""

    def __init__(self, config: PointCmaeConfig) -> None:
        super().__init__()
        width = config.width
        blocks = Transformer(
            width, depth=config.decoder_depth, heads=config.heads, drop_path=config.drop_path
        )
        self.place = place_embedding(width)
        self.decoder = MaskedDecoder(blocks, width)
        self.head = nn.Linear(width, 3 * config.patch_points)

    def forward(
        self,
        visible: Float[Tensor, "n v d"],
        hidden: Bool[Tensor, "n g"],
        centres: Float[Tensor, "n g 3"],
    ) -> tuple[Float[Tensor, "n g d"], Float[Tensor, "h m 3"]]:
        """The token of every patch, and the points of the hidden ones."""
        decoded = self.decoder(visible, hidden, self.place(centres))
        return decoded, self.head(decoded[hidden]).view(int(hidden.sum()), -1, 3)


class Autoencoder(nn.Module):
    """Point-CMAE's network; with one mask, Point-MAE's."""

    def __init__(self, config: PointCmaeConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoders = nn.ModuleList(Decoder(config) for _ in range(config.masks))
        self.projector = None
        if config.contrast == "clouds":
            outputs = config.projection
            self.projector = mlp(2 * config.width, outputs, outputs, norm="batch")

    def forward(
        self, clouds: list[Float[Tensor, "n p 3"]], hidden: list[Bool[Tensor, "n g"]]
    ) -> list[Branch]:
        """A branch for each mask: of one cloud for all of them, or of one cloud each."""
        config = self.config
        seen = [patches(cloud, config.patches, config.patch_points) for cloud in clouds]
        embedded = [(self.encoder.patch(g), self.encoder.place(c)) for g, c in seen]
        branches = []
        for i, (mask, decoder) in enumerate(zip(hidden, self.decoders, strict=True)):
            (groups, centres), (tokens, places) = seen[i % len(seen)], embedded[i % len(seen)]
            encoded = self.encoder.encode(tokens, places, ~mask, i)
            decoded, rebuilt = decoder(self.encoder.patches(encoded), mask, centres)
            shape = self.encoder.shape(encoded)
            projected = self.projector(shape) if self.projector is not None else None
            branches.append(Branch(rebuilt, groups[mask], decoded, shape, projected))
        return branches


def fresh_autoencoder(config: PointCmaeConfig, seed: int) -> Autoencoder:
    """The network with the initial weights that ``seed`` gives.

    The encoder is drawn from a stream of its own, so it begins alike whatever the branches are.
    """
    encoder = fresh(lambda: Encoder(config), seed, "encoder")
    network = fresh(lambda: Autoencoder(config), seed, "decoders")
    network.encoder = encoder
    return network
