"""SimCLR on 32 x 32 colour images, contraview against lightly: CPU seconds of a training step.

    PEER/bin/python -m benchmarks.simclr [--json FILE]

PEER is an environment that holds contraview, lightly 1.6.0 and torchvision (`pip install --no-deps
lightly==1.6.0 torchvision==0.28.0` beside the same torch). lightly is put together as its example
for SimCLR on CIFAR-10 puts it together: PIL images, its SimCLRTransform for 32 pixels without
blur, a DataLoader, its projection head, its NTXentLoss, SGD. contraview is `SimCLR(...).fit` with
the same operations on views, on the same images, as a user calls it: checks, schedule, AdamW,
collapse watch and all.

Both sides train the same encoder: contraview's small one, and torchvision's ResNet-18, which is the
example's. Each measurement is a process of its own with one thread, the sides taking turns. It
trains `FEW` steps and then `MANY`; the difference over the steps between is the cost of one, so
that nothing which happens once is counted. CPU seconds of the process.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.torchvision_stub import torchvision
from torch import nn

SIDE, BATCH, IMAGES = 32, 256, 1024
FEW, MANY = 2, 10
HIDDEN, OUTPUTS = 128, 128


def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (IMAGES, SIDE, SIDE, 3), dtype=np.uint8)


def encoder_of(network: str) -> tuple[nn.Module, int]:
    if network == "small":
        from contraview.frameworks.images.simclr import SimCLRConfig
        from contraview.modalities.images.nets import ImageEncoder

        small = ImageEncoder(3, SimCLRConfig.of().widths)
        return small, small.outputs
    resnet = torchvision().models.resnet18()
    return nn.Sequential(*list(resnet.children())[:-1], nn.Flatten()), 512


def lightly_steps(network: str, steps: int) -> None:
    torchvision()
    from lightly.loss import NTXentLoss
    from lightly.models.modules.heads import SimCLRProjectionHead
    from lightly.transforms.simclr_transform import SimCLRTransform
    from PIL import Image
    from torch.utils.data import DataLoader, Dataset

    view = SimCLRTransform(input_size=SIDE, gaussian_blur=0.0)
    opened = [Image.fromarray(pixels) for pixels in pictures()]

    class Views(Dataset):
        def __len__(self) -> int:
            return len(opened)

        def __getitem__(self, index: int) -> list[torch.Tensor]:
            return view(opened[index])

    loader = DataLoader(Views(), batch_size=BATCH, shuffle=True, drop_last=True)
    encoder, width = encoder_of(network)
    head = SimCLRProjectionHead(width, HIDDEN, OUTPUTS)
    loss_of = NTXentLoss()
    optimizer = torch.optim.SGD([*encoder.parameters(), *head.parameters()], lr=0.06)
    done = 0
    while done < steps:
        for one, other in loader:
            loss = loss_of(head(encoder(one)), head(encoder(other)))
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            done += 1
            if done == steps:
                return


def contraview_steps(network: str, steps: int) -> None:
    from contraview.core.run import Run
    from contraview.frameworks.images.simclr import SimCLR
    from contraview.modalities.images.nets import Encoder

    class Wrapped(Encoder):
        def __init__(self) -> None:
            super().__init__()
            self.network, self.outputs = encoder_of(network)

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return self.network(pixels)

    class OnThatNetwork(SimCLR):
        def network(self, shape: tuple[int, int, int]) -> Encoder:
            return super().network(shape) if network == "small" else Wrapped()

    system = OnThatNetwork(
        steps=steps, batch=BATCH, hidden=HIDDEN, outputs=OUTPUTS, temperature=0.5, views={"blur": 0}
    )
    system.fit(pictures(), run=Run(seed=0, show=False))


def measure(side: str, network: str) -> dict[str, float]:
    """What the child process does; prints nothing else."""
    torch.set_num_threads(1)
    train = {"lightly": lightly_steps, "contraview": contraview_steps}[side]
    train(network, FEW)  # imports, and what is compiled or looked up once
    spent = []
    for steps in (FEW, MANY):
        started = time.process_time()
        train(network, steps)
        spent.append(time.process_time() - started)
    return {"cpu_seconds_a_step": (spent[1] - spent[0]) / (MANY - FEW)}


def compare(repeats: int) -> dict[str, Any]:
    rows = []
    for network in ("small", "resnet18"):
        found: dict[str, list[float]] = {"contraview": [], "lightly": []}
        for _ in range(repeats):
            for side, values in found.items():
                command = [sys.executable, "-m", "benchmarks.simclr"]
                command += ["--measure", side, "--network", network]
                done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                values.append(json.loads(done.stdout)["cpu_seconds_a_step"])
        pairs = zip(found["lightly"], found["contraview"], strict=True)
        rows.append(
            {
                "network": network,
                "cpu_seconds_a_step": {s: round(statistics.median(v), 4) for s, v in found.items()},
                "ratio": round(statistics.median(a / b for a, b in pairs), 2),
            }
        )
        print(json.dumps(rows[-1]), file=sys.stderr)
    return {
        "what": "a step of SimCLR on 32 x 32 images, one thread; ratio = lightly / contraview",
        "batch": BATCH,
        "repeats": repeats,
        "versions": {name: version(name) for name in ("torch", "torchvision", "lightly")},
        "rows": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5, help="processes of each side and network")
    parser.add_argument("--json", type=Path, help="write the result here as well")
    parser.add_argument("--measure", choices=["contraview", "lightly"], help=argparse.SUPPRESS)
    parser.add_argument("--network", choices=["small", "resnet18"], help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(measure(asked.measure, asked.network)))
        return
    result = json.dumps(compare(asked.repeats), indent=2)
    if asked.json:
        asked.json.write_text(result + "\n")
    print(result)


if __name__ == "__main__":
    main()
