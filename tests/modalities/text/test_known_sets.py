import pytest

from contraview.core.errors import InputError
from contraview.modalities.datasets import dataset
from contraview.modalities.text.sts import read_stsb, read_word_pairs
from contraview.modalities.text.wordnet import read_glosses


def test_the_sts_benchmark_is_read_without_quoting(shared_data):
    pairs = read_stsb(dataset("stsb_test")[0])
    assert len(pairs) == 1379
    assert pairs.strings[0] == "A girl is styling her hair."
    assert pairs.others().strings[0] == "A girl is brushing her hair."
    assert pairs.labels()[0] == 2.5
    assert len(read_stsb(dataset("stsb_dev")[0])) == 1500
    assert any('"' in each for each in pairs.strings)


def test_wordsim_has_its_353_pairs(shared_data):
    pairs = read_word_pairs(dataset("wordsim353")[0])
    assert len(pairs) == 353
    assert (pairs.strings[0], pairs.others().strings[0]) == ("love", "sex")


def test_glosses_stand_behind_their_words(tmp_path):
    path = tmp_path / "data.noun"
    path.write_text(
        "  1 This is the licence\n"
        "00002452 03 n 02 thing 0 hot_dog 1 001 @ 00001930 n 0000 | a separate entity  \n"
        "00002453 03 a 01 dead(p) 0 000 | no longer alive\n"
    )
    assert read_glosses([path]) == ["thing, hot dog: a separate entity", "dead: no longer alive"]


@pytest.mark.parametrize(
    ("read", "line", "says"),
    [
        (read_stsb, "a\tb\tc\n", "line 1: expected two texts and a number"),
        (read_word_pairs, "# fine\nlove\tsex\tmuch\n", "line 2: expected two texts and a number"),
        (lambda path: read_glosses([path]), "nothing | here\n", "line 1: no line of WordNet"),
        (lambda path: read_glosses([path]), "1 03 n 02 thing 0 | x\n", "line 1: no line of"),
    ],
)
def test_other_files_are_refused(tmp_path, read, line, says):
    path = tmp_path / "some.txt"
    path.write_text(line)
    with pytest.raises(InputError, match=says):
        read(path)
