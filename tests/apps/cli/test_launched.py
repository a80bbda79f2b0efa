"""`accelerate launch ... contraview fit`: two processes follow one, and one of them writes."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from contraview.apps.cli import main

sys.path.insert(0, str(Path(__file__).parents[2] / "systems"))
import tiny_flows
import tiny_images

WITHIN = 1e-5
"""Of a loss, relative, and of a weight: sums over two processes are rounded in another order."""
WRITTEN = {"events.jsonl", "lineage.jsonl", "system.json", "weights.safetensors"}


def launched(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """The command in two processes on the CPU."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = str(one.getsockname()[1])
    launcher = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu"]
    launcher += ["--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no"]
    launcher += ["--dynamo_backend", "no", "--main_process_port", port, "-m", "contraview"]
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*launcher, *arguments], capture_output=True, text=True, env=environment, timeout=600
    )


def events(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


def curve(folder: Path) -> list[float]:
    return [event["loss"] for event in events(folder) if event["kind"] == "step"]


def fit_twice(folder: Path, arguments: list[str]) -> tuple[Path, Path]:
    """Fit on one process and on two; the folder of the two was written once, by one of them."""
    one, two = folder / "one", folder / "two"
    assert main([*arguments, "--out", str(one)]) == 0
    done = launched([*arguments, "--out", str(two)])
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [str(two)]
    assert [e["kind"] for e in events(two)] == [e["kind"] for e in events(one)], done.stderr
    starts = [event["processes"] for event in events(two) if event["kind"] == "start"]
    assert set(starts) == {2}
    assert {path.name for path in two.iterdir()} == WRITTEN
    said = [json.loads((each / "system.json").read_text()) for each in (one, two)]
    assert said[0]["config"] == said[1]["config"]
    return one, two


def assert_follows(folder: Path, arguments: list[str]) -> None:
    """Losses and weights of one process and of two agree."""
    one, two = fit_twice(folder, arguments)
    np.testing.assert_allclose(curve(two), curve(one), rtol=WITHIN)
    weights = [load_file(each / "weights.safetensors") for each in (one, two)]
    assert weights[0].keys() == weights[1].keys()
    for name, values in weights[0].items():
        np.testing.assert_allclose(weights[1][name], values, rtol=WITHIN, atol=WITHIN)


def photos(folder: Path, count: int = 48) -> str:
    for i, pixels in enumerate(tiny_images.pixels(count=count)):
        path = folder / "photos" / tiny_images.NAMES[i % 3] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((pixels * 255).astype(np.uint8)).save(path)
    return str(folder / "photos")


SIMCLR = ["--widths", "8", "16", "--batch", "16", "--hidden", "16", "--outputs", "8"]


def test_simclr_on_two_processes_follows_one(tmp_path):
    fit = ["fit", "simclr", photos(tmp_path), "--labels", "label", *SIMCLR, "--steps", "120"]
    assert_follows(tmp_path, [*fit, "--head_norm", "layer"])


def clan(folder: Path, rows: int, *more: str) -> list[str]:
    path = folder / "flows.parquet"
    tiny_flows.flows(rows).write_parquet(path)
    return ["fit", "clan", str(path), "--benign", "kind == benign", *more]


def test_clan_on_two_processes_follows_one(tmp_path):
    # A pair that crosses the threshold of the loss changes what it is divided by, so from some 30
    # steps on a different rounding grows; the longer form below says how far.
    naming = ["--labels", "kind", "--finetune_epochs", "2"]
    assert_follows(tmp_path, clan(tmp_path, 400, "--steps", "20", *naming))


@pytest.mark.nightly
def test_batch_normalisation_is_told_of_once(tmp_path):
    fit = ["fit", "simclr", photos(tmp_path), *SIMCLR, "--out", str(tmp_path / "model")]
    done = launched([*fit, "--steps", "4"])
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("BatchNorm1d (contrast.head.1) takes statistics over the rows") == 1
    assert done.stderr.count("48 images of 16 x 16 pixels in colour") == 1


@pytest.mark.nightly
def test_wrong_input_fails_on_all_processes_and_says_why(tmp_path):
    fit = ["fit", "simclr", photos(tmp_path), *SIMCLR, "--batch", "15"]
    done = launched([*fit, "--out", str(tmp_path / "model")])
    assert done.returncode == 1  # the launcher's, whatever the command's was
    assert "a batch of 15 rows cannot be split evenly over 2 processes" in done.stderr
    assert not (tmp_path / "model" / "system.json").exists()


@pytest.mark.nightly
def test_a_longer_simclr_follows_one(tmp_path):
    fit = ["fit", "simclr", photos(tmp_path, 256), "--labels", "label", "--steps", "400"]
    one, two = fit_twice(tmp_path, [*fit, "--head_norm", "layer", "--batch", "64"])
    assert_nearer_than_other_seeds(one, two, [*fit, "--head_norm", "layer", "--batch", "64"])


@pytest.mark.nightly
def test_a_longer_clan_follows_one(tmp_path):
    fit = clan(tmp_path, 4000)
    one, two = fit_twice(tmp_path, fit)
    assert_nearer_than_other_seeds(one, two, fit)


def assert_nearer_than_other_seeds(one: Path, two: Path, fit: list[str]) -> None:
    """From one seed to the next a curve differs more than from one process to two."""
    apart = {"processes": np.abs(np.subtract(curve(two), curve(one))).mean()}
    for seed in range(1, 4):
        other = one.with_name(f"seed {seed}")
        assert main([*fit, "--seed", str(seed), "--out", str(other)]) == 0
        apart[f"seed {seed}"] = np.abs(np.subtract(curve(other), curve(one))).mean()
    print(apart)  # noqa: T201 the figures of docs/scale.md
    assert apart["processes"] == min(apart.values())
