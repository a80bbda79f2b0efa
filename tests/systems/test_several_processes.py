"""Every system trains on two processes, and as on one, or it is written here why not."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = str(Path(__file__).with_name("several_processes.py"))
UNLIKE = {
    "cm_unet": "batch normalisation",
    "core_tuning": "mixes rows with partners that are drawn among those of a process",
    "genview": "batch normalisation in its reference encoder",
    "imaginet": "batch normalisation",
    "point_cmae": "batch normalisation",
    "selfie": "batch normalisation",
}
"""Systems whose first training differs between one process and two, and why."""
UNTRAINED = {"contrastive_ucb", "robustness_scaling"}
"""Nothing passes through the training loop."""


@pytest.mark.nightly
def test_two_processes_take_the_steps_of_one(tmp_path):
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    found = []
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    for before, name in (([], "one"), (launcher, "two")):
        command = [sys.executable, *before, SCRIPT, str(tmp_path / name)]
        subprocess.run(command, check=True, env=environment, timeout=1800)
        found.append(json.loads((tmp_path / name).read_text()))
    one, two = found
    assert {slug for slug, steps in one.items() if not steps} == UNTRAINED
    unlike = {slug for slug in one if not alike(one[slug], two[slug])}
    assert unlike == UNLIKE.keys()


def alike(one: list[list[float]], two: list[list[float]]) -> bool:
    """Losses to 1e-5 of themselves, gradients to 1e-4 of their length."""
    return len(one) == len(two) and all(
        abs(a[0] - b[0]) <= 1e-5 * abs(a[0])
        and all(abs(x - y) <= 1e-4 * a[1] for x, y in zip(a[1:], b[1:], strict=True))
        for a, b in zip(one, two, strict=True)
    )
