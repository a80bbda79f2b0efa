"""Trains a toy in processes of its own, which tests may kill or put into one group.

Reads one job a line (JSON) from stdin, forks a child for each process of the job, answers with
their exit statuses. Forked children do not pay for the imports again.
"""

import json
import os
import signal
import sys
import threading

import torch
import torch._dynamo  # what AdamW would import at its first use
from safetensors.torch import save_file
from torch import Tensor, nn

from contraview.core.run import Run
from contraview.objectives import nt_xent
from contraview.training.grad_cache import in_chunks
from contraview.training.loop import train
from contraview.training.samplers import epochs
from contraview.training.schedule import Schedule
from contraview.training.step import Step

ROWS = torch.randn(96, 6, generator=torch.Generator().manual_seed(5))


class StudentAndTeacher(nn.Module):
    """Dropout, a teacher that follows the student: all that a checkpoint must get right."""

    def __init__(self, dropout: float, *, norm: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        middle = nn.BatchNorm1d(32) if norm else nn.Dropout(dropout)
        self.student = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), middle, nn.Linear(32, 4))
        self.teacher = nn.Linear(6, 4).requires_grad_(False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.student(x), self.teacher(x)


def follow(model: nn.Module, step: int) -> None:
    target = model.student[3].weight[:, :6]
    model.teacher.weight.lerp_(target, 1 / (step + 1))


def work(job: dict) -> None:
    """Train as the job says; die at its step ``kill_at``, ``kill_after`` seconds later."""

    def loss(model: nn.Module, rows: Tensor, generator: torch.Generator) -> Step:
        nonlocal calls
        calls += 1
        if calls == job.get("kill_at"):
            die = threading.Timer(job["kill_after"], os.kill, (os.getpid(), signal.SIGKILL))
            die.start()
        if calls == job.get("interrupt_at") and os.environ.get("RANK", "0") == "0":
            os.kill(os.getpid(), signal.SIGINT)
        x = ROWS[rows]
        if job.get("views") or job["random"]:
            x = x + torch.randn(x.shape, generator=generator)
        if "chunk" in job:
            found, after = in_chunks(model, model, (x,), job["chunk"])
            student, teacher = found
            return Step(nt_xent(student, teacher, 0.5), after_backward=after)
        student, teacher = model(x)
        mirrored, _ = model(-x)
        apart = (student - teacher - 1).square().mean() + (mirrored + 1).square().mean()
        return Step(apart, embeddings=student, positives=mirrored)

    calls = 0
    torch.set_num_threads(1)
    model = StudentAndTeacher(0.3 if job["random"] else 0.0, norm=job.get("norm", False))
    schedule = Schedule.of(steps=job["steps"], batch=16, lr=0.01, warmup=0.1, clip=1.0)
    run = Run(job["folder"], seed=7)
    every = job["checkpoint_every"]
    batches = epochs(len(ROWS), schedule.batch, run.seed)
    train(model, loss, batches, schedule, run=run, after_step=follow, checkpoint_every=every)
    if os.environ.get("RANK", "0") == "0":
        save_file(model.state_dict(), job["weights"])


def forked(job: dict, rank: int, processes: int) -> int:
    """The number of a child process that does its part of the job."""
    child = os.fork()
    if child:
        return child
    if processes > 1:
        os.environ |= {
            "ACCELERATE_USE_CPU": "true",
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(processes),
            "LOCAL_WORLD_SIZE": str(processes),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(job["port"]),
        }
    status = 1
    try:
        work(job)
        status = 0
    finally:
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a test worker may ignore it
    if len(sys.argv) > 1:  # under a launcher, which has set the environment
        work(json.loads(sys.argv[1]))
        sys.exit()
    for line in sys.stdin:
        job = json.loads(line)
        processes = job.get("processes", 1)
        children = [forked(job, rank, processes) for rank in range(processes)]
        statuses = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        sys.stdout.write(json.dumps(statuses) + "\n")
        sys.stdout.flush()
