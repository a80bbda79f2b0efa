"""The default network detector: four views of a flow, each calibrated on benign flows."""

from collections.abc import Mapping
from copy import copy
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Float32

from contraview.apps.detection.calibrated import AMENDMENT, Calibrated
from contraview.apps.detection.graph import detector_graph
from contraview.apps.detection.living.move import MOVE, Move
from contraview.apps.detection.living.naming import NAMING, Naming
from contraview.apps.detection.living.reserve import Reserve
from contraview.apps.detection.rules import Rules
from contraview.apps.detection.settings import DetectorConfig
from contraview.apps.detection.usual import Usual
from contraview.apps.detection.views import KINDS, View, fit_views, metric
from contraview.core.errors import InputError
from contraview.core.graph import Graph
from contraview.core.learnt import Learnt, array, demand
from contraview.core.model_folder import Model
from contraview.core.restoring import restoring
from contraview.core.run import Run
from contraview.core.seeds import numpy_generator
from contraview.core.system import System
from contraview.evaluation.threshold import alarms_allowed, rows_needed, threshold_at_fpr
from contraview.frameworks.one_class.calibration import Calibration
from contraview.modalities.flows.data import Flows, FlowSource, read_flows
from contraview.systems.clan import Clan

FEWEST_BENIGN = 300


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
    models: dict[str, View]
    calibrations: dict[str, Calibration]
    rules: Rules
    usual: Usual
    held_views: Float[np.ndarray, "m v"]
    reserve: Float32[np.ndarray, "r d"] | None
    naming: Naming | None = None
    move: Move | None = None
    unmoved: "Detector | None" = None
    calibrated: Calibrated | None = None

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
        self.models = fit_views(self.config, self.clan.features, matrix, run)
        self._learn_what_is_usual(learn, calibrate)
        self.calibrated = None
        return self

    @classmethod
    def of_clan(cls, clan: Clan, flows: Any, *, max_fpr: float | None = None) -> "Detector":
        """A detector whose only view is a fitted CLAN, by benign flows that the fit has not seen:
        what is usual, what is a rule and what a score means are all learnt from these.

        Raises:
            InputError: too few flows for the rate, or the very flows that CLAN learnt from.
        """
        self = cls()
        self.clan, self.models, self.source = clan, {}, clan.source
        flows = read_flows(flows)
        if clan.learnt_from(flows):
            raise InputError("clan learnt from these very flows; expected other benign flows")
        benign = flows.benign()
        alarms_allowed(len(benign), self.rate(max_fpr))
        self._learn_what_is_usual(benign, benign)
        self.calibrated = Calibrated.of(
            self.held_out, self.rules.rate, self.rate(max_fpr), self.reserve
        )
        return self

    def _learn_what_is_usual(self, learn: Flows, calibrate: Flows) -> None:
        matrix = self.clan.matrix(calibrate).numpy()
        raw = self.raw_views(matrix)
        self.reserve = Reserve.of(matrix)
        self.calibrations = {name: Calibration.fit(scores) for name, scores in raw.items()}
        self.held_views = self._surprises(raw)
        self.rules = Rules.fit(self.clan.features, calibrate.collect())
        self.usual = Usual.fit(self.clan.features, learn.collect())

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
        """The scores of the benign flows that thresholds come from: those of the last
        `calibrate`, else those that the fit kept apart.
        """
        return combined(self.held_views) if self.calibrated is None else self.calibrated.scores

    @property
    def views(self) -> tuple[str, ...]:
        """The names of the views."""
        return ("clan", *self.models)

    @property
    def width(self) -> int:
        """Columns of the standardised matrix."""
        return len(self.clan.features.mean)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns that a flow is judged by: those of the views, and those with a rule."""
        return (*self.clan.features.sources, *self.rules.constant)

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

    def alert_scores(self, matrix: Float32[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """`score_rows`, 0 for flows that are no alert whatever their score, since they are like
        those that people called benign: what a threshold is taken from.
        """
        scores = self.score_rows(matrix)
        return (
            scores
            if self.naming is None
            else np.where(self.naming.calm(self.clan, matrix), 0.0, scores)
        )

    def view_values(self, matrix: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n v"]:
        """`score_views`, for rows that CLAN's feature map has standardised already."""
        return self._surprises(self.raw_views(matrix))

    def _surprises(self, raw: Mapping[str, Float[np.ndarray, " n"]]) -> Float[np.ndarray, "n v"]:
        return np.stack([self.calibrations[name].surprise(raw[name]) for name in raw], axis=1)

    def raw_views(self, matrix: Float[np.ndarray, "n d"]) -> dict[str, Float[np.ndarray, " n"]]:
        """What each view gives such rows before it is calibrated, in the view's own unit."""
        raw = {"clan": self.clan.exact_scores(torch.from_numpy(matrix))}
        for name, model in self.models.items():
            space = metric(self.clan.features, matrix) if name == "neighbours" else matrix
            raw[name] = model.score(space)
        return raw

    def calibrate(self, flows: Any, /, *, max_fpr: float | None = None) -> "Detector":
        """Take thresholds from other benign flows from now on; nothing is fitted again.

        Args:
            flows: benign flows (of labelled ones the benign rows), none of which the fit saw.
            max_fpr: the rate that holds from now on where no other is asked for.

        Raises:
            InputError: too few flows for the rate; nothing is changed.
        """
        self.need_fit()
        benign, features = read_flows(flows).benign(), self.clan.features
        benign.require(self.clan.kind, features.numeric, tuple(features.categories))
        rate = self.rate(max_fpr)
        alarms_allowed(len(benign), rate)
        scores, broken, reserve = [], 0, Reserve()
        for rows in benign.batches():
            matrix = features.transform(rows)
            scores.append(self.alert_scores(matrix))
            reserve.add(matrix)
            broken += self.rules.misfires(rows)
        self.calibrated = Calibrated.of(
            np.concatenate(scores), broken / len(benign), rate, reserve.rows
        )
        return self

    def rate(self, max_fpr: float | None = None) -> float:
        """The false-alarm rate asked for, else that of the calibration, else of the settings."""
        if max_fpr is not None:
            return max_fpr
        return self.config.max_fpr if self.calibrated is None else self.calibrated.max_fpr

    def threshold(self, max_fpr: float | None = None) -> float:
        """The score above which a flow is an alert, for a share of benign flows that may alert.

        Raises:
            InputError: where the held-out benign flows cannot support the rate: a rate of one in
                a thousand needs a thousand of them.
        """
        self.need_fit()
        return threshold_at_fpr(self.held_out, self.rate(max_fpr))

    @property
    def rules_rate(self) -> float:
        """The share of benign flows that breaks a rule."""
        return self.rules.rate if self.calibrated is None else self.calibrated.rules_rate

    def rules_alert(self, max_fpr: float | None = None) -> bool:
        """Whether a broken rule is an alert of its own: where rules misfire on less than a tenth
        of the false alarms that are allowed.
        """
        return self.rules_rate <= 0.1 * self.rate(max_fpr)

    def graph(self) -> Graph:
        """Columns in, `score` out, by centre, bank, tails and calibrations that are in force."""
        self.need_fit()
        rate = self.rate()
        supported = rows_needed(rate) <= len(self.held_out)
        rows = None if self.reserve is None else torch.from_numpy(self.reserve)
        facts = {"max_fpr": rate, "threshold": self.threshold() if supported else None}
        return detector_graph(self.clan, self.models, self.calibrations, rows, facts)

    def learnt(self) -> Learnt:
        """Views, calibrations, rules and the held-out benign scores."""
        parts = {
            "clan": self.clan.learnt(),
            **{name: model.learnt() for name, model in self.models.items()},
            **{f"calibration {name}": c.learnt() for name, c in self.calibrations.items()},
            "rules": self.rules.learnt(),
            "usual": self.usual.learnt(),
            "held": self._held(),
        }
        if self.calibrated is not None:
            parts[AMENDMENT] = self.calibrated.learnt()
        return Learnt.joined(parts)

    def _held(self) -> Learnt:
        rows = {} if self.reserve is None else {"rows": self.reserve}
        return Learnt(arrays={"views": self.held_views} | rows)

    def _take_held(self, learnt: Learnt) -> None:
        held = learnt.arrays
        self.held_views = array(held, "views", 2)
        demand(
            len(self.held_views) > 0 and self.held_views.shape[1] == len(self.views),
            f"held-out scores of {self.held_views.shape[1]} views for {len(self.views)}",
        )
        # models of earlier versions kept none
        self.reserve = array(held, "rows", 2) if "rows" in held else None

    def restore(self, learnt: Learnt) -> None:
        """Take up what `learnt` gave."""
        self.clan = self._clan()
        self.clan.restore(learnt.part("clan"))
        self._restore_beside_clan(learnt)

    def _restore_beside_clan(self, learnt: Learnt) -> None:
        self.models = {
            name: kind.restore(learnt.part(name))
            for name, kind in KINDS.items()
            if name in learnt.facts
        }
        self.calibrations = {
            name: Calibration.restore(learnt.part(f"calibration {name}")) for name in self.views
        }
        self.rules = Rules.restore(learnt.part("rules"))
        self.usual = Usual.restore(learnt.part("usual"))
        self._take_held(learnt.part("held"))
        if AMENDMENT in learnt.facts:
            self.calibrated = Calibrated.restore(learnt.part(AMENDMENT))

    @classmethod
    def from_model(cls, model: Model) -> "Detector":
        """The fitted detector of a model folder, with its latest calibration.

        A folder of CLAN alone is one too once `contraview calibrate` amended it; see `of_clan`.
        """
        amendments = model.amendments
        if model.slug == cls.slug:
            self = super().from_model(model)
        else:
            self = cls()
            self.clan = Clan.from_model(model)
            self.source = self.clan.source
            with restoring(cls.slug, amendments[AMENDMENT]):
                self._restore_beside_clan(amendments[AMENDMENT])
        if MOVE in amendments:
            with restoring(cls.slug, amendments[MOVE]):
                self = self._moved_as(amendments[MOVE])
        if AMENDMENT in amendments:
            with restoring(cls.slug, amendments[AMENDMENT]):
                own = amendments[AMENDMENT]
                own = own if model.slug == cls.slug else own.part(AMENDMENT)
                self.calibrated = Calibrated.restore(own)
        if NAMING in amendments:
            with restoring(cls.slug, amendments[NAMING]):
                self.naming = Naming.restore(amendments[NAMING], self.clan)
        return self

    def moved(self, move: Move) -> "Detector":
        """This detector with its centre, bank and tails moved towards more benign rows.

        Nothing is trained: the encoder and the forest stay. The views' calibrations and the scores
        that thresholds come from are those of the held-out rows under the moved views; no row that
        moves them is among these.

        Raises:
            InputError: the model keeps no held-out rows, as those of earlier versions.
        """
        base = self.unmoved or self
        if base.reserve is None:
            raise InputError("the model keeps no held-out flows; fit it again with this version")
        other = base._moved_views(move)
        raw = other.raw_views(base.reserve)
        other.calibrations = {name: Calibration.fit(scores) for name, scores in raw.items()}
        other.held_views = other._surprises(raw)
        if self.calibrated is not None:
            other.calibrated = self.calibrated.again(other.score_rows)
        return other

    def _moved_views(self, move: Move) -> "Detector":
        """A copy whose views are moved, but not calibrated."""
        other, rows = copy(self), torch.from_numpy(move.rows)
        embedded = self.clan.embed_rows(rows)
        other.clan = self.clan.with_centroid(
            move.centroid(self.clan.centroid, self.clan.benign_rows, embedded)
        )
        other.models = {
            name: move.view(model, metric(self.clan.features, move.rows))
            for name, model in self.models.items()
        }
        other.move, other.unmoved = move, self
        other.rules, other.usual = move.allowed(self.rules), move.usual(self.usual)
        return other

    def move_learnt(self) -> Learnt:
        """What a model folder keeps of a move."""
        assert self.move is not None
        parts = {f"calibration {name}": c.learnt() for name, c in self.calibrations.items()}
        held = Learnt(arrays={"views": self.held_views})
        return Learnt.joined({"move": self.move.learnt(), "held": held, **parts})

    def _moved_as(self, learnt: Learnt) -> "Detector":
        other = self._moved_views(Move.restore(learnt.part("move")))
        other.calibrations = {
            name: Calibration.restore(learnt.part(f"calibration {name}")) for name in self.views
        }
        other.held_views = learnt.part("held").arrays["views"]
        return other
