import io
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from contraview.core.errors import InputError
from contraview.core.numpy_files import dense_of, read_npy, read_npz, sparse_in, sparse_of


def npy(array, **settings):
    file = io.BytesIO()
    np.save(file, array, **settings)
    return file.getvalue()


def claiming(shape, data=b"", kind="<f8"):
    """An .npy whose header tells this shape."""
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


@given(
    hnp.arrays(
        st.sampled_from(["f8", ">f4", "i2", "u1", "?", "U3", "S4", "c16"]),
        hnp.array_shapes(min_dims=0, min_side=0, max_side=4),
        elements=None,
    ),
    st.booleans(),
)
def test_what_numpy_wrote_is_read_as_numpy_reads_it(array, by_columns):
    content = npy(np.asarray(array, order="F" if by_columns else "C"))
    found = read_npy(content, "x")
    assert (found.dtype, found.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(found, np.load(io.BytesIO(content)))


def test_archives_plain_and_packed(tmp_path):
    arrays = {"a": np.eye(3), "b": np.array(["x", "yy"]), "c": np.array(5)}
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "x.npz", **arrays)
        found = read_npz(tmp_path / "x.npz", "x")
        assert found.keys() == arrays.keys()
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (claiming("(1000000000, 1000000000)"), "in 0 bytes"),
        (claiming("(9223372036854775807, 9)", bytes(80)), "in 80 bytes"),
        (claiming("(-3, -3)", bytes(72)), "in 72 bytes"),
        (claiming("(3,)", bytes(23)), "in 23 bytes"),
        (claiming("(0,)", kind="|O"), "never loaded"),
        (claiming("('x',)"), "cannot be read"),
        (claiming("(" * 3000), "cannot be read"),
        (claiming("(2,)", b"\xff" * 8, kind="<U1"), "no characters"),
        (b"", "cannot be read"),
        (b"\x93NUMPY\x09\x00", "cannot be read"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff", "cannot be read"),
    ],
)
def test_headers_that_do_not_agree_with_what_follows_are_refused(content, says):
    with pytest.raises(InputError, match=says):
        read_npy(content, "x")


def test_objects_are_never_unpickled():
    content = npy(np.array([{}, []], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="never loaded"):
        read_npy(content, "x")


def test_a_bomb_is_not_unpacked():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", claiming("(75000000,)", bytes(600_000_000)))
    assert len(file.getvalue()) < 1_000_000
    with pytest.raises(InputError, match="packed so densely"):
        read_npz(file.getvalue(), "x")


def arrays(indices=(0, 2, 1), starts=(0, 1, 2, 3), shape=(3, 3), kind=np.int64):
    return {
        "data": np.ones(3),
        "indices": np.array(indices, kind),
        "indptr": np.array(starts, kind),
        "shape": np.array(shape),
    }


def test_a_sparse_matrix_is_what_scipy_saved(tmp_path):
    from scipy import sparse

    dense = np.array([[0, 1.0], [2.0, 0], [0, 0]])
    for made in (sparse.csr_array, sparse.csc_array, sparse.coo_array):
        sparse.save_npz(tmp_path / "x.npz", made(dense))
        found = sparse_in(read_npz(tmp_path / "x.npz", "x"), "x")
        np.testing.assert_array_equal(dense_of(found, "x"), dense)


@pytest.mark.parametrize(
    "wrong",
    [
        {"indices": (0, 3, 1)},
        {"indices": (0, -1, 1)},
        {"indices": (0, 2)},
        {"starts": (0, 1, 9, 0)},
        {"starts": (0, 0, 1, 0)},
        {"starts": (1, 1, 2, 3)},
        {"starts": (0, 3, 1, 3)},
        {"starts": (0, 1, 2, 99)},
        {"starts": (0, 3)},
        {"shape": (3, 2)},
        {"shape": (10**9, 10**9)},
        {"shape": (-3, 3)},
        {"shape": (3,)},
        {"kind": np.float64},
        {"starts": (0, 5, 2, 3), "kind": np.uint64},
    ],
    ids=str,
)
def test_indices_that_lead_out_of_the_matrix_are_refused(wrong):
    with pytest.raises(InputError, match=r"no sparse matrix|packed so densely"):
        sparse_of(arrays(**wrong), "x")


@pytest.mark.parametrize("kind", ["f2", ">f4", ">f8", ">i2", "u1", "?"])
def test_numbers_of_any_kind_and_byte_order_are_taken(kind):
    found = sparse_of(arrays() | {"data": np.ones(3, kind)}, "x")
    np.testing.assert_array_equal(dense_of(found, "x"), np.eye(3)[[0, 2, 1]])


def test_a_matrix_that_is_nearly_all_zeros_is_not_filled_with_them():
    wide = arrays(indices=(0, 50_000_000, 1), shape=(3, 60_000_000))
    with pytest.raises(InputError, match="packed so densely"):
        dense_of(sparse_of(wide, "x"), "x")
