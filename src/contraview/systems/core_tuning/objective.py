"""Core-tuning's loss: cross entropy with soft labels and a focal supervised contrast."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from contraview.frameworks.images.finetuning import Labelled
from contraview.networks.mlp import mlp
from contraview.objectives.unit import unit
from contraview.systems.core_tuning.config import CoreTuningConfig
from contraview.systems.core_tuning.mixing import Draw, Mixed, groups_of, mixed
from contraview.training.step import Loss, Step


def focal_contrast(
    embeddings: Float[Tensor, "m d"],
    groups: Int[Tensor, " m"],
    temperature: float,
    *,
    focal: bool = True,
    over_row: bool = False,
) -> Float[Tensor, ""]:
    """Rows of the same group attract, the more the less alike they are yet.

    With ``p_ij = exp(cos_ij / t) / sum_{k != i} exp(cos_ik / t)`` and P(i) the other rows of the
    group of i, the mean over the rows with any of::

        -1/|P(i)| sum_{j in P(i)} (1 - p_ij) log p_ij

    (the paper's L_con^f). Without the factor 1 - p it is supervised contrast. All m x m
    likenesses are held at once: m is three times a batch of labelled images.

    Args:
        embeddings: any length, normalised here.
        groups: the group of each row.
        temperature: t.
        focal: with the factor 1 - p.
        over_row: divide by m instead of |P(i)|, as the official code does.

    Returns:
        The loss; zero where no row has another of its group.
    """
    z = unit(embeddings)
    own = torch.eye(len(z), dtype=torch.bool, device=z.device)
    logits = (z @ z.T / temperature).masked_fill(own, -torch.inf)
    log_p = logits.log_softmax(1).masked_fill(own, 0)
    positive = (groups[:, None] == groups) & ~own
    pull = -log_p * (1 - log_p.exp()) if focal else -log_p
    many = positive.sum(1)
    rows = (pull * positive).sum(1) / (len(z) if over_row else many.clamp(min=1))
    return rows.sum() / (many > 0).sum().clamp(min=1)


class TunedNetwork(nn.Module):
    """Encoder, linear classifier without bias, contrastive head."""

    def __init__(self, encoder: nn.Module, width: int, classes: int, config: CoreTuningConfig):
        super().__init__()
        self.config = config
        self.encoder = encoder
        self.classifier = nn.Linear(width, classes, bias=False)
        self.head = mlp(width, config.hidden or width, config.outputs) if config.eta else None

    def forward(
        self, pixels: Float[Tensor, "n c h w"], targets: Int[Tensor, " n"], draw: Draw
    ) -> tuple[Mixed, Float[Tensor, "m k"], Float[Tensor, "m o"] | None]:
        """The features with their soft labels, their scores a class, their contrastive vectors."""
        features = self.encoder(pixels)
        classes = self.classifier.out_features
        if self.config.mixed:
            batch = mixed(features, targets, classes, draw, self.config.parity)
        else:
            batch = Mixed(features, one_hot(targets, classes).to(features.dtype))
        head = None if self.head is None else self.head(batch.features)
        return batch, self.classifier(batch.features), head


def core_loss(labelled: Labelled, config: CoreTuningConfig) -> Loss:
    """``L_mix + eta L_focal`` on views of labelled images.

    Pairs are those of a process's own share of the batch.
    """

    def loss(model: nn.Module, rows: Int[Tensor, " b"], generator: torch.Generator) -> Step:
        pixels, targets = labelled.batch(rows, config.views, generator)
        draw = Draw.of(len(rows), config, generator)
        batch, scores, vectors = model(pixels, targets, draw)
        mix = cross_entropy(scores, batch.soft)
        if vectors is None:
            return Step(mix, batch.features[: len(rows)], narrow=True)
        contrast = focal_contrast(
            vectors,
            groups_of(batch.soft),
            config.temperature,
            focal=config.focal,
            over_row=config.parity == "code",
        )
        terms = {"cross_entropy": mix, "contrast": contrast}
        whole = mix + config.eta * contrast
        return Step(whole, batch.features[: len(rows)], narrow=True, terms=terms)

    return loss
