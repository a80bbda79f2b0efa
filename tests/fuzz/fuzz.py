"""Coverage-guided fuzzing of the readers: ``python -m tests.fuzz.fuzz READER|all --inputs N``.

atheris (libFuzzer) mutates the seeds and keeps what reaches new lines of the readers. Each reader
runs in a process of its own (`tests.fuzz.target`) under a ceiling of memory; an input has a time
limit. Findings do not stop it: each is kept, once for each line of the library that it came from,
and the next input follows. Exit code 1 where there are findings.
"""

import argparse
import hashlib
import json
import os
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.fuzz.readers import NAMES
from tests.fuzz.target import BOARD, SECONDS, STILL

FOUND = Path(__file__).with_name("found")
RESTARTS = 20


def main(arguments: list[str] | None = None) -> int:
    """Fuzz; see the module."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.fuzz", description=__doc__)
    parser.add_argument("readers", nargs="+", choices=[*NAMES, "all"], metavar="READER")
    parser.add_argument("--inputs", type=int, default=2000, help="inputs for each reader")
    parser.add_argument("--seed", type=int, default=1, help="of the mutations")
    parser.add_argument("--json", type=Path, help="write (or update) the table of results here")
    parser.add_argument("--keep", type=Path, help="put inputs that are findings into this folder")
    told = parser.parse_args(arguments)
    keep = told.keep or Path(tempfile.mkdtemp(prefix="findings-"))
    rows = []
    for name in NAMES if "all" in told.readers else told.readers:
        row = fuzzed(name, told.inputs, told.seed, keep / name)
        rows.append(row)
        if told.json:
            _write(told.json, row)
        found = "".join(f"\n  {each}" for each in row["findings"])
        print(f"{name}: {row['inputs']:,} inputs, {row['cpu_seconds']} CPU s{found}", flush=True)
    if any(row["findings"] for row in rows):
        print(f"inputs are in {keep}")
        return 1
    return 0


def fuzzed(name: str, inputs: int, seed: int, keep: Path) -> dict[str, Any]:
    """Run one reader in processes of its own until it has had its inputs."""
    before, restarts, done = resource.getrusage(resource.RUSAGE_CHILDREN), 0, 0
    keep.mkdir(parents=True, exist_ok=True)
    while done < inputs and restarts <= RESTARTS:
        with tempfile.TemporaryDirectory(prefix=f"fuzz-{name}-", dir=memory()) as place:
            board = Path(place) / "board"
            board.write_bytes(bytes(BOARD))
            arguments = [name, str(inputs - done), str(seed + restarts), str(keep), place]
            with (keep / "log").open("ab") as log:
                process = subprocess.Popen(
                    [sys.executable, "-m", "tests.fuzz.target", *arguments], stdout=log, stderr=log
                )
            ended = _wait(process, board)
            content = board.read_bytes()
        more, size = struct.unpack_from("<qq", content)
        done += more
        if ended:
            restarts += 1
            last = content[16 : 16 + size]
            called = hashlib.sha256(last).hexdigest()[:12]
            (keep / called).write_bytes(last)
            (keep / f"{called}.txt").write_text(f"{name}: {ended}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    told = sorted(path.read_text() for path in keep.glob("*.txt"))
    if done < inputs:
        told.append(f"{name}: ended {restarts} times, after {done} inputs")
    return {
        "reader": name,
        "inputs": done,
        "findings": told,
        "earlier_findings": len(list((FOUND / name).glob("*"))),
        "cpu_seconds": round(spent, 1),
        "seed": seed,
    }


def _wait(process: subprocess.Popen, board: Path) -> str:
    """Wait for a process of the fuzzer; how it ended, "" as it should. One that hangs is killed."""
    seen, since = b"", time.monotonic()
    while process.poll() is None:
        with board.open("rb") as file:
            done = file.read(8)
        if done != seen:
            seen, since = done, time.monotonic()
        elif time.monotonic() - since > STILL:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            return f"stuck: no answer after {STILL} s"
        time.sleep(0.1)
    if process.returncode == -signal.SIGPROF:
        return f"took more than {SECONDS} s"
    return f"ended by {process.returncode}" if process.returncode else ""


def memory() -> str | None:
    """A folder in memory, where there is one: each input is a file."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def _write(path: Path, row: dict[str, Any]) -> None:
    """Put a reader's row into the table of results; other rows stay."""
    table = json.loads(path.read_text()) if path.exists() else {}
    kept = [each for each in table.get("readers", []) if each["reader"] != row["reader"]]
    command = f"python -m tests.fuzz.fuzz {row['reader']} --inputs {row['inputs']}"
    day = f"{time.gmtime().tm_year}-{time.gmtime().tm_mon:02}-{time.gmtime().tm_mday:02}"
    told = row | {"command": f"{command} --seed {row['seed']}", "date": day}
    table["readers"] = sorted([*kept, told], key=lambda each: each["reader"])
    path.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
