"""The classifiers on the frozen encoder, and how their probabilities are made honest."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.optimize import minimize
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from contraview.core.learnt import Learnt, demand
from contraview.core.run import Run
from contraview.core.weights import set_weights, weights_of
from contraview.networks.fresh import fresh
from contraview.systems.imaginet.config import ImagiNetConfig
from contraview.training.loop import train
from contraview.training.samplers import balanced
from contraview.training.schedule import Schedule
from contraview.training.step import Step

BATCH = 200


@dataclass
class Head:
    """A classifier of features with a temperature and an offset learnt on held-out images.

    Attributes:
        network: features to logits.
        temperature: logits are divided by it.
        offset: added to the logit of the last class.
    """

    network: nn.Module
    temperature: float = 1.0
    offset: float = 0.0

    @classmethod
    def fresh(cls, inputs: int, classes: int, config: ImagiNetConfig, seed: int, name: str):
        """Batch normalisation, then a linear layer, or the paper's hidden one before it."""

        def make() -> nn.Module:
            if not config.hidden:
                return nn.Sequential(nn.BatchNorm1d(inputs), nn.Linear(inputs, classes))
            return nn.Sequential(
                nn.BatchNorm1d(inputs),
                nn.Linear(inputs, config.hidden),
                nn.ReLU(),
                nn.Dropout(config.dropout),
                nn.Linear(config.hidden, classes),
            )

        return cls(fresh(make, seed, name).eval())

    def learn(
        self,
        features: Float[Tensor, "n d"],
        classes: Int[Tensor, " n"],
        config: ImagiNetConfig,
        run: Run,
        name: str,
    ) -> None:
        """Cross-entropy on features as they are, as they will be when it is used."""

        def loss(model: nn.Module, rows: Int[Tensor, " b"], generator: torch.Generator) -> Step:
            found = model(features[rows].to(generator.device))
            return Step(cross_entropy(found, classes[rows].to(generator.device)))

        train(
            self.network,
            loss,
            balanced(classes, BATCH, run.seed),
            Schedule.of(steps=config.head_steps, batch=BATCH, lr=config.head_lr, weight_decay=1e-3),
            run=run,
            name=name,
            settings=config.model_dump(mode="json"),
        )

    def calibrate(self, features: Float[Tensor, "n d"], classes: Int[Tensor, " n"]) -> None:
        """Temperature and, of two classes, offset of least log-loss on held-out images.

        Guo et al. 2017, arXiv 1706.04599; with the offset it is Platt's scaling.
        """
        logits = self._logits(features).double().numpy()
        truth = classes.numpy()
        two = logits.shape[1] == 2

        def log_loss(scaling: np.ndarray) -> float:
            scaled = logits * np.exp(-scaling[0])
            if two:
                scaled = scaled + np.array([0.0, scaling[1]])
            top = scaled.max(1, keepdims=True)
            whole = top[:, 0] + np.log(np.exp(scaled - top).sum(1))
            return float((whole - scaled[np.arange(len(truth)), truth]).mean())

        found = minimize(log_loss, np.zeros(2), method="Nelder-Mead").x
        self.temperature = float(np.exp(np.clip(found[0], -5, 5)))
        self.offset = float(found[1]) if two else 0.0

    def __call__(self, features: Float[Tensor, "n d"]) -> Float[np.ndarray, "n c"]:
        """The calibrated probability of each class."""
        logits = self._logits(features).double() / self.temperature
        logits[:, -1] += self.offset
        return logits.softmax(1).numpy()

    @torch.inference_mode()
    def _logits(self, features: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        self.network.eval()
        device = next(self.network.parameters()).device
        return self.network(features.to(device)).cpu()

    def learnt(self) -> Learnt:
        """Weights, temperature, offset."""
        facts: dict[str, Any] = {"temperature": self.temperature, "offset": self.offset}
        return Learnt(weights_of(self.network), facts=facts)

    def restore(self, learnt: Learnt) -> None:
        """Take up what `learnt` gave."""
        set_weights(self.network, learnt.arrays)
        self.temperature = float(learnt.facts["temperature"])
        self.offset = float(learnt.facts["offset"])
        demand(self.temperature > 0, f"temperature {self.temperature}: not above 0")
