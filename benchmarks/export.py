"""Scoring flows through onnxruntime against contraview: flows a CPU second, one thread each.

The default detector and its CLAN are fitted on the lab's first day and exported; both arms then
score the same flows of the second day, from the same table in memory, raw columns as the log has
them: the logarithms, z-scores and indicators are part of both. contraview reads them with polars
and scores with torch and NumPy; onnxruntime is given one array a column. Batches of one size,
arms in turn.

How far the scores lie apart is said for that size and for flows one at a time: in single precision
two libraries may add up alike in one size of batch and not in another, as contraview itself does
(``contraview, one at a time``: against its own scores in batches).

    python benchmarks/export.py [--flows 4096] [--batch 256] [--json results/benchmarks/export.json]
"""

import argparse
import json
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime
import torch
from threadpoolctl import threadpool_limits

from contraview.apps.detection.detector import Detector
from contraview.apps.export.agreement import difference, session_of
from contraview.apps.export.export import export
from contraview.core.run import Run
from contraview.core.whole_file import write_json
from contraview.modalities.datasets import dataset
from contraview.modalities.flows.data import Flows, read_flows

REPEATS, ALONE = 5, 512


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flows", type=int, default=4096)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    detector = Detector().fit(read_flows(dataset("lab_day1")), run=Run(seed=0))
    later = read_flows(dataset("lab_day2"))
    flows = later.take(np.arange(chosen.flows) % len(later))
    with threadpool_limits(1), TemporaryDirectory() as folder:
        measured = {
            system.slug: compared(system, flows, chosen.batch, Path(folder))
            for system in (detector, detector.clan)
        }
    result = {
        "benchmark": "export",
        "flows": chosen.flows,
        "batch": chosen.batch,
        "repeats": REPEATS,
        "from": "raw columns in memory",
        "columns": len(detector.clan.features.sources),
        "bank": len(detector.models["neighbours"].bank),
        "versions": {"torch": torch.__version__, "onnxruntime": onnxruntime.__version__},
        **measured,
    }
    print(json.dumps(result, indent=2))
    if chosen.json:
        write_json(chosen.json, result)


def compared(system: Detector, flows: Flows, batch: int, folder: Path) -> dict[str, float]:
    """Flows a CPU second of both arms, in turn, and the largest difference of their scores."""
    path = folder / f"{system.slug}.onnx"
    export(system, path, only=("score",))
    session, feed = session_of(str(path)), system.graph().feed
    parts = list(flows.parts(batch))
    arms = {
        "contraview": lambda: [system.score(part) for part in parts],
        "onnxruntime": lambda: [session.run(["score"], feed(part))[0] for part in parts],
    }
    spent: dict[str, list[float]] = {name: [] for name in arms}
    answers = {}
    for repeat in range(REPEATS + 1):
        for name, arm in arms.items():
            before = time.process_time()
            answers[name] = np.concatenate(arm())
            if repeat:  # the first is to warm up
                spent[name].append(time.process_time() - before)
    single = flows.take(np.arange(ALONE))
    alone = np.concatenate([system.score(part) for part in single.parts(1)])
    by_file = np.concatenate([session.run(["score"], feed(part))[0] for part in single.parts(1)])
    speed = {name: len(flows) / statistics.median(times) for name, times in spent.items()}
    return {
        **{f"{name}, flows a CPU second": round(value) for name, value in speed.items()},
        "onnxruntime / contraview": round(speed["onnxruntime"] / speed["contraview"], 2),
        "largest difference, in batches": difference(*answers.values()),
        "largest difference, one at a time": difference(alone, by_file),
        "contraview, one at a time": difference(answers["contraview"][:ALONE], alone),
        "megabytes": round(path.stat().st_size / 1e6, 1),
    }


if __name__ == "__main__":
    main()
