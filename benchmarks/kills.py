"""`contraview fit`, killed again and again with SIGKILL: is the model the uninterrupted one's?

    python -m benchmarks.kills [--kills 20] [--json results/benchmarks/kills.json]

Each of three fits (CLAN on a made-up conn.log, SimCLR and MoCo, with its teacher and queue, on
made-up images) is done once without interruption. Then the same command is given again and again
in a folder that holds an earlier model, and dies each time: at a random moment of training,
while a checkpoint is written, or while the model is saved. After each kill the folder holds the
earlier model, the new one, or something that is refused. At last the command is let finish, and
every file is compared byte by byte, but for the two logs, which hold times.
"""

import argparse
import json
import os
import platform
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.commands import Commands, Fresh, Moment, chance
from safetensors import safe_open

from contraview.core.errors import InputError
from contraview.core.model_folder import read_model
from contraview.core.run import EVENTS, Run
from contraview.core.seeds import numpy_generator
from contraview.training.checkpoint import SUFFIX
from lab import conn_logs

LOGS = (EVENTS, "lineage.jsonl")
"""Files that hold times."""


@dataclass(frozen=True)
class Fit:
    """A fit to be killed.

    Attributes:
        data: writes what it learns from into a folder.
        knobs: of the command.
        steps: optimiser steps.
        every: steps between checkpoints.
    """

    data: Callable[[Path], Path]
    knobs: tuple[str, ...]
    steps: int
    every: int

    def arguments(self, slug: str, data: Path, out: Path, steps: int) -> list[str]:
        """The command."""
        knobs = [*self.knobs, "--steps", str(steps), "--checkpoint-every", str(self.every)]
        return ["fit", slug, str(data), "--out", str(out), *knobs]


def _flows(folder: Path) -> Path:
    path = folder / "conn.log"
    path.write_text(conn_logs.log(1500, seed=7, odd=0.0))
    return path


def _images(folder: Path) -> Path:
    path = folder / "images.npz"
    pixels = numpy_generator(0, "images to be killed over").integers(0, 256, (96, 16, 16, 3))
    np.savez(path, x=pixels.astype(np.uint8))
    return path


_SMALL = ("--widths", "16", "32", "--batch", "16")
FITS = {
    "clan": Fit(_flows, ("--width", "32", "--depth", "2", "--split", "random"), 600, 20),
    "simclr": Fit(_images, _SMALL, 300, 10),
    "moco": Fit(_images, (*_SMALL, "--queue", "64"), 300, 10),
}


@dataclass(frozen=True)
class Kill:
    """One kill: when it was to be, from which step the next try goes on (-1: from the beginning),
    what was left half-written, and which model the folder then held.
    """

    moment: str
    step: int
    half: list[str]
    model: str


def moments(slug: str, kills: int, interval: float) -> list[tuple[str, Moment]]:
    """When to die: three quarters in training, every third of these in the write of a checkpoint;
    the rest while the model is saved.

    Args:
        slug: the system's.
        kills: how many.
        interval: seconds from one checkpoint to the next.
    """
    g = chance("kills", slug)
    saving = max(kills // 4, 1)
    planned: list[tuple[str, Moment]] = []
    for number in range(kills - saving):
        nth = g.randint(1, 2)
        if number % 3 == 1:
            wait = g.choice([0.0, g.uniform(0.0001, 0.003)])
            planned.append(("checkpoint", Moment("open", SUFFIX, nth, wait)))
        else:
            wait = g.uniform(0.001, interval)
            planned.append(("training", Moment("os.rename", SUFFIX, nth, wait)))
    at_save = [
        Moment("open", "weights.safetensors", wait=0.0005),
        Moment("os.rename", "weights.safetensors"),
        Moment("os.rename", "system.json"),
        Moment("open", "system.json", wait=0.0005),
        Moment("open", "lineage.jsonl"),
    ]
    return planned + [("save", at_save[number % len(at_save)]) for number in range(saving)]


def reached(out: Path) -> int:
    """The step of the checkpoint that is there; -1 where there is none."""
    found = next(out.glob(f"*{SUFFIX}"), None)
    if found is None:
        return -1
    with safe_open(found, "pt") as file:
        return int(json.loads(file.metadata()["contraview"])["step"])


def held(out: Path, earlier: dict[str, bytes], whole: dict[str, bytes]) -> str:
    """Which model the folder holds."""
    try:
        read_model(out)
    except InputError:
        return "none, refused"
    said = (out / "system.json").read_bytes()
    return {earlier["system.json"]: "earlier", whole["system.json"]: "new"}[said]


def files(out: Path) -> dict[str, bytes]:
    """All files but the logs."""
    return {path.name: path.read_bytes() for path in out.iterdir() if path.name not in LOGS}


def killed(slug: str, kills: int, run: Commands, folder: Path, **changes: int) -> dict[str, Any]:
    """Kill one fit again and again, let it finish, compare.

    Raises:
        RuntimeError: a process ended otherwise than it was to.
    """
    fit = FITS[slug]
    fit = Fit(fit.data, fit.knobs, changes.get("steps", fit.steps), changes.get("every", fit.every))
    data, out = fit.data(folder), folder / "killed"
    shown = fit.arguments(slug, Path("DATA"), Path("OUT"), fit.steps)

    def ended(code: int, steps: int, into: Path, moment: Moment | None = None) -> float:
        done = run(*fit.arguments(slug, data, into, steps), moment=moment)
        if done.code != code:
            raise RuntimeError(f"{slug}, {moment}: ended with {done.code}: {done.said}")
        return done.cpu

    cpu = uninterrupted = ended(0, fit.steps, folder / "whole")
    whole = files(folder / "whole")
    steps = [each for each in Run(folder / "whole").events() if each["kind"] == "step"]
    begun = next(e for e in Run(folder / "whole").events() if e["kind"] == "start")
    interval = (steps[-1]["time"] - begun["time"]) / fit.steps * fit.every
    cpu += ended(0, 1, out)
    earlier = files(out)
    found = []
    for name, moment in moments(slug, kills, interval):
        cpu += ended(-9, fit.steps, out, moment)
        half = sorted(path.name for path in out.glob("*.partial"))
        found.append(Kill(name, reached(out), half, held(out, earlier, whole)))
    cpu += ended(0, fit.steps, out)
    now = files(out)
    return {
        "command": " ".join(["contraview", *shown]),
        "steps": fit.steps,
        "checkpoint_every": fit.every,
        "kills": len(found),
        "while": dict(Counter(each.moment for each in found)),
        "files left half-written": sum(map(len, (each.half for each in found))),
        "model after a kill": dict(Counter(each.model for each in found)),
        "resumes": sum(event["kind"] == "resume" for event in Run(out).events()),
        "different checkpoints gone on from": len({each.step for each in found} - {-1}),
        "bit-identical": now == whole,
        "files compared": sorted(whole),
        "files that differ": sorted(
            name for name in {*now, *whole} if now.get(name) != whole.get(name)
        ),
        "cpu seconds": {"all": round(cpu, 1), "uninterrupted": round(uninterrupted, 1)},
        "each kill": [asdict(each) for each in found],
    }


def as_table(figures: dict[str, Any]) -> str:
    """The figures as the documentation shows them."""
    head = (
        "| fit | kills in training, checkpoint, save | went on from | half-written files | "
        "folder held | bit-identical | CPU s, all and uninterrupted |"
    )
    lines = [head, "|---|---|---|---:|---|---|---|"]
    for slug, each in figures.items():
        if slug == "machine":
            continue
        kills = ", ".join(str(each["while"][name]) for name in ("training", "checkpoint", "save"))
        models = ", ".join(
            f"{name} {number}" for name, number in each["model after a kill"].items()
        )
        cpu = each["cpu seconds"]
        lines.append(
            f"| {slug} | {kills} | {each['different checkpoints gone on from']} steps "
            f"| {each['files left half-written']} | {models} "
            f"| {'yes' if each['bit-identical'] else 'no'} | {cpu['all']}, {cpu['uninterrupted']} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    options = parser.parse_args()
    figures: dict[str, Any] = {
        "machine": {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "torch": torch.__version__.partition("+")[0],
        }
    }
    for slug in FITS:
        with tempfile.TemporaryDirectory() as folder:
            figures[slug] = killed(slug, options.kills, Fresh(), Path(folder))
        print(slug, {k: v for k, v in figures[slug].items() if k != "each kill"}, flush=True)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
