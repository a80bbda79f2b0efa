import subprocess
import sys

import numpy as np
import pytest

from contraview.core.seeds import numpy_generator
from contraview.modalities.sequences.letters import numbers
from contraview.modalities.sequences.tokens import FIRST, ODD, BytePairs, Kmers

GENOME = numpy_generator(0, "genome").integers(0, 4, 5000).astype(np.uint8)


def bases(text):
    return numbers(np.frombuffer(text.encode(), np.uint8))


def test_a_kmer_is_its_number_in_base_four():
    rows = Kmers(2, 1).encode([bases("ACGT")])
    assert rows.tolist() == [[FIRST + 1, FIRST + 6, FIRST + 11]]  # AC 0*4+1, CG 1*4+2, GT 2*4+3
    assert Kmers(2, 2).encode([bases("ACGTA")]).tolist() == [[FIRST + 1, FIRST + 11]]
    assert len(Kmers(4, 2)) == FIRST + 256


def test_unknown_bases_make_an_unknown_token_and_padding_is_no_token():
    rows = Kmers(2, 1).encode([bases("ANG"), bases("ACGTA")])
    assert rows[0].tolist() == [ODD, ODD, 0, 0]
    assert (rows[1] >= FIRST).all()


def test_a_sequence_shorter_than_k_is_one_unknown_token():
    assert Kmers(4, 2).encode([bases("AC")]).tolist() == [[ODD]]
    rows = Kmers(4, 2).encode([bases("AC"), bases("ACGTAC")])
    assert rows[0].tolist() == [ODD, 0]


def test_a_row_does_not_depend_on_what_it_is_encoded_with():
    for tokens in (Kmers(4, 3), BytePairs.learn(GENOME, 100)):
        sequences = [GENOME[:50], GENOME[100:333], GENOME[7:12]]
        together = tokens.encode(sequences)
        for row, each in zip(together, sequences, strict=True):
            alone = tokens.encode([each])[0]
            assert row[: len(alone)].equal(alone)
            assert not row[len(alone) :].any()
            assert len(alone) <= tokens.most(len(each))


def test_a_stride_shows_a_shifted_read_other_kmers():
    tokens = Kmers(4, 2)
    fragment = set(tokens.encode([GENOME[:200]])[0].tolist())
    even, odd = (set(tokens.encode([GENOME[s : s + 60]])[0].tolist()) for s in (20, 21))
    assert even <= fragment
    assert not odd <= fragment


def test_byte_pairs_spell_the_sequence_and_shorten_it():
    tokens = BytePairs.learn(np.tile(bases("ACGTTGCA"), 200), 20)
    row = tokens.encode([bases("ACGTTGCAACGT")])[0]
    assert "".join(tokens.pieces[i] for i in row.tolist()) == "ACGTTGCAACGT"
    assert len(row) < 12
    assert ODD in tokens.encode([bases("ACNNNGT")])[0].tolist()
    assert tokens.encode([bases("NNNN")]).tolist() == [[ODD]]


def test_byte_pairs_are_whole_as_tables_and_the_same_in_another_process():
    tokens = BytePairs.learn(GENOME, 100)
    again = BytePairs.restore(tokens.learnt())
    assert again.encode([GENOME]).equal(tokens.encode([GENOME]))
    assert len(tokens) <= 100
    code = (
        "from contraview.core.seeds import numpy_generator; import numpy;"
        "from contraview.modalities.sequences.tokens import BytePairs;"
        "g = numpy_generator(0, 'genome').integers(0, 4, 5000).astype(numpy.uint8);"
        "print(hash(BytePairs.learn(g, 100).pieces))"
    )
    outcomes = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": "0", "PYTHONPATH": ":".join(sys.path)},
        ).stdout
        for _ in range(2)
    }
    assert len(outcomes) == 1


@pytest.mark.parametrize("tokens", [Kmers(3, 1), BytePairs.learn(GENOME, 50)])
def test_nothing_in_nothing_out(tokens):
    assert tokens.encode([]).shape[0] == 0
