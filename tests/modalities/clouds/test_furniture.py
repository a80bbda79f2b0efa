"""Names to classes, models to families, and the read-out that is kept."""

import numpy as np
import pytest

from contraview.core.datasets import Dataset, cache_folder
from contraview.core.errors import InputError
from contraview.modalities.clouds import furniture as module
from contraview.modalities.clouds.data import Clouds, CloudSource
from contraview.modalities.clouds.furniture import class_of, family_of, furniture
from contraview.modalities.clouds.shape import Shape


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("Chair", "chair"), ("Armchair", "armchair"), ("Wheelchair", ""), ("Desk lamp", "lamp"),
        ("Desk", "desk"), ("Table tennis", ""), ("Table fan", ""), ("Coffee table", "table"),
        ("Glass door cabinet", "storage"), ("Glass door", "door"), ("Bush", ""),
        ("City bus", "car"), ("Teddy bear", ""), ("Sitting girl", "person"),
        ("Beer bottle", "vessel"),
    ],
)  # fmt: skip
def test_a_name_says_the_class(name, label):
    assert class_of(name) == {"desk": "table"}.get(label, label)


def test_variants_of_a_model_are_one_family():
    one = family_of("Reallusion.sh3f:reallusion/sitMale01/sitMale01.obj", "person")
    assert one == family_of("Reallusion.sh3f:reallusion/sitFemale03/x.obj", "person")
    assert one != family_of("Scopia.sh3f:scopia/sitMale01/sitMale01.obj", "person")
    assert one != family_of("Reallusion.sh3f:reallusion/holdingMale01/x.obj", "person")


def test_the_read_out_is_kept_and_read_again(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    calls = []

    def read(_paths, settings):
        calls.append(settings.points)
        square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.0]])
        name = str(tmp_path / "Scopia.sh3f:scopia/chair1/chair1.obj")
        facts = {"name": "Chair", "category": "Office"}
        return Clouds.of([Shape(name, square, facts=facts)], settings)

    monkeypatch.setattr(module, "read_clouds", read)
    monkeypatch.setattr(Dataset, "paths", lambda _: [tmp_path / "Scopia.sh3f"])
    first, again = furniture(32), furniture(32)
    assert calls == [32]
    np.testing.assert_array_equal(first.points, again.points)
    assert first.table.equals(again.table)
    assert first.table["cloud"][0] == "Scopia.sh3f:scopia/chair1/chair1.obj"
    assert first.table["class"][0] == "chair"
    assert furniture(32, draw=1).fingerprint() != first.fingerprint()
    assert len(list(cache_folder().iterdir())) == 2


def test_without_the_package_it_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("CONTRAVIEW_DATA", raising=False)
    with pytest.raises(InputError, match=r"not on this machine.*contraview data get furniture"):
        furniture()
    assert CloudSource().labels is None
