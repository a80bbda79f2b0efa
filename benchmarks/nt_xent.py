"""NT-Xent, contraview against lightly: CPU seconds of one thread, and peak memory.

    python benchmarks/nt_xent.py --peer-python PEER/bin/python [--json FILE]

PEER is an environment of its own that holds the same torch and lightly (`pip install --no-deps
lightly==1.6.0`). Every measurement is a fresh process, the two sides taking turns. It runs forward
and backward on 8 rows, which loads the code; then several rounds on the whole batch: the median CPU
time of the rounds after the first, and how far all of them raised the process's largest resident
size (gradients and all intermediate results, but not the two views themselves). Float32,
temperature 0.1, dimension 128, one thread.

Beside that, how far both are from float64 on the full matrix: the largest error of the loss, and of
the gradient's norm, as a share of what is allowed. Allowed is 1e-6 times max(1, loss / temperature)
for the loss; for the norm 1e-4 of it where the loss is above 1e-3, else 1e-6. Over six temperatures
from .01 to 1, two batches, and views that are unrelated, noisy copies, or all-negative (every row's
cosine to every other is below zero).

lightly's module NTXentLoss runs as it is installed. Its packages' __init__ files, which import
torchvision and the rest of lightly, are passed by, and the one name that its module reaches from
torchvision, StochasticDepth (unused by this loss), is stubbed: torchvision breaks a CPU torch 2.13.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

DIMENSION = 128
TEMPERATURE = 0.1
ROUNDS = {512: 30, 2048: 9, 8192: 2}  # timed forward-and-backward rounds in one process


def lightly_loss(temperature: float = TEMPERATURE) -> Callable[..., Any]:
    from importlib.metadata import distribution

    import torch

    root = Path(str(distribution("lightly").locate_file("")))
    for name in ("", ".loss", ".models", ".models.modules", ".utils"):
        package = ModuleType(f"lightly{name}")
        package.__path__ = [str(root / f"lightly{name}".replace(".", "/"))]
        sys.modules[package.__name__] = package
    torchvision, ops = ModuleType("torchvision"), ModuleType("torchvision.ops")
    vars(ops)["StochasticDepth"] = torch.nn.Identity
    sys.modules |= {"torchvision": torchvision, "torchvision.ops": ops}
    from lightly.loss.ntx_ent_loss import NTXentLoss

    return NTXentLoss(temperature=temperature)


def contraview_loss(temperature: float = TEMPERATURE) -> Callable[..., Any]:
    from functools import partial

    from contraview.objectives import nt_xent

    return partial(nt_xent, temperature=temperature)


def measure(side: str, batch: int) -> dict[str, float]:
    """What the child process does; prints nothing else."""
    import torch

    torch.set_num_threads(1)
    loss_of = {"lightly": lightly_loss, "contraview": contraview_loss}[side]()
    generator = torch.Generator().manual_seed(batch)

    def views_of(rows: int) -> list[torch.Tensor]:
        return [
            torch.randn(rows, DIMENSION, generator=generator).requires_grad_() for _ in range(2)
        ]

    def step(views: list[torch.Tensor]) -> float:
        for view in views:
            view.grad = None
        started = time.process_time()
        loss_of(*views).backward()
        return time.process_time() - started

    step(views_of(8))
    views = views_of(batch)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = [step(views) for _ in range(1 + ROUNDS[batch])][1:]
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    gradients = torch.cat([view.grad for view in views if view.grad is not None])
    return {
        "cpu_seconds": statistics.median(seconds),
        "peak_mb": (after - before) / 1024,
        "loss": loss_of(*views).item(),
        "gradient_norm": gradients.double().norm().item(),
    }


def accuracy(side: str) -> dict[str, float]:
    """The largest errors of one side, as shares of what is allowed."""
    import torch
    from torch.nn.functional import cross_entropy, normalize

    torch.set_num_threads(1)
    module = {"lightly": lightly_loss, "contraview": contraview_loss}[side]
    generator = torch.Generator().manual_seed(0)

    def cases(n: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
        first, noise = (torch.randn(n, DIMENSION, generator=generator) for _ in range(2))
        corners = torch.eye(DIMENSION) - 1.01 / DIMENSION  # a simplex, its rows as far as can be
        corners += 1e-3 / DIMENSION * torch.randn(corners.shape, generator=generator)
        halves = corners.chunk(2)
        return [(first, noise), (first, first + 0.1 * noise), (halves[0], halves[1])]

    def of(loss: Callable[..., torch.Tensor], views: tuple[torch.Tensor, ...]) -> list[float]:
        views = tuple(view.detach().requires_grad_() for view in views)
        found = loss(*views)
        slopes = torch.autograd.grad(found, views)
        return [found.item(), torch.cat(slopes).double().norm().item()]

    worst = {"loss": 0.0, "gradient_norm": 0.0}
    for temperature in (0.01, 0.02, 0.05, 0.1, 0.5, 1.0):

        def exact(a: torch.Tensor, b: torch.Tensor, t: float = temperature) -> torch.Tensor:
            z = normalize(torch.cat([a, b]))
            logits = (z @ z.T / t).fill_diagonal_(-torch.inf)
            return cross_entropy(logits, torch.arange(len(z)).roll(len(a)))

        for views in (*cases(64), *cases(512)):
            loss, norm = of(module(temperature), views)
            true, true_norm = of(exact, tuple(view.double() for view in views))
            allowed = 1e-4 * true_norm if true > 1e-3 else 1e-6
            errors = {
                "loss": abs(loss - true) / (1e-6 * max(1, true / temperature)),
                "gradient_norm": abs(norm - true_norm) / allowed,
            }
            worst = {name: max(worst[name], errors[name]) for name in worst}
    return {name: round(share, 3) for name, share in worst.items()}


def compare(peer_python: str, repeats: int) -> dict[str, Any]:
    pythons = {"contraview": sys.executable, "lightly": peer_python}

    def child(side: str, *asked: str) -> dict[str, float]:
        command = [pythons[side], __file__, "--measure", side, *asked]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        return json.loads(done.stdout)

    rows = []
    for batch in ROUNDS:
        runs: dict[str, list[dict[str, float]]] = {side: [] for side in pythons}
        for _ in range(repeats):
            for side in pythons:
                runs[side].append(child(side, "--batch", str(batch)))
        row: dict[str, Any] = {"batch": batch, "logits": f"{2 * batch} x {2 * batch}"}
        for side, found in runs.items():
            row[side] = {name: statistics.median(run[name] for run in found) for name in found[0]}
        for name in ("cpu_seconds", "peak_mb"):
            row[f"ratio_{name}"] = round(row["lightly"][name] / row["contraview"][name], 2)
        rows.append(row)
        print(json.dumps(row), file=sys.stderr)
    return {
        "what": "NT-Xent forward and backward, float32, one thread; ratio = lightly / contraview",
        "dimension": DIMENSION,
        "temperature": TEMPERATURE,
        "processes_each": repeats,
        "statistic": "median over processes of the median over rounds",
        "rows": rows,
        "largest error as a share of what is allowed": {side: child(side) for side in pythons},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer-python", help="python of the environment with lightly")
    parser.add_argument("--repeats", type=int, default=5, help="processes for each side and batch")
    parser.add_argument("--json", type=Path, help="write the result here as well")
    parser.add_argument("--measure", choices=["contraview", "lightly"], help=argparse.SUPPRESS)
    parser.add_argument("--batch", type=int, choices=list(ROUNDS), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        found = measure(asked.measure, asked.batch) if asked.batch else accuracy(asked.measure)
        print(json.dumps(found))
        return
    if not asked.peer_python:
        parser.error("--peer-python: expected the python of an environment with lightly")
    result = json.dumps(compare(asked.peer_python, asked.repeats), indent=2)
    if asked.json:
        asked.json.write_text(result + "\n")
    print(result)


if __name__ == "__main__":
    main()
