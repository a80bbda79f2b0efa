import gzip

import pytest

from contraview.core.errors import ContraviewError, InputError
from contraview.core.expansion import FREE, RATIO, check_expansion, inflated


def test_small_things_and_real_ratios_pass():
    check_expansion("x", 1, FREE)
    check_expansion("x", FREE, FREE * RATIO)
    with pytest.raises(InputError, match="packed so densely"):
        check_expansion("x", 1, FREE + 1)


def test_gzip_is_inflated_all_members_of_it():
    packed = gzip.compress(b"first\n") + gzip.compress(b"second\n")
    assert inflated(packed, "x") == b"first\nsecond\n"


def test_a_bomb_is_refused_before_all_of_it_is_there():
    step = gzip.compress(bytes(64 << 20))
    with pytest.raises(InputError, match="packed so densely"):
        inflated(step * (FREE // (64 << 20) + 1), "x")


@pytest.mark.parametrize(
    "content", [b"\x1f\x8b", b"\x1f\x8bxxxxxxxxxxxx", gzip.compress(b"x")[:-3]]
)
def test_damaged_gzip_is_refused(content):
    with pytest.raises(InputError, match="cannot be read as gzip"):
        inflated(content, "x")


@pytest.mark.parametrize("said", ["a\nb", "\x1b[2J", "\u202eabc", "x" * 10_000, "\udcff"])
def test_every_error_is_one_printable_line_of_bounded_length(said):
    message = str(ContraviewError(said))
    assert message.isprintable()
    assert len(message) < 2_100
