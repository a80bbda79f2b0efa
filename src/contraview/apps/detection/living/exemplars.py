"""Flows that people judged, and how near to one of them a flow is like it."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int

from contraview.core.learnt import Learnt, array, demand, texts
from contraview.index.exact import nearest

BENIGN: Final = "benign"
FEWEST: Final = 3
"""Flows of an attack that make a class; with fewer nothing is named after it."""
WITHIN: Final = 0.8
"""Share of a class's flows that have another one within its reach."""
MEASURED: Final = 2_000
"""Held-out benign rows whose distances to each other are taken."""
MISNAMED: Final = 0.01
"""Share of held-out benign rows that may lie as near to an attack as its reach."""


@dataclass(frozen=True)
class Exemplars:
    """The judged flows in the space of the kNN view, and for each class its *reach*.

    A flow is like the nearest judged flow where it is within the reach of that one's class. Four
    in five flows of a class have another one within its reach, and it is no less than the median
    distance of a held-out benign row to the nearest other one. Upwards it is bounded: within the
    reach of an attack lie at most 1 % of the held-out benign rows; that of benign flows is at most
    the distance within which 99 % of the held-out benign rows have another one. An attack of fewer
    than three flows has no reach. Nothing that is to be judged has a part in it.

    Attributes:
        rows: the flows.
        codes: for each the number of its class.
        names: the classes, ``benign`` among them where there are such flows.
        reach: for each class.
    """

    rows: Float32[np.ndarray, "k d"]
    codes: Int[np.ndarray, " k"]
    names: tuple[str, ...]
    reach: Float[np.ndarray, " c"]

    @classmethod
    def fit(
        cls,
        rows: Float32[np.ndarray, "k d"],
        names: list[str],
        held_out: Float32[np.ndarray, "m d"],
    ) -> "Exemplars":
        """From judged flows and held-out benign ones, both in the space of the kNN view."""
        classes, codes = np.unique(np.array(names), return_inverse=True)
        apart = _to_others(held_out[:MEASURED])
        least, most = float(np.median(apart)), float(np.quantile(apart, 1 - MISNAMED))
        reach = []
        for c, name in enumerate(classes):
            own = rows[codes == c]
            if name != BENIGN and len(own) < FEWEST:
                reach.append(-1.0)
                continue
            like = least
            if len(own) > 1:
                like = float(np.quantile(_to_others(own), WITHIN, method="inverted_cdf"))
            bound = most if name == BENIGN else _nearest_share(own, held_out)
            reach.append(min(max(like, least), bound))
        return cls(rows, codes, tuple(map(str, classes)), np.array(reach))

    @property
    def attacks(self) -> tuple[str, ...]:
        """The attacks that flows can be like."""
        pairs = zip(self.names, self.reach, strict=True)
        return tuple(name for name, reach in pairs if name != BENIGN and reach >= 0)

    def like(
        self, rows: Float32[np.ndarray, "n d"]
    ) -> tuple[Int[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
        """For each flow the class of the nearest judged flow, and whether it is within reach."""
        distances, places = nearest(torch.from_numpy(self.rows), torch.from_numpy(rows), 1)
        codes = self.codes[places[:, 0].numpy()]
        return codes, distances[:, 0].numpy() <= self.reach[codes]

    def learnt(self) -> Learnt:
        """What `restore` needs."""
        arrays = {"rows": self.rows, "codes": self.codes, "reach": self.reach}
        return Learnt(arrays, facts={"names": list(self.names)})

    @classmethod
    def restore(cls, learnt: Learnt) -> "Exemplars":
        """What `learnt` described."""
        held = learnt.arrays
        rows, codes = array(held, "rows", 2), array(held, "codes", 1, "iu")
        names, reach = texts(learnt.facts["names"], "names"), array(held, "reach", 1)
        demand(
            len(rows) == len(codes) > 0
            and len(names) == len(reach)
            and 0 <= codes.min() <= codes.max() < len(names),
            "exemplars: flows without a class",
        )
        return cls(rows, codes, names, reach)


def _to_others(rows: Float32[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
    """The distance of each row to the nearest other one."""
    these = torch.from_numpy(rows)
    distances, _ = nearest(these, these, 2)
    return distances[:, 1].numpy().astype(np.float64)


def _nearest_share(
    attack: Float32[np.ndarray, "k d"], held_out: Float32[np.ndarray, "m d"]
) -> float:
    """The distance to an attack within which at most `MISNAMED` of the benign rows lie."""
    distances, _ = nearest(torch.from_numpy(attack), torch.from_numpy(held_out), 1)
    return float(np.quantile(distances.numpy(), MISNAMED, method="lower"))
