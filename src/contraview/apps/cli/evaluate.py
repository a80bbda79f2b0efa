"""`contraview evaluate`: figures of a fitted system on labelled rows it was not fitted on."""

import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

import contraview
from contraview.apps.cli import splits
from contraview.apps.cli.arguments import Positional, parse
from contraview.core.errors import InputError
from contraview.core.whole_file import write_json
from contraview.evaluation import few_label
from contraview.evaluation.clustering import clustering_figures
from contraview.evaluation.detection import detection_figures
from contraview.evaluation.multi_label import average_precisions, multi_hot, multi_label_map
from contraview.evaluation.regression import regression_figures
from contraview.evaluation.reidentification import reidentification_figures
from contraview.evaluation.segmentation import segmentation_figures
from contraview.evaluation.similarity import similarity_figures


def run(_verb: str, arguments: list[str]) -> int:
    """Print one figure a line, or write them as one flat JSON object."""
    chosen = parse(
        "contraview evaluate",
        "Figures on labelled rows, of forecasts on later rows; where the model was fitted with "
        "--split, on the other half.",
        arguments,
        model=(Positional[Path], ...),
        data=(Positional[tuple[str, ...]], ()),
        labels=(str | None, None),
        masks=(str | None, None),
        other=(str | None, None),
        benign=(str | None, None),
        max_fpr=(float, 0.01),
        figures=(Annotated[Path | None, tyro.conf.arg(name="json")], None),
    )
    if not chosen.data:
        raise InputError("contraview evaluate: no data; expected files after the model")
    system: Any = contraview.load(chosen.model)
    named = {"labels": chosen.labels, "masks": chosen.masks}
    named |= {"other": chosen.other, "benign": chosen.benign}
    told = {name: value for name, value in named.items() if value is not None}
    if not {"labels", "masks"} & told.keys() and not hasattr(system, "forecast"):
        raise InputError("contraview evaluate: no truth; name it with --labels or --masks")
    unknown = told.keys() - type(system.source).model_fields.keys()
    if unknown:
        raise InputError(f"{chosen.model}: {system.slug} reads no --{min(unknown)}")
    system.source = system.source.model_copy(update=told)
    data = splits.held_out(system.read(chosen.data), chosen.model)
    figures = of(system, data, chosen.max_fpr)
    if chosen.figures:
        write_json(chosen.figures, figures)
    for name, value in figures.items():
        if value is None:
            sys.stdout.write(f"{name:<40} undefined\n")
        elif isinstance(value, float):
            sys.stdout.write(f"{name:<40} {value:.4f}\n")
    return 0


def of(system: Any, data: Any, max_fpr: float) -> dict[str, Any]:
    """All figures that the system's verbs and the data's labels, or masks, allow."""
    if getattr(data, "masks", None) is not None:
        return _of_masks(system, data)
    if hasattr(system, "forecast"):  # what comes later is the truth
        return {"rows": len(data), **system.backtest(data)}
    if hasattr(system, "evaluated"):  # it has figures of its own
        return {"rows": len(data), **system.evaluated(data)}
    labels = data.labels()
    figures: dict[str, Any] = {"rows": len(labels)}
    if getattr(system, "several", False) and _classes(system):
        truth, _ = multi_hot(labels, system.classes)
        known = truth.any(1)
        scores = system.classify(data)[known]
        figures["mAP"] = multi_label_map(truth[known], scores)
        every = zip(system.classes, average_precisions(truth[known], scores), strict=True)
        figures |= {f"average precision, {c}": float(p) for c, p in every if np.isfinite(p)}
    elif hasattr(system, "classify") and _classes(system):
        predicted = np.asarray(system.classes)[system.classify(data).argmax(axis=1)]
        figures["macro F1"] = few_label.macro_f1(labels, predicted)
        figures["accuracy"] = few_label.accuracy(labels, predicted)
    if hasattr(system, "score"):
        figures |= detection_figures(system.score(data), labels, data.is_benign(), max_fpr)
    if hasattr(system, "embed") and getattr(data, "other", None):
        figures |= similarity_figures(system.embed(data), system.embed(data.others()), labels)
    if hasattr(system, "cluster"):
        figures |= clustering_figures(labels, system.cluster(data))
    if hasattr(system, "regress") and np.issubdtype(labels.dtype, np.number):
        figures |= regression_figures(labels, system.regress(data))
    if hasattr(system, "embed") and _whose(data, labels):
        figures |= reidentification_figures(system.embed(data), labels, data.sessions())
    return figures


def _whose(data: Any, labels: np.ndarray) -> bool:
    """Whether the labels are the subjects of recordings."""
    return hasattr(data, "sessions") and np.array_equal(labels, data.groups())


def _of_masks(system: Any, data: Any) -> dict[str, Any]:
    """Figures over the items that have a mask."""
    if not hasattr(system, "segment"):
        raise InputError(f"{system.slug}: segments nothing; expected --labels, not masks")
    known = data if data.masked is None else data.take(np.flatnonzero(data.masked))
    figures = segmentation_figures(list(known.masks), system.segment(known))
    return {"masks": len(known), **figures}


def _classes(system: Any) -> tuple[str, ...]:
    """The classes that the system tells apart; none where it learnt no labels."""
    try:
        return system.classes
    except InputError:
        return ()
