"""Model folders that alerts can be raised with, and their calibration."""

from pathlib import Path
from typing import Any

from contraview.apps.detection.calibrated import AMENDMENT
from contraview.apps.detection.detector import Detector
from contraview.core.errors import InputError
from contraview.core.learnt import Learnt
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
        detector.calibrate(detector.read(source), max_fpr=max_fpr)
        amendment = detector.learnt().part(AMENDMENT)
    else:
        clan, before = Clan.from_model(model), None
        detector = Detector.of_clan(clan, clan.read(source), max_fpr=max_fpr)
        amendment = _beside_clan(detector.learnt())
    amend_model(folder, AMENDMENT, amendment)
    return before, detector


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
