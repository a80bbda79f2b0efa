import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraview.core.errors import InputError
from contraview.core.items import Items
from contraview.modalities.sequences.data import SequenceSource, read_sequences
from contraview.modalities.sequences.letters import numbers, reverse_complement

FASTA = b">chr1 the first, of two\nACGTacgt\nNNRY\n\n>chr2\r\nuuACG\r\n"
FASTQ = b"@r1 1:N:0\nACGTN\n+\nIIII#\n@r2\nacg\n+r2\n!~5\n"
dna = st.text("ACGTNRYSWKMBDHV", min_size=1, max_size=30)


def strings(sequences):
    return [sequences[i].tobytes().decode() for i in range(len(sequences))]


def test_fasta_of_many_records_lower_case_and_wrapped_lines(tmp_path):
    (tmp_path / "a.fa").write_bytes(FASTA)
    (tmp_path / "a.fa.gz").write_bytes(gzip.compress(FASTA))
    for path in tmp_path.iterdir():
        sequences = read_sequences(path)
        assert sequences.names == ("chr1", "chr2")
        assert strings(sequences) == ["ACGTACGTNNRY", "TTACG"]
        assert sequences.quality is None


def test_headers_and_line_ends_never_enter_the_text(tmp_path):
    (tmp_path / "a.fa").write_bytes(b">GATTACA GATTACA\nAC\r\nGT\r\n>TTTT\nCC\n")
    assert read_sequences(tmp_path / "a.fa").letters.tobytes() == b"ACGTCC"


def test_fastq_keeps_its_qualities(tmp_path):
    (tmp_path / "r.fq").write_bytes(FASTQ)
    reads = read_sequences(str(tmp_path / "r.fq"))
    assert strings(reads) == ["ACGTN", "ACG"]
    assert reads.quality.tobytes() == b"IIII#!~5"
    assert reads.take([1]).quality.tobytes() == b"!~5"


def test_several_files_strings_and_names(tmp_path):
    (tmp_path / "a.fa").write_bytes(FASTA)
    (tmp_path / "r.fq").write_bytes(FASTQ)
    both = read_sequences((str(tmp_path / "a.fa"), str(tmp_path / "r.fq")))
    assert both.names == ("chr1", "chr2", "r1", "r2")
    assert both.quality is None
    assert read_sequences(str(tmp_path / "*")).names == both.names
    assert read_sequences(["acg", "TT"]).names == ("sequence_1", "sequence_2")
    assert read_sequences({"x": "ACG"}).names == ("x",)


def test_items_behave_as_the_command_expects(tmp_path):
    sequences = read_sequences({f"s{i}": "ACGT" * (i + 1) for i in range(1500)})
    assert isinstance(sequences, Items)
    assert [len(part) for part in sequences.parts()] == [1024, 476]
    assert sequences.collect()["length"].to_list()[:2] == [4, 8]
    assert sequences.take([3, 1]).names == ("s3", "s1")
    assert read_sequences(sequences) is sequences
    assert sequences.fingerprint() == sequences.take(range(1500)).fingerprint()
    assert read_sequences(["AC", "G"]).fingerprint() != read_sequences(["A", "CG"]).fingerprint()
    with pytest.raises(InputError, match="no labels"):
        sequences.labels()


@given(dna)
def test_the_other_strand_of_the_other_strand_is_the_strand(letters):
    one = np.frombuffer(letters.encode(), np.uint8)
    assert reverse_complement(reverse_complement(one)).tobytes() == letters.encode()


def test_strands_and_numbers():
    letters = np.frombuffer(b"ACGTNRY", np.uint8)
    assert reverse_complement(letters).tobytes() == b"RYNACGT"
    assert numbers(letters).tolist() == [0, 1, 2, 3, 4, 4, 4]


@given(st.lists(dna, min_size=1, max_size=4), st.integers(1, 7))
def test_however_lines_are_wrapped_the_sequence_is_the_same(tmp_path_factory, sequences, width):
    path = tmp_path_factory.mktemp("fasta") / "a.fa"
    lines = []
    for number, each in enumerate(sequences):
        lines.append(f">s{number}")
        lines += [each[i : i + width] for i in range(0, len(each), width)]
    path.write_text("\n".join(lines))
    assert strings(read_sequences(path)) == sequences


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty; expected FASTA or FASTQ"),
        (b"ACGT\n", "line 1: expected a header"),
        (b">a\nACGT\nAC-T\n", "line 3: '-' is no DNA letter"),
        (b">a\nACGT\nACGJ\n", "line 3: 'J' is no DNA letter; expected ACGTUN or IUPAC"),
        (b">a\n>b\nAC\n", "line 1: 'a' has no letters"),
        (b">a\nAC\n>b\n", "line 3: 'b' has no letters"),
        (b">\nAC\n", "line 1: a header without a name"),
        (b"@a\nACGT\n+\nIII\n", "line 4: 3 qualities for 4 letters"),
        (b"@a\nACGT\n+\nII I\n", "line 4: a quality is no character"),
        (b"@a\nACGT\n", "line 1: expected four lines"),
        (b"@a\nACGT\nIIII\n+\n", "line 1: expected four lines"),
        (b"@a\nAXGT\n+\nIIII\n", "line 2: 'X' is no DNA letter"),
        (b"@a\nA\n+\nI\nACGT\n", "line 5: expected a header that begins with '@'"),
        (b"\x1f\x8b broken", "cannot be read"),
    ],
)
def test_wrong_files_are_refused_with_file_and_line(tmp_path, content, says):
    path = tmp_path / "some.fa"
    path.write_bytes(content)
    with pytest.raises(InputError, match=says) as error:
        read_sequences(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("no/such.fa", "no/such.fa: no such file"),
        ("", "no file named"),
        (Path("/"), "is a folder"),
        ("no*such.fa", "no file of this form"),
        ([], "holds no sequence"),
        (3.5, "float: no source of sequences"),
        (["ACG", ""], "sequence 'sequence_2': expected a string of DNA letters"),
        (["ACG", 3], "sequence 'sequence_2': expected a string"),
        ({"x": "ACGé"}, "sequence 'x': .* is no DNA letter"),
    ],
)
def test_wrong_sources_are_refused(source, says):
    with pytest.raises(InputError, match=says):
        read_sequences(source)


def test_a_least_length_can_be_asked_for():
    with pytest.raises(InputError, match="'sequence_2' has 2 bases; expected at least 3"):
        read_sequences(["ACG", "AC"], SequenceSource(least=3))
