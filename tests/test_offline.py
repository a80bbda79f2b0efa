"""No network at import, fit or use: every socket to it is refused, and nobody asks for one."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
HERE = f"import sys; sys.path[:0] = [{str(TESTS)!r}, {str(TESTS / 'systems')!r}]; import offline\n"
SAY = "\nsys.stderr.write(f'refused: {offline.SEALED}; asked: {offline.ASKED}')\n"

EVERY_MODULE = """
import importlib, pkgutil
import contraview
failed = []
for found in pkgutil.walk_packages(contraview.__path__, "contraview."):
    if not found.name.endswith("__main__"):
        try:
            importlib.import_module(found.name)
        except ImportError as error:
            failed.append(f"{found.name}: {error}")
print(len(failed), failed)
"""

EVERY_SYSTEM = """
import numpy, torch
torch.set_num_threads(1)
import contraview, contraview.catalog, tiny
from contraview.core.run import Run
for entry in contraview.catalog.ENTRIES:
    if not entry.built:
        continue
    asked = tiny.of(entry.slug)
    knobs = dict(asked.knobs)
    system = asked.fit(entry.load_class()(**knobs), Run(f"runs/{entry.slug}", seed=0))
    system.save(f"runs/{entry.slug}")
    system = contraview.load(f"runs/{entry.slug}")
    for verb in entry.verbs.split():
        if verb != "classify" or asked.labels:
            asked.answer(system, verb)
    print(entry.slug)
"""

COMMANDS = """
from contraview.apps.cli import main
for arguments in (["--help"], ["list"], ["list", "--json"], ["info", "clan"], ["data", "list"]):
    assert main(arguments) == 0
for verb in ("fit", "demo", "detect", "serve"):
    try:
        assert main([verb, "--help"]) == 0
    except SystemExit as stop:
        assert not stop.code
assert main(["demo", "--out", "runs/demo"]) == 0
"""


def run(code, folder):
    """Run code in a process without a network; gives back what it printed."""
    data = {"CONTRAVIEW_DATA": str(folder / "none"), "XDG_CACHE_HOME": str(folder / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", HERE + code + SAY],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=os.environ | data | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert "asked: []" in done.stderr
    return done


def test_the_network_is_refused(tmp_path):
    asks = "import socket\ntry:\n    socket.socket()\nexcept OSError as no:\n    print(no)\n"
    done = subprocess.run(
        [sys.executable, "-c", HERE + asks + "print(len(offline.ASKED), offline.SEALED)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("the network is refused\n1 ")
    if "every socket" not in done.stdout:
        pytest.skip(done.stdout)
    native = "import ctypes; ctypes.CDLL(None).socket(2, 1, 0); print('opened')"
    ended = subprocess.run([sys.executable, "-c", HERE + native], capture_output=True, check=False)
    assert (ended.returncode, ended.stdout) == (-signal.SIGSYS, b"")


def test_every_module_is_imported(tmp_path):
    assert run(EVERY_MODULE, tmp_path).stdout == "0 []\n"


def test_every_system_is_fitted_saved_loaded_and_asked(tmp_path):
    from contraview.catalog import ENTRIES

    said = run(EVERY_SYSTEM, tmp_path).stdout.split()
    assert said == [entry.slug for entry in ENTRIES if entry.built]


def test_the_commands_and_the_demo(tmp_path):
    done = run(COMMANDS, tmp_path)
    assert "alerts in" in done.stdout
    assert (tmp_path / "runs" / "demo" / "report.html").is_file()
