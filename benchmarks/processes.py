"""Two processes against one: how far the loss curves are apart, and what two cost in CPU seconds.

    python benchmarks/processes.py simclr|clan [--json FILE]

SimCLR (head with layer normalisation, 100 steps) on 512 noisy stripes of 32 x 32 pixels, or CLAN
(400 steps) on 4000 simulated flows, small networks, one thread a process, gloo on one machine.
Distances are between the curves of the "step" events, the mean of absolute differences. Beside two
processes of the same seed: one process that sums in another order (in chunks), which shows how far
rounding alone goes, and one process of another seed. CPU seconds are those of the fit, user and
system, all processes; wall-clock time is not given, since it says how busy the machine was.
"""

import argparse
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ARMS = {
    "one process": (1, 0, None),
    "two processes": (2, 0, None),
    "one process in chunks": (1, 0, 32),
    "seed 1": (1, 1, None),
}
"""Processes, seed and chunk of each arm."""


def fit(slug: str, folder: Path, seed: int, chunk: int | None) -> None:
    """What each process does."""
    import numpy as np
    import polars as pl
    import torch

    from contraview.core.run import Run
    from contraview.core.seeds import numpy_generator

    torch.set_num_threads(1)
    run, g = Run(folder, seed=seed, show=False), numpy_generator(0, "benchmark")
    if slug == "simclr":
        from contraview.frameworks.images.simclr import SimCLR

        down, across = np.mgrid[:32, :32]
        angle, phase = g.uniform(0, np.pi, (2, 512, 1, 1))
        waves = 0.5 + 0.5 * np.sin(across * np.cos(angle) + down * np.sin(angle) + 2 * phase)
        colour, noise = g.uniform(0.3, 1, (512, 1, 1, 3)), g.normal(0, 0.05, (512, 32, 32, 3))
        images = np.clip(waves[..., None] * colour + noise, 0, 1)
        system = SimCLR(head_norm="layer", widths=(16, 32, 64), batch=64, steps=100, chunk=chunk)
        began = _cpu()
        system.fit(images, run=run)
    else:
        from contraview.systems.clan import Clan

        packets = np.exp(g.normal(3, 1, 4000)).round() + 1
        columns = {"packets": packets, "bytes": packets * np.exp(g.normal(6, 0.1, 4000))}
        columns |= {f"x{i}": packets * np.exp(g.normal(0, 0.3 * i, 4000)) for i in range(1, 20)}
        began = _cpu()
        Clan(chunk=chunk, steps=400).fit(pl.DataFrame(columns), run=run)
    path = folder / f"cpu {os.environ.get('RANK', '0')}.json"
    path.write_text(json.dumps(_cpu() - began))


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def arm(slug: str, processes: int, seed: int, chunk: int | None) -> tuple[list[float], float]:
    """The loss curve of a training, and its CPU seconds."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "run"
        job = json.dumps([slug, str(folder), seed, chunk])
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            port = str(one.getsockname()[1])
        launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu"]
        launch += ["--num_processes", str(processes), "--num_machines", "1"]
        launch += ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", port]
        command = [*launch, __file__] if processes > 1 else [sys.executable, __file__]
        environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
        subprocess.run([*command, "--fit", job], check=True, env=environment)
        events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
        cpu = sum(json.loads(path.read_text()) for path in folder.glob("cpu *.json"))
    return [event["loss"] for event in events if event["kind"] == "step"], cpu


def compare(slug: str) -> dict[str, Any]:
    runs = {name: arm(slug, *settings) for name, settings in ARMS.items()}
    curve, cpu = runs["one process"]
    arms = {
        name: {
            "apart": sum(abs(a - b) for a, b in zip(other, curve, strict=True)) / len(curve),
            "first_apart": abs(other[0] - curve[0]),
            "last_loss": other[-1],
            "cpu_seconds": round(used, 2),
            "cpu_ratio": round(used / cpu, 2),
        }
        for name, (other, used) in runs.items()
    }
    return {
        "what": "mean |loss - loss of one process, seed 0| over the step events (first_apart: at "
        "the first, step 50), CPU seconds of the fit summed over processes, one thread each",
        "system": slug,
        "arms": arms,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("system", nargs="?", choices=["simclr", "clan"], default="clan")
    parser.add_argument("--json", type=Path, help="write the result here as well")
    parser.add_argument("--fit", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.fit:
        slug, folder, seed, chunk = json.loads(asked.fit)
        fit(slug, Path(folder), seed, chunk)
        return
    result = json.dumps(compare(asked.system), indent=2)
    if asked.json:
        asked.json.write_text(result + "\n")
    print(result)


if __name__ == "__main__":
    main()
