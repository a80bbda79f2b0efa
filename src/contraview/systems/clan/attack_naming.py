"""CLAN's second task: name attacks from a few labelled flows a class."""

from copy import deepcopy

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from contraview.core.errors import InputError
from contraview.core.learnt import Learnt, array, demand, texts
from contraview.core.run import Run
from contraview.core.weights import set_weights, weights_of
from contraview.evaluation.probes import LinearProbe
from contraview.modalities.flows.features import SPREAD_FLOOR
from contraview.networks.fresh import fresh
from contraview.systems.clan.config import ClanConfig
from contraview.training.loop import train
from contraview.training.samplers import balanced
from contraview.training.schedule import Schedule
from contraview.training.step import Step

REGRESSION_C = 100.0
"""Inverse regularisation of the logistic regression that a linear start begins at."""


class Unit(nn.Module):
    """Embeddings as unit vectors: all that CLAN's loss sees of them."""

    def forward(self, embeddings: Float[Tensor, "n e"]) -> Float[Tensor, "n e"]:
        """Each row divided by its length."""
        return nn.functional.normalize(embeddings)


class AttackNaming:
    """A fine-tuned copy of an encoder with one linear layer on its embedding.

    As in the official script the projection stays, all weights are trained, the learning rate is
    constant and labels are not smoothed. By default the layer reads unit embeddings and begins at
    the logistic regression on them (Kumar et al., ICLR 2022, arXiv 2202.10054): a random layer
    distorts what was learnt before it has learnt anything itself.

    The official code z-scores the rows once more by the labelled sample and divides by zero where
    a column is constant in it; such a column keeps its first scale here.
    """

    classes: tuple[str, ...]
    linear: bool
    shift: Float[Tensor, " d"]
    scale: Float[Tensor, " d"]
    model: nn.Sequential

    @classmethod
    def fit(
        cls,
        encoder: nn.Module,
        rows: Float[Tensor, "n d"],
        names: np.ndarray,
        config: ClanConfig,
        run: Run,
    ) -> "AttackNaming":
        """Fine-tune a copy of ``encoder`` on standardised ``rows`` with their class ``names``."""
        classes, codes = np.unique(names, return_inverse=True)
        if len(classes) < 2:
            raise InputError(f"{len(classes)} class among the labels; expected at least 2")
        self = cls()
        self.classes = tuple(map(str, classes))
        self.shift, self.scale = torch.zeros(rows.shape[1]), torch.ones(rows.shape[1])
        if config.finetune_rescale:
            spread = rows.std(dim=0)
            self.shift = rows.mean(dim=0)
            self.scale = torch.where(spread > SPREAD_FLOOR, spread, 1.0)
        self.linear = config.finetune_start == "linear"
        self.model = self._with_head(deepcopy(encoder), config.outputs, run.seed)

        inputs, targets = (rows - self.shift) / self.scale, torch.from_numpy(codes)
        if self.linear:
            self._begin_at_regression(inputs, names)

        def loss(model: nn.Module, chosen: Int[Tensor, " b"], _: torch.Generator) -> Step:
            return Step(nn.functional.cross_entropy(model(inputs[chosen]), targets[chosen]))

        batch = min(config.finetune_batch, len(rows))
        schedule = Schedule(
            steps=config.finetune_epochs * (len(rows) // batch),
            batch=batch,
            lr=config.finetune_lr,
            start_lr=config.finetune_lr,
            final_lr=config.finetune_lr,
            warmup=0.0,
            weight_decay=config.finetune_weight_decay,
        )
        train(self.model, loss, balanced(targets, batch, run.seed), schedule, run=run, name="name")
        return self

    def _with_head(self, encoder: nn.Module, outputs: int, seed: int) -> nn.Sequential:
        head = fresh(lambda: nn.Linear(outputs, len(self.classes)), seed, "head")
        return nn.Sequential(encoder, *([Unit()] if self.linear else []), head)

    @torch.no_grad()
    def _begin_at_regression(self, inputs: Float[Tensor, "n d"], names: np.ndarray) -> None:
        """Set the last layer to the logistic regression on the embeddings as they are."""
        self.model.eval()
        probe = LinearProbe.fit(self.model[:-1](inputs).numpy(), names, c=REGRESSION_C)
        weights = probe.weights / probe.scale
        head = self.model[-1]
        assert isinstance(head, nn.Linear)
        head.weight.copy_(torch.from_numpy(weights))
        head.bias.copy_(torch.from_numpy(probe.bias - weights @ probe.mean))

    @torch.inference_mode()
    def probabilities(self, rows: Float[Tensor, "n d"]) -> Float[np.ndarray, "n c"]:
        """The probability of each class for each standardised row."""
        self.model.eval()
        logits = [self.model((part - self.shift) / self.scale) for part in rows.split(65_536)]
        return torch.cat(logits).softmax(dim=1).numpy()

    def learnt(self) -> Learnt:
        """Weights, second scaling and class names."""
        arrays = {"shift": self.shift.numpy(), "scale": self.scale.numpy()}
        return Learnt(
            arrays | weights_of(self.model),
            facts={"classes": list(self.classes), "linear": self.linear},
        )

    @classmethod
    def restore(cls, learnt: Learnt, encoder: nn.Module, outputs: int) -> "AttackNaming":
        """What `learnt` described, on a fresh ``encoder`` of the same shape."""
        self = cls()
        arrays = dict(learnt.arrays)
        self.classes = texts(learnt.facts["classes"], "attack names")
        shift, scale = (array(arrays, name, 1) for name in ("shift", "scale"))
        demand(
            shift.shape == scale.shape and shift.dtype == scale.dtype == np.float32,
            "naming: no second scaling",
        )
        del arrays["shift"], arrays["scale"]
        self.shift, self.scale = torch.from_numpy(shift), torch.from_numpy(scale)
        self.linear = learnt.facts.get("linear", False)  # models of earlier versions
        self.model = self._with_head(encoder, outputs, seed=0)
        set_weights(self.model, arrays)
        return self
