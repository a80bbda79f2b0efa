"""The real command in processes that can be made to die, or to find the disk full.

`Fresh` begins each as a user does; `Forked` forks it from a process that has done the imports, for
tests. What makes a process die is one audit hook around the command, which itself is unchanged.
"""

import json
import os
import random
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Moment:
    """When a process kills itself with SIGKILL.

    Attributes:
        event: ``open`` (for writing) or ``os.rename``, as audit hooks know them.
        name: how the path ends.
        nth: of these events, from 1.
        wait: seconds after it.
    """

    event: str
    name: str
    nth: int = 1
    wait: float = 0.0


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit code (-9 for a kill), what it said, its CPU seconds."""

    code: int
    said: str
    cpu: float


def die_at(moment: Moment) -> None:
    """Kill this process at that moment."""
    left = [moment.nth]

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event != moment.event or not left[0]:
            return
        path = str(arguments[0])
        if event == "open" and (not isinstance(arguments[1], str) or "r" in arguments[1]):
            return
        if not path.removesuffix(".partial").endswith(moment.name):
            return
        left[0] -= 1
        if left[0] == 0:
            if not moment.wait:
                os.kill(os.getpid(), signal.SIGKILL)
            threading.Timer(moment.wait, os.kill, (os.getpid(), signal.SIGKILL)).start()

    sys.addaudithook(hook)


def work(job: dict[str, Any]) -> int:
    """Run the command of a job in this process."""
    if job["moment"]:
        die_at(Moment(**job["moment"]))
    if job["limit"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (job["limit"], job["limit"]))
    from contraview.apps.cli import main

    return main(job["arguments"])


def _job(arguments: Sequence[str], moment: Moment | None, limit: int | None) -> dict[str, Any]:
    return {
        "arguments": list(map(str, arguments)),
        "moment": None if moment is None else asdict(moment),
        "limit": limit,
    }


class Fresh:
    """Each command in a process of its own, imports and all."""

    def __call__(
        self, *arguments: Any, moment: Moment | None = None, limit: int | None = None
    ) -> Ended:
        """Run a command; ``limit`` is the longest file it may write, in bytes."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.commands"],
            input=json.dumps(_job(arguments, moment, limit)) + "\n",
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            env=ENVIRONMENT | {"CONTRAVIEW_ONE_JOB": "1"},
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Ended(done.returncode, done.stderr, cpu)

    def close(self) -> None:
        """Nothing is left running."""


class Forked:
    """Each command in a child of one process, which pays for the imports once."""

    def __init__(self) -> None:
        self._server = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.commands"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=ENVIRONMENT,
        )

    def __call__(
        self, *arguments: Any, moment: Moment | None = None, limit: int | None = None
    ) -> Ended:
        """As `Fresh`."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(_job(arguments, moment, limit)) + "\n")
        self._server.stdin.flush()
        return Ended(**json.loads(self._server.stdout.readline()))

    def close(self) -> None:
        """End the process that forks."""
        self._server.communicate()


Commands = Callable[..., Ended]


def _forked(job: dict[str, Any]) -> Ended:
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        os.close(ours)
        os.dup2(theirs, 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        status = 70
        try:
            status = work(job)
        finally:
            sys.stderr.flush()
            os._exit(status)
    os.close(theirs)
    with os.fdopen(ours, errors="replace") as heard:
        said = heard.read()
    _, status, used = os.wait4(child, 0)
    return Ended(os.waitstatus_to_exitcode(status), said, used.ru_utime + used.ru_stime)


def _serve() -> None:
    """Answer one job a line."""
    import torch
    import torch._dynamo  # what AdamW would import at its first use

    from contraview import catalog

    for slug in ("clan", "simclr", "moco"):
        catalog.find(slug).load_class()
    torch.set_num_threads(1)
    for line in sys.stdin:
        sys.stdout.write(json.dumps(asdict(_forked(json.loads(line)))) + "\n")
        sys.stdout.flush()


def chance(*names: Any) -> random.Random:
    """Draws that are the same for the same names."""
    return random.Random(" ".join(map(str, names)))


if __name__ == "__main__":
    if os.environ.get("CONTRAVIEW_ONE_JOB"):
        sys.exit(work(json.loads(sys.stdin.readline())))
    _serve()
