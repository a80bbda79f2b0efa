"""`contraview fit` after SIGKILL: the same command leaves the uninterrupted fit's model."""

import pytest
from benchmarks.kills import FITS, killed


def test_a_killed_fit_goes_on_to_the_same_model(command, tmp_path):
    found = killed("clan", 3, command, tmp_path, steps=60, every=10)
    assert found["files that differ"] == []
    assert found["bit-identical"]
    assert found["while"] == {"training": 1, "checkpoint": 1, "save": 1}
    assert found["resumes"] >= 2
    assert found["model after a kill"].get("earlier", 0) >= 2


@pytest.mark.nightly
@pytest.mark.parametrize("slug", FITS)
def test_twenty_kills(command, tmp_path, slug):
    found = killed(slug, 20, command, tmp_path)
    assert found["files that differ"] == []
    assert found["kills"] == 20
    assert found["different checkpoints gone on from"] >= 5
