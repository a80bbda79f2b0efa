"""Model folders that alerts can be raised with, and their calibration."""

from copy import copy
from pathlib import Path
from typing import Any

from contraview.apps.detection.calibrated import AMENDMENT
from contraview.apps.detection.detector import Detector
from contraview.apps.detection.living.move import MOVE
from contraview.apps.detection.living.naming import NAMING
from contraview.core.errors import InputError
from contraview.core.learnt import Learnt
from contraview.core.lineage import note
from contraview.core.model_folder import Model, amend_model, read_model
from contraview.evaluation.threshold import rows_needed
from contraview.systems.clan import Clan


def load_detector(folder: Path) -> Detector:
    """The detector that a model folder holds, with its latest calibration.

    Raises:
        InputError: it holds another system, or CLAN alone and not calibrated.
    """
    model = read_model(folder)
    _check(folder, model)
    if model.slug == Clan.slug and AMENDMENT not in model.amendments:
        raise InputError(
            f"{folder}: holds 'clan' without a threshold; expected a model of `contraview fit "
            "detector`, or `contraview calibrate` first"
        )
    return Detector.from_model(model)


def calibrate_model(
    folder: Path, source: Any, *, benign: str | None = None, max_fpr: float | None = None
) -> tuple[float | None, Detector]:
    """Amend a model folder by a threshold from benign flows that its fit has not seen.

    Args:
        folder: a model of the detector, or of CLAN.
        source: the flows, read as those of the fit were.
        benign: which of them are benign, where the fit's own expression does not say it.
        max_fpr: the false-alarm rate that holds from now on where no other is asked for.

    Returns:
        The threshold that held for this rate before, where there was one, and the detector.

    Raises:
        InputError: no model for it, or too few flows for the rate; the folder stays as it is.
    """
    model = read_model(folder)
    _check(folder, model)
    if benign is not None:
        model.source["benign"] = benign
    if model.slug == Detector.slug:
        detector = Detector.from_model(model)
        before = _threshold(detector, max_fpr)
        flows = detector.read(source)
        detector.calibrate(flows, max_fpr=max_fpr)
        amendment = detector.learnt().part(AMENDMENT)
    else:
        clan, before = Clan.from_model(model), None
        flows = clan.read(source)
        detector = Detector.of_clan(clan, flows, max_fpr=max_fpr)
        amendment = _beside_clan(detector.learnt())
    dropped = {} if model.slug == Detector.slug else {MOVE: None}
    amend_model(folder, {AMENDMENT: amendment, **dropped}, by="calibrate")
    note(folder, "calibrate", data=flows.fingerprint(), rows=len(detector.held_out))
    return before, detector


def amend_detector(
    folder: Path, detector: Detector, *, by: str, data: str | None = None, **facts: Any
) -> None:
    """Let a model folder hold what its detector has become since: moved, calibrated, naming.

    Args:
        folder: the model that the detector was loaded from.
        detector: as it is now.
        by: the command that made it so.
        data: the fingerprint of what it was made with.
        **facts: what else its lineage should say.
    """
    model = read_model(folder)
    parts: dict[str, Learnt | None] = {
        MOVE: None if detector.move is None else detector.move_learnt(),
        NAMING: None if detector.naming is None else detector.naming.learnt(),
    }
    if model.slug == Clan.slug:
        shadow = copy(detector.unmoved or detector)
        shadow.calibrated = detector.calibrated
        parts[AMENDMENT] = _beside_clan(shadow.learnt())
    elif detector.calibrated is not None:
        parts[AMENDMENT] = detector.calibrated.learnt()
    amend_model(folder, parts, by=by)
    note(folder, by, data=data, **facts)


def _threshold(detector: Detector, max_fpr: float | None) -> float | None:
    """The threshold in force, where its flows support the rate."""
    rate = detector.rate(max_fpr)
    return detector.threshold(rate) if rows_needed(rate) <= len(detector.held_out) else None


def _beside_clan(learnt: Learnt) -> Learnt:
    """What a detector learnt, without its CLAN, which the folder holds already."""
    return Learnt(
        {name: array for name, array in learnt.arrays.items() if not name.startswith("clan.")},
        facts={name: fact for name, fact in learnt.facts.items() if name != "clan"},
    )


def _check(folder: Path, model: Model) -> None:
    if model.slug not in (Detector.slug, Clan.slug):
        raise InputError(
            f"{folder}: holds {model.slug!r}; expected a model of `contraview fit detector` or "
            "`contraview fit clan`"
        )
