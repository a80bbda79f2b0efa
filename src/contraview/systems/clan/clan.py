"""CLAN (Wilkie, Hindy, Tachtatzis, Atkinson 2025, doi:10.1109/CSR64739.2025.11129979)."""

from collections.abc import Sequence
from copy import copy, deepcopy
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from contraview.core.errors import InputError
from contraview.core.graph import Graph
from contraview.core.learnt import Learnt, demand
from contraview.core.run import Run
from contraview.core.system import System
from contraview.core.weights import set_weights, weights_of
from contraview.frameworks.one_class.centroid import Centroid
from contraview.modalities.flows.data import Flows, FlowSource, read_flows
from contraview.modalities.flows.features import FeatureMap
from contraview.modalities.flows.findings import inspect
from contraview.modalities.flows.graph import drawn, fed, flow_ports
from contraview.modalities.flows.nets import ResidualMLP
from contraview.objectives.clan import clan_loss
from contraview.systems.clan.attack_naming import AttackNaming
from contraview.systems.clan.config import PRESETS, ClanConfig
from contraview.systems.clan.graph import ClanGraph, outputs
from contraview.systems.clan.negatives import Corrupter
from contraview.systems.clan.pretraining import Pretraining, fresh_encoder

FEWEST_BENIGN = 200
SCORING_BATCH = 65_536


class Clan(System):
    """Learns what benign traffic looks like; scores how little a flow looks like it.

    Two-view methods pull a row and its corrupted copy together. CLAN turns that round: different
    *benign* flows are positives of each other, and corrupted copies are the negatives. Benign
    traffic ends as one tight cluster on the sphere, a flow's score is minus its cosine to the
    cluster's centre, and scoring costs one forward pass and one dot product. The same encoder,
    fine-tuned on a few labelled flows a class, names attacks.

    Differs from the official code (github.com/jackwilkie/CLAN): the default alters about 18
    columns a row instead of a tenth of the cells, passes statistics through a signed logarithm,
    and is a small network for a laptop; ``Clan.preset("paper")`` has the official settings.
    Columns that are constant on benign rows are left out, missing and infinite values become the
    benign mean, and every draw comes from the run's seed.

    Verbs: `score` and `embed` after `fit`; `classify` after `finetune`, or a `fit` with labels.
    """

    slug = "clan"
    Config = ClanConfig
    Source = FlowSource
    presets: ClassVar = PRESETS

    features: FeatureMap
    encoder: ResidualMLP
    centroid: Centroid
    kind: str
    naming: AttackNaming | None = None
    _exact: tuple[nn.Module, nn.Module] | None = None

    @classmethod
    def describe(cls, data: Any) -> list[str]:
        """What the benign rows hold: missing and infinite values, constants, repeats, roles."""
        return inspect(read_flows(data).benign()).lines()

    def fit(
        self,
        flows: Any,
        /,
        *,
        labels: Sequence[str] | np.ndarray | None = None,
        run: Run | None = None,
    ) -> "Clan":
        """Learn from the benign rows of ``flows``; with ``labels``, also to name attacks.

        Args:
            flows: a path, a table or `Flows`. Where its source has a ``benign`` expression only
                the rows it keeps are learnt from; otherwise all of them are taken as benign.
            labels: a class for each row of ``flows``, empty where unknown; see `finetune`.
            run: seed, folder and progress.
        """
        run = run or Run()
        flows = read_flows(flows)
        benign = flows.benign().collect()
        if benign.height < FEWEST_BENIGN:
            raise InputError(
                f"{benign.height} benign flows to learn from; expected at least {FEWEST_BENIGN}"
            )
        self.kind = flows.kind
        self.features = FeatureMap.fit(
            benign, flows.numeric, flows.categorical, log=self.config.log
        )
        self._facts = {
            "benign rows": benign.height,
            "fingerprint": flows.fingerprint(),
            "findings": inspect(flows.benign()).to_json(),
        }
        run.log("data", **self._facts)
        rows = torch.from_numpy(self.features.transform(benign))
        self.encoder = self._fresh_encoder(run.seed)
        self.centroid = self._pretrain(rows, run)
        self.naming = None
        return self if labels is None else self.finetune(flows, labels, run=run)

    def _fresh_encoder(self, seed: int) -> ResidualMLP:
        return fresh_encoder(self.config, len(self.features.mean), seed)

    def _pretrain(self, rows: Float[Tensor, "n d"], run: Run) -> Centroid:
        config = self.config
        objective = partial(
            clan_loss, margin=config.margin, balance=config.balance, squared=config.squared
        )
        pretraining = Pretraining(config, objective, Corrupter.of(config, self.features))
        steps = config.total_steps(len(rows))
        if config.contamination:
            guard_steps = max(steps // 2, 1)
            pretraining(self.encoder, rows, run=run, steps=guard_steps, name="guard")
            rows = self._trusted(rows, run)
            steps = max(steps - guard_steps, 1)
        pretraining(self.encoder, rows, run=run, steps=steps)
        return Centroid.fit(self.embed_rows(rows))

    def _trusted(self, rows: Float[Tensor, "n d"], run: Run) -> Float[Tensor, "m d"]:
        """The rows without the most anomalous share, as the half-trained encoder sees them."""
        embedded = self.embed_rows(rows)
        scores = Centroid.fit(embedded).score(embedded)
        left_out = round(self.config.contamination * len(rows))
        run.log("contamination guard", left_out=left_out, rows=len(rows))
        return rows[np.sort(np.argsort(scores, kind="stable")[: len(rows) - left_out])]

    def finetune(
        self, flows: Any, labels: Sequence[str] | np.ndarray, *, run: Run | None = None
    ) -> "Clan":
        """Learn to name attacks from labelled flows, a few a class are enough.

        A copy of the encoder gets a linear layer on its embedding and all its weights are trained
        with cross-entropy on class-balanced batches; the anomaly score stays as it was.
        """
        self.need_fit()
        rows, names = self.matrix(flows), np.asarray(labels, dtype=str)
        if len(rows) != len(names):
            raise InputError(f"{len(names)} labels for {len(rows)} flows; expected one a flow")
        known = names != ""
        self.naming = AttackNaming.fit(
            self.encoder, rows[torch.from_numpy(known)], names[known], self.config, run or Run()
        )
        return self

    @property
    def fitted(self) -> bool:
        """Whether `fit` or `restore` has run."""
        return hasattr(self, "centroid")

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that `classify` tells apart."""
        return self._need_naming().classes

    @property
    def benign_rows(self) -> int:
        """How many benign flows `fit` learnt from."""
        self.need_fit()
        return int(self._facts["benign rows"])

    def with_centroid(self, centroid: Centroid) -> "Clan":
        """The same encoder about another centre."""
        other = copy(self)
        other.centroid = centroid
        return other

    def learnt_from(self, flows: Flows) -> bool:
        """Whether these are the very flows that `fit` was given."""
        return flows.fingerprint() == self._facts["fingerprint"]

    def matrix(self, flows: Any) -> Float[Tensor, "n d"]:
        """Flows as the standardised matrix that the encoder reads."""
        self.need_fit()
        flows = read_flows(flows)
        flows.require(self.kind, self.features.numeric, tuple(self.features.categories))
        blocks = [self.features.transform(rows) for rows in flows.batches(SCORING_BATCH)]
        width = len(self.features.mean)
        return torch.from_numpy(np.concatenate([np.empty((0, width), np.float32), *blocks]))

    def embed(self, flows: Any, /) -> Float[np.ndarray, "n e"]:
        """The embedding of each flow, not normalised."""
        return self.embed_rows(self.matrix(flows))

    def score(self, flows: Any, /) -> Float[np.ndarray, " n"]:
        """The anomaly score of each flow: minus the cosine to the benign centre, in [-1, 1]."""
        return self.score_rows(self.matrix(flows))

    def score_rows(self, rows: Float[Tensor, "n d"]) -> Float[np.ndarray, " n"]:
        """`score`, for rows that are standardised already."""
        return self.centroid.score(self.embed_rows(rows))

    @torch.inference_mode()
    def exact_scores(self, rows: Float[Tensor, "n d"]) -> Float[np.ndarray, " n"]:
        """`score_rows` in double precision: a flow's score does not depend on its batch.

        A product in single precision may differ in its last digit between heights of a matrix.
        """
        encoder = self.exact_encoder
        parts = [encoder(part.double()) for part in rows.split(SCORING_BATCH)]
        return self.centroid.score(torch.cat(parts).numpy())

    @property
    def exact_encoder(self) -> nn.Module:
        """The encoder in double precision; made once."""
        if self._exact is None or self._exact[0] is not self.encoder:
            with torch.inference_mode(False):
                self._exact = self.encoder, deepcopy(self.encoder).double().eval()
        return self._exact[1]

    def classify(self, flows: Any, /) -> Float[np.ndarray, "n c"]:
        """The probability of each of `classes` for each flow; after `finetune`."""
        naming = self._need_naming()
        return naming.probabilities(self.matrix(flows))

    def _need_naming(self) -> AttackNaming:
        if self.naming is None:
            raise InputError("clan: learnt no attack names; fit with labels, or call finetune")
        return self.naming

    @torch.inference_mode()
    def embed_rows(self, rows: Float[Tensor, "n d"]) -> Float[np.ndarray, "n e"]:
        """`embed`, for rows that are standardised already."""
        self.encoder.eval()
        return torch.cat([self.encoder(part) for part in rows.split(SCORING_BATCH)]).numpy()

    def graph(self) -> Graph:
        """Columns in; what `embed`, `score` and, where learnt, `classify` say out."""
        self.need_fit()
        classes = () if self.naming is None else self.naming.classes
        return Graph(
            network=ClanGraph(self.features, self.encoder, self.centroid, self.naming),
            inputs=flow_ports(self.features),
            outputs=outputs(self.config.outputs, len(classes)),
            feed=partial(fed, self.features),
            held=partial(drawn, self.features, self.kind),
            facts={"kind": self.kind} | ({"classes": list(classes)} if classes else {}),
        )

    def learnt(self) -> Learnt:
        """Encoder, centre, feature map and, where learnt, the naming of attacks."""
        parts = {
            "features": self.features.learnt(),
            "encoder": Learnt(arrays=weights_of(self.encoder)),
            "centroid": self.centroid.learnt(),
        }
        if self.naming is not None:
            parts["naming"] = self.naming.learnt()
        learnt = Learnt.joined(parts)
        learnt.facts |= {"kind": self.kind, **self._facts}
        return learnt

    def restore(self, learnt: Learnt) -> None:
        """Take up what `learnt` gave."""
        self.features = FeatureMap.restore(learnt.part("features"))
        self.encoder = self._fresh_encoder(0)
        set_weights(self.encoder, learnt.part("encoder").arrays)
        self.centroid = Centroid.restore(learnt.part("centroid"))
        self.kind = str(learnt.facts["kind"])
        own = ("features", "encoder", "centroid", "naming", "kind")
        self._facts = {key: value for key, value in learnt.facts.items() if key not in own}
        if "naming" in learnt.facts:
            self.naming = self.naming_of(learnt.part("naming"))
            demand(len(self.naming.shift) == len(self.features.mean), "naming: of other columns")

    def naming_of(self, learnt: Learnt) -> AttackNaming:
        """The naming of attacks that was learnt on this encoder."""
        return AttackNaming.restore(learnt, self._fresh_encoder(0), self.config.outputs)
