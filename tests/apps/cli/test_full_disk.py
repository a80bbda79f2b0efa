"""A full disk: one clear line, exit 1, what was there is as it was; with room the command goes on.

Two kinds: a small file system (which takes root to mount), and a limit on how long a file may be.
"""

import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.commands import Moment
from benchmarks.kills import files

from contraview.core.run import EVENTS

sys.path.insert(0, str(Path(__file__).parents[2] / "systems"))
import tiny_flows

ROLES = ["--benign", "kind == benign", "--labels", "kind"]
KNOBS = ["--width", "32", "--depth", "2", "--checkpoint-every", "10"]
LIMIT = 10_000
"""Bytes: more than the log of a run and a description, less than weights."""


def fit(data, out, steps=40):
    return ["fit", "clan", data, "--out", out, *ROLES, *KNOBS, "--steps", str(steps)]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "flows.parquet"
    tiny_flows.flows(800).write_parquet(path)
    return path


@pytest.fixture(scope="module")
def whole(command, data, tmp_path_factory):
    """The model of a fit that nothing came in the way of."""
    out = tmp_path_factory.mktemp("whole") / "model"
    assert command(*fit(data, out)).code == 0
    return out


def assert_one_line(ended, *parts):
    """It failed, and said so in one line that holds all parts."""
    assert ended.code == 1, ended.said
    (line,) = [x for x in ended.said.splitlines() if x.startswith("contraview: ")]
    assert "Traceback" not in ended.said
    for part in parts:
        assert part in line


class Disk:
    """A file system of a few kilobytes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self._run("mount", "-t", "tmpfs", "-o", "size=8m", "small", str(folder))

    def leave(self, free: int) -> None:
        """Fill it up to some free bytes."""
        self.empty()
        room = int(self._run("stat", "-f", "-c", "%a", str(self.folder))) * 4096
        (self.folder / "filler").write_bytes(b"x" * (room - free))

    def empty(self) -> None:
        (self.folder / "filler").unlink(missing_ok=True)

    def close(self) -> None:
        self._run("umount", str(self.folder))

    def _run(self, *command: str) -> str:
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return done.stdout


@pytest.fixture
def disk(tmp_path):
    try:
        made = Disk(tmp_path / "disk")
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", None) or error
        pytest.skip(f"a small file system cannot be mounted here: {said}")
    yield made
    made.close()


def test_a_training_stops_and_goes_on_once_there_is_room(command, data, whole, disk):
    out = disk.folder / "model"
    assert command(*fit(data, out, 1)).code == 0, "an earlier model"
    before = files(out)
    one = command(*fit(data, out), moment=Moment("os.rename", ".checkpoint.safetensors", 2))
    assert one.code == -9
    (half,) = out.glob("*.partial")
    half.unlink()  # it would give its room to the next
    (checkpoint,) = out.glob("*.checkpoint.safetensors")
    kept = checkpoint.read_bytes()
    disk.leave(len(kept) // 2)
    assert_one_line(
        command(*fit(data, out)),
        "pretrain.checkpoint.safetensors: the checkpoint of step 20 cannot be written "
        "(No space left on device); the one before it is kept",
    )
    assert files(out) == before | {checkpoint.name: kept}
    disk.empty()
    assert command(*fit(data, out)).code == 0
    assert files(out) == files(whole)


def test_results_need_room_too(command, data, whole, disk):
    out = disk.folder / "vectors.csv"
    disk.leave(20_000)
    assert_one_line(
        command("embed", whole, data, "--out", out),
        f"{out}: cannot be written",
        "No space left on device",
    )
    assert [path.name for path in disk.folder.iterdir()] == ["filler"]
    disk.empty()
    assert command("embed", whole, data, "--out", out).code == 0


def test_a_model_that_cannot_be_saved_leaves_the_earlier_one_and_the_training(
    command, data, whole, tmp_path
):
    out = tmp_path / "model"
    assert command(*fit(data, out, 1)).code == 0
    before = files(out)
    killed = command(*fit(data, out), moment=Moment("open", "weights.safetensors"))
    assert killed.code == -9, "trained, but not saved"
    (out / EVENTS).unlink()  # of two fits: too long for the limit by itself
    trained = files(out)
    assert [name for name in trained if trained[name] != before.get(name)] == [
        name for name in trained if name.endswith(".checkpoint.safetensors")
    ], "the earlier model and what was trained"
    assert_one_line(
        command(*fit(data, out), limit=LIMIT),
        f"{out / 'weights.safetensors'}: cannot be written (File too large)",
    )
    assert files(out) == trained
    assert command(*fit(data, out)).code == 0
    assert files(out) == files(whole)


@pytest.fixture(scope="module")
def detector(command, data, tmp_path_factory):
    out = tmp_path_factory.mktemp("models") / "detector"
    knobs = ["--steps", "30", "--trees", "20", *ROLES]
    assert command("fit", "detector", data, "--out", out, *knobs).code == 0
    return out


RESULTS = {
    "vectors.csv": ["embed", "MODEL", "DATA"],
    "vectors.parquet": ["embed", "MODEL", "DATA"],
    "scores.jsonl": ["score", "MODEL", "DATA"],
    "alerts.jsonl": ["detect", "DETECTOR", "DATA", "--max-fpr", "0.05"],
    "report.html": ["report", "MODEL"],
}


@pytest.mark.parametrize("name", RESULTS)
def test_an_earlier_result_stays(command, data, whole, detector, tmp_path, name):
    known = {"MODEL": whole, "DETECTOR": detector, "DATA": data}
    out = tmp_path / name
    out.write_text("an earlier result")
    arguments = [known.get(part, part) for part in RESULTS[name]]
    assert_one_line(
        command(*arguments, "--out", out, limit=LIMIT),
        f"{out}: cannot be written",
        "File too large",
    )
    assert out.read_text() == "an earlier result"
    assert list(tmp_path.iterdir()) == [out]
    assert command(*arguments, "--out", out).code == 0
    assert out.stat().st_size > LIMIT


def test_a_pipe_or_file_that_takes_no_more_is_said(whole, data):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "contraview", "embed", str(whole), str(data)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (
        1,
        "contraview: the output cannot be written (No space left on device)\n",
    )
