"""CLAN and the default detector against CLAN's method in plain torch, and PyOD's neural detectors.

    PEER/bin/python benchmarks/clan.py [--json FILE]

PEER is an environment that holds contraview and `pyod==3.6.7`. Traffic: UNSW-NB15, a random half
of the benign flows to fit on and the rest to judge (the split of the claims, seed 100), so
CONTRAVIEW_DATA or the cache has to hold it. Three parts, one thread, each measurement a process of
its own, the sides taking turns.

`training`: a step of CLAN as its official repository (github.com/jackwilkie/CLAN) states it,
written here in plain torch from the paper's formulas: a DataLoader with a sampler of weights, one
pass of rows and corrupted copies, two matrices of batch by batch, AdamW; against `Clan.fit` of the
same encoder, batch and corruption. CPU seconds of a step, from the difference between many steps
and few; and how far a step raises the process's largest resident size.

`scoring`: microseconds a flow from standardised rows, of the same encoder: batches of a DataLoader
and the cosine to the centre, against `Clan.score_rows`.

`detectors`: PyOD's neural detectors with their own settings, on the matrix that contraview
standardised, against `contraview fit clan` and `contraview fit detector`, which read, inspect and
standardise the flows themselves. CPU seconds of the fit, microseconds a flow, class-mean AUROC, one
run of each.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cosine_similarity, normalize, relu
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler

from contraview.apps.detection.claims import SETS
from contraview.apps.detection.detector import Detector
from contraview.claims.traffic import Traffic
from contraview.core.run import Run
from contraview.evaluation.anomaly import class_mean_auroc
from contraview.systems.clan import Clan
from contraview.systems.clan.config import PRESETS
from contraview.systems.clan.pretraining import fresh_encoder

SEED = 100
SIZES: dict[str, dict[str, Any]] = {
    "paper's widths and batch": {"width": 1024, "depth": 4, "batch": 8192, "few": 1, "many": 3},
    "paper's widths, batch 1,024": {"width": 1024, "depth": 4, "batch": 1024, "few": 2, "many": 8},
    "the laptop's preset": {"few": 20, "many": 220},
}
NEURAL = {
    "AutoEncoder": "auto_encoder",
    "VAE": "vae",
    "DeepSVDD": "deep_svdd",
    "LUNAR": "lunar",
    "DIF": "dif",
}
OURS = {"CLAN": Clan, "default detector": Detector}


@cache
def traffic() -> Traffic:
    return SETS["UNSW-NB15"](SEED)


def settings_of(size: str) -> dict[str, Any]:
    chosen = {k: v for k, v in SIZES[size].items() if k not in ("few", "many")}
    return {"epochs": None, **PRESETS["paper"], **chosen} if "width" in chosen else chosen


def system_of(size: str, steps: int) -> Clan:
    return Clan(**settings_of(size) | {"steps": steps, "epochs": None})


def matrix() -> torch.Tensor:
    from contraview.modalities.flows.features import FeatureMap

    benign = traffic().benign
    rows = benign.collect()
    return torch.from_numpy(
        FeatureMap.fit(rows, benign.numeric, benign.categorical, log=False).transform(rows)
    )


def plainly(size: str, rows: torch.Tensor, steps: int) -> None:
    """The method as its formulas read, with what torch offers."""
    config = system_of(size, steps).config
    encoder = fresh_encoder(config, rows.shape[1], 0)
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=config.lr, weight_decay=0)
    sampler = WeightedRandomSampler(torch.ones(len(rows)).tolist(), config.batch * steps)
    loader = DataLoader(TensorDataset(rows), config.batch, sampler=sampler, drop_last=True)
    share = config.p_feature or 18 / rows.shape[1]
    for (batch,) in loader:
        drawn = torch.empty_like(batch).uniform_(-config.span, config.span)
        altered = torch.where(torch.rand_like(batch) < share, drawn, batch)
        benign, corrupted = normalize(encoder(torch.cat([batch, altered]))).chunk(2)
        optimizer.zero_grad()
        plain_loss(benign, corrupted, config.margin, config.balance).backward()
        optimizer.step()


def plain_loss(
    benign: torch.Tensor, corrupted: torch.Tensor, margin: float, balance: float
) -> torch.Tensor:
    """CLAN's loss of unit vectors, on two matrices of batch by batch."""
    together = (1 - benign @ benign.T) / 2
    apart = relu(margin - (1 - benign @ corrupted.T) / 2)
    near = together.sum() / (together > 1e-6).sum().clamp(min=1)
    far = apart.sum() / (apart > 1e-6).sum().clamp(min=1)
    return balance * near + (1 - balance) * far


def training(side: str, size: str) -> dict[str, float]:
    rows = matrix()

    def train(steps: int) -> None:
        if side == "plain":
            plainly(size, rows, steps)
        else:
            system_of(size, steps).fit(traffic().benign, run=Run(show=False))

    few, many = SIZES[size]["few"], SIZES[size]["many"]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    train(few)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    spent = []
    for steps in (few, many):
        started = time.process_time()
        train(steps)
        spent.append(time.process_time() - started)
    return {
        "cpu_milliseconds_a_step": round(1e3 * (spent[1] - spent[0]) / (many - few), 2),
        "peak_mb": round((after - before) / 1024, 1),
    }


def scoring(side: str, size: str) -> dict[str, float]:
    config = system_of(size, 1).config
    clan = Clan(**config.model_dump()).fit(traffic().benign, run=Run(show=False))
    rows = clan.matrix(traffic().test)
    centre = torch.from_numpy(clan.embed_rows(rows).mean(0))

    @torch.inference_mode()
    def plain() -> None:
        loader = DataLoader(TensorDataset(rows), config.batch)
        torch.cat([-cosine_similarity(clan.encoder(batch), centre) for (batch,) in loader])

    score: Callable[[], Any] = plain if side == "plain" else lambda: clan.score_rows(rows)
    return {"cpu_microseconds_a_flow": round(timed(score) * 1e6 / len(rows), 2)}


def timed(job: Callable[[], Any], rounds: int = 5) -> float:
    spent = []
    for _ in range(1 + rounds):
        started = time.process_time()
        job()
        spent.append(time.process_time() - started)
    return statistics.median(spent[1:])


def detectors(side: str, _size: str) -> dict[str, float]:
    parts = traffic()
    if side in OURS:
        system = OURS[side]()
        started = time.process_time()
        system.fit(parts.benign, run=Run(seed=SEED, show=False))
        fit = time.process_time() - started
        scores = system.score(parts.test)
        spent = timed(lambda: system.score(parts.test), 3)
    else:
        reader = Clan(steps=1).fit(parts.benign, run=Run(show=False))
        benign, test = (reader.matrix(each).numpy() for each in (parts.benign, parts.test))
        model = getattr(import_module(f"pyod.models.{NEURAL[side]}"), side)
        quiet = {"verbose": 0} if "verbose" in model.__init__.__code__.co_varnames else {}
        detector = model(**quiet) if side != "DeepSVDD" else model(benign.shape[1], **quiet)
        started = time.process_time()
        detector.fit(benign)
        fit = time.process_time() - started
        scores = detector.decision_function(test)
        spent = timed(lambda: detector.decision_function(test), 3)
    auroc = class_mean_auroc(scores, parts.labels, benign="")
    return {
        "fit_cpu_seconds": round(fit, 2),
        "cpu_microseconds_a_flow": round(spent * 1e6 / len(scores), 2),
        "auroc": round(auroc, 3),
    }


PARTS: dict[str, Callable[[str, str], dict[str, float]]] = {
    "training": training,
    "scoring": scoring,
    "detectors": detectors,
}


def child(part: str, side: str, size: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--part", part, "--side", side, "--size", size]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def median_of(part: str, sides: list[str], size: str, repeats: int) -> dict[str, Any]:
    runs: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    for _ in range(repeats):
        for side in sides:
            runs[side].append(child(part, side, size))
    row = {
        side: {name: statistics.median(run[name] for run in found) for name in found[0]}
        for side, found in runs.items()
    }
    print(json.dumps({part: row, "size": size}), file=sys.stderr)
    return row


def compare(repeats: int) -> dict[str, Any]:
    result: dict[str, Any] = {
        "what": "one thread; ratio = plain torch / contraview",
        "versions": {name: version(name) for name in ("torch", "pyod")},
        "repeats": {"training": repeats, "scoring": repeats, "detectors": 1},
    }
    for part in ("training", "scoring"):
        result[part] = []
        for size in SIZES:
            row = median_of(part, ["plain", "contraview"], size, repeats)
            ratios = {
                f"ratio_{name}": round(row["plain"][name] / row["contraview"][name], 2)
                for name in row["plain"]
            }
            result[part].append({"size": size, **row, **ratios})
    result["detectors"] = median_of("detectors", [*OURS, *NEURAL], "", 1)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--repeats", type=int, default=3, help="processes of each but the detectors"
    )
    parser.add_argument("--json", type=Path, help="write the result here as well")
    parser.add_argument("--part", choices=list(PARTS), help=argparse.SUPPRESS)
    parser.add_argument("--side", help=argparse.SUPPRESS)
    parser.add_argument("--size", default="", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.part:
        torch.set_num_threads(1)
        print(json.dumps(PARTS[asked.part](asked.side, asked.size)))
        return
    result = json.dumps(compare(asked.repeats), indent=2)
    if asked.json:
        asked.json.write_text(result + "\n")
    print(result)


if __name__ == "__main__":
    main()
