import json

import numpy as np
import polars as pl
import pytest

from contraview.core.errors import InputError
from contraview.core.learnt import Learnt
from contraview.core.model_folder import (
    amend_model,
    read_model,
    revert_model,
    write_bytes,
    write_model,
)

NEWER = json.dumps(
    {
        "format": 99,
        "system": "",
        "version": "",
        "config": {},
        "source": {},
        "facts": {},
        "files": {},
    }
)


def write(folder, **changes):
    learnt = Learnt(
        arrays={"w": np.arange(6.0).reshape(2, 3)[:, ::2], "k": np.asarray(3.0)},
        tables={"rows": pl.DataFrame({"a": [1, 2], "b": ["x", None]})},
        facts={"n": 2},
    )
    settings = {"slug": "clan", "config": {"margin": 0.5}, "source": {}, "version": "0"}
    write_model(folder, learnt=learnt, **(settings | changes))


def test_what_is_written_is_read_back(tmp_path):
    write(tmp_path / "model")
    model = read_model(tmp_path / "model")
    assert (model.slug, model.config, model.learnt.facts) == ("clan", {"margin": 0.5}, {"n": 2})
    np.testing.assert_array_equal(model.learnt.arrays["w"], [[0.0, 2.0], [3.0, 5.0]])
    assert model.learnt.arrays["k"].shape == ()
    assert model.learnt.tables["rows"].rows() == [(1, "x"), (2, None)]


def test_an_earlier_model_is_replaced_and_nothing_partial_stays(tmp_path):
    write(tmp_path)
    write(tmp_path, config={"margin": 0.3})
    assert read_model(tmp_path).config == {"margin": 0.3}
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "rows.parquet",
        "system.json",
        "weights.safetensors",
    ]


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.docx").write_text("mine")
    with pytest.raises(InputError, match="holds other files"):
        write(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.docx"]


@pytest.mark.parametrize("name", ["weights.safetensors", "rows.parquet"])
def test_a_changed_file_is_refused(tmp_path, name):
    write(tmp_path)
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(InputError, match=f"{name}: differs"):
        read_model(tmp_path)


def test_a_missing_file_is_named(tmp_path):
    write(tmp_path)
    (tmp_path / "rows.parquet").unlink()
    with pytest.raises(InputError, match=r"rows\.parquet: missing"):
        read_model(tmp_path)


def test_files_outside_the_folder_are_not_read(tmp_path):
    write(tmp_path / "model")
    path = tmp_path / "model" / "system.json"
    description = json.loads(path.read_text())
    description["files"]["../outside.parquet"] = "0" * 64
    (tmp_path / "outside.parquet").write_bytes(b"")
    path.write_text(json.dumps(description))
    with pytest.raises(InputError, match="expected a name without a folder"):
        read_model(tmp_path / "model")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "missing; expected a model"),
        ("not json", "cannot be read as JSON"),
        ("[]", "not a model description"),
        (NEWER, "update contraview"),
    ],
)
def test_a_folder_that_is_no_model_is_refused_in_one_line(tmp_path, content, says):
    if content is not None:
        (tmp_path / "system.json").write_text(content)
    with pytest.raises(InputError, match=says) as error:
        read_model(tmp_path)
    assert "\n" not in str(error.value)


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_bytes(path, b"old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def amend(folder, value):
    later = Learnt({"a": np.full(3, value)}, facts={"value": value})
    amend_model(folder, {"later": later}, by="test")


def later(folder):
    return read_model(folder).amendments["later"].facts.get("value")


def test_an_amendment_leaves_what_was_fitted_and_can_be_taken_back(tmp_path):
    write(tmp_path)
    fitted = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    amend(tmp_path, 1.0)
    model = read_model(tmp_path)
    np.testing.assert_array_equal(model.amendments["later"].arrays["a"], np.ones(3))
    assert model.learnt.facts == {"n": 2}
    amend(tmp_path, 2.0)
    assert later(tmp_path) == 2.0
    revert_model(tmp_path, by="test")
    assert later(tmp_path) == 1.0
    revert_model(tmp_path, by="test")
    assert later(tmp_path) == 2.0
    amend(tmp_path, 3.0)
    assert len(list(tmp_path.glob("later.*.safetensors"))) == 2, "now and before, no older"
    for name, content in fitted.items():
        assert name == "system.json" or (tmp_path / name).read_bytes() == content


def test_a_new_fit_drops_amendments_and_there_is_nothing_to_take_back(tmp_path):
    write(tmp_path)
    amend(tmp_path, 1.0)
    write(tmp_path)
    assert read_model(tmp_path).amendments == {}
    assert not list(tmp_path.glob("later.*"))
    with pytest.raises(InputError, match="nothing to take back"):
        revert_model(tmp_path, by="test")


@pytest.mark.parametrize("call", range(4))
def test_an_amendment_cut_short_at_any_write_leaves_a_whole_model(tmp_path, monkeypatch, call):
    write(tmp_path)
    amend(tmp_path, 1.0)
    calls = iter(range(10))

    def full(*_):
        if next(calls) == call:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    if call < 3:  # file, previous description, description
        with pytest.raises(OSError, match="No space"):
            amend(tmp_path, 2.0)
        assert later(tmp_path) == 1.0
    else:
        amend(tmp_path, 2.0)
        assert later(tmp_path) == 2.0


def test_a_damaged_amendment_is_refused(tmp_path):
    write(tmp_path)
    amend(tmp_path, 1.0)
    file = next(tmp_path.glob("later.*"))
    file.write_bytes(b"")
    with pytest.raises(InputError, match="differs"):
        read_model(tmp_path)
    path = tmp_path / "system.json"
    described = json.loads(path.read_text())
    for amendments in (["x"], {"later": {"file": file.name}}):
        path.write_text(json.dumps(described | {"amendments": amendments}))
        with pytest.raises(InputError, match="amendment"):
            read_model(tmp_path)
