"""SCGC's two stages: an autoencoder, then the neighbourhood contrast on its encoder."""

import numpy as np
import torch
from jaxtyping import Float, Int
from sklearn.cluster import KMeans
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from contraview.core.run import Run
from contraview.core.seeds import stream_seed
from contraview.modalities.graphs.adjacency import Sparse, as_torch
from contraview.objectives.deep_clustering import group_divergence
from contraview.objectives.distributed import gather
from contraview.objectives.neighbourhood import neighbourhood
from contraview.systems.scgc.config import ScgcConfig
from contraview.systems.scgc.network import Autoencoder, Clusterer
from contraview.training.loop import train
from contraview.training.samplers import Batches, epochs
from contraview.training.schedule import Schedule
from contraview.training.step import Step


def k_means(
    vectors: Float[np.ndarray, "n c"], k: int, restarts: int, seed: int, name: str
) -> Float[np.ndarray, "k c"]:
    """The centres of the best of some restarts of k-means; the stream is called ``name``."""
    state = stream_seed(seed, name) % 2**32
    model = KMeans(k, n_init=restarts, random_state=state)  # pyright: ignore[reportArgumentType]
    found = model.fit(vectors)
    return found.cluster_centers_.astype(np.float32)


def pretrain(
    autoencoder: Autoencoder, rows: Float[Tensor, "n d"], config: ScgcConfig, run: Run, data: str
) -> None:
    """Teach the autoencoder to give the rows back: mean squared error, Adam."""

    def loss(model: nn.Module, chosen: Int[Tensor, " b"], generator: torch.Generator) -> Step:
        batch = rows[chosen].to(generator.device)
        return Step(mse_loss(model(batch), batch))

    batch = min(config.pretraining_batch, len(rows))
    steps = config.pretraining_epochs * (len(rows) // batch)
    train(
        autoencoder,
        loss,
        epochs(len(rows), batch, run.seed),
        constant(steps, batch, config.pretraining_lr),
        run=run,
        name="autoencoder",
        settings=settings_of(config, data),
    )


def contrast(
    clusterer: Clusterer,
    rows: Float[Tensor, "n d"],
    positives: Sparse,
    config: ScgcConfig,
    run: Run,
    data: str,
) -> None:
    """Train encoder and centres: alpha contrast + beta divergence (+ reconstruction).

    Up to ``batch`` nodes take part in every step at once, as in the paper; of more, each step
    takes a random batch and the sub-matrix of positives among it. The last epoch is what is kept.
    """
    whole = as_torch(positives) if len(rows) <= config.batch else None

    def among(chosen: Int[Tensor, " b"]) -> Tensor:
        """The positives of the rows of this process among those of all."""
        columns = gather(chosen)[0]
        if whole is not None and torch.equal(chosen, torch.arange(len(rows))):
            return whole
        return as_torch(Sparse(positives[chosen.numpy()][:, columns.numpy()]))

    def loss(model: nn.Module, chosen: Int[Tensor, " b"], generator: torch.Generator) -> Step:
        device = generator.device
        batch = rows[chosen].to(device)
        codes, q, back = model(batch)
        terms: dict[str, Tensor] = {}
        if config.alpha:
            terms["contrast"] = neighbourhood(codes, among(chosen).to(device), config.tau)
        if config.beta:
            terms["groups"] = group_divergence(q)
        if back is not None:
            terms["reconstruction"] = mse_loss(back, batch)
        weight = {"contrast": config.alpha, "groups": config.beta, "reconstruction": 1.0}
        total = sum((weight[name] * term for name, term in terms.items()), codes.new_zeros(()))
        # k groups leave at most k directions, two of them fewer than a collapse is judged by.
        return Step(total, embeddings=codes, narrow=True, terms=terms)

    batches, size = _batches(len(rows), config.batch, run.seed)
    train(
        clusterer,
        loss,
        batches,
        constant(config.epochs * (len(rows) // size), size, config.lr),
        run=run,
        name="contrast",
        settings=settings_of(config, data),
    )


def _batches(nodes: int, batch: int, seed: int) -> tuple[Batches, int]:
    """All nodes in order where they fit a batch, else random batches."""
    if nodes <= batch:
        return lambda step: torch.arange(nodes), nodes  # noqa: ARG005 every step is the same
    return epochs(nodes, batch, seed), batch


def constant(steps: int, batch: int, lr: float) -> Schedule:
    """Adam at one learning rate."""
    return Schedule(
        steps=steps, batch=batch, lr=lr, start_lr=lr, final_lr=lr, warmup=0.0, weight_decay=0.0
    )


def settings_of(config: ScgcConfig, data: str) -> dict[str, object]:
    """What defines a stage besides seed and schedule."""
    return {"config": config.model_dump(mode="json"), "data": data}
