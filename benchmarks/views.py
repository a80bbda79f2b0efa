"""Views of images, contraview's batched tensors against per-image transforms: CPU seconds a view.

    PEER/bin/python -m benchmarks.views [--json FILE]

PEER is an environment that holds contraview, lightly 1.6.0 and torchvision 0.28.0 (both installed
with `--no-deps` beside the same torch). Two peers, with SimCLR's strengths and chances: lightly's
SimCLRTransform, an image at a time through torchvision; and the same operations an image at a time
through Pillow alone, written out below, which is the least that such a loop can cost. At 32 pixels
also without blur, as lightly's own example on CIFAR-10 has it. All sides take turns on the same
images in one process with one thread, and end with a float tensor [n, 3, h, w].
"""

import argparse
import json
import math
import random
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.torchvision_stub import torchvision
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from contraview.core.seeds import torch_generator
from contraview.modalities.images.views import ViewConfig

CASES = ((32, True), (32, False), (64, True), (224, True))
BATCH = {32: 256, 64: 256, 224: 32}
ROUNDS = 5


def by_lightly(images: list[Image.Image], size: int, blur: bool) -> Callable[[], torch.Tensor]:
    """A view of each image by lightly (which makes two: a round makes one of half the images)."""
    torchvision()
    from lightly.transforms.simclr_transform import SimCLRTransform

    transform = SimCLRTransform(input_size=size, gaussian_blur=0.5 if blur else 0.0)
    half = images[: len(images) // 2]
    return lambda: torch.stack([view for image in half for view in transform(image)])


def one_by_one(images: list[Image.Image], draw: random.Random, blur: bool) -> torch.Tensor:
    """A view of each image, as a loop over images makes it."""
    made = []
    for image in images:
        width, height = image.size
        area = draw.uniform(0.2, 1.0) * width * height
        ratio = math.exp(draw.uniform(-math.log(4 / 3), math.log(4 / 3)))
        w = min(round(math.sqrt(area * ratio)), width)
        h = min(round(math.sqrt(area / ratio)), height)
        left, top = draw.randint(0, width - w), draw.randint(0, height - h)
        view = image.resize(
            (width, height), Image.Resampling.BILINEAR, box=(left, top, left + w, top + h)
        )
        if draw.random() < 0.5:
            view = ImageOps.mirror(view)
        if draw.random() < 0.8:
            for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
                view = enhance(view).enhance(draw.uniform(0.6, 1.4))
            hue, saturation, value = view.convert("HSV").split()
            turn = draw.randint(-25, 25)
            hue = hue.point(lambda place, by=turn: (place + by) % 256)
            view = Image.merge("HSV", (hue, saturation, value)).convert("RGB")
        if draw.random() < 0.2:
            view = view.convert("L").convert("RGB")
        if blur and draw.random() < 0.5:
            sigma = draw.uniform(0.1, 2.0) * width / 224
            view = view.filter(ImageFilter.GaussianBlur(sigma))
        made.append(np.asarray(view))
    return torch.from_numpy(np.stack(made)).permute(0, 3, 1, 2).float() / 255


def batched(stored: torch.Tensor, view: ViewConfig, generator: torch.Generator) -> torch.Tensor:
    """A view of each image, from bytes as they are kept, all at once."""
    return view(stored.float() / 255, generator)


def compare(repeats: int) -> dict[str, Any]:
    torch.set_num_threads(1)
    rows = []
    for size, blur in CASES:
        n = BATCH[size]
        pixels = np.random.default_rng(size).integers(0, 256, (n, size, size, 3), dtype=np.uint8)
        opened = [Image.fromarray(each) for each in pixels]
        stored = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()
        sides: dict[str, Callable[[], torch.Tensor]] = {
            "contraview": partial(
                batched, stored, ViewConfig.of(blur=0.5 if blur else 0.0), torch_generator(0)
            ),
            "lightly": by_lightly(opened, size, blur),
            "Pillow": partial(one_by_one, opened, random.Random(0), blur),
        }
        spent: dict[str, list[float]] = {side: [] for side in sides}
        for _ in range(1 + repeats):  # the first round loads what is loaded once
            for side, run in sides.items():
                started = time.process_time()
                assert run().shape == (n, 3, size, size)
                spent[side].append((time.process_time() - started) / n)
        row: dict[str, Any] = {"size": size, "blur": blur, "batch": n}
        for side, seconds in spent.items():
            row[side] = {"cpu_microseconds_a_view": round(1e6 * statistics.median(seconds[1:]), 1)}
        for peer in ("lightly", "Pillow"):
            pairs = zip(spent[peer][1:], spent["contraview"][1:], strict=True)
            row[f"ratio_{peer}"] = round(statistics.median(a / b for a, b in pairs), 2)
        rows.append(row)
        print(json.dumps(row), file=sys.stderr)
    return {
        "what": "one SimCLR view of a colour image, one thread; ratio = peer / contraview",
        "versions": {name: version(name) for name in ("torch", "torchvision", "lightly", "pillow")},
        "rounds": repeats,
        "statistic": "median over rounds",
        "rows": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=ROUNDS, help="rounds of each side and size")
    parser.add_argument("--json", type=Path, help="write the result here as well")
    asked = parser.parse_args()
    result = json.dumps(compare(asked.repeats), indent=2)
    if asked.json:
        asked.json.write_text(result + "\n")
    print(result)


if __name__ == "__main__":
    main()
