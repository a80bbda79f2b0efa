"""Files of clouds and meshes of every kind, right and wrong."""

import io
import zipfile
from contextlib import suppress

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contraview.core.errors import InputError
from contraview.modalities.clouds.data import CloudSource, read_clouds
from contraview.modalities.clouds.readers.catalogue import CATALOGUE, read_catalogue
from contraview.modalities.clouds.readers.obj import read_obj
from contraview.modalities.clouds.readers.off import read_off
from contraview.modalities.clouds.readers.ply import read_ply
from contraview.modalities.clouds.readers.text import read_text

CORNERS = [(0, 0, 0), (2, 0, 0), (2, 1, 0), (0, 1, 0)]
SQUARE = "".join(f"v {x} {y} {z}\n" for x, y, z in CORNERS)


@pytest.mark.parametrize(
    "faces",
    [
        "f 1 2 3 4\n",
        "f 1/1 2/2 3/3 4/4\n",
        "f 1//1 2//1 3//1 4//1\n",
        "f 1/1/1 2/2/1 3/3/1 4/4/1\n",
        "f -4 -3 -2 -1\n",
        "f 1 2 \\\n 3 4\n",
        "usemtl wood\r\nf\t1 2 3 4\r\nl 1 2\nf 1 2\n",
    ],
)
def test_obj_faces_of_any_notation_become_triangles(faces):
    shape = read_obj(f"# a square\n{SQUARE}vn 0 0 1\nvt 0 0\n{faces}".encode(), "a.obj")
    np.testing.assert_array_equal(shape.vertices, CORNERS)
    np.testing.assert_array_equal(shape.triangles, [[0, 1, 2], [0, 2, 3]])


def test_obj_corners_from_the_end_count_the_vertices_so_far():
    text = f"{SQUARE}f -4 -3 -2\nv 9 9 9\nf -5 -3 -2 -1\n"
    shape = read_obj(text.encode(), "a.obj")
    np.testing.assert_array_equal(shape.triangles, [[0, 1, 2], [0, 2, 3], [0, 3, 4]])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("v 1 2\n", "a.obj: line 1: 'v 1 2'; expected 'v' and three numbers"),
        (f"{SQUARE}v 1 2 x\n", "a.obj: line 5: 'v 1 2 x'; expected"),
        (f"{SQUARE}f 1 2 b\n", "a.obj: line 5: 'f 1 2 b'; expected 'f' and numbers"),
        (f"{SQUARE}f 1 2 9\n", "a.obj: line 5: corner 9, but there are 4 vertices"),
        (f"{SQUARE}f 1 2 0\n", "a.obj: line 5: corner 0, but"),
        (f"{SQUARE}f\t\n", "a.obj: line 5: a face without corners"),
        ("hello\n", "a.obj: has no line 'v x y z'"),
    ],
)
def test_what_is_wrong_with_an_obj_file_is_said_with_its_line(text, says):
    with pytest.raises(InputError) as error:
        read_obj(text.encode(), "a.obj")
    assert str(error.value).startswith(says)


def test_off_as_modelnet_writes_it():
    for head in ("OFF\n4 1 0\n", "OFF4 1 0\n", "OFF # square\n\n4 1 0\n"):
        body = "".join(f"{x} {y} {z}\n" for x, y, z in CORNERS)
        shape = read_off(f"{head}{body}4 0 1 2 3\n".encode(), "a.off")
        np.testing.assert_array_equal(shape.triangles, [[0, 1, 2], [0, 2, 3]])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("COFF\n", "line 1: expected the word OFF"),
        ("OFF\n4 1 0\n0 0 0\n", "has 1 lines of data; expected 4 vertices and 1 faces"),
        ("OFF\n1 0 0\n0 0 x\n", "line 3: expected three numbers"),
        ("OFF\n1 1 0\n0 0 0\n3 0 0 7\n", "line 4: corner 7, but there are 1 vertices"),
        ("OFF\nfour\n", "line 2: expected whole numbers"),
    ],
)
def test_what_is_wrong_with_an_off_file_is_said(text, says):
    with pytest.raises(InputError, match=says):
        read_off(text.encode(), "a.off")


def ply(order, faces=((0, 1, 2, 3),)):
    """A square as PLY, with a colour and an element that nobody asked for."""
    kind = {"ascii": "ascii", "<": "binary_little_endian", ">": "binary_big_endian"}[order]
    head = (
        f"ply\nformat {kind} 1.0\ncomment made here\nelement vertex 4\nproperty float x\n"
        "property float y\nproperty uchar red\nproperty double z\nelement odd 1\nproperty short s\n"
        f"element face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    ).encode()
    if order == "ascii":
        rows = [f"{x} {y} 255 {z}" for x, y, z in CORNERS] + ["3"]
        rows += [" ".join(map(str, (len(face), *face))) for face in faces]
        return head + "\n".join(rows).encode()
    kinds = [("x", f"{order}f4"), ("y", f"{order}f4"), ("r", "u1"), ("z", f"{order}f8")]
    body = np.array([(x, y, 255, z) for x, y, z in CORNERS], kinds).tobytes()
    body += np.array([3], f"{order}i2").tobytes()
    for face in faces:
        body += bytes([len(face)]) + np.array(face, f"{order}i4").tobytes()
    return head + body


@pytest.mark.parametrize("order", ["ascii", "<", ">"])
@pytest.mark.parametrize("faces", [((0, 1, 2, 3),), ((0, 1, 2), (0, 1, 2, 3)), ((0, 1), (0, 2, 3))])
def test_ply_of_every_byte_order_with_faces_of_any_length(order, faces):
    shape = read_ply(ply(order, faces), "a.ply")
    np.testing.assert_array_equal(shape.vertices, CORNERS)
    wanted = [(face[0], face[i], face[i + 1]) for face in faces for i in range(1, len(face) - 1)]
    assert {tuple(map(int, t)) for t in shape.triangles} == set(wanted)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"hello", "line 1: expected 'ply'"),
        (ply("ascii").replace(b"float x", b"half x"), "line 5: 'property half x' is no line"),
        (ply("ascii").replace(b"0 0 255 0", b"0 0 255"), "line 14: expected a row of 'vertex'"),
        (ply("ascii")[:-20], "expected a row of|ends at line"),
        (ply("<")[:-6], "ends at byte"),
        (ply("<").replace(b"element vertex", b"element corner"), "has no element 'vertex'"),
        (ply("ascii").replace(b"float x", b"float w"), "its vertices have no 'x'"),
        (ply("ascii", ((0, 1, 9),)), "a face names vertex 9, but there are 4"),
        (ply("ascii").replace(b"format ascii 1.0\n", b""), "has no line 'format"),
    ],
)
def test_what_is_wrong_with_a_ply_file_is_said(content, says):
    with pytest.raises(InputError, match=says) as error:
        read_ply(content, "a.ply")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "0 0 0\n2 0 0\n2 1 0\n0 1 0\n",
        "# made by hand\n0,0,0,.5,.5\n2,0,0,.5,.5\n2,1,0,1,1\n\n0,1,0,0,0\n",
        "4\n0 0 0\n2 0 0\n2 1 0\n0 1 0\n",
        "z;y;x\n0;0;0\n0;0;2\n0;1;2\n0;1;0\n",
    ],
)
def test_points_as_text_of_any_style(text):
    np.testing.assert_array_equal(read_text(text.encode(), "a.txt").vertices, CORNERS)


def test_what_is_wrong_with_points_as_text_is_said_with_its_line():
    with pytest.raises(InputError, match=r"a.txt: line 3: '1 2 drei'; expected three numbers"):
        read_text(b"0 0 0\n\n1 2 drei\n", "a.txt")
    with pytest.raises(InputError, match=r"a.txt: holds no points"):
        read_text(b"# nothing\n", "a.txt")


floats = st.floats(-1e6, 1e6, width=32)


@settings(max_examples=30)
@given(st.lists(st.tuples(floats, floats, floats), min_size=1, max_size=20))
def test_every_format_gives_back_the_points_that_were_written(points):
    wanted = np.array(points, np.float64)
    lines = [f"{x!r} {y!r} {z!r}" for x, y, z in points]
    np.testing.assert_array_equal(read_text("\n".join(lines).encode(), "a").vertices, wanted)
    obj = "\n".join(f"v {line}" for line in lines)
    np.testing.assert_array_equal(read_obj(obj.encode(), "a").vertices, wanted)
    head = f"ply\nformat binary_little_endian 1.0\nelement vertex {len(points)}\n"
    head += "".join(f"property double {axis}\n" for axis in "xyz") + "end_header\n"
    np.testing.assert_array_equal(read_ply(head.encode() + wanted.tobytes(), "a").vertices, wanted)


def test_ply_vertices_with_lists_of_several_lengths_beside_them_keep_their_fractions():
    """A binary file whose rows have to be read one by one."""
    head = (
        b"ply\nformat binary_little_endian 1.0\nelement vertex 3\nproperty float x\n"
        b"property float y\nproperty float z\nproperty list uchar int tags\nend_header\n"
    )
    points = np.array([[0.5, -0.25, 1e-3], [1.5, 2.25, 0.0], [3.75, 0.0, 9.5]], "<f4")
    tags = ((), (1,), (1, 2))
    body = b"".join(
        point.tobytes() + bytes([len(tag)]) + np.array(tag, "<i4").tobytes()
        for point, tag in zip(points, tags, strict=True)
    )
    np.testing.assert_array_equal(read_ply(head + body, "x").vertices, points.astype(np.float64))


@given(st.binary(max_size=60), st.sampled_from([b"", b"ply\n", b"OFF\n", b"v 1 2 3\nf "]))
@settings(max_examples=60)
def test_noise_is_refused_or_read_but_nothing_else_happens(noise, head):
    for read in (read_obj, read_off, read_ply, read_text):
        with suppress(InputError):
            assert read(head + noise, "noise").vertices.shape[1] == 3


def test_a_folder_of_classes_a_table_and_arrays(tmp_path):
    for label in ("flat", "long"):
        (tmp_path / "objects" / label / "train").mkdir(parents=True)
        (tmp_path / "objects" / label / "train" / "a.obj").write_text(f"{SQUARE}f 1 2 3 4\n")
    clouds = read_clouds(tmp_path / "objects", labels="folder", points=32)
    assert clouds.labels().tolist() == ["flat", "long"]
    assert clouds.points.shape == (2, 32, 3)
    assert clouds.collect()["cloud"][1].endswith("a.obj")

    listed = "file,kind\nobjects/flat/train/a.obj,one\nobjects/long/train/a.obj,\n"
    (tmp_path / "list.csv").write_text(listed)
    table = read_clouds(tmp_path / "list.csv", labels="kind", points=32)
    assert table.labels().tolist() == ["one", ""]
    frame = pl.DataFrame({"path": [str(tmp_path / "objects/flat/train/a.obj")], "kind": ["one"]})
    assert read_clouds(frame, labels="kind", points=32).labels().tolist() == ["one"]
    assert read_clouds(frame.to_pandas(), labels="kind", points=32).labels().tolist() == ["one"]

    several = read_clouds(str(tmp_path / "objects/*/train/*.obj"), points=32)
    np.testing.assert_array_equal(several.points, clouds.points)
    array = np.random.default_rng(0).normal(size=(3, 40, 6))
    assert len(read_clouds(array, points=32)) == 3
    assert len(read_clouds([array[0], array[1]], points=32)) == 2
    np.save(tmp_path / "many.npy", array)
    np.savez(tmp_path / "named.npz", points=array, kind=np.array(["a", "b", "a"]))
    same = read_clouds(tmp_path / "many.npy", points=32)
    np.testing.assert_array_equal(same.points, read_clouds(array, points=32).points)
    named = read_clouds(tmp_path / "named.npz", labels="kind", points=32)
    assert named.labels().tolist() == ["a", "b", "a"]


def test_what_is_wrong_with_a_source_is_said(tmp_path):
    (tmp_path / "a.csv").write_text("file,kind\ngone.obj,one\n")
    (tmp_path / "a.npy").write_bytes(b"no array")
    np.save(tmp_path / "flat.npy", np.zeros(5))
    (tmp_path / "a.stl").write_text("solid")
    (tmp_path / "empty").mkdir()
    (tmp_path / "nan.xyz").write_text("0 0 0\n1 nan 1\n")
    (tmp_path / "line.obj").write_text(f"{SQUARE}f 1 2 2\n")
    for name, says in {
        "a.csv": "row 1: .*gone.obj: no such file",
        "a.npy": "cannot be read as a NumPy file",
        "flat.npy": r"is of shape \[5\]; expected",
        "a.stl": "expected a name that ends in .obj",
        "empty": "holds no point clouds",
        "nan.xyz": "point 2 is not finite",
        "line.obj": "its 1 triangles have no area",
        "gone": "no such file or folder",
    }.items():
        with pytest.raises(InputError, match=says) as error:
            read_clouds(tmp_path / name, points=32)
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="holds <U1; expected numbers"):
        read_clouds(np.array([["a", "b", "c"]]))
    with pytest.raises(InputError, match="nothing is called 'kind'"):
        read_clouds(np.zeros((2, 9, 3)), labels="kind").labels()
    with pytest.raises(InputError, match="has no labels"):
        read_clouds(np.zeros((2, 9, 3))).labels()


def test_points_of_a_surface_lie_on_it_evenly_by_area():
    obj = "v 0 0 0\nv 3 0 0\nv 3 1 0\nv 0 1 0\nv 0 0 5\nv 1 0 5\nv 0 2 5\nf 1 2 3 4\nf 5 6 7\n"
    drawn = read_obj(obj.encode(), "a").points(4000, seed=0)
    flat = drawn[:, 2] == 0
    assert flat.mean() == pytest.approx(0.75, abs=0.03)
    quarters = np.histogram2d(drawn[flat, 0], drawn[flat, 1], bins=(3, 2))[0] / flat.sum()
    np.testing.assert_allclose(quarters, 1 / 6, atol=0.03)
    above = drawn[~flat]
    np.testing.assert_allclose(above.mean(0), [1 / 3, 2 / 3, 5], atol=0.05)
    assert (above[:, 0] + above[:, 1] / 2 <= 1 + 1e-6).all()


def test_clouds_give_the_points_asked_for_and_the_same_ones_again():
    cloud = np.arange(60.0).reshape(20, 3)
    few = read_clouds(cloud, points=16).points[0]
    assert len(np.unique(few, axis=0)) == 16
    assert read_clouds(cloud, points=30).points.shape == (1, 20, 3)
    beside = read_clouds([cloud, np.arange(90.0).reshape(30, 3)], points=40).points
    assert beside.shape == (2, 30, 3)
    assert len(np.unique(beside[0], axis=0)) == 20
    np.testing.assert_array_equal(few, read_clouds(cloud, points=16).points[0])
    other = read_clouds(cloud, points=16, draw=1)
    assert not np.array_equal(few, other.points[0])
    assert other.fingerprint() != read_clouds(cloud, points=16).fingerprint()


def library(**changes):
    """A furniture library of one chair whose model lies on its side."""
    entry = {
        "name#1": r"Caf\u00e9 chair", "category#1": "Office", "model#1": "/own/chair/chair.obj",
        "modelRotation#1": "1 0 0 0 0 -1 0 1 0", "icon#1": "/own/chair.png",
    } | changes  # fmt: skip
    text = "id=Own\n# a comment\n" + "\n".join(f"{k}={v}" for k, v in entry.items())
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(CATALOGUE, text)
        archive.writestr("own/chair/chair.obj", f"{SQUARE}f 1 2 3 4\n")
    return content.getvalue()


def test_a_furniture_library_gives_upright_models_with_what_is_known_of_them(tmp_path):
    (shape,) = read_catalogue(library(), "own.sh3f")
    assert shape.facts == {"name": "Café chair", "category": "Office"}
    np.testing.assert_array_equal(shape.vertices[2], [2, 0, 1])
    (tmp_path / "own.sh3f").write_bytes(library())
    clouds = read_clouds(tmp_path / "own.sh3f", CloudSource(labels="category", points=16))
    assert clouds.labels().tolist() == ["Office"]


def test_what_is_wrong_with_a_library_is_said():
    with pytest.raises(InputError, match=r"own.sh3f: is no zip"):
        read_catalogue(b"no", "own.sh3f")
    with pytest.raises(InputError, match=r"own.sh3f: lacks .*gone.obj"):
        read_catalogue(library(**{"model#1": "/gone.obj"}), "own.sh3f")
