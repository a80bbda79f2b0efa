"""From flows to alerts: scores, views, rules and the verdict, batch by batch."""

from collections.abc import Iterator

import numpy as np
import polars as pl

from contraview.apps.detection.detector import Detector, combined
from contraview.apps.detection.living.exemplars import BENIGN
from contraview.apps.detection.living.naming import NAMED, UNKNOWN
from contraview.modalities.flows.data import Flows

BATCH = 65_536
TILE = 64
"""Rows are scored by multiples of this many."""


def detect(
    detector: Detector,
    flows: Flows,
    *,
    max_fpr: float | None = None,
    judge: "Judge | None" = None,
) -> Iterator[pl.DataFrame]:
    """The flows in order, batch by batch, with what the detector makes of them; see `Judge`."""
    features = detector.clan.features
    flows.require(detector.clan.kind, features.numeric, tuple(features.categories))
    judge = judge or Judge(detector, max_fpr=max_fpr)
    for rows in flows.batches(BATCH):
        yield judge(rows)


class Judge:
    """Says of flows which are alerts, at one false-alarm rate.

    Attributes:
        threshold: the score above which a flow is an alert.
        rules_alert: whether a broken rule is enough; see `Detector.rules_alert`.
        calmed: flows so far that would be alerts, but are like those that people called benign.
    """

    def __init__(self, detector: Detector, *, max_fpr: float | None = None) -> None:
        self.detector = detector
        self.threshold = detector.threshold(max_fpr)
        self.rules_alert = detector.rules_alert(max_fpr)
        self.calmed = 0

    def __call__(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows with the columns ``score`` (nats), ``view_clan`` and so on for each view,
        ``rule`` (the columns whose rule the flow breaks, comma-separated, else null), ``alert``,
        and, where attacks have been named by feedback, ``named_attack`` of each alert.
        """
        detector = self.detector
        matrix = detector.clan.features.transform(rows)
        # A matrix product of another height may differ in the last bit, and a flow that is a copy
        # of a held-out one is then a rank apart: whole tiles make a flow's score its own, in
        # whichever batch it comes.
        tiles = np.pad(matrix, ((0, -len(matrix) % TILE), (0, 0)))
        views = detector.view_values(tiles)[: len(matrix)]
        score = combined(views)
        rule = _broken(detector, rows)
        above = score > self.threshold
        kept = above | (rule.is_not_null().to_numpy() & self.rules_alert)
        names: list[str | None] = [None] * len(matrix)
        if detector.naming is not None:
            flows = np.flatnonzero(kept)
            told = detector.naming.name(detector.clan, matrix[flows])
            for i, name in zip(flows, told, strict=True):
                if name == BENIGN and rule[int(i)] is None:
                    kept[i] = False
                    self.calmed += 1
                elif detector.naming.attacks:
                    names[i] = UNKNOWN if name == BENIGN else name
        return rows.with_columns(
            pl.Series("score", score),
            *(pl.Series(f"view_{name}", views[:, i]) for i, name in enumerate(detector.views)),
            rule,
            pl.Series("alert", kept),
            *([pl.Series(NAMED, names, dtype=pl.String)] if detector.naming else []),
        )


def _broken(detector: Detector, rows: pl.DataFrame) -> pl.Series:
    fired = detector.rules.broken(rows)
    if not fired:
        return pl.Series("rule", [None] * rows.height, dtype=pl.String)
    table = np.stack(list(fired.values()), axis=1)
    names = np.array(list(fired))
    broken = {int(i): ",".join(names[table[i]]) for i in np.flatnonzero(table.any(axis=1))}
    return pl.Series("rule", [broken.get(i) for i in range(rows.height)], dtype=pl.String)
