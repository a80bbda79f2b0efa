"""From the files of a run to its report. Nothing is computed that the run did not leave behind."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

import contraview
from contraview.apps.detection.detector import Detector
from contraview.apps.detection.reasons import Reason
from contraview.apps.report.contents import (
    BENIGN,
    Calibrated,
    Contents,
    Detected,
    EmbeddingMap,
    Learned,
)
from contraview.apps.report.page import page
from contraview.apps.report.pictures import pictures_of
from contraview.catalog import find
from contraview.core.errors import InputError
from contraview.core.model_folder import Model, read_model
from contraview.core.run import Run
from contraview.core.seeds import numpy_generator
from contraview.core.whole_file import write_bytes
from contraview.modalities.flows.findings import Findings

MODEL: Final = "model"
FLOWS: Final = "flows.parquet"
ALERTS: Final = "alerts.jsonl"
PAGE: Final = "report.html"
MAP_ROWS: Final = 1200
"""Flows on the map; more would only make the page heavy."""


def write_report(
    folder: Path,
    *,
    data: Sequence[str] = (),
    out: Path | None = None,
    with_addresses: bool = False,
) -> Path:
    """Write the report of a run as one HTML file; gives back its path.

    Args:
        folder: what `contraview demo` or `contraview fit` wrote.
        data: images to show as the model sees them, for a model of images.
        out: the file; report.html in ``folder`` where it is not given.
        with_addresses: show addresses and ports of the strongest alerts.

    Raises:
        InputError: the folder is neither, or is not whole.
    """
    out = out or folder / PAGE
    contents = contents_of(folder, with_addresses=with_addresses)
    if data:
        system = contraview.load(folder)
        pictures = pictures_of(system, system.read(tuple(data)), seed=contents.seed or 0)
        contents = replace(contents, pictures=pictures)
    write_bytes(out, page(contents).encode())
    return out


def contents_of(folder: Path, *, with_addresses: bool = False) -> Contents:
    """What the report of a run shows."""
    of_demo = (folder / MODEL).is_dir()
    model = read_model(folder / MODEL if of_demo else folder)
    events = Run(folder / MODEL if of_demo else folder).events()
    demo = _last(Run(folder).events(), "demo") if of_demo else {}
    facts = model.learnt.facts.get("clan", model.learnt.facts)
    findings = {"Learnt from": facts["findings"]} if "findings" in facts else {}
    detector = calibrated = detected = None
    if model.slug == Detector.slug:
        detector = find(model.slug).load_class().from_model(model)
        calibrated = _calibrated(detector, demo.get("max_fpr"))
        if of_demo:
            detected = _detected(folder, detector, demo)
            findings[detected.name] = demo["findings"]
    fitted = _last(events, "fit")
    return Contents(
        model.slug,
        model.version,
        seed=fitted.get("seed"),
        settings=model.config,
        learned=_learned(facts, len(detector.held_views) if detector else 0),
        findings={name: _said(found) for name, found in findings.items()},
        calibrated=calibrated,
        detected=detected,
        training=training_steps(events),
        commands=demo.get("commands") or _commands(model, fitted, folder),
        laboratory=of_demo,
        with_addresses=with_addresses,
    )


def _last(events: Sequence[dict[str, Any]], kind: str) -> dict[str, Any]:
    return next((event for event in reversed(events) if event["kind"] == kind), {})


def _learned(facts: dict[str, Any], held_out: int) -> Learned | None:
    """What CLAN learnt from, by itself or as a view of the detector."""
    if "features" not in facts:
        return None
    features = facts["features"]
    return Learned(
        facts["benign rows"] + held_out,
        held_out,
        tuple(features["numeric"]),
        features["categories"],
        features["constant"],
        facts["fingerprint"],
    )


def _said(found: dict[str, Any]) -> list[str]:
    """Findings as sentences, from the JSON that a run keeps of them."""
    lists = {
        "alike": tuple((first, second) for first, second in found["alike"]),
        "identity": tuple(found["identity"]),
        "notes": tuple(found.get("notes", ())),
    }
    return Findings(**{"first_corrupt": "not kept", **found, **lists}).lines()


def _calibrated(detector: Detector, max_fpr: float | None) -> Calibrated:
    rate = detector.rate(max_fpr)
    return Calibrated(
        detector.held_out,
        rate,
        detector.threshold(rate),
        detector.rules_rate,
        detector.rules_alert(rate),
    )


def _detected(folder: Path, detector: Detector, demo: dict[str, Any]) -> Detected:
    for name in (FLOWS, ALERTS):
        if not (folder / name).is_file():
            raise InputError(f"{folder / name}: missing; run `contraview demo` again")
    flows = pl.read_parquet(folder / FLOWS)
    lines = (folder / ALERTS).read_text().splitlines()
    if len(lines) != flows["alert"].sum():
        raise InputError(
            f"{folder / ALERTS}: {len(lines)} alerts; expected {flows['alert'].sum()} as in {FLOWS}"
        )
    reasons = [[_reason(entry) for entry in _reasons(line)] for line in lines]
    return Detected(demo["source"], flows, reasons, map=_map(detector, flows))


def _reasons(line: str) -> list[dict[str, Any]]:
    return json.loads(line)["contraview"].get("reasons", [])


def _reason(entry: dict[str, Any]) -> Reason:
    """A reason of an alert's record; a value that was missing is not in the record."""
    return Reason(**{"value": None, **entry})


def _map(detector: Detector, flows: pl.DataFrame) -> EmbeddingMap:
    """A sample of flows, alerts first in line where there are too many, on two axes."""
    generator = numpy_generator(0, "report map")
    quiet = generator.permutation(flows.select(pl.arg_where(~pl.col("alert"))).to_series())
    loud = generator.permutation(flows.select(pl.arg_where(pl.col("alert"))).to_series())
    chosen = np.sort(np.concatenate([loud[: MAP_ROWS // 2], quiet[:MAP_ROWS]])[:MAP_ROWS])
    sample = flows[chosen]
    source = detector.source.model_copy(update={"kind": detector.clan.kind})
    embedded = detector.clan.embed(source.read(sample))
    unit = embedded / np.linalg.norm(embedded, axis=1, keepdims=True)
    centred = unit - unit.mean(axis=0)
    _, spread, axes = np.linalg.svd(centred, full_matrices=False)
    if "label" in sample.columns:
        benign = BENIGN
        groups = sample["label"].fill_null("unlabelled")
    else:
        benign = "no alert"
        groups = sample.select(
            pl.when("alert").then(pl.lit("alert")).otherwise(pl.lit(benign))
        ).to_series()
    explained = float((spread[:2] ** 2).sum() / (spread**2).sum())
    names = groups.to_numpy().astype(np.str_)
    return EmbeddingMap(centred @ axes[:2].T, names, explained, benign)


def training_steps(events: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The step events of each training; of a step that was done twice, the later one."""
    steps: dict[str, dict[int, dict[str, Any]]] = {}
    for event in events:
        if event["kind"] == "start":
            steps[event["name"]] = {}
        elif event["kind"] == "step":
            steps.setdefault(event["name"], {})[event["step"]] = event
    return {name: [by[step] for step in sorted(by)] for name, by in steps.items() if by}


def _commands(model: Model, fitted: dict[str, Any], folder: Path) -> list[str]:
    """The fit again; the run does not keep where its data lay."""
    usual = find(model.slug).load_class()().config.model_dump(mode="json")
    flags = [
        _flag(name.replace("_", "-"), value)
        for name, value in model.config.items()
        if value != usual.get(name)
    ]
    seed = f"--seed {fitted.get('seed', 0)}"
    again = " ".join(["contraview fit", model.slug, "DATA", "--out", str(folder), seed, *flags])
    return [again, f"contraview report {folder}"]


def _flag(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return f"--{name}" if value else f"--no-{name}"
    if isinstance(value, list):
        return f"--{name} {' '.join(map(str, value))}"
    return f"--{name} {value}"
