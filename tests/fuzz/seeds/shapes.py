"""Point clouds, meshes, graphs, environments."""

import numpy as np
from tests.fuzz.pack import parted
from tests.fuzz.seeds.images import npy

_CORNERS = np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)], np.float32)


def ply() -> list[bytes]:
    """Text and binary of both byte orders."""
    made = []
    for form, order in (("ascii", ""), ("binary_little_endian", "<"), ("binary_big_endian", ">")):
        head = (
            f"ply\nformat {form} 1.0\ncomment a shape\nelement vertex 4\nproperty float x\n"
            "property float y\nproperty float z\nelement face 2\n"
            "property list uchar int vertex_indices\nend_header\n"
        ).encode()
        if not order:
            body = b"0 0 0\n1 0 0\n0 1 0\n0 0 1\n3 0 1 2\n3 0 1 3\n"
        else:
            faces = np.array([(0, 1, 2), (0, 1, 3)], f"{order}i4")
            body = _CORNERS.astype(f"{order}f4").tobytes()
            body += b"".join(b"\3" + face.tobytes() for face in faces)
        made.append(head + body)
    mixed = made[0].replace(b"3 0 1 3", b"4 0 1 2 3")
    return [*made, mixed]


def obj() -> list[bytes]:
    """Faces of three and four corners, counted from either end."""
    corners = "".join("v " + " ".join(map(str, row)) + "\n" for row in _CORNERS.tolist())
    return [
        (corners + "f 1 2 3\nf 1/1 2/2 4/3\nf -1 -2 -3 -4\n").encode(),
        (corners + "vt 0 0\nvn 0 0 1\nf 1//1 2//1 \\\n 3//1\n").encode(),
        corners.encode(),
    ]


def off() -> list[bytes]:
    """With the counts on the first line and on the second."""
    corners = "".join(" ".join(map(str, row)) + "\n" for row in _CORNERS.tolist())
    return [
        (f"OFF\n4 2 0\n{corners}3 0 1 2\n4 0 1 2 3\n").encode(),
        (f"OFF4 1 0\n{corners}3 0 1 3\n").encode(),
        (f"OFF # a cloud\n4 0 0\n{corners}").encode(),
    ]


def xyz() -> list[bytes]:
    """White space, commas, a header, a count."""
    rows = [" ".join(map(str, row)) for row in _CORNERS.tolist()]
    text = "\n".join(rows) + "\n"
    return [
        text.encode(),
        text.replace(" ", ",").encode(),
        ("4\n" + text).encode(),
        ("intensity,x,y,z\n" + "".join(f"1,{row.replace(' ', ',')}\n" for row in rows)).encode(),
        ("# points\n" + text.replace(" ", ";")).encode(),
    ]


def cloud_arrays() -> list[bytes]:
    """One cloud, many, many with facts."""
    many = np.stack([_CORNERS, _CORNERS * 2])
    return [
        parted({"points": npy(many), "class": npy(np.array(["a", "b"]))}),
        parted({"first": npy(_CORNERS), "second": npy(_CORNERS.astype(np.float64))}),
        parted({"points": npy(np.arange(16).reshape(4, 4))}),
    ]


def furniture() -> list[bytes]:
    """A furniture library of two models."""
    listed = (
        b"id=x\nname#1=Chair\ncategory#1=Seats\nmodel#1=/chair.obj\n"
        b"modelRotation#1=1 0 0 0 1 0 0 0 1\nname#2=\\u0041\nmodel#2=/chair.obj\n"
    )
    catalogue = "PluginFurnitureCatalog.properties"
    return [parted({catalogue: listed, "chair.obj": obj()[0]})]


def nodes() -> list[bytes]:
    """A table of nodes."""
    rows = "".join(f"n{i},{i}.5,{i * i},{('a', 'b')[i % 2]}\n" for i in range(5))
    return [("id,x,y,class\n" + rows).encode(), b"id,x,class\n1,2,0\n2,-1e3,1\n3,0,0\n"]


def edges() -> list[bytes]:
    """With and without a header, commas, spaces, weights, comments."""
    return [
        b"from,to\n0,1\n1,2\n3,4\n",
        b"0 1\n1 2\n5 0\n",
        b"# edges\n0\t1\t0.5\n1\t2\t2\n",
        b"% edges\n0;1\n2;2\n0;1\n",
    ]


def _sparse(prefix: str = "") -> dict[str, bytes]:
    parts = {"data": [1.0, 2.0, 3.0], "indices": [0, 2, 1], "indptr": [0, 1, 2, 3], "shape": [3, 3]}
    return {f"{prefix}{name}": npy(np.array(cells)) for name, cells in parts.items()}


def graphs() -> list[bytes]:
    """Dense and sparse features, edges in each form, classes."""
    features = npy(np.arange(12, dtype=np.float32).reshape(4, 3))
    return [
        parted({"features": features, "edges": npy([[0, 1], [2, 3]]), "labels": npy([0, 1, 0, 1])}),
        parted({"x": features, "edge_index": npy([[0, 1, 2], [1, 2, 3]])}),
        parted({**_sparse("feat_"), **_sparse("adj_")}),
        parted({**_sparse(), "format": npy(np.array(b"csr"))}),
    ]


def edge_arrays() -> list[bytes]:
    """Sparse matrices as scipy saves them."""
    six = _sparse() | {
        "indptr": npy(np.array([0, 1, 2, 3, 3, 3, 3])),
        "shape": npy(np.array([6, 6])),
    }
    coo = {"row": [0, 1], "col": [1, 5], "data": [1.0, 1.0], "shape": [6, 6]}
    made = {name: npy(np.array(cells)) for name, cells in coo.items()}
    kinds = {kind: {"format": npy(np.array(kind.encode()))} for kind in ("csr", "csc", "coo")}
    return [
        parted(six | kinds["csr"]),
        parted(six | kinds["csc"]),
        parted(made | kinds["coo"]),
    ]


def environments() -> list[bytes]:
    """A decision process, and a game of two players."""
    moves = np.full((2, 2, 2), 0.5)
    game = np.full((2, 2, 2, 2), 0.5)
    return [
        parted({"transitions": npy(moves), "rewards": npy(np.eye(2)), "start": npy([0.5, 0.5])}),
        parted({"transitions": npy(game), "rewards": npy(np.zeros((2, 2, 2)))}),
        parted({"transitions": npy(moves), "rewards": npy(np.eye(2)), "terminal": npy([0, 1])}),
    ]
