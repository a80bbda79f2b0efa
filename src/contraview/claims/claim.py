"""A claim, the experiment that decides it, and the run that measures both."""

import hashlib
import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import contraview
from contraview.claims.results import Better, ClaimResult, Data
from contraview.claims.verdict import judge, paired_difference
from contraview.core.errors import ContraviewError, InputError
from contraview.core.run import Run

Figures = Mapping[str, Mapping[str, float]]
"""For each metric the value of each arm."""

DIGITS = 6
MEASURED = "seed measured"


@dataclass(frozen=True, eq=False)
class Experiment:
    """Every arm fitted and judged on the same data, once a seed.

    Attributes:
        name: tells the experiments of one system apart.
        data: what was read, with fingerprints; the first call may load it.
        measure: from a run (its seed is the seed, it draws no progress bar) and the settings of
            a preset, the figures of every arm. It splits the data once and hands the same parts
            to each arm, so arms differ in nothing but themselves.
        presets: settings by the name of the preset.
        first_seed: seeds count from here; those below were looked at in pilots.
    """

    name: str
    data: Callable[[], Sequence[Data]]
    measure: Callable[[Run, Mapping[str, Any]], Figures]
    presets: Mapping[str, Mapping[str, Any]]
    first_seed: int = 0


@dataclass(frozen=True)
class Claim:
    """One sentence that can turn out to be wrong: a view on the figures of an experiment.

    Attributes:
        id: short name, unique within the system.
        statement: what is claimed, for a reader who knows the paper's name only.
        experiment: where the figures come from; claims that share one are measured together.
        metric: which of its metrics is judged.
        method: the arm that should be better.
        baseline: the arm it is judged against, with the same budget and the same tuning.
        margin: by how much it must be better; fixed before the first comparison.
        better: whether higher or lower figures are.
        data: names of the data sets behind this metric; all of the experiment's by default.
    """

    id: str
    statement: str
    experiment: Experiment
    metric: str
    method: str
    baseline: str
    margin: float
    better: Better = "higher"
    data: tuple[str, ...] = ()


@dataclass(frozen=True)
class Measured:
    """What an experiment gave: its data, and figures and CPU seconds of each seed."""

    data: list[Data]
    figures: dict[int, Figures]
    cpu_seconds: float


def run_claims(
    claims: Sequence[Claim], *, seeds: int, preset: str = "small", run: Run | None = None
) -> list[ClaimResult]:
    """Measure claims on ``seeds`` seeds each; experiments they share run once.

    Where the run has a folder, each finished seed is an event in its log, and an interrupted
    run goes on after the last one. A logged seed counts only for the same settings, data and
    source code of this library.

    Raises:
        InputError: no such preset, or no seed asked for.
        ContraviewError: a figure is missing or is not a number.
    """
    run = run or Run()
    if seeds < 1:
        raise InputError(f"{seeds} seeds; expected at least 1")
    experiments = dict.fromkeys(claim.experiment for claim in claims)
    measured = {each: _measured(each, seeds, preset, run) for each in experiments}
    return [_result(claim, measured[claim.experiment], preset) for claim in claims]


def _measured(experiment: Experiment, seeds: int, preset: str, run: Run) -> Measured:
    if preset not in experiment.presets:
        raise InputError(
            f"{experiment.name}: no preset {preset!r}; there are {', '.join(experiment.presets)}"
        )
    settings = experiment.presets[preset]
    data = list(experiment.data())
    key = _key(experiment.name, settings, data)
    events = run.events() if run.resume else []
    done = {e["seed"]: e for e in events if e["kind"] == MEASURED and e["key"] == key}
    wanted = range(experiment.first_seed, experiment.first_seed + seeds)
    with run.progress(experiment.name, seeds) as advance:
        for seed in wanted:
            if seed not in done:
                before = _cpu_seconds()
                figures = experiment.measure(Run(seed=seed, show=False), settings)
                done[seed] = {
                    "figures": _rounded(figures, f"{experiment.name}, seed {seed}"),
                    "cpu_seconds": round(_cpu_seconds() - before, 3),
                }
                run.log(MEASURED, key=key, experiment=experiment.name, seed=seed, **done[seed])
            advance()
    return Measured(
        data=data,
        figures={seed: done[seed]["figures"] for seed in wanted},
        cpu_seconds=round(sum(done[seed]["cpu_seconds"] for seed in wanted), 3),
    )


def _result(claim: Claim, measured: Measured, preset: str) -> ClaimResult:
    by_seed = [figures.get(claim.metric, {}) for figures in measured.figures.values()]
    names = dict.fromkeys([claim.method, claim.baseline, *by_seed[0]])
    if any(arms.keys() != names.keys() for arms in by_seed):
        raise ContraviewError(
            f"{claim.id}: {claim.metric!r} was measured of {', '.join(by_seed[0]) or 'nothing'}; "
            f"expected {', '.join(names)} in every seed"
        )
    known = [each["name"] for each in measured.data]
    if not set(claim.data) <= set(known):
        raise ContraviewError(f"{claim.id}: data {claim.data}; there are {', '.join(known)}")
    shown = {arm: [arms[arm] for arms in by_seed] for arm in names}
    difference = paired_difference(shown[claim.method], shown[claim.baseline], claim.better)
    return ClaimResult(
        id=claim.id,
        statement=claim.statement,
        metric=claim.metric,
        better=claim.better,
        data=[d for d in measured.data if d["name"] in (claim.data or known)],
        preset=preset,
        seeds=list(measured.figures),
        arms=shown,
        difference=difference,
        margin=claim.margin,
        verdict=judge(difference, claim.margin, len(measured.figures)),
        cpu_seconds=measured.cpu_seconds,
    )


def _rounded(figures: Figures, where: str) -> dict[str, dict[str, float]]:
    """Plain numbers of six digits, so that the verdict can be worked out again from the file."""
    rounded = {
        metric: {arm: round(float(value), DIGITS) for arm, value in arms.items()}
        for metric, arms in figures.items()
    }
    for metric, arms in rounded.items():
        for arm, value in arms.items():
            if not math.isfinite(value):
                raise ContraviewError(f"{where}: {metric} of {arm} is {value}")
    return rounded


def _key(name: str, settings: Mapping[str, Any], data: list[Data]) -> str:
    """Changes with whatever a seed's figures depend on."""
    digest = hashlib.blake2b(json.dumps([name, dict(settings), data], sort_keys=True).encode())
    for path in sorted(Path(contraview.__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:32]


def _cpu_seconds() -> float:
    """Of this process, all its threads, and the children it has waited for."""
    return sum(os.times()[:4])
