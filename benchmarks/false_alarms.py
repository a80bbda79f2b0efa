"""How many false alarms a rate means, and what it finds: the default detector, and many splits.

Two parts. `sites` fits the default detector with five seeds on the sites of its claims, takes the
threshold from benign flows that are neither fitted on nor scored, and counts: alerts in 1,000
benign flows, whether their number lies in the 95 % beta-binomial interval that `contraview
calibrate` prints, and the share of each kind of attack that is found. On the lab's days the
threshold comes from the fit's own day, or from another day. `splits` asks how often the interval
holds where it should: the default detector is fitted on a third of the benign rows of a set, the
rest split at random, many times, into rows to calibrate on (the views and the threshold, as the
fit does) and rows to score. The rate of one in ten thousand is asked of generated logs alone, with
the light form: no other set is large enough.

    python benchmarks/false_alarms.py --json results/benchmarks/false_alarms.json
    python benchmarks/false_alarms.py --page docs/detection.md    # tables from what was measured
"""

import argparse
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import polars as pl

from contraview.apps.detection.claims import SETS
from contraview.apps.detection.detector import Detector, combined, held_out
from contraview.claims.table import replace_table
from contraview.core.run import Run
from contraview.core.seeds import numpy_generator
from contraview.core.whole_file import write_bytes, write_json
from contraview.evaluation.anomaly import per_class_alarm_rate
from contraview.evaluation.intervals import false_alarm_interval
from contraview.evaluation.threshold import alarm_rate, threshold_at_fpr
from contraview.frameworks.one_class.calibration import Calibration
from contraview.modalities.datasets import dataset
from contraview.modalities.flows.data import Flows, read_flows

SEEDS = range(300, 305)
RATES = (1e-2, 1e-3)
FITS, SPLITS = 5, 200
RESULT = Path(__file__).parents[1] / "results" / "benchmarks" / "false_alarms.json"
Runs = dict[str, dict[str, list[dict[str, Any]]]]
"""For each site and rate one entry a seed."""
DAYS = ("lab_day2", "lab_day3")
SET_TITLES = {"unsw_nb15": "UNSW-NB15", "nsl_kdd": "NSL-KDD", "lab_day1": "lab, day 1"}


def counted(
    held: np.ndarray, scores: np.ndarray, labels: np.ndarray, rate: float, benign: str
) -> dict[str, Any]:
    """One run: false alarms, their interval, and what is found of each kind."""
    threshold = threshold_at_fpr(held, rate)
    found = per_class_alarm_rate(scores, labels, threshold)
    quiet = int((labels == benign).sum())
    low, high = false_alarm_interval(len(held), quiet, rate)
    alarms = round(found.pop(benign) * quiet)
    return {
        "calibrated on": len(held),
        "benign scored": quiet,
        "false alarms": alarms,
        "interval": [low, high],
        "alerts in 1,000 flows": 1000 * alarm_rate(scores, threshold),
        "found": found,
    }


def sites(runs: Runs, seed: int) -> None:
    """Add one entry to each site and rate."""

    def put(site: str, held: np.ndarray, scores: np.ndarray, labels: np.ndarray, benign: str):
        for rate in RATES:
            entry = counted(held, scores, labels, rate, benign)
            runs.setdefault(site, {}).setdefault(f"{rate:g}", []).append(entry)

    for site, traffic in SETS.items():
        if site == "lab":
            continue
        parts = traffic(seed)
        detector = Detector().fit(parts.benign, run=Run(seed=seed))
        put(site, detector.held_out, detector.score(parts.test), parts.labels, "")
    detector = Detector().fit(read_flows(dataset("lab_day1")), run=Run(seed=seed))
    days = {name: read_flows(dataset(name)) for name in DAYS}
    scores = {name: detector.score(day) for name, day in days.items()}
    labels = {name: day.labels() for name, day in days.items()}
    for name, other in zip(DAYS, reversed(DAYS), strict=True):
        quiet = scores[other][labels[other] == "benign"]
        day, from_day = (f"day {each[-1]}" for each in (name, other))
        put(f"lab, {day}", detector.held_out, scores[name], labels[name], "benign")
        put(
            f"lab, {day}, threshold from {from_day}",
            quiet,
            scores[name],
            labels[name],
            "benign",
        )


def generated(rows: int, seed: int) -> pl.DataFrame:
    """Conversations of a small office, drawn at random: every day like every other."""
    draw = numpy_generator(seed, "generated log")
    kind = draw.choice(4, rows, p=[0.55, 0.3, 0.1, 0.05])
    scale = np.array([4.4, 7.5, 9.5, 12.0])[kind]
    sent, got = (draw.lognormal(scale * share, 1.0) for share in (0.6, 1.0))
    seconds = draw.lognormal(np.array([-4.0, -1.0, 1.0, 3.0])[kind], 1.2)
    packets = 1 + draw.poisson((sent + got) ** 0.6 / 4)
    service = np.array(["dns", "web", "ssh", "backup"])[kind]
    return pl.DataFrame(
        {
            "sent": sent,
            "received": got,
            "seconds": seconds,
            "packets": packets.astype(float),
            "rate": (sent + got) / seconds,
            "service": service,
        }
    )


def splits(benign: Flows, rates: Iterable[float], *, light: bool = False) -> dict[str, Any]:
    """How often the number of false alarms lies in its 95 % interval."""
    inside: dict[str, list[bool]] = {f"{rate:g}": [] for rate in rates}
    realised: dict[str, list[float]] = {f"{rate:g}": [] for rate in rates}
    n = m = 0
    for fit in range(FITS):
        detector = Detector(light=light, calibration=2 / 3).fit(benign, run=Run(seed=fit))
        _, apart = held_out(benign, 2 / 3, fit)
        raw = detector.raw_views(detector.clan.matrix(apart).numpy())
        n = len(apart) // 2
        m = len(apart) - n
        for split in range(SPLITS):
            order = numpy_generator(fit * SPLITS + split, "false alarms, split").permutation(n + m)
            # As in `Detector.fit`: the same flows say what a view's score means and where the
            # threshold lies.
            views = [Calibration.fit(v[order[:n]]).surprise(v[order]) for v in raw.values()]
            scores = combined(np.stack(views, axis=1))
            for rate in rates:
                alarms = (scores[n:] > threshold_at_fpr(scores[:n], rate)).sum()
                low, high = false_alarm_interval(n, m, rate)
                inside[f"{rate:g}"].append(bool(low <= alarms <= high))
                realised[f"{rate:g}"].append(alarms / m)
    return {
        "calibrated on": n,
        "scored": m,
        "runs": FITS * SPLITS,
        "inside": {rate: fmean(hits) for rate, hits in inside.items()},
        "realised": {rate: fmean(shares) for rate, shares in realised.items()},
    }


def covered() -> dict[str, Any]:
    """`splits` of every set."""
    found = {
        title: splits(read_flows(dataset(name)).benign(), RATES)
        for name, title in SET_TITLES.items()
    }
    log = read_flows(generated(150_000, seed=0))
    return found | {"generated log, light": splits(log, (*RATES, 1e-4), light=True)}


def tables(result: Mapping[str, Any]) -> str:
    """The result as the Markdown of the documentation."""
    return "\n\n".join([_covered(result), _alarms(result), *_found(result)])


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(head), *map(list, rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _covered(result: Mapping[str, Any]) -> str:
    rows = [
        (
            f"{title}, {each['calibrated on']:,} and {each['scored']:,} flows",
            rate,
            f"{each['realised'][rate]:.3%}",
            f"{each['inside'][rate]:.1%}",
        )
        for title, each in result["splits"].items()
        for rate in each["inside"]
    ]
    return _table(("calibrated on, and scored", "rate", "realised", "runs inside"), rows)


def _alarms(result: Mapping[str, Any]) -> str:
    rows = []
    for site, by_rate in result["sites"].items():
        for rate, runs in by_rate.items():
            share = [1000 * run["false alarms"] / run["benign scored"] for run in runs]
            inside = [
                run["interval"][0] <= run["false alarms"] <= run["interval"][1] for run in runs
            ]
            low, high = (1000 * end / runs[0]["benign scored"] for end in runs[0]["interval"])
            rows.append(
                (
                    site,
                    rate,
                    f"{fmean(share):.1f} ({min(share):.1f} to {max(share):.1f})",
                    f"{low:.1f} to {high:.1f}",
                    f"{sum(inside)} of {len(runs)}",
                )
            )
    head = ("scored", "rate", "false alarms in 1,000 benign flows", "95 % interval", "seeds inside")
    return _table(head, rows)


def _found(result: Mapping[str, Any]) -> list[str]:
    found = []
    for site, by_rate in result["sites"].items():
        if "threshold from" in site:
            continue
        kinds = sorted(next(iter(by_rate.values()))[0]["found"])
        rows = [
            (
                kind,
                *(f"{fmean(run['found'][kind] for run in runs):.0%}" for runs in by_rate.values()),
            )
            for kind in kinds
        ]
        found.append(_table((f"found, {site}", *(f"at {rate}" for rate in by_rate)), rows))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="go on with, and write, these results")
    parser.add_argument("--page", type=Path, help="only put the tables into this page")
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help="of them, for the sites")
    chosen = parser.parse_args()
    if chosen.page:
        page = chosen.page.read_text(encoding="utf-8")
        made = replace_table(page, "false alarms", tables(json.loads(RESULT.read_text())))
        write_bytes(chosen.page, made.encode())
        return
    result: dict[str, Any] = {"benchmark": "false_alarms", "seeds": [], "splits": {}, "sites": {}}
    if chosen.json and chosen.json.is_file():
        result = json.loads(chosen.json.read_text())
    result["splits"] = result["splits"] or covered()
    for seed in SEEDS[: chosen.seeds]:
        if chosen.json:
            write_json(chosen.json, result)
        if seed not in result["seeds"]:
            sites(result["sites"], seed)
            result["seeds"].append(seed)
    if chosen.json:
        write_json(chosen.json, result)
    print(tables(result))


if __name__ == "__main__":
    main()
