import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from contraview.core.errors import InputError
from contraview.core.seeds import numpy_generator, torch_generator
from contraview.modalities.sequences.crops import CropInCrop, Fragments, cut, substituted
from contraview.modalities.sequences.data import read_sequences


def genome(*lengths, seed=0):
    g = numpy_generator(seed, "genome")
    return read_sequences(
        {f"chr{i}": "".join(g.choice(list("ACGT"), n)) for i, n in enumerate(lengths)}
    )


def test_the_read_is_a_true_piece_of_its_fragment_and_neither_crosses_sequences():
    reference = genome(300, 900, 120)
    crops = CropInCrop(reference, (200, 400), (50, 90))
    places = torch.arange(0, 1320)
    drawn = crops(places, torch_generator(0, "crops"))
    fragments = cut(reference.letters, drawn.fragment, drawn.fragment_length)
    reads = cut(reference.letters, drawn.read, drawn.read_length)
    owner = np.searchsorted(reference.ends, drawn.fragment, side="right") - 1
    for i in range(len(places)):
        offset = drawn.read[i] - drawn.fragment[i]
        assert 0 <= offset <= len(fragments[i]) - len(reads[i])
        assert fragments[i][offset : offset + len(reads[i])].tobytes() == reads[i].tobytes()
        assert fragments[i].tobytes() in reference[int(owner[i])].tobytes()
    lengths = drawn.fragment_length
    assert (lengths[owner == 2] == 120).all()  # shorter than the least fragment: the whole of it
    assert lengths[owner == 1].min() == 200
    assert lengths[owner == 1].max() == 400
    assert drawn.read_length.min() == 50
    assert drawn.read_length.max() == 90


def test_every_offset_can_be_drawn():
    crops = CropInCrop(genome(40), (10, 10), (8, 8))
    drawn = crops(torch.zeros(500, dtype=torch.long), torch_generator(0, "crops"))
    assert set((drawn.read - drawn.fragment).tolist()) == {0, 1, 2}


def test_a_sequence_shorter_than_the_shortest_read_is_refused():
    with pytest.raises(InputError, match="'chr1' has 30 bases; expected at least 50"):
        CropInCrop(genome(500, 30), (200, 400), (50, 90))


@given(
    st.lists(st.integers(1, 3000), min_size=1, max_size=3),
    st.integers(50, 400),
    st.integers(0, 49),
)
def test_fragments_cover_every_base_and_stay_within_their_sequence(lengths, length, overlap):
    reference = read_sequences({f"s{i}": "A" * n for i, n in enumerate(lengths)})
    fragments = Fragments.of(reference, length, overlap)
    covered = np.zeros(sum(lengths), bool)
    for start, size, owner in zip(
        fragments.starts, fragments.lengths, fragments.owners, strict=True
    ):
        assert reference.ends[owner] <= start
        assert start + size <= reference.ends[owner + 1]
        covered[start : start + size] = True
    assert covered.all()
    steps = np.diff(fragments.starts)[np.diff(fragments.owners) == 0]
    assert (steps > 0).all()
    assert (steps <= length - overlap).all()


def test_ecoli_gives_5800_fragments_and_a_read_lies_in_one_or_two():
    reference = read_sequences(["A" * 4_639_675])
    fragments = Fragments.of(reference, 1000, 200)
    assert len(fragments) == 5800
    places = numpy_generator(0, "places").integers(0, 4_639_675 - 250, 2000)
    held = fragments.cover(places, 250, 0.8).sum(1)
    assert held.min() == 1
    assert held.max() == 2
    exact = fragments.cover(np.array([750, 760, 800]), 250, 1.0).sum(1)
    assert exact.tolist() == [1, 0, 1]  # one across the end of two lies wholly in neither


def test_substitutions_are_other_bases_and_leave_unknown_ones():
    bases = np.tile(np.array([0, 1, 2, 3, 4], np.uint8), 2000)
    (altered,) = substituted([bases], 0.1, numpy_generator(0, "noise"))
    changed = altered != bases
    assert changed[bases < 4].mean() == pytest.approx(0.1, abs=0.01)
    assert not changed[bases == 4].any()
    assert altered[changed].max() < 4
    (same,) = substituted([bases], 0.0, numpy_generator(0, "noise"))
    assert np.array_equal(same, bases)
