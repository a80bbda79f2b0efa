"""Every reader under a coverage-guided fuzzer, in a process of its own: it never returns."""

import json
import subprocess
import sys
from importlib.util import find_spec

import pytest
from tests.fuzz import fuzz
from tests.fuzz.readers import NAMES

from contraview.catalog import ENTRIES

AT_NIGHT = 100_000


needs_atheris = pytest.mark.skipif(
    find_spec("atheris") is None,
    reason="needs the extra 'fuzz', for which this Python has no wheel",
)


def fuzzed(tmp_path, module, *arguments):
    """What the command found, and its table."""
    table = tmp_path / "fuzz.json"
    run = [sys.executable, "-m", f"tests.fuzz.{module}", *arguments, "--json", str(table)]
    done = subprocess.run(run, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr[-2000:]
    return json.loads(table.read_text()), done.stdout


@needs_atheris
@pytest.mark.timeout(1800)
def test_the_fuzzer_runs_and_what_it_tries_is_read_or_refused_in_one_line(tmp_path):
    table, said = fuzzed(tmp_path, "fuzz", "csv", "ply", "text", "--inputs", "1000")
    assert [row["reader"] for row in table["readers"]] == ["csv", "ply", "text"]
    assert all(row["inputs"] >= 1000 for row in table["readers"])
    assert not any(row["findings"] for row in table["readers"]), said


@needs_atheris
@pytest.mark.timeout(600)
def test_what_goes_wrong_is_found(tmp_path):
    """A reader that raises, asks for a terabyte and ends its process."""
    row = fuzz.fuzzed("faulty", 3000, 1, tmp_path)
    told = "\n".join(row["findings"])
    assert "KeyError" in told
    assert "MemoryError" in told
    assert "ended by" in told


@needs_atheris
@pytest.mark.nightly
@pytest.mark.timeout(6 * 3600)
def test_a_hundred_thousand_inputs_a_reader(tmp_path):
    table, said = fuzzed(tmp_path, "fuzz", "all", "--inputs", str(AT_NIGHT), "--seed", "7")
    assert {row["reader"] for row in table["readers"]} == set(NAMES)
    assert all(row["inputs"] >= AT_NIGHT for row in table["readers"])
    assert not any(row["findings"] for row in table["readers"]), said


@pytest.mark.timeout(1800)
def test_mutated_models_of_every_system_answer_or_are_refused_in_one_line(tmp_path):
    table, said = fuzzed(tmp_path, "models", "all", "--mutations", "15")
    assert {row["system"] for row in table["models"]} == {e.slug for e in ENTRIES if e.built}
    assert not any(row["findings"] for row in table["models"]), said


@pytest.mark.nightly
@pytest.mark.timeout(6 * 3600)
def test_many_more_mutated_models_answer_or_are_refused_in_one_line(tmp_path):
    table, said = fuzzed(tmp_path, "models", "all", "--mutations", "1000", "--seed", "7")
    assert not any(row["findings"] for row in table["models"]), said
