"""Killed trainings resume bit for bit; two processes do what one does."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from contraview.core.run import Run

SCRIPT = Path(__file__).with_name("trainer_process.py")
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
Start = Callable[..., list[int]]


@pytest.fixture(scope="module")
def start() -> Iterator[Start]:
    """Runs a job in forked processes; returns their exit codes, -9 for a killed one."""
    with subprocess.Popen(
        [sys.executable, SCRIPT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None

        def start(**job) -> list[int]:
            server.stdin.write(json.dumps(job) + "\n")
            server.stdin.flush()
            return json.loads(server.stdout.readline())

        yield start
        server.stdin.close()


def job(folder: Path, **more) -> dict:
    folder.mkdir(exist_ok=True)
    return {
        "folder": str(folder / "run"),
        "weights": str(folder / "weights.safetensors"),
        "steps": 60,
        "checkpoint_every": 3,
        "random": True,
        **more,
    }


def weights(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / "weights.safetensors")


def assert_equal(got: dict[str, Tensor], expected: dict[str, Tensor], within: float) -> None:
    assert got.keys() == expected.keys()
    for name in expected:
        torch.testing.assert_close(got[name], expected[name], rtol=0, atol=within)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def kill_and_resume(start: Start, folder: Path, kills: int, **more) -> None:
    """Kill one training again and again at random moments, then let it finish."""
    assert start(**job(folder / "whole", **more)) == [0]
    chance = random.Random(0)
    killed = 0
    while killed < kills:
        moment = {"kill_at": chance.randint(2, 6), "kill_after": chance.uniform(0, 0.01)}
        codes = start(**job(folder / "killed", **more), **moment)
        if codes == [0]:
            break
        assert codes == [-signal.SIGKILL]
        killed += 1
    assert killed > 0
    assert start(**job(folder / "killed", **more)) == [0]
    events = Run(folder / "killed" / "run").events()
    assert [event["kind"] for event in events].count("resume") >= killed / 2
    assert_equal(weights(folder / "killed"), weights(folder / "whole"), within=0)
    assert weights(folder / "whole")["teacher.weight"].abs().max() > 0


def test_kill_9_then_resume_is_bit_identical(start, tmp_path):
    (tmp_path / "one").mkdir()
    kill_and_resume(start, tmp_path / "one", kills=4)


@pytest.mark.nightly
@pytest.mark.parametrize("every", [1, 4])
def test_twenty_kills(start, tmp_path, every):
    (tmp_path / "one").mkdir()
    kill_and_resume(start, tmp_path / "one", kills=20, steps=400, checkpoint_every=every)


def test_two_processes_equal_one(start, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    assert start(**job(one, random=False)) == [0]
    assert start(**job(two, random=False, processes=2, port=free_port())) == [0, 0]
    assert_equal(weights(two), weights(one), within=1e-6)
    curves = [
        [event["loss"] for event in Run(folder / "run").events() if event["kind"] == "step"]
        for folder in (one, two)
    ]
    assert curves[1] == pytest.approx(curves[0], rel=1e-5)
    starts = [event for event in Run(two / "run").events() if event["kind"] == "start"]
    assert [event["processes"] for event in starts] == [2]


def test_two_processes_resume_bit_for_bit(start, tmp_path):
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    assert start(**job(whole, processes=2, port=free_port())) == [0, 0]
    # at the tenth step each process is killed, or loses the other one in the exchange
    stop = {"kill_at": 10, "kill_after": 0.0}
    codes = start(**job(halves, processes=2, port=free_port()), **stop)
    assert -signal.SIGKILL in codes
    assert start(**job(halves, processes=2, port=free_port())) == [0, 0]
    assert_equal(weights(halves), weights(whole), within=0)


@pytest.mark.nightly
def test_accelerate_launch_equals_one_process(start, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    assert start(**job(one, random=False)) == [0]
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2"]
    flags = ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    port = ["--main_process_port", str(free_port())]
    subprocess.run(
        [*launch, *flags, *port, str(SCRIPT), json.dumps(job(two, random=False))],
        check=True,
        env=ENVIRONMENT,
        timeout=300,
    )
    assert_equal(weights(two), weights(one), within=1e-6)
