"""Bringing a model up to date with benign flows of now: threshold, centre, or all of it."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float, Float32

from contraview.apps.detection.calibrated import Calibrated
from contraview.apps.detection.detector import FEWEST_BENIGN, Detector, held_out
from contraview.apps.detection.living import feedback, suppression
from contraview.apps.detection.living.lessons import learn
from contraview.apps.detection.living.move import Move
from contraview.apps.detection.model import amend_detector, load_detector
from contraview.apps.detection.usual import services_in
from contraview.core import lineage
from contraview.core.errors import InputError
from contraview.core.run import Run
from contraview.core.seeds import numpy_generator
from contraview.evaluation.threshold import alarm_rate, alarms_allowed
from contraview.modalities.flows.data import Flows

SUSPECT: Final = 10.0
"""Flows said to be benign of which this many times the rate are alerts are refused."""
MOST_ROWS: Final = 20_000
"""Rows that a centre is moved by; of more, a random sample."""


@dataclass(frozen=True)
class Refitted:
    """What was done.

    Attributes:
        before: the detector that was there.
        after: the detector that is there now.
        rows: benign flows used.
        left_out: of them, as suspected not to be benign.
        alarms_before: the share of the flows that were alerts before.
        alarms_after: the share of flows kept apart that are alerts now; None for a calibration,
            where it is the rate by construction.
    """

    before: Detector
    after: Detector
    rows: int
    left_out: int
    alarms_before: float
    alarms_after: float | None


def trusted(detector: Detector, benign: Flows, contamination: float | None) -> tuple[Flows, int]:
    """The flows without the share suspected not to be benign, and how many were left out.

    The guard of every refit: the most anomalous ``contamination`` of the flows, as the detector
    sees them, are left out. A threshold from what is left then has a false-alarm rate of at most
    the one asked for plus that share. Unset leaves none out, but refuses flows too many of which
    are alerts: an attack among them would be learnt as benign.

    Raises:
        InputError: more than `SUSPECT` times the rate are alerts, and no share is given.
    """
    scores = _scores(detector, benign)
    if contamination is None:
        share, rate = alarm_rate(scores, detector.threshold()), detector.rate()
        if share > SUSPECT * rate:
            raise InputError(
                f"{share:.1%} of these flows are alerts, more than {SUSPECT:g} times the rate of "
                f"{rate:g}: are there attacks among them? expected benign flows (--benign), or "
                "--contamination SHARE to leave the most anomalous ones out"
            )
        return benign, 0
    left_out = round(contamination * len(scores))
    if not left_out:
        return benign, 0
    kept = np.sort(np.argsort(scores, kind="stable")[: len(scores) - left_out])
    return benign.take(kept), left_out


def recalibrate(
    folder: Path, source: Any, *, contamination: float | None = None, max_fpr: float | None = None
) -> Refitted:
    """Take the threshold from new benign flows; views and centre stay."""
    before, flows, benign, left_out, share = _begin(folder, source, contamination)
    after = load_detector(folder).calibrate(benign, max_fpr=max_fpr)
    _keep(folder, after, flows, benign, "refit --calibration", left_out)
    return Refitted(before, after, len(benign), left_out, share, None)


def recentre(
    folder: Path, source: Any, *, contamination: float | None = None, max_fpr: float | None = None
) -> Refitted:
    """Move centre, bank and tails towards new benign flows, and calibrate on a third of them.

    The new flows together count as much as all that the views have learnt from; the third that the
    threshold comes from has no part in the move. Feedback that was taken is kept.
    """
    before, flows, benign, left_out, share = _begin(folder, source, contamination)
    moving, apart = held_out(benign, 1 / 3, 0)
    rate = before.rate(max_fpr)
    alarms_allowed(len(apart), rate)
    base, kept = before.unmoved or before, before.move
    rows = _sample(base.clan.matrix(moving).numpy())
    own = base.clan.benign_rows
    old_rows, old_counts = np.empty((0, base.width), np.float32), np.empty(0)
    if kept is not None:
        old_rows, old_counts = kept.rows[~kept.taught], kept.counts[~kept.taught]
    each = (own + old_counts.sum()) / len(rows)
    move = Move(
        np.concatenate([old_rows, rows]),
        np.concatenate([old_counts, np.full(len(rows), each)]),
        np.zeros(len(old_rows) + len(rows), bool),
        services=(kept.services if kept else {}) | (services_in(moving.collect()) or {}),
    )
    after = before.moved(move)
    after.calibrated = None
    taught = feedback.load_feedback(folder)
    if taught and kept is not None and kept.taught.any():
        after = learn(after, taught).after
    matrix = base.clan.matrix(apart).numpy()
    scores = after.alert_scores(matrix)
    broken = sum(after.rules.misfires(part) for part in apart.batches())
    after.calibrated = Calibrated.of(scores, broken / len(apart), rate, _sample(matrix))
    _keep(folder, after, flows, benign, "refit --centre", left_out)
    return Refitted(
        before, after, len(benign), left_out, share, alarm_rate(scores, after.threshold())
    )


def refit(
    folder: Path, source: Any, out: Path, *, contamination: float | None = None, seed: int = 0
) -> Refitted:
    """Fit a new model with the settings of the old one, in a folder of its own.

    Suppression rules, feedback and lineage come along; the old model stays as it is.
    """
    if out.resolve() == folder.resolve():
        raise InputError(f"{out}: is the model itself; expected another folder")
    before, flows, benign, left_out, share = _begin(folder, source, contamination)
    if len(benign) < FEWEST_BENIGN:
        raise InputError(f"{len(benign)} benign flows to fit; expected at least {FEWEST_BENIGN}")
    after = Detector(**before.config.model_dump())
    after.source = before.source
    after.fit(benign, run=Run(out, seed=seed))
    after.save(out)
    for name in (suppression.FILE, feedback.FILE, lineage.FILE):
        if (folder / name).is_file():
            shutil.copyfile(folder / name, out / name)
    said = {"rows": len(benign), "left out": left_out}
    lineage.note(out, "refit --all", data=flows.fingerprint(), **said)
    rate = alarm_rate(after.held_out, after.threshold())
    return Refitted(before, after, len(benign), left_out, share, rate)


def _begin(
    folder: Path, source: Any, contamination: float | None
) -> tuple[Detector, Flows, Flows, int, float]:
    detector = load_detector(folder)
    flows = detector.read(source)
    features = detector.clan.features
    flows.require(detector.clan.kind, features.numeric, tuple(features.categories))
    benign = flows.benign()
    if detector.clan.learnt_from(flows):
        raise InputError("the model learnt from these very flows; expected newer ones")
    share = alarm_rate(_scores(detector, benign), detector.threshold())
    benign, left_out = trusted(detector, benign, contamination)
    return detector, flows, benign, left_out, share


def _scores(detector: Detector, flows: Flows) -> Float[np.ndarray, " n"]:
    return detector.alert_scores(detector.clan.matrix(flows).numpy())


def _keep(
    folder: Path, after: Detector, flows: Flows, benign: Flows, what: str, left_out: int
) -> None:
    said = {"rows": len(benign), "left out": left_out, "step": what}
    amend_detector(folder, after, by="refit", data=flows.fingerprint(), **said)


def _sample(rows: Float32[np.ndarray, "n d"]) -> Float32[np.ndarray, "m d"]:
    if len(rows) <= MOST_ROWS:
        return rows
    drawn = numpy_generator(0, "refit sample").choice(len(rows), MOST_ROWS, replace=False)
    return rows[np.sort(drawn)]
