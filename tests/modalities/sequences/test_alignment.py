import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contraview.core.seeds import numpy_generator
from contraview.modalities.sequences.alignment import Scoring, align, scores
from contraview.modalities.sequences.crops import substituted

SCORING = Scoring(match=2, mismatch=4, gap_open=5, gap_extend=1)
PAPER = Scoring(match=2, mismatch=1, gap_open=0.5, gap_extend=0.1)
G = numpy_generator(0, "alignment")
WINDOW = G.integers(0, 4, 400).astype(np.uint8)
bases = st.lists(st.integers(0, 4), min_size=1, max_size=12).map(
    lambda each: np.array(each, np.uint8)
)


def plain(read, window, s):
    """The three recursions of Gotoh, a cell at a time."""
    m, w = len(read), len(window)
    best = np.zeros((m + 1, w + 1))
    up, left = np.full((m + 1, w + 1), -np.inf), np.full((m + 1, w + 1), -np.inf)
    for i in range(1, m + 1):
        for j in range(1, w + 1):
            up[i, j] = max(best[i - 1, j] - s.gap_open, up[i - 1, j] - s.gap_extend)
            left[i, j] = max(best[i, j - 1] - s.gap_open, left[i, j - 1] - s.gap_extend)
            equal = read[i - 1] == window[j - 1] < 4
            diagonal = best[i - 1, j - 1] + (s.match if equal else -s.mismatch)
            best[i, j] = max(0, diagonal, up[i, j], left[i, j])
    return best.max()


def worth(found, read, window, s):
    """The score that a CIGAR string earns, and how much of the read it spells."""
    score, i, j = 0.0, 0, found.start
    for count, kind in re.findall(r"(\d+)([MIDS])", found.cigar):
        n = int(count)
        if kind == "S":
            i += n
        elif kind == "M":
            for _ in range(n):
                score += s.match if read[i] == window[j] < 4 else -s.mismatch
                i, j = i + 1, j + 1
        else:
            score -= s.gap_open + (n - 1) * s.gap_extend
            i, j = (i + n, j) if kind == "I" else (i, j + n)
    return score, i


@settings(max_examples=150)
@given(bases, bases, st.sampled_from([(0.5, 0.1), (1.0, 1.0), (3.0, 0.5), (0.5, 0.5)]))
def test_scores_and_paths_are_those_of_the_plain_recursion(read, window, gaps):
    scoring = Scoring(match=2, mismatch=1, gap_open=gaps[0], gap_extend=gaps[1])
    expected = plain(read, window, scoring)
    assert scores([read], [window], scoring)[0] == pytest.approx(expected, abs=1e-4)
    found = align(read, window, scoring)
    assert found.score == pytest.approx(expected, abs=1e-4)
    if expected > 0:
        earned, spelt = worth(found, read, window, scoring)
        assert earned == pytest.approx(expected, abs=1e-4)
        assert spelt == len(read)


def test_many_pairs_of_any_lengths_at_once_score_as_each_alone():
    reads = [WINDOW[i : i + 20 + i % 30] for i in range(150)]
    windows = [WINDOW[: 200 + i] for i in range(150)]
    together = scores(reads, windows, SCORING)
    assert together.tolist() == [2.0 * len(read) for read in reads]
    alone = [scores([r], [w], SCORING)[0] for r, w in zip(reads, windows, strict=True)]
    assert together.tolist() == alone


def test_an_error_free_read_is_found_at_its_exact_place():
    for place in (0, 137, 300):
        found = align(WINDOW[place : place + 100], WINDOW, SCORING)
        assert (found.start, found.cigar, found.distance) == (place, "100M", 0)
        assert found.score == 200


def begins(found):
    """Where the read's first base, aligned or clipped, comes to stand."""
    first = re.match(r"(\d+)S", found.cigar)
    return found.start - (int(first[1]) if first else 0)


def test_with_one_percent_errors_it_is_found_within_two_bases():
    places = G.integers(0, 300, 100)
    reads = substituted([WINDOW[p : p + 100] for p in places], 0.01, G)
    for place, read in zip(places, reads, strict=True):
        assert abs(begins(align(read, WINDOW, SCORING)) - place) <= 2


def test_with_the_papers_cheap_gaps_a_wrong_base_near_the_end_moves_the_start():
    read = WINDOW[112:212].copy()
    read[3] = (read[3] + 1) % 4
    moved = [abs(begins(align(read, WINDOW[i:], PAPER)) + i - 112) for i in range(0, 100, 10)]
    assert max(moved) > 2
    assert begins(align(read, WINDOW, SCORING)) == 112


def test_a_gap_in_either_sequence_is_spelt():
    # Unlike neighbours on both sides of the gap, so that it has one place only.
    left = np.array([0, 1, 2, 3, 0, 2, 1, 3, 0, 0], np.uint8)
    right = np.array([2, 3, 1, 0, 2, 1, 3, 3, 0, 1], np.uint8)
    extra = np.array([1, 1, 1], np.uint8)
    longer, shorter = np.concatenate([left, extra, right]), np.concatenate([left, right])
    inserted, deleted = align(longer, shorter, SCORING), align(shorter, longer, SCORING)
    assert (inserted.cigar, inserted.distance) == ("10M3I10M", 3)
    assert (deleted.cigar, deleted.distance) == ("10M3D10M", 3)
    assert inserted.score == deleted.score == pytest.approx(40 - 5 - 2)


def test_unknown_bases_match_nothing_not_even_each_other():
    unknown = np.full(10, 4, np.uint8)
    assert scores([unknown], [unknown], SCORING)[0] == 0
