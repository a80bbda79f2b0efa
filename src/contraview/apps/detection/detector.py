"""The default network detector: four views of a flow, each calibrated on benign flows."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field

from contraview.apps.detection.rules import Rules
from contraview.apps.detection.usual import Usual
from contraview.core import config
from contraview.core.errors import InputError
from contraview.core.learnt import Learnt
from contraview.core.run import Run
from contraview.core.seeds import numpy_generator
from contraview.core.system import System
from contraview.evaluation.threshold import threshold_at_fpr
from contraview.frameworks.one_class.calibration import Calibration
from contraview.frameworks.one_class.ecod import Ecod
from contraview.frameworks.one_class.forest import IsolationForest
from contraview.frameworks.one_class.neighbours import Neighbours
from contraview.modalities.flows.data import Flows, FlowSource, read_flows
from contraview.systems.clan import Clan

FEWEST_BENIGN = 300
CATEGORY_WEIGHT = 0.7
"""Indicators of a category count this much in a distance: two different categories are 1 apart."""
CLIP = 8.0


class DetectorConfig(config.Config):
    """Settings of the default detector."""

    light: bool = Field(False, description="CLAN and ECOD only: a few us a flow, no stored bank")
    calibration: float = Field(
        1 / 3, gt=0, lt=1, description="share of the benign flows held out to calibrate on"
    )
    max_fpr: float = Field(0.01, gt=0, lt=1, description="share of benign flows that may alert")
    trees: int = Field(200, ge=1, description="trees of the isolation forest")
    neighbour: int = Field(5, ge=1, description="which neighbour the kNN view measures to")
    bank: int | None = Field(
        None, ge=1, description="most benign flows the kNN view keeps; unset keeps all"
    )
    steps: int = Field(500, ge=1, description="optimiser steps of the CLAN view")
    mass_negatives: float = Field(
        0.0, ge=0, lt=1, description="share of CLAN's negatives that are unaltered benign rows"
    )
    contamination: float = Field(
        0.0, ge=0, lt=0.5, description="share of the flows suspected not to be benign"
    )


def combined(views: Float[np.ndarray, "n v"]) -> Float[np.ndarray, " n"]:
    """One score from the surprise of each view: their quadratic mean."""
    return np.sqrt(np.square(views).mean(axis=1))


def held_out(benign: Flows, share: float, seed: int) -> tuple[Flows, Flows]:
    """The flows to learn from, and the random ``share`` of them that is kept to calibrate on."""
    rows = len(benign)
    order = numpy_generator(seed, "detector split").permutation(rows)
    held = round(share * rows)
    return benign.take(np.sort(order[held:])), benign.take(np.sort(order[:held]))


class Detector(System):
    """Learns one site's benign traffic and scores how far a flow is from it, without attack labels.

    No single detector is good on every site: where attacks break the relations between columns a
    dependency detector is needed (CLAN, nearest neighbours), where they are rare but consistent a
    detector of margins (ECOD, isolation forest). Each view's raw score is turned into the
    surprise it means on held-out benign flows, and a flow's score is the quadratic mean of the
    four: the same unit on every site, and one view that is sure is not drowned by the others.
    The threshold for a false-alarm rate comes from the same held-out flows; changing the rate
    needs no refit.
    """

    slug = "detector"
    Config = DetectorConfig
    Source = FlowSource
    presets: ClassVar = {"small": {}, "light": {"light": True}}

    clan: Clan
    models: dict[str, IsolationForest | Ecod | Neighbours]
    calibrations: dict[str, Calibration]
    rules: Rules
    usual: Usual
    held_views: Float[np.ndarray, "m v"]

    @classmethod
    def describe(cls, data: Any) -> list[str]:
        """What the benign rows hold; see `Clan.describe`."""
        return Clan.describe(data)

    def fit(self, flows: Any, /, *, run: Run | None = None) -> "Detector":
        """Learn from the benign rows of ``flows``; a random third of them is kept to calibrate."""
        run = run or Run()
        benign = read_flows(flows).benign()
        rows = len(benign)
        if rows < FEWEST_BENIGN:
            raise InputError(
                f"{rows} benign flows to learn from; expected at least {FEWEST_BENIGN}"
            )
        learn, calibrate = held_out(benign, self.config.calibration, run.seed)
        self.clan = self._clan().fit(learn, run=run)
        matrix = self.clan.matrix(learn).numpy()
        self.models = {}
        makers: dict[str, Callable[[], IsolationForest | Ecod | Neighbours]] = {
            "ecod": lambda: Ecod.fit(matrix),
            "forest": lambda: IsolationForest.fit(matrix, trees=self.config.trees, seed=run.seed),
            "neighbours": lambda: Neighbours.fit(
                self._metric(matrix), k=self.config.neighbour, cap=self.config.bank, seed=run.seed
            ),
        }
        wanted = ("ecod",) if self.config.light else tuple(makers)
        with run.progress("fit views", len(wanted)) as advance:
            for name in wanted:
                self.models[name] = makers[name]()
                advance()

        raw = self._raw(self.clan.matrix(calibrate).numpy())
        self.calibrations = {name: Calibration.fit(scores) for name, scores in raw.items()}
        self.held_views = self._surprises(raw)
        self.rules = Rules.fit(self.clan.features, calibrate.collect())
        self.usual = Usual.fit(self.clan.features, learn.collect())
        return self

    def _clan(self) -> Clan:
        return Clan(
            width=128,
            depth=3,
            steps=self.config.steps,
            mass_negatives=self.config.mass_negatives,
            contamination=self.config.contamination,
        )

    @property
    def fitted(self) -> bool:
        """Whether `fit` or `restore` has run."""
        return hasattr(self, "held_views")

    @property
    def held_out(self) -> Float[np.ndarray, " m"]:
        """The scores of the benign flows that were kept to calibrate on."""
        return combined(self.held_views)

    @property
    def views(self) -> tuple[str, ...]:
        """The names of the views."""
        return ("clan", *self.models)

    def score(self, flows: Any, /) -> Float[np.ndarray, " n"]:
        """The quadratic mean of the views, in nats of surprise; higher is more anomalous."""
        return combined(self.score_views(flows))

    def score_views(self, flows: Any, /) -> Float[np.ndarray, "n v"]:
        """Each view's surprise for each flow, in the order of `views`."""
        self.need_fit()
        return self.view_values(self.clan.matrix(flows).numpy())

    def score_rows(self, matrix: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """`score`, for rows that CLAN's feature map has standardised already."""
        return combined(self.view_values(matrix))

    def view_values(self, matrix: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n v"]:
        """`score_views`, for rows that CLAN's feature map has standardised already."""
        return self._surprises(self._raw(matrix))

    def _surprises(self, raw: Mapping[str, Float[np.ndarray, " n"]]) -> Float[np.ndarray, "n v"]:
        return np.stack([self.calibrations[name].surprise(raw[name]) for name in raw], axis=1)

    def _raw(self, matrix: Float[np.ndarray, "n d"]) -> dict[str, Float[np.ndarray, " n"]]:
        raw = {"clan": self.clan.score_rows(torch.from_numpy(matrix))}
        for name, model in self.models.items():
            raw[name] = model.score(self._metric(matrix) if name == "neighbours" else matrix)
        return raw

    def _metric(self, matrix: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
        """The space of the kNN view: numbers clipped at 8 sd, categories as weighted 0 and 1."""
        features = self.clan.features
        numbers = len(features.numeric)
        indicators = matrix[:, numbers:] * features.spread[numbers:] + features.mean[numbers:]
        clipped = np.clip(matrix[:, :numbers], -CLIP, CLIP)
        weighted = CATEGORY_WEIGHT * indicators
        return np.concatenate([clipped, weighted], axis=1).astype(np.float32)

    def threshold(self, max_fpr: float | None = None) -> float:
        """The score above which a flow is an alert, for a share of benign flows that may alert.

        Raises:
            InputError: where the held-out benign flows cannot support the rate: a rate of one in
                a thousand needs a thousand of them.
        """
        self.need_fit()
        return threshold_at_fpr(self.held_out, max_fpr or self.config.max_fpr)

    def rules_alert(self, max_fpr: float | None = None) -> bool:
        """Whether a broken rule is an alert of its own: where rules misfire on less than a tenth
        of the false alarms that are allowed.
        """
        return self.rules.rate <= 0.1 * (max_fpr or self.config.max_fpr)

    def learnt(self) -> Learnt:
        """Views, calibrations, rules and the held-out benign scores."""
        parts = {
            "clan": self.clan.learnt(),
            **{name: model.learnt() for name, model in self.models.items()},
            **{f"calibration {name}": c.learnt() for name, c in self.calibrations.items()},
            "rules": self.rules.learnt(),
            "usual": self.usual.learnt(),
            "held": Learnt(arrays={"views": self.held_views}),
        }
        return Learnt.joined(parts)

    def restore(self, learnt: Learnt) -> None:
        """Take up what `learnt` gave."""
        self.clan = self._clan()
        self.clan.restore(learnt.part("clan"))
        kinds = {"ecod": Ecod, "forest": IsolationForest, "neighbours": Neighbours}
        self.models = {
            name: kind.restore(learnt.part(name))
            for name, kind in kinds.items()
            if name in learnt.facts
        }
        self.calibrations = {
            name: Calibration.restore(learnt.part(f"calibration {name}")) for name in self.views
        }
        self.rules = Rules.restore(learnt.part("rules"))
        self.usual = Usual.restore(learnt.part("usual"))
        self.held_views = learnt.part("held").arrays["views"]
