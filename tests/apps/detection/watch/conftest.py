import sys
from pathlib import Path

import pytest

from contraview.apps.detection.detector import Detector
from contraview.core.run import Run
from contraview.modalities.flows.data import read_flows
from lab import conn_logs

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def detector(tmp_path_factory):
    path = tmp_path_factory.mktemp("benign") / "conn.log"
    path.write_text(conn_logs.log(1500, seed=7, odd=0.0))
    knobs = {"steps": 60, "trees": 20, "light": True, "max_fpr": 0.01}
    return Detector(**knobs).fit(read_flows(path), run=Run(seed=0))


@pytest.fixture(scope="session")
def model(detector, tmp_path_factory):
    return detector.save(tmp_path_factory.mktemp("models") / "zeek")


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "logs" / "conn.log"
    path.parent.mkdir()
    path.write_text(conn_logs.log(2000, seed=1))
    return path


@pytest.fixture
def out(tmp_path):
    return tmp_path / "alerts.jsonl"
