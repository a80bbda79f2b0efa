"""The commands about the page, run as they stand there, and the table as it was measured."""

import importlib.util
import json
import re
import socket
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "living.md").read_text()
sys.path.insert(0, str(Path(__file__).parent))

from test_detection_pages import run, tools  # noqa: E402, F401 fixtures


def section():
    """The part of the page about the page."""
    return TEXT[TEXT.index("## Watch on a page") :]


def test_the_commands_work_as_they_stand(run, tmp_path):  # noqa: F811
    pytest.importorskip("fastapi")
    found = re.search(r"```sh\n(.*?)```", section(), re.DOTALL)
    assert found is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    said = run(found[1].replace("8053", str(port)), tmp_path)
    assert '{"status":"ok"}' in said
    (listed,) = re.findall(r'\{"total".*?\]\}(?=#)', said, re.DOTALL)
    assert "newest" in json.loads(listed)
    assert "contraview_watcher_up 1" in said
    assert (tmp_path / "watched" / "alerts.jsonl").exists()


def test_the_table_is_that_of_the_benchmark():
    path = ROOT / "benchmarks" / "serve.py"
    spec = importlib.util.spec_from_file_location("benchmarks_serve", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    measured = json.loads((ROOT / "results" / "benchmarks" / "serve.json").read_text())
    shown = re.search(r"<!-- serve -->\n(.*?)<!-- end -->", TEXT, re.DOTALL)
    assert shown is not None
    assert shown[1] == module.as_table(measured)
