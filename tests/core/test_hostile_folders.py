"""A model folder that somebody wrote to do harm is refused, with a reason in one line."""

import hashlib
import io
import json
import os
import pickle
import struct
import zipfile

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contraview.core.errors import InputError
from contraview.core.learnt import Learnt
from contraview.core.lineage import lineage
from contraview.core.model_folder import WEIGHTS, amend_model, read_model, write_model


@pytest.fixture
def folder(tmp_path):
    learnt = Learnt(
        {"w": np.arange(6.0).reshape(2, 3)}, {"rows": pl.DataFrame({"a": [1, 2]})}, {"n": 2}
    )
    made = tmp_path / "model"
    write_model(made, slug="clan", config={}, source={}, learnt=learnt, version="0")
    return made


def change(folder, **parts):
    """Alter system.json."""
    path = folder / "system.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | parts))


def put(folder, name, content):
    """A file of the folder, under a digest that fits."""
    (folder / name).unlink(missing_ok=True)
    (folder / name).write_bytes(content)
    files = json.loads((folder / "system.json").read_text())["files"]
    change(folder, files=files | {name: hashlib.sha256(content).hexdigest()})


def refused(folder, says):
    with pytest.raises(InputError, match=says) as error:
        read_model(folder)
    assert str(error.value).isprintable(), "one line that a terminal shows as it is"


def tensors(header, data=b"", length=None):
    """The bytes of a safetensors file with this header."""
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(head) if length is None else length) + head + data


class Harm:
    """Unpickled, it would write a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


@pytest.mark.parametrize("name", [WEIGHTS, "rows.parquet", "extra.parquet"])
def test_a_pickle_in_place_of_a_file_is_never_unpickled(folder, tmp_path, name):
    put(folder, name, pickle.dumps(Harm(tmp_path / "harm")))
    refused(folder, "cannot be read")
    assert not (tmp_path / "harm").exists()


def test_a_pickle_beside_the_files_is_not_looked_at(folder, tmp_path):
    for name in ("model.pkl", "weights.pt", "w.npy"):
        (folder / name).write_bytes(pickle.dumps(Harm(tmp_path / "harm")))
        files = json.loads((folder / "system.json").read_text())["files"]
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        change(folder, files=files | {name: digest})
    assert read_model(folder).learnt.facts == {"n": 2}
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    "name",
    ["../outside.parquet", "/etc/passwd", "a/b.parquet", "..", ".", "", "x\0.parquet", "..\\x"],
)
def test_names_that_lead_elsewhere_are_refused(folder, name):
    (folder.parent / "outside.parquet").write_bytes(b"PAR1")
    files = json.loads((folder / "system.json").read_text())["files"]
    change(folder, files=files | {name: "0" * 64})
    refused(folder, "expected a name without a folder|no regular file|missing")
    amendment = {"file": name, "sha256": "0" * 64, "facts": {}}
    change(folder, files=files, amendments={"later": amendment})
    refused(folder, "expected a name without a folder|no regular file|missing")


@pytest.mark.parametrize("name", ["NUL", "CON", "nul.safetensors", "x" * 300, "\udcff"])
def test_device_names_and_names_that_are_too_long_are_missing_files(folder, name):
    files = json.loads((folder / "system.json").read_text())["files"]
    change(folder, files=files | {name: "0" * 64})
    refused(folder, "missing|cannot be read|names a file")


@pytest.mark.parametrize("name", ["system.json", WEIGHTS, "rows.parquet", "lineage.jsonl"])
def test_a_link_that_leads_out_of_the_folder_is_refused(folder, tmp_path, name):
    outside = tmp_path / "outside"
    here = folder / name
    outside.write_bytes(here.read_bytes() if here.exists() else b'{"model": "x"}\n')
    here.unlink(missing_ok=True)
    here.symlink_to(outside)
    with pytest.raises(InputError, match="a link that leads out of the folder"):
        lineage(folder) if name == "lineage.jsonl" else read_model(folder)


def test_the_folder_may_be_a_link_and_a_link_may_stay_inside(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder)
    (folder / "real").write_bytes((folder / WEIGHTS).read_bytes())
    (folder / WEIGHTS).unlink()
    (folder / WEIGHTS).symlink_to("real")
    assert read_model(tmp_path / "link").learnt.arrays["w"].shape == (2, 3)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", ["system.json", WEIGHTS, "rows.parquet"])
def test_a_pipe_a_folder_or_a_device_is_refused_and_nothing_waits_for_it(folder, name):
    path = folder / name
    path.unlink()
    os.mkfifo(path)
    refused(folder, "no regular file")
    path.unlink()
    path.mkdir()
    refused(folder, "no regular file")
    path.rmdir()
    path.symlink_to("/dev/zero")
    refused(folder, "leads out of the folder")


F64 = {"dtype": "F64", "shape": [2, 3], "data_offsets": [0, 48]}


@pytest.mark.parametrize(
    "content",
    [
        tensors({"w": F64 | {"shape": [2**31, 2**31]}}, bytes(48)),
        tensors({"w": F64 | {"shape": [2**62, 8]}}, bytes(48)),
        tensors({"w": F64 | {"shape": [-2, -3]}}, bytes(48)),
        tensors({"w": F64 | {"shape": "x"}}, bytes(48)),
        tensors({"w": F64 | {"dtype": "O"}}, bytes(48)),
        tensors({"w": F64 | {"data_offsets": [0, 2**63]}}, bytes(48)),
        tensors({"w": F64 | {"data_offsets": [48, 0]}}, bytes(48)),
        tensors({"w": F64, "v": F64}, bytes(48)),
        tensors({"w": F64}, bytes(47)),
        tensors({"w": F64}, bytes(48), length=2**63),
        tensors({"w": F64}, bytes(48), length=2**64 - 1),
        tensors(b"[" * 100_000),
        tensors(b'{"w": ' * 100_000),
        tensors(b'{"w": ' + b"9" * 100_000 + b"}"),
        b"",
        b"\0" * 7,
    ],
    ids=range(16),
)
def test_absurd_headers_of_the_weights_are_refused(folder, content):
    put(folder, WEIGHTS, content)
    refused(folder, "cannot be read")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"[" * 1_000_000, "cannot be read as JSON"),
        (b'{"a": ' * 100_000, "cannot be read as JSON"),
        (b"9" * 1_000_000, "cannot be read as JSON"),
        (b'{"format": NaN}', "NaN is no number of JSON"),
        (b'{"format": -Infinity}', "no number of JSON"),
        (b"\xff\xfe\x00", "cannot be read as JSON"),
        (b"", "cannot be read as JSON"),
        (b"null", "not a model description"),
        (b'{"format": "\x1b[2J"}', "cannot be read as JSON"),
    ],
    ids=range(9),
)
def test_a_description_that_is_no_sane_json_is_refused(folder, content, says):
    (folder / "system.json").write_bytes(content)
    refused(folder, says)


def test_a_description_of_gigabytes_is_not_read(folder):
    with (folder / "system.json").open("r+b") as file:
        file.truncate(10 << 30)  # takes no room on the disk
    refused(folder, "expected at most")


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"format": 99}, "update contraview"),
        ({"format": "1"}, "format: expected a whole number"),
        ({"format": True}, "format: expected a whole number"),
        ({"system": ["clan"]}, "system: expected a text"),
        ({"version": 1}, "version: expected a text"),
        ({"config": []}, "config: expected an object"),
        ({"facts": None}, "facts: expected an object"),
        ({"files": {}}, "lacks weights"),
        ({"files": {WEIGHTS: 5}}, "expected the SHA-256"),
        ({"files": {WEIGHTS: "0" * 64}}, "differs from what system.json says"),
        ({"amendments": ["x"]}, "amendments: expected an object"),
        ({"amendments": {"x": {"file": 5, "sha256": "", "facts": {}}}}, "amendment 'x'"),
        ({"amendments": {"x": {"file": "f", "sha256": "", "facts": []}}}, "amendment 'x'"),
        ({"amended": 5}, "amended: expected"),
        ({"amended": {"by": 5, "step": 1}}, "amended: expected"),
    ],
    ids=str,
)
def test_a_description_of_another_schema_is_refused(folder, parts, says):
    change(folder, **parts)
    refused(folder, says)


def test_names_in_messages_cannot_reach_the_terminal(folder):
    files = json.loads((folder / "system.json").read_text())["files"]
    change(folder, files=files | {"\x1b[2J\u202e\n.parquet": "0"})
    refused(folder, r"\\x1b")


def test_a_damaged_amendment_is_refused(folder):
    amend_model(folder, {"later": Learnt({"a": np.ones(3)})}, by="test")
    told = json.loads((folder / "system.json").read_text())["amendments"]["later"]
    content = pickle.dumps([1])
    (folder / told["file"]).write_bytes(content)
    told["sha256"] = hashlib.sha256(content).hexdigest()
    change(folder, amendments={"later": told})
    refused(folder, "cannot be read")


def test_a_table_that_expands_beyond_all_measure_is_not_read(folder):
    """A dictionary and runs: 600 million cells in two megabytes."""
    column = pa.DictionaryArray.from_arrays(np.zeros(1_000_000, np.int32), ["x"])
    schema = pa.schema({f"c{i}": column.type for i in range(60)})
    file = io.BytesIO()
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for _ in range(10):
            writer.write_table(pa.table([column] * 60, schema=schema))
    assert len(file.getvalue()) < 2_000_000
    put(folder, "rows.parquet", file.getvalue())
    refused(folder, "no real data is packed so densely")


def test_a_zip_in_place_of_the_weights_is_not_unpacked(folder):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.pkl", bytes(50_000_000))
    put(folder, WEIGHTS, file.getvalue())
    refused(folder, "cannot be read")


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe", b"[" * 100_000, b'{"model": 1}\n{"model": ', b"null\n[]\n5\n", b'{"model": NaN}'],
    ids=range(5),
)
def test_a_lineage_that_is_none_is_passed_over(folder, content):
    (folder / "lineage.jsonl").write_bytes(content)
    assert all(isinstance(step, dict) for step in lineage(folder))
