"""Every reader, given seeds with pieces changed, and bytes and text of no format.

Some by hypothesis, which makes small what it finds; many more by a plain generator, ten times as
fast. `test_guided` looks at night for what neither happens to hit.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fuzz.judge import judge
from tests.fuzz.mutate import HOW, TOKENS, changed
from tests.fuzz.readers import NAMES, reader

IN_CI, AT_NIGHT = 30, 20_000
PLAIN = 1_970
"""Inputs a reader, beside those of hypothesis."""
change = st.tuples(
    st.sampled_from(HOW),
    st.floats(0, 1),
    st.integers(1, 40),
    st.one_of(st.sampled_from(TOKENS), st.binary(min_size=1, max_size=8)),
)


def inputs(chosen):
    seeds = chosen.seeds()
    mutated = st.builds(changed, st.sampled_from(seeds), st.lists(change, min_size=1, max_size=8))
    joined = st.builds(
        lambda a, b, x, y: a[: int(x * len(a))] + b[int(y * len(b)) :],
        *(st.sampled_from(seeds),) * 2,
        *(st.floats(0, 1),) * 2,
    )
    plain = st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))
    return st.one_of(mutated, mutated, mutated, joined, st.binary(max_size=300), plain)


def run(name, folder, examples, *, always_the_same):
    chosen = reader(name)

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=always_the_same,
        suppress_health_check=list(HealthCheck),
    )
    @given(content=inputs(chosen))
    def every(content):
        judge(chosen, content, folder)

    every()


@pytest.fixture
def folder(tmp_path):
    """In memory where that can be had: each input is a file."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    import tempfile

    with tempfile.TemporaryDirectory(dir=memory) as place:
        yield Path(place)


@pytest.mark.parametrize("name", NAMES)
def test_any_input_is_read_or_refused_in_one_line(name, folder):
    run(name, folder, IN_CI, always_the_same=True)


@pytest.mark.timeout(1800)
def test_many_inputs_are_read_or_refused_in_one_line(tmp_path):
    run = [sys.executable, "-m", "tests.fuzz.mutate", "all", "--inputs", str(PLAIN)]
    done = subprocess.run(run, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert done.stdout.count(f"{PLAIN:,} inputs") == len(NAMES)


@pytest.mark.nightly
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", NAMES)
def test_many_more_inputs_are_read_or_refused_in_one_line(name, folder):
    run(name, folder, AT_NIGHT, always_the_same=False)
