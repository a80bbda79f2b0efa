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
from accelerate import Accelerator
from safetensors.torch import load_file
from torch import Tensor

from contraview.core.errors import InputError
from contraview.core.run import Run
from contraview.training.processes import need_all, unlike_one_process

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


@pytest.mark.parametrize(
    "more",
    [{}, {"views": True}, {"views": True, "chunk": 3}],
    ids=["rows", "random views", "views in chunks"],
)
def test_two_processes_equal_one(start, tmp_path, more):
    one, two = tmp_path / "one", tmp_path / "two"
    whole = {name: value for name, value in more.items() if name != "chunk"}
    whole |= {"chunk": None} if "chunk" in more else {}
    assert start(**job(one, random=False, **whole)) == [0]
    assert start(**job(two, random=False, **more, processes=2, port=free_port())) == [0, 0]
    assert_equal(weights(two), weights(one), within=1e-6)
    curves = [
        [event["loss"] for event in Run(folder / "run").events() if event["kind"] == "step"]
        for folder in (one, two)
    ]
    assert curves[1] == pytest.approx(curves[0], rel=1e-5)
    starts = [event for event in Run(two / "run").events() if event["kind"] == "start"]
    assert [event["processes"] for event in starts] == [2]


def test_batch_statistics_are_told_of_once_and_only_where_there_are_several(start, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    short = {"random": False, "norm": True, "steps": 2}
    assert start(**job(one, **short)) == [0]
    assert start(**job(two, **short, processes=2, port=free_port())) == [0, 0]
    said = [
        [event["message"] for event in Run(folder / "run").events() if event["kind"] == "warning"]
        for folder in (one, two)
    ]
    expected = (
        "BatchNorm1d (student.2) takes statistics over the rows of each process apart: results "
        "differ from one process"
    )
    assert said == [[], [expected]]


def test_an_interrupt_of_one_process_stops_both_after_the_same_step(start, tmp_path):
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    assert start(**job(whole, processes=2, port=free_port())) == [0, 0]
    stopped = start(**job(halves, processes=2, port=free_port(), interrupt_at=10))
    assert stopped == [1, 1]  # KeyboardInterrupt in both
    events = Run(halves / "run").events()
    assert [event["step"] for event in events if event["kind"] == "interrupted"] == [10]
    assert start(**job(halves, processes=2, port=free_port())) == [0, 0]
    assert_equal(weights(halves), weights(whole), within=0)


def test_processes_that_do_not_work_together_are_refused(monkeypatch):
    alone = Accelerator()
    need_all(alone)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InputError, match="2 processes were started and each works alone"):
        need_all(alone)


def test_a_launcher_that_started_only_one_process_is_told_of(monkeypatch):
    model, alone = torch.nn.Linear(1, 1), Accelerator()
    monkeypatch.delenv("RANK", raising=False)
    assert unlike_one_process(model, alone) is None
    for name in ("ACCELERATE_MIXED_PRECISION", "MASTER_PORT"):
        monkeypatch.setenv(name, "1")
    said = unlike_one_process(model, alone)
    assert said is not None
    assert said.startswith("several processes were asked for and one was started")


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
    # --cpu would start one process, whatever --num_processes says (accelerate 1.15)
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu"]
    launch += ["--num_processes", "2"]
    flags = ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    port = ["--main_process_port", str(free_port())]
    subprocess.run(
        [*launch, *flags, *port, str(SCRIPT), json.dumps(job(two, random=False))],
        check=True,
        env={**ENVIRONMENT, "ACCELERATE_USE_CPU": "true"},
        timeout=300,
    )
    starts = [event for event in Run(two / "run").events() if event["kind"] == "start"]
    assert [event["processes"] for event in starts] == [2]
    assert_equal(weights(two), weights(one), within=1e-6)
