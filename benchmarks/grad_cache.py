"""GradCache: peak memory and CPU time of a SimCLR step, the whole batch at once and in chunks.

    python benchmarks/grad_cache.py [--json FILE]

SimCLR's default network (widths 32, 64, 128, 128; head with layer normalisation) on 1024 images of
32 x 32 pixels in colour, two views each, float32, one thread. Every measurement is a fresh
process. It runs a step on 8 images, which loads the code; then steps on the whole batch: the median
CPU time of those after the first, and how far all of them raised the process's largest resident
size. That contains the pixels and the views, which are made for the whole batch either way. The
gradient's length shows that all do the same.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

BATCH = 1024
SIDE = 32
CHUNKS = (BATCH, 256, 128, 64)  # BATCH: all at once
ROUNDS = 3


def measure(chunk: int) -> dict[str, float]:
    """What the child process does; prints nothing else."""
    import torch

    from contraview.core.run import Run
    from contraview.core.seeds import torch_generator
    from contraview.frameworks.images.simclr import SimCLR
    from contraview.modalities.images.data import read_images

    torch.set_num_threads(1)
    pixels = torch.rand(BATCH, SIDE, SIDE, 3, generator=torch_generator(0, "pixels")).numpy()
    images = read_images(pixels)
    system = SimCLR(head_norm="layer", chunk=None if chunk == BATCH else chunk)
    method = system.method(system.fresh_encoder(images, 0), images, Run(show=False))
    method.model.train()

    def step(rows: int) -> float:
        method.model.zero_grad()
        started = time.process_time()
        done = method.loss(method.model, torch.arange(rows), torch_generator(0, "step"))
        done.loss.backward()
        if done.after_backward is not None:
            done.after_backward()
        return time.process_time() - started

    step(8)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = [step(BATCH) for _ in range(1 + ROUNDS)][1:]
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    gradients = [each.grad.flatten() for each in method.model.parameters() if each.grad is not None]
    return {
        "cpu_seconds": statistics.median(seconds),
        "peak_mb": (after - before) / 1024,
        "gradient_norm": torch.cat(gradients).double().norm().item(),
    }


def compare(repeats: int) -> dict[str, Any]:
    found: dict[int, list[dict[str, float]]] = {chunk: [] for chunk in CHUNKS}
    for _ in range(repeats):
        for chunk, runs in found.items():
            command = [sys.executable, __file__, "--measure", str(chunk)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            runs.append(json.loads(done.stdout))
    rows = []
    for chunk, runs in found.items():
        row = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
        whole = rows[0] if rows else row
        row |= {
            "chunk": chunk,
            "memory_ratio": round(whole["peak_mb"] / row["peak_mb"], 2),
            "cpu_ratio": round(row["cpu_seconds"] / whole["cpu_seconds"], 2),
        }
        rows.append(row)
        print(json.dumps(row), file=sys.stderr)
    return {
        "what": "a SimCLR step of 1024 images of 32 x 32, one thread; memory_ratio = whole / "
        "chunk, cpu_ratio = chunk / whole",
        "batch": BATCH,
        "side": SIDE,
        "processes_each": repeats,
        "statistic": "median over processes of the median over steps",
        "rows": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3, help="processes for each chunk")
    parser.add_argument("--json", type=Path, help="write the result here as well")
    parser.add_argument("--measure", type=int, choices=CHUNKS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(measure(asked.measure)))
        return
    result = json.dumps(compare(asked.repeats), indent=2)
    if asked.json:
        asked.json.write_text(result + "\n")
    print(result)


if __name__ == "__main__":
    main()
