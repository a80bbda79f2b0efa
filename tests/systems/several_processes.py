"""Takes two steps with every system, on as many processes as a launcher started. A script.

Writes, for the first training of each system, loss and gradient of its steps as every process ends
up with them: the loss's mean over processes, the gradient's length, and a weighted sum of it, which
tells its direction.
"""

import json
import sys
import warnings
from pathlib import Path

import torch

from contraview.catalog import ENTRIES
from contraview.core.processes import is_main
from contraview.core.run import Run
from contraview.training import loop

sys.path.insert(0, str(Path(__file__).parent))
import tiny

STEPS = 2
PLAIN = {"head_norm": "layer", "dropout": 0.0, "drophead": 0.0, "knots": 3}
"""Settings without batch statistics, and without dropout, which each process draws itself.

With 4 knots a warp of the tiny biosignals has as many numbers a row as a process has rows, and such
draws are taken for draws of the rows.
"""


class Enough(Exception):  # noqa: N818
    """The steps are taken."""


def steps_of(entry) -> list[list[float]]:
    """The first steps of a system's first training; empty where it trains nothing in the loop."""
    seen: list[list[float]] = []

    def watched(accelerator, model, *rest):
        result = gradients(accelerator, model, *rest)
        loss = float(accelerator.reduce(result.loss.detach().clone().float(), "mean"))
        every = [p.grad.flatten().double() for p in model.parameters() if p.grad is not None]
        gradient = torch.cat(every)
        towards = torch.linspace(1, 2, len(gradient), dtype=torch.float64)
        seen.append([loss, float(gradient.norm()), float(gradient @ towards)])
        if len(seen) == STEPS:
            raise Enough
        return result

    gradients = loop._gradients
    loop._gradients = watched
    fields = getattr(entry.load_class().Config, "model_fields", {})
    plain = {name: value for name, value in PLAIN.items() if name in fields}
    try:
        tiny.of(entry.slug).fit(
            entry.load_class()(**dict(tiny.of(entry.slug).knobs) | plain), Run(seed=0, show=False)
        )
    except Enough:
        pass  # what was wanted
    finally:
        loop._gradients = gradients
    return seen


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    found = {entry.slug: steps_of(entry) for entry in ENTRIES if entry.built}
    if is_main():
        Path(sys.argv[1]).write_text(json.dumps(found))
