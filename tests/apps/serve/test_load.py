"""Load on loopback, in its small form: `python -m benchmarks.serve_load` is the long one."""

import shutil

import pytest
from benchmarks import serve_load

LEEWAY = 20
"""Responses that the test itself asked for, and such as were on their way."""


@pytest.fixture
def served(model, tmp_path):
    with serve_load.service(model, tmp_path / "served") as made:
        yield made


def test_sigterm_amid_requests_loses_none(served):
    found = serve_load.stopped(served, clients=6, seconds=1.0)
    assert found["lost"] == 0
    assert set(found["answers"]) == {"200"}
    assert found["exit code"] == 0


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_below_saturation_all_is_answered_above_it_503_is_clean(served):
    below = serve_load.load(served, (2, 2), 3)
    above = serve_load.load(served, (60, 60), 3)
    for found, connections in ((below, 4), (above, 120)):
        for kind in ("scoring", "queries"):
            wrong = {"503 without Retry-After", "other status", "connection errors"}
            assert {name: found[kind][name] for name in wrong} == dict.fromkeys(wrong, 0)
        more = found["counted, but not heard as wrk had ended"]
        assert 0 <= more <= connections + LEEWAY
        assert found["responses by the service's counters"].keys() <= {"200", "503"}
    assert below["scoring"]["503"] == below["queries"]["503"] == 0
    assert above["scoring"]["503"] + above["queries"]["503"] > 0
    assert above["scoring"]["200"] > 0
