"""What has changed since the fit, day by day, and what to do about it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal, get_args

import numpy as np
import polars as pl

from contraview.apps.detection.detection import Judge
from contraview.apps.detection.detector import Detector
from contraview.apps.detection.living.stability import MOVED, STABLE, Spread, stability_index
from contraview.apps.detection.services import services_of
from contraview.core.errors import InputError
from contraview.evaluation.intervals import false_alarm_interval
from contraview.modalities.flows.cells import moment
from contraview.modalities.flows.data import Flows
from contraview.modalities.flows.roles import is_text

By = Literal["hour", "day", "week"]
FORMS: Final = {"hour": "%Y-%m-%d %H:00", "day": "%Y-%m-%d", "week": "%G-W%V"}
WHOLE: Final = "all flows"
FEWEST: Final = 200
"""Flows of a period below which nothing is said of it."""
NEW_SHARE: Final = 0.005
"""Share of a period's flows from which a service or a category that was never seen is told of."""
MUCH: Final = 0.25
"""Share of the inputs that have moved from which the fit itself is out of date."""
MOST_PERIODS: Final = 400

Advice = Literal["too few flows", "nothing", "recalibrate", "re-centre", "refit"]
ORDER: Final[tuple[Advice, ...]] = get_args(Advice)
RULES: Final[Mapping[Advice, str]] = {
    "nothing": "the false alarms lie in the interval that the calibration foretells, whatever else "
    "has moved",
    "recalibrate": "they do not, and neither a service nor a category is new, and neither the "
    "inputs nor the scores have moved: the threshold alone is off",
    "re-centre": f"they do not, and a service is new, or an input or the scores have moved "
    f"(stability index from {MOVED}): the views should know of it",
    "refit": f"they do not, and a category is new that makes up {NEW_SHARE:.1%} of the flows, or "
    f"{MUCH:.0%} of the inputs have moved: what the encoder reads is not what it learnt",
}


@dataclass(frozen=True)
class New:
    """A service or a category that the fit has not seen.

    Attributes:
        name: as in ``tcp/1883``, or ``column=value``.
        flows: how many there were.
        share: of the period's flows.
        alerts: how many of them are alerts.
        share_of_alerts: of the period's alerts.
    """

    name: str
    flows: int
    share: float
    alerts: int
    share_of_alerts: float


@dataclass(frozen=True)
class Period:
    """One day, hour or week.

    Attributes:
        name: the period, UTC.
        flows: judged; where the source says which are benign, those alone.
        alerts: of these flows; false alarms as far as they are benign.
        expected: from and to how many alerts the calibration foretells, with 95 %.
        scores: stability index of the scores against the held-out benign ones.
        inputs: stability index of each input.
        services: those that are new, the largest share of the alerts first.
        categories: those that are new.
        constants: columns that never moved and now do, with the share of flows.
        advice: what to do by this period alone; see `RULES`.
        histogram: how many flows have a score up to 0.5, 1, 1.5, ... nats; the last one all above.
    """

    name: str
    flows: int
    alerts: int
    expected: tuple[float, float]
    scores: float
    inputs: dict[str, float]
    services: list[New]
    categories: list[New]
    constants: dict[str, float]
    advice: Advice
    histogram: list[int] = field(repr=False)

    @property
    def rate(self) -> float:
        """The share of flows that are alerts."""
        return self.alerts / max(self.flows, 1)

    @property
    def moved(self) -> list[str]:
        """The inputs that have moved, most first."""
        order = sorted(self.inputs, key=lambda name: -self.inputs[name])
        return [name for name in order if self.inputs[name] >= MOVED]


@dataclass(frozen=True)
class Drift:
    """All periods, and what to do.

    Attributes:
        rate: the false-alarm rate asked for.
        threshold: the score above which a flow is an alert.
        held_out: how many benign flows the threshold comes from.
        labelled: whether the source says which flows are benign.
        knows_services: whether the model knows the services of its fit.
        periods: in the order of time.
        histogram: of the held-out scores, as that of a period, in shares.
    """

    rate: float
    threshold: float
    held_out: int
    labelled: bool
    knows_services: bool
    periods: list[Period]
    histogram: list[float] = field(repr=False)

    @property
    def advice(self) -> Advice:
        """The strongest advice of any period."""
        return ORDER[max(ORDER.index(period.advice) for period in self.periods)]

    def as_json(self) -> dict[str, Any]:
        """All of it as JSON holds it."""
        periods = [asdict(p) | {"rate": p.rate, "moved": p.moved} for p in self.periods]
        told = {**asdict(self), "advice": self.advice, "periods": periods}
        return {**told, "rules": dict(RULES), "bounds": {"stable": STABLE, "moved": MOVED}}


HALF: Final = 0.5
HIGHEST: Final = 24


def measure(
    detector: Detector, flows: Flows, *, by: By = "day", max_fpr: float | None = None
) -> Drift:
    """Compare flows with what a detector learnt, period by period, in one pass.

    Where the source says which flows are benign only these count; otherwise all do, and what is an
    attack among them counts as a false alarm.

    Raises:
        InputError: no flows, flows of another kind, or more than `MOST_PERIODS` periods.
    """
    labelled = flows.condition is not None
    chosen = flows.benign() if labelled else flows
    features = detector.clan.features
    chosen.require(detector.clan.kind, features.numeric, tuple(features.categories))
    judge = Judge(detector, max_fpr=max_fpr)
    tallies: dict[str, _Tally] = {}
    for rows in chosen.batches():
        for name, part in _periods(rows, chosen.time, by):
            if name not in tallies and len(tallies) >= MOST_PERIODS:
                raise InputError(f"more than {MOST_PERIODS} periods; choose a longer --by")
            tally = tallies.setdefault(name, _Tally(detector))
            tally.add(part, judge)
    if not tallies:
        raise InputError(f"{flows.intake.sources[0]}: no flows to compare")
    rate = detector.rate(max_fpr)
    histogram = _histogram(detector.held_out)
    return Drift(
        rate,
        judge.threshold,
        len(detector.held_out),
        labelled,
        detector.usual.services is not None,
        [tallies[name].period(name, rate) for name in sorted(tallies)],
        [float(n) for n in histogram / histogram.sum()],
    )


class _Tally:
    """What is counted of one period."""

    def __init__(self, detector: Detector) -> None:
        self._detector, usual = detector, detector.usual
        self._numbers = {name: Spread(q) for name, q in usual.quantiles.items()}
        self._scores = Spread(detector.held_out)
        self._categories = {name: Counter[str]() for name in usual.shares}
        self._seen: Counter[str] = Counter()
        self._alerting: Counter[str] = Counter()
        self._constants: Counter[str] = Counter()
        self._flows = self._alerts = 0
        self._histogram = np.zeros(HIGHEST * 2 + 1, int)

    def add(self, rows: pl.DataFrame, judge: Judge) -> None:
        judged = judge(rows)
        alerts = judged["alert"]
        self._flows += judged.height
        self._alerts += int(alerts.sum())
        scores = judged["score"].to_numpy()
        self._scores.add(scores)
        self._histogram += _histogram(scores)
        for name, spread in self._numbers.items():
            values = rows[name].cast(pl.Float64).fill_null(float("nan"))
            spread.add(values.to_numpy())
        told = {"": services_of(rows)} | {
            f"{name}=": rows[name].cast(pl.String) for name in self._categories
        }
        for prefix, column in told.items():
            self._seen.update(_counts(column, prefix))
            self._alerting.update(_counts(column.filter(alerts), prefix))
        constant = self._detector.rules.constant
        for name, fired in self._detector.rules.broken(rows).items():
            if name in constant:
                self._constants[name] += int(fired.sum())

    def period(self, name: str, rate: float) -> Period:
        usual, n = self._detector.usual, self._flows
        inputs = {column: spread.index for column, spread in self._numbers.items()}
        for column, shares in usual.shares.items():
            found = self._of(f"{column}=")
            values = [*shares, *(value for value in found if value not in shares)]
            inputs[column] = stability_index(
                [shares.get(value, 0.0) for value in values],
                [float(found.get(value, 0)) for value in values],
            )
        services = [] if usual.services is None else self._new("", usual.services)
        categories = [
            new for column in usual.shares for new in self._new(f"{column}=", usual.shares[column])
        ]
        interval = false_alarm_interval(len(self._detector.held_out), max(n, 1), rate)
        period = Period(
            name,
            n,
            self._alerts,
            (interval.low, interval.high),
            self._scores.index,
            inputs,
            services,
            categories,
            {column: count / n for column, count in self._constants.items() if count},
            "nothing",
            self._histogram.tolist(),
        )
        return Period(**{**vars(period), "advice": _advice(period)})

    def _of(self, prefix: str) -> dict[str, int]:
        """The counts of one column; services have no prefix, and no ``=`` in their names."""
        return {
            key.removeprefix(prefix): count
            for key, count in self._seen.items()
            if (key.startswith(prefix) if prefix else "=" not in key)
        }

    def _new(self, prefix: str, known: Mapping[str, float]) -> list[New]:
        found = [
            New(
                f"{prefix}{name}",
                count,
                count / self._flows,
                self._alerting[f"{prefix}{name}"],
                self._alerting[f"{prefix}{name}"] / max(self._alerts, 1),
            )
            for name, count in self._of(prefix).items()
            if name not in known and count >= NEW_SHARE * self._flows
        ]
        return sorted(found, key=lambda new: (-new.alerts, -new.flows))


def _advice(period: Period) -> Advice:
    """By `RULES`."""
    if period.flows < FEWEST:
        return "too few flows"
    low, high = period.expected
    if low <= period.alerts <= high:
        return "nothing"
    if period.categories or len(period.moved) >= MUCH * len(period.inputs):
        return "refit"
    if period.services or period.moved or period.scores >= MOVED:
        return "re-centre"
    return "recalibrate"


def _periods(rows: pl.DataFrame, time: str | None, by: By) -> Iterator[tuple[str, pl.DataFrame]]:
    """The rows by period; those without a time, or all where there are none, as one."""
    if time is None or time not in rows.columns:
        yield WHOLE, rows
        return
    dtype = rows.schema[time]
    if is_text(dtype):
        at = moment(time)
    elif dtype.is_temporal():
        at = pl.col(time)
    else:
        at = pl.from_epoch((pl.col(time) * 1e6).cast(pl.Int64), "us")
    names = rows.select(at.dt.strftime(FORMS[by]).fill_null("no time"))[time]
    for name in names.unique().sort():
        yield str(name), rows.filter(names == name)


def _counts(column: pl.Series, prefix: str) -> dict[str, int]:
    counts = column.drop_nulls().value_counts()
    pairs = zip(counts[column.name], counts["count"], strict=True)
    return {f"{prefix}{value}": count for value, count in pairs}


def _histogram(scores: np.ndarray) -> np.ndarray:
    bins = np.clip(np.ceil(scores / HALF) - 1, 0, HIGHEST * 2).astype(int)
    return np.bincount(bins, minlength=HIGHEST * 2 + 1)
