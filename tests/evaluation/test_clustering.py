import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraview.core.errors import InputError
from contraview.evaluation.clustering import clustering_figures, matched

TRUTH = np.array(["u", "u", "u", "v", "v", "w"])


def test_a_perfect_grouping_is_perfect_whatever_its_numbers():
    figures = clustering_figures(TRUTH, np.array([2, 2, 2, 0, 0, 1]))
    assert figures == pytest.approx({"ACC": 1, "NMI": 1, "ARI": 1, "macro F1": 1})


def test_one_group_for_all_gets_the_share_of_the_largest_class():
    figures = clustering_figures(TRUTH, np.zeros(6, int))
    assert figures["ACC"] == pytest.approx(0.5)
    assert figures["NMI"] == pytest.approx(0)
    assert figures["ARI"] == pytest.approx(0)


def test_groups_beyond_the_classes_count_as_wrong():
    assert clustering_figures(TRUTH, np.arange(6))["ACC"] == pytest.approx(3 / 6)
    assert matched(np.array(["a", "a"]), np.array([0, 1])).tolist() in ([0, 1], [1, 0])


@given(st.lists(st.integers(0, 3), min_size=2, max_size=30), st.permutations(range(4)))
def test_no_figure_depends_on_the_names_of_the_groups(found, names):
    truth = np.arange(len(found)) % 3
    renamed = np.asarray(names)[found]
    first = clustering_figures(truth, np.asarray(found))
    second = clustering_figures(truth, renamed)
    assert first["ACC"] == pytest.approx(second["ACC"])
    assert first["NMI"] == pytest.approx(second["NMI"])
    assert first["ARI"] == pytest.approx(second["ARI"])


def test_other_lengths_are_refused():
    with pytest.raises(InputError, match="2 classes and 1 groups"):
        matched(np.array(["a", "b"]), np.array([0]))
