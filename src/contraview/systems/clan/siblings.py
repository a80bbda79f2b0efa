"""What CLAN is compared with: the same encoder under other objectives, and the usual detectors.

Each sibling learns from standardised benign rows and returns a function that scores rows, higher
being more anomalous. The contrastive ones share CLAN's encoder, corruption, steps and optimiser and
differ in the objective alone, which is the paper's own comparison. Representations that spread
benign rows over the sphere say nothing through their mean, so they are scored by the fifth nearest
neighbour as well as by the centre.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from contraview.core.run import Run
from contraview.core.seeds import stream_seed
from contraview.frameworks.one_class.centroid import Centroid
from contraview.frameworks.one_class.neighbours import Neighbours
from contraview.networks.fresh import fresh
from contraview.objectives.nt_xent import nt_xent
from contraview.systems.clan.config import ClanConfig
from contraview.systems.clan.negatives import Corrupter
from contraview.systems.clan.pretraining import Objective, Pretraining, fresh_encoder, schedule_of
from contraview.training.loop import train
from contraview.training.samplers import bootstrap
from contraview.training.step import Step

Rows = Float[Tensor, "n d"]
Score = Callable[[Rows], Float[np.ndarray, " n"]]

NEIGHBOUR = 5
BANK = 4_000
"""Rows that the two costly classical detectors keep: local outlier factor, one-class SVM."""
SCARF_SHARE = 0.6
"""SCARF alters 60 % of the cells (Bahri et al. 2022, section 4)."""
TEMPERATURE = 0.1


@dataclass(frozen=True)
class Contrast:
    """The two scores of one contrastively trained encoder."""

    encoder: nn.Module
    rows: Rows

    def by_centroid(self) -> Score:
        """Minus the cosine to the mean embedding."""
        centroid = Centroid.fit(_embed(self.encoder, self.rows))
        return lambda rows: centroid.score(_embed(self.encoder, rows))

    def by_neighbour(self) -> Score:
        """Distance to the fifth nearest benign embedding, unit vectors."""
        bank = Neighbours.fit(_unit(_embed(self.encoder, self.rows)), k=NEIGHBOUR)
        return lambda rows: bank.score(_unit(_embed(self.encoder, rows)))


def positives(
    config: ClanConfig, corrupt: Corrupter, rows: Rows, run: Run, *, name: str = "positives"
) -> Contrast:
    """CLAN's corrupted copies as *positives* under NT-Xent: the paper's opponent (SimCLR-like)."""
    return _contrast(config, corrupt, partial(nt_xent, temperature=TEMPERATURE), rows, run, name)


def scarf(config: ClanConfig, corrupt: Corrupter, rows: Rows, run: Run) -> Contrast:
    """SCARF (arXiv:2106.15147): as `positives`, with 60 % of the cells drawn from their column."""
    altered = config.model_copy(update={"corruption": ("marginal",), "p_feature": SCARF_SHARE})
    corrupt = Corrupter(altered, corrupt.owner, corrupt.numeric)
    return positives(altered, corrupt, rows, run, name="scarf")


def _contrast(
    config: ClanConfig,
    corrupt: Corrupter,
    objective: Objective,
    rows: Rows,
    run: Run,
    name: str,
) -> Contrast:
    encoder = fresh_encoder(config, rows.shape[1], run.seed)
    pretrain = Pretraining(config, objective, corrupt)
    pretrain(encoder, rows, run=run, steps=config.total_steps(len(rows)), name=name)
    return Contrast(encoder, rows)


def autoencoder(config: ClanConfig, rows: Rows, run: Run) -> Score:
    """Squared error of reconstruction through a bottleneck of 8."""
    width, inputs = config.width, rows.shape[1]
    model = fresh(
        lambda: nn.Sequential(
            *(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, 8)),
            *(nn.Linear(8, width), nn.ReLU(), nn.Linear(width, inputs)),
        ),
        run.seed,
        "sibling",
    )

    def error(model: nn.Module, rows: Rows) -> Tensor:
        return (model(rows) - rows).square().mean(dim=1)

    return _trained(config, model, error, rows, run, "autoencoder")


def deep_svdd(config: ClanConfig, rows: Rows, run: Run) -> Score:
    """Squared distance to a fixed centre (Ruff et al. 2018): layers without bias, centre not 0."""
    width, inputs = config.width, rows.shape[1]
    model = fresh(
        lambda: nn.Sequential(
            *(nn.Linear(inputs, width, bias=False), nn.LeakyReLU()),
            *(nn.Linear(width, width, bias=False), nn.LeakyReLU()),
            nn.Linear(width, 32, bias=False),
        ),
        run.seed,
        "sibling",
    )
    with torch.no_grad():
        centre = model(rows).mean(dim=0)
        away = torch.where(centre < 0, -0.1, 0.1)
        centre = torch.where(centre.abs() < 0.1, away, centre)

    def distance(model: nn.Module, rows: Rows) -> Tensor:
        return (model(rows) - centre).square().sum(dim=1)

    return _trained(config, model, distance, rows, run, "deep_svdd")


def classical(rows: Rows, seed: int) -> Mapping[str, Callable[[], Score]]:
    """Detectors from scikit-learn, by name; each is fitted when it is called for."""
    from sklearn.ensemble import IsolationForest
    from sklearn.neighbors import LocalOutlierFactor
    from sklearn.svm import OneClassSVM

    draw = stream_seed(seed, "classical") % 2**32
    few = _sample(rows, seed)

    def fitted(model: IsolationForest | LocalOutlierFactor | OneClassSVM, on: Rows) -> Score:
        model.fit(on.numpy())
        return lambda rows: -model.score_samples(rows.numpy())

    def neighbours() -> Score:
        bank = Neighbours.fit(rows.numpy(), k=NEIGHBOUR)
        return lambda rows: bank.score(rows.numpy())

    return {
        "isolation forest": lambda: fitted(
            IsolationForest(n_estimators=100, random_state=draw), rows
        ),
        "local outlier factor": lambda: fitted(
            LocalOutlierFactor(n_neighbors=20, novelty=True), few
        ),
        "one-class SVM": lambda: fitted(OneClassSVM(nu=0.5), few),
        "5-NN": neighbours,
    }


def _trained(
    config: ClanConfig,
    model: nn.Module,
    error: Callable[[nn.Module, Rows], Tensor],
    rows: Rows,
    run: Run,
    name: str,
) -> Score:
    """Minimise the mean of a per-row error, then score by it; CLAN's steps and batch."""

    def loss(model: nn.Module, chosen: Int[Tensor, " b"], _: torch.Generator) -> Step:
        return Step(error(model, rows[chosen]).mean())

    schedule = schedule_of(config, config.total_steps(len(rows)))
    train(model, loss, bootstrap(len(rows), config.batch, run.seed), schedule, run=run, name=name)

    @torch.inference_mode()
    def score(rows: Rows) -> Float[np.ndarray, " n"]:
        return error(model, rows).numpy()

    return score


def _sample(rows: Rows, seed: int) -> Float[Tensor, "m d"]:
    if len(rows) <= BANK:
        return rows
    order = torch.Generator().manual_seed(stream_seed(seed, "bank"))
    return rows[torch.randperm(len(rows), generator=order)[:BANK].sort().values]


@torch.inference_mode()
def _embed(encoder: nn.Module, rows: Rows) -> Float[np.ndarray, "n e"]:
    return encoder.eval()(rows).numpy()


def _unit(vectors: Float[np.ndarray, "n e"]) -> Float[np.ndarray, "n e"]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
