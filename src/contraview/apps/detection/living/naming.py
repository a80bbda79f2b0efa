"""Alerts told apart by what people said of others: benign, an attack with a name, or unknown."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from jaxtyping import Bool, Float32

from contraview.apps.detection.living.exemplars import BENIGN, Exemplars
from contraview.apps.detection.views import metric
from contraview.core.learnt import Learnt
from contraview.core.run import Run
from contraview.core.seeds import numpy_generator
from contraview.systems.clan import Clan
from contraview.systems.clan.attack_naming import AttackNaming

NAMING: Final = "naming"
"""The name under which a model folder holds it."""
NAMED: Final = "named_attack"
"""The column that says which attack an alert is."""
UNKNOWN: Final = "unknown"
BENIGN_ROWS: Final = 200
"""Held-out benign rows that stand for all else while the attacks are learnt."""


@dataclass(frozen=True)
class Naming:
    """Says of an alert whether it is like the flows that were called benign, which attack it is,
    or that it is like none of those known.

    An attack's name takes two that agree: CLAN's second task, a copy of the encoder fine-tuned on
    the judged flows with held-out benign rows as one more class; and the nearest judged flow, which
    must be of that attack and within its reach (see `Exemplars`).

    Attributes:
        exemplars: the judged flows.
        model: tells attacks apart; None where no attack has flows enough.
    """

    exemplars: Exemplars
    model: AttackNaming | None = None

    @classmethod
    def of(
        cls,
        clan: Clan,
        judged: Float32[np.ndarray, "k d"],
        names: Sequence[str],
        held_out: Float32[np.ndarray, "m d"],
    ) -> "Naming":
        """From standardised judged flows and held-out benign ones; attacks are not learnt yet."""
        space = metric(clan.features, judged), metric(clan.features, held_out)
        return cls(Exemplars.fit(space[0], list(names), space[1]))

    def trained(
        self,
        clan: Clan,
        judged: Float32[np.ndarray, "k d"],
        names: Sequence[str],
        held_out: Float32[np.ndarray, "m d"],
    ) -> "Naming":
        """The same, with attacks learnt where there are flows enough."""
        if not self.attacks:
            return self
        labels = np.array(names)
        chosen = np.isin(labels, [*self.attacks, BENIGN])
        drawn = numpy_generator(0, "naming").permutation(len(held_out))[:BENIGN_ROWS]
        rows = torch.from_numpy(np.concatenate([judged[chosen], held_out[drawn]]))
        told = np.concatenate([labels[chosen], np.full(len(drawn), BENIGN)])
        run = Run(seed=0, show=False)
        return Naming(self.exemplars, AttackNaming.fit(clan.encoder, rows, told, clan.config, run))

    @property
    def attacks(self) -> tuple[str, ...]:
        """The names that alerts can be given."""
        return self.exemplars.attacks

    def calm(self, clan: Clan, rows: Float32[np.ndarray, "n d"]) -> Bool[np.ndarray, " n"]:
        """Which standardised rows are like flows that were called benign."""
        codes, within = self.exemplars.like(metric(clan.features, rows))
        return within & (np.array(self.exemplars.names)[codes] == BENIGN)

    def name(self, clan: Clan, rows: Float32[np.ndarray, "n d"]) -> list[str]:
        """What each standardised row is: ``benign``, an attack's name, or `UNKNOWN`."""
        if not len(rows):
            return []
        codes, within = self.exemplars.like(metric(clan.features, rows))
        nearest = np.array(self.exemplars.names)[codes]
        agreed = nearest == BENIGN
        if self.model is not None:
            classes = np.array(self.model.classes)
            attacks = np.flatnonzero(classes != BENIGN)
            sure = self.model.probabilities(torch.from_numpy(rows))[:, attacks]
            agreed |= nearest == classes[attacks][sure.argmax(axis=1)]
        return [str(name) for name in np.where(within & agreed, nearest, UNKNOWN)]

    def learnt(self) -> Learnt:
        """What `restore` needs."""
        parts = {"exemplars": self.exemplars.learnt()}
        if self.model is not None:
            parts["model"] = self.model.learnt()
        return Learnt.joined(parts)

    @classmethod
    def restore(cls, learnt: Learnt, clan: Clan) -> "Naming":
        """What `learnt` described, for the same CLAN."""
        model = clan.naming_of(learnt.part("model")) if "model" in learnt.facts else None
        return cls(Exemplars.restore(learnt.part("exemplars")), model)
