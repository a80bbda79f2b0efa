"""What feedback teaches a detector: worked out first, shown, and only then taken.

Benign flows move the views (see `Move`): a flow that somebody looked at counts for `COUNTS` rows of
the fit, all of them together for at most `SHARE` of what the views have learnt from, and only the
`MOST` latest are taken. The threshold is then taken anew, with its interval, from held-out flows
that had no part in the move. Beyond that, flows as near to them as benign flows are to each other
are no alerts any more (see `Exemplars`). The guard: a flow that was also called an attack is left
out, and so is the benign flow nearest to an attack that would no longer be an alert. Attacks are
learnt to be named; see `Naming`.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from jaxtyping import Bool, Float32

from contraview.apps.detection.calibrated import outlook
from contraview.apps.detection.detector import Detector
from contraview.apps.detection.living.exemplars import BENIGN, FEWEST
from contraview.apps.detection.living.feedback import Feedback, flows_of
from contraview.apps.detection.living.move import Move
from contraview.apps.detection.living.naming import Naming
from contraview.apps.detection.model import amend_detector
from contraview.apps.detection.views import metric
from contraview.core.errors import InputError

COUNTS: Final = 20.0
SHARE: Final = 0.1
MOST: Final = 500
SAME: Final = 1e-3
"""Distance, in benign standard deviations, below which two flows are the same."""


@dataclass(frozen=True)
class Lessons:
    """What feedback would make of a detector.

    Attributes:
        before: the detector as it is.
        after: as it would be.
        said: the feedback.
        left_out: of which benign alerts nothing is learnt, by id, and why.
        alerting: for each of ``said`` whether its flow is an alert before, and after.
        allowed: by column, values that would no longer break a rule.
    """

    before: Detector
    after: Detector
    said: tuple[Feedback, ...]
    left_out: dict[str, str]
    alerting: tuple[Bool[np.ndarray, " k"], Bool[np.ndarray, " k"]]
    allowed: dict[str, list[str]]

    def figures(self) -> dict[str, Any]:
        """What would change, as JSON holds it; intervals are 95 %."""
        rate = self.before.rate()
        verdicts = np.array([each.verdict for each in self.said], dtype=str)

        def side(detector: Detector, alerting: Bool[np.ndarray, " k"]) -> dict[str, Any]:
            said = outlook(detector.held_out, rate)
            return {
                "threshold": said["threshold"],
                "threshold, 95 %": said["threshold, 95 %"],
                "benign that alert": int(alerting[verdicts == "benign"].sum()),
                "attacks that alert": int(alerting[verdicts == "attack"].sum()),
                "names": [] if detector.naming is None else list(detector.naming.attacks),
            }

        named = Counter(each.name for each in self.said if each.name is not None)
        old, new = self.before.clan.centroid.mean, self.after.clan.centroid.mean
        cosine = old @ new / (np.linalg.norm(old) * np.linalg.norm(new))
        return {
            "rate": rate,
            "benign": int((verdicts == "benign").sum()),
            "attacks": dict(named),
            "left out": self.left_out,
            "before": side(self.before, self.alerting[0]),
            "after": side(self.after, self.alerting[1]),
            "centre moves by degrees": float(np.degrees(np.arccos(np.clip(cosine, -1, 1)))),
            "no longer a rule": self.allowed,
            "flows a name needs": FEWEST,
        }


def learn(detector: Detector, said: Sequence[Feedback]) -> Lessons:
    """Work out what feedback teaches; nothing is changed. All feedback counts anew: what was taken
    earlier and has been forgotten since is unlearnt.

    Raises:
        InputError: the model keeps no held-out flows, or a flow lacks columns of the model.
    """
    base = detector.unmoved or detector
    rows = _table(base, said)
    matrix = base.clan.features.transform(rows) if said else np.empty((0, base.width), np.float32)
    benign = np.array([each.verdict == "benign" for each in said], dtype=bool)
    left_out: dict[str, str] = {}
    taken = _taken(base, said, matrix, benign, left_out)
    before = _alerting(detector, matrix, rows)
    while True:
        allowed = _allowed(base, rows, taken)
        after = _after(detector, matrix, taken, allowed)
        judged = taken | ~benign
        names = [said[i].name or BENIGN for i in np.flatnonzero(judged).tolist()]
        after.naming = None
        if names and base.reserve is not None:
            after.naming = Naming.of(base.clan, matrix[judged], names, base.reserve)
        now = _alerting(after, matrix, rows)
        lost = np.flatnonzero(~benign & before & ~now).tolist()
        if not lost or not taken.any():
            break
        space = metric(base.clan.features, matrix)
        for attack in lost:
            if taken.any():
                near = np.linalg.norm(space - space[attack], axis=1)
                guilty = int(np.where(taken, near, np.inf).argmin())
                taken[guilty] = False
                left_out[said[guilty].id] = f"would silence the attack {said[attack].id[:8]}"
    if after.naming is not None and base.reserve is not None:
        after.naming = after.naming.trained(base.clan, matrix[judged], names, base.reserve)
    return Lessons(detector, after, tuple(said), left_out, (before, now), allowed)


def take(folder: Path, lessons: Lessons) -> None:
    """Let the model in a folder be as the lessons make it; `contraview feedback --undo` undoes."""
    ids = ",".join(f"{each.id} {each.verdict} {each.name}" for each in lessons.said)
    amend_detector(
        folder,
        lessons.after,
        by="feedback",
        data=hashlib.sha256(ids.encode()).hexdigest(),
        rows=len(lessons.said),
    )


def _table(detector: Detector, said: Sequence[Feedback]) -> pl.DataFrame:
    """The flows of feedback with all columns of the detector, as it takes them."""
    flows = flows_of(list(said))
    missing = [c for c in detector.clan.features.sources if said and c not in flows.columns]
    if missing:
        raise InputError(
            f"feedback: its flows have no {', '.join(missing[:3])}; expected alerts of this model"
        )
    texts = [c for c, value in detector.rules.constant.items() if isinstance(value, str)]
    texts += detector.clan.features.categories
    return flows.select(
        (pl.col(c) if c in flows.columns else pl.lit(None).alias(c)).cast(
            pl.String if c in texts else pl.Float64, strict=False
        )
        for c in detector.inputs
    )


def _taken(
    base: Detector,
    said: Sequence[Feedback],
    matrix: Float32[np.ndarray, "k d"],
    benign: Bool[np.ndarray, " k"],
    left_out: dict[str, str],
) -> Bool[np.ndarray, " k"]:
    """The benign flows that may be learnt from."""
    taken = benign.copy()
    space = metric(base.clan.features, matrix)
    for i in np.flatnonzero(benign).tolist():
        near = np.linalg.norm(space[~benign] - space[i], axis=1)
        if len(near) and near.min() < SAME:
            taken[i] = False
            left_out[said[i].id] = "the same flow was called an attack"
    for i in np.flatnonzero(taken).tolist()[:-MOST]:
        taken[i] = False
        left_out[said[i].id] = f"older than the latest {MOST}"
    return taken


def _after(
    detector: Detector,
    matrix: Float32[np.ndarray, "k d"],
    taken: Bool[np.ndarray, " k"],
    allowed: dict[str, list[str]],
) -> Detector:
    """The detector moved by feedback, and by what it was re-centred on before."""
    base, kept = detector.unmoved or detector, detector.move
    rows, counts, services = np.empty((0, base.width), np.float32), np.empty(0), {}
    if kept is not None:
        rows, counts = kept.rows[~kept.taught], kept.counts[~kept.taught]
        services = kept.services
    new = int(taken.sum())
    if new or len(rows):
        learnt = base.clan.benign_rows + counts.sum()
        each = min(COUNTS, SHARE / (1 - SHARE) * learnt / max(new, 1))
        return detector.moved(
            Move(
                np.concatenate([rows, matrix[taken]]),
                np.concatenate([counts, np.full(new, each)]),
                np.arange(len(rows) + new) >= len(rows),
                allowed,
                services,
            )
        )
    after = copy(base)
    after.calibrated = detector.calibrated
    if kept is not None and detector.calibrated is not None:
        after.calibrated = detector.calibrated.again(base.score_rows)
    return after


def _allowed(
    base: Detector, rows: pl.DataFrame, taken: Bool[np.ndarray, " k"]
) -> dict[str, list[str]]:
    """By column the values of benign flows that broke a rule; none for a column that moved."""
    if not taken.any():
        return {}
    chosen = rows.filter(pl.Series(taken))
    told = {}
    for column, fired in base.rules.broken(chosen).items():
        if fired.any():
            values = chosen.filter(pl.Series(fired))[column].cast(pl.String).drop_nulls()
            told[column] = sorted(set(values)) if column in base.rules.categories else []
    return told


def _alerting(
    detector: Detector, matrix: Float32[np.ndarray, "k d"], rows: pl.DataFrame
) -> Bool[np.ndarray, " k"]:
    if not len(matrix):
        return np.zeros(0, dtype=bool)
    above = detector.alert_scores(matrix) > detector.threshold()
    if detector.rules_alert():
        above |= np.any([np.zeros(len(above), bool), *detector.rules.broken(rows).values()], axis=0)
    return above
