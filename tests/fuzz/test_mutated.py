"""Every reader, given seeds with pieces changed, and bytes and text of no format.

Some by hypothesis, which makes small what it finds; many more by a plain generator, ten times as
fast. `test_guided` looks at night for what neither happens to hit.
"""

import os
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fuzz.judge import judge
from tests.fuzz.readers import NAMES, reader

IN_CI, AT_NIGHT = 100, 20_000
PLAIN = 1_900
"""Inputs a reader, beside those of hypothesis."""
HOW = ("set", "insert", "cut", "repeat", "bit", "swap")
TOKENS = (
    *(
        b"",
        b"\0",
        b"\xff",
        b"\xff\xff\xff\xff",
        b"\x80\0\0\0",
        b"\n",
        b"\r",
        b'"',
        b"'",
        b",",
        b";",
    ),
    *(b"\t", b" ", b"-1", b"0", b"1e999", b"nan", b"inf", b"99999999999999999999", b"\x1b[2J"),
    *("\u202e".encode(), b"\xef\xbb\xbf", b"../", b"[" * 2000, b"{", b"}", b"null", b"#", b"\\"),
)
change = st.tuples(
    st.sampled_from(HOW),
    st.floats(0, 1),
    st.integers(1, 40),
    st.one_of(st.sampled_from(TOKENS), st.binary(min_size=1, max_size=8)),
)


def changed(content, changes):
    """A seed with pieces set, inserted, cut, repeated, moved, and bits turned."""
    for how, place, size, token in changes:
        at = int(place * len(content))
        before, piece, after = content[:at], content[at : at + size], content[at + size :]
        if how == "set":
            content = before + token + content[at + len(token) :]
        elif how == "insert":
            content = before + token + content[at:]
        elif how == "cut":
            content = before + after
        elif how == "repeat":
            content = before + piece * 3 + after
        elif how == "swap":
            content = piece + before + after
        elif piece:
            content = before + bytes([piece[0] ^ 1 << size % 8]) + content[at + 1 :]
    return content


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


@pytest.mark.parametrize("name", NAMES)
def test_many_inputs_are_read_or_refused_in_one_line(name, folder):
    chosen, g = reader(name), random.Random(name)
    seeds = chosen.seeds()
    for number in range(PLAIN):
        content = g.randbytes(g.randrange(300)) if number % 20 == 0 else g.choice(seeds)
        if number % 20 == 1:
            other = g.choice(seeds)
            content = content[: g.randrange(len(content))] + other[g.randrange(len(other)) :]
        changes = [
            (g.choice(HOW), g.random(), g.randint(1, 40), g.choice([*TOKENS, g.randbytes(4)]))
            for _ in range(g.randint(1, 6))
        ]
        judge(chosen, changed(content, changes), folder)


@pytest.mark.nightly
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", NAMES)
def test_many_more_inputs_are_read_or_refused_in_one_line(name, folder):
    run(name, folder, AT_NIGHT, always_the_same=False)
