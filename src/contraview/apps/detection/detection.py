"""From flows to alerts: scores, views, rules and the verdict, batch by batch."""

from collections.abc import Iterator

import numpy as np
import polars as pl

from contraview.apps.detection.detector import Detector, combined
from contraview.modalities.flows.data import Flows

BATCH = 65_536


def detect(
    detector: Detector, flows: Flows, *, max_fpr: float | None = None
) -> Iterator[pl.DataFrame]:
    """The flows in order, batch by batch, with what the detector makes of them.

    Added columns: ``score`` (nats), ``view_clan`` and so on for each view, ``rule`` (the columns
    whose rule the flow breaks, comma-separated, else null), ``alert``. A flow is an alert where
    its score is above the threshold for ``max_fpr``, or where it breaks a rule and
    `Detector.rules_alert` says that this is enough.
    """
    features = detector.clan.features
    flows.require(detector.clan.kind, features.numeric, tuple(features.categories))
    threshold = detector.threshold(max_fpr)
    rules_alert = detector.rules_alert(max_fpr)
    for rows in flows.batches(BATCH):
        views = detector.view_values(features.transform(rows))
        score = combined(views)
        rule = _broken(detector, rows)
        above = pl.Series("alert", score > threshold)
        yield rows.with_columns(
            pl.Series("score", score),
            *(pl.Series(f"view_{name}", views[:, i]) for i, name in enumerate(detector.views)),
            rule,
            above | rule.is_not_null() if rules_alert else above,
        )


def _broken(detector: Detector, rows: pl.DataFrame) -> pl.Series:
    fired = detector.rules.broken(rows)
    if not fired:
        return pl.Series("rule", [None] * rows.height, dtype=pl.String)
    table = np.stack(list(fired.values()), axis=1)
    names = np.array(list(fired))
    broken = {int(i): ",".join(names[table[i]]) for i in np.flatnonzero(table.any(axis=1))}
    return pl.Series("rule", [broken.get(i) for i in range(rows.height)], dtype=pl.String)
