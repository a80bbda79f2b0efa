"""What a report is made from: plain values, so that a page can be made of any of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float, Shaped

from contraview.apps.detection.reasons import Reason
from contraview.apps.report.judgement import Judgement, judge

BENIGN = "benign"
"""The label of benign flows in a table that `Detected` holds."""


@dataclass(frozen=True)
class Learned:
    """What a system learnt from.

    Attributes:
        rows: benign rows in all, and ``held_out`` of them kept apart to calibrate on.
        numeric: input columns that are numbers.
        categories: input columns that are categories, with the values seen.
        constant: columns left out since they never moved, with their value.
        fingerprint: SHA-256 of the inputs.
    """

    rows: int
    held_out: int
    numeric: tuple[str, ...]
    categories: Mapping[str, Sequence[str]]
    constant: Mapping[str, float | str]
    fingerprint: str


@dataclass(frozen=True)
class Calibrated:
    """The threshold of a detector and the held-out benign scores that it comes from."""

    held_out: Float[np.ndarray, " m"]
    max_fpr: float
    threshold: float
    rule_rate: float
    """Share of held-out benign flows that break a rule all the same."""
    rules_alert: bool
    """Whether a broken rule is an alert of its own."""


@dataclass(frozen=True)
class EmbeddingMap:
    """Embeddings of a sample of flows, or images, on their two principal axes."""

    places: Float[np.ndarray, "n 2"]
    groups: Shaped[np.ndarray, " n"]
    """The kind of each: a label, "alert", or ``benign``, which is drawn as a quiet cloud."""
    explained: float
    """Share of the variance that the two axes hold."""
    benign: str


@dataclass(frozen=True)
class Pictures:
    """What a model of images makes of some of them.

    Attributes:
        neighbours: PNG, a row an image: itself, then those nearest to it.
        map: of their embeddings.
        shown: how many images these are drawn from.
        views: PNG, images above and two views of each below; None where the system has no views.
    """

    neighbours: bytes
    map: EmbeddingMap
    shown: int
    views: bytes | None = None


@dataclass(frozen=True)
class Detected:
    """What was detected in one source.

    Attributes:
        name: of the source.
        flows: one row a flow: ``score``, ``view_*``, ``rule``, ``alert``; where there are such:
            ``timestamp``, addresses and ports, ``label`` (only ever used to judge), the inputs.
        reasons: why each alert stands out, in the order of the alerts in ``flows``.
        map: of the embeddings.
    """

    name: str
    flows: pl.DataFrame
    reasons: Sequence[Sequence[Reason]]
    map: EmbeddingMap | None = None

    @cached_property
    def alerts(self) -> pl.DataFrame:
        """The flows that raised an alert."""
        return self.flows.filter("alert")

    @cached_property
    def seconds(self) -> float:
        """From the first flow to the last; 0 where there are no times."""
        if "timestamp" not in self.flows.columns or self.flows.height < 2:
            return 0.0
        times = self.flows["timestamp"]
        return (times.max() - times.min()).total_seconds()  # pyright: ignore

    @cached_property
    def judgement(self) -> Judgement | None:
        """What the labels say, where there are labels of attacks and of benign flows."""
        if "label" not in self.flows.columns:
            return None
        labels = self.flows["label"].fill_null("").to_numpy().astype(np.str_)
        if set(labels) <= {"", BENIGN} or BENIGN not in labels:
            return None
        scores, alerts = self.flows["score"].to_numpy(), self.flows["alert"].to_numpy()
        return judge(scores, alerts, labels, benign=BENIGN)


@dataclass(frozen=True)
class Contents:
    """Everything that a report can show; what is None or empty is left out of the page."""

    system: str
    version: str
    seed: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    learned: Learned | None = None
    findings: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Name of a source, and what was found in its data."""
    calibrated: Calibrated | None = None
    detected: Detected | None = None
    pictures: Pictures | None = None
    training: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """Name of a training, and its step events."""
    commands: Sequence[str] = ()
    laboratory: bool = False
    """Whether the traffic is the project's own laboratory traffic."""
    with_addresses: bool = False
