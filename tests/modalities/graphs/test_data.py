import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from contraview.core.errors import InputError
from contraview.modalities.datasets import dataset
from contraview.modalities.graphs.data import GraphSource, read_graph

NODES = "name,age,income,kind\nann,30,1.5,a\nbob,40,2.5,b\ncid,50,3.5,a\ndan,60,0.5,b\n"
EDGES = "from,to\nann,bob\nbob,cid\ncid,bob\ndan,dan\n"
KNOBS = {"id": "name", "labels": "kind"}


@pytest.fixture
def files(tmp_path):
    (tmp_path / "nodes.csv").write_text(NODES)
    (tmp_path / "edges.csv").write_text(EDGES)
    return tmp_path


def expected():
    whole = np.zeros((4, 4))
    whole[0, 1] = whole[1, 0] = whole[1, 2] = whole[2, 1] = 1
    return whole


def test_a_node_table_and_an_edge_list(files):
    graph = read_graph((files / "nodes.csv", files / "edges.csv"), **KNOBS)
    assert graph.nodes.columns == ("age", "income")
    np.testing.assert_array_equal(graph.features[1], [40, 2.5])
    np.testing.assert_array_equal(graph.adjacency.toarray(), expected())
    assert graph.labels().tolist() == ["a", "b", "a", "b"]
    assert graph.collect()["node"].to_list() == ["ann", "bob", "cid", "dan"]
    told = " | ".join(graph.lines())
    for said in ("'from, to' taken as a header", "1 self-loops", "1 repeated", "1 nodes have no"):
        assert said in told


@pytest.mark.parametrize("separator", [",", "\t", " ", ";"])
@pytest.mark.parametrize("header", ["", "source{}target\n"])
@pytest.mark.parametrize("comment", ["", "# made by hand\n", "% made by hand\n"])
def test_edge_lists_of_all_sorts(files, separator, header, comment):
    path = files / "list.txt"
    lines = "".join(f"{a}{separator}{b}\n" for a, b in [(0, 1), (1, 2)])
    path.write_text(comment + header.format(separator) + lines)
    graph = read_graph((np.eye(4), path))
    np.testing.assert_array_equal(graph.adjacency.toarray(), expected())


def test_one_graph_in_every_form_is_the_same_graph(files):
    features = np.array([[30, 1.5], [40, 2.5], [50, 3.5], [60, 0.5]], np.float32)
    pairs = np.array([[0, 1], [1, 2]])
    np.save(files / "x.npy", features)
    np.save(files / "e.npy", pairs)
    matrix = sparse.csr_array(expected())
    sparse.save_npz(files / "a.npz", sparse.csr_matrix(matrix))
    sparse.save_npz(files / "xs.npz", sparse.csr_matrix(features))
    np.savez(files / "pyg.npz", x=features, edge_index=pairs.T, y=[0, 1, 0, 1])
    compressed = {
        f"{name}_{part}": getattr(m, part)
        for name, m in (("attr", sparse.csr_array(features)), ("adj", matrix))
        for part in ("data", "indices", "indptr", "shape")
    }
    np.savez(files / "shchur.npz", **compressed, labels=[0, 1, 0, 1])
    pl.DataFrame(pairs, schema=["a", "b"]).write_parquet(files / "e.parquet")
    table = pl.DataFrame(features, schema=["age", "income"])
    forms = [
        (features, pairs),
        (features, matrix),
        (sparse.csr_matrix(features), files / "a.npz"),
        (files / "xs.npz", files / "e.npy"),
        (files / "x.npy", files / "e.parquet"),
        files / "pyg.npz",
        [str(files / "shchur.npz")],
    ]
    graphs = [read_graph(form) for form in forms]
    assert len({graph.fingerprint() for graph in graphs}) == 1
    named = [read_graph((form, pairs)) for form in (table, pd.DataFrame(table.to_dict()))]
    assert len({graph.fingerprint() for graph in named}) == 1
    for graph in (*graphs, *named):
        np.testing.assert_array_equal(graph.adjacency.toarray(), expected())
    assert graphs[5].labels().tolist() == [0, 1, 0, 1]
    assert read_graph(graphs[0]) is graphs[0]


def test_the_fingerprint_is_of_features_and_edges():
    x = np.arange(8.0).reshape(4, 2)
    one = read_graph((x, np.array([[0, 1]]))).fingerprint()
    assert one == read_graph((x, np.array([[1, 0], [0, 1]]))).fingerprint()
    assert one != read_graph((x, np.array([[0, 2]]))).fingerprint()
    assert one != read_graph((x + 1, np.array([[0, 1]]))).fingerprint()
    assert read_graph(x).fingerprint() != read_graph(x, neighbours=2).fingerprint()


def test_weights_and_which_of_two_counts(files):
    (files / "w.csv").write_text("0,1,0.5\n1,0,2\n1,2,3\n")
    adjacency = read_graph((np.eye(4), files / "w.csv")).adjacency.toarray()
    assert adjacency[0, 1] == adjacency[1, 0] == 2
    assert adjacency[1, 2] == 3


def test_without_edges_the_nearest_nodes_are_joined():
    line = np.array([[0.0], [1.0], [3.0], [7.0]])
    adjacency = read_graph(line, neighbours=1).adjacency.toarray()
    joined = {(0, 1), (1, 2), (2, 3)}  # 1 is 2's nearest, 2 is 3's
    assert {tuple(pair) for pair in np.argwhere(np.triu(adjacency))} == joined
    angles = np.array([[1.0, 0.0], [100.0, 1.0], [0.0, 1.0], [0.0, 0.5]])
    by_angle = read_graph(angles, neighbours=1, metric="cosine").adjacency.toarray()
    assert by_angle[0, 1] == by_angle[2, 3] == 1
    assert by_angle.sum() == 4


def test_copies_of_a_node_are_its_neighbours_and_never_itself():
    adjacency = read_graph(np.zeros((6, 2)), neighbours=2).adjacency
    assert (adjacency.diagonal() == 0).all()
    assert (np.diff(adjacency.indptr) >= 2).all()


@given(st.integers(2, 30), st.integers(0, 100), st.integers(0, 10_000))
def test_any_list_of_edges_gives_a_symmetric_graph_of_them(nodes, edges, seed):
    g = np.random.default_rng(seed)
    pairs = g.integers(0, nodes, (edges, 2))
    adjacency = read_graph((np.ones((nodes, 1)), pairs)).adjacency
    whole = adjacency.toarray()
    np.testing.assert_array_equal(whole, whole.T)
    wanted = {(min(p), max(p)) for p in pairs.tolist() if p[0] != p[1]}
    assert {tuple(pair) for pair in np.argwhere(np.triu(whole)).tolist()} == wanted
    assert set(adjacency.data.tolist()) <= {1.0}


def test_taken_nodes_keep_the_edges_among_them(files):
    graph = read_graph((files / "nodes.csv", files / "edges.csv"), **KNOBS).take([2, 1, 3])
    assert graph.collect()["node"].to_list() == ["cid", "bob", "dan"]
    assert graph.labels().tolist() == ["a", "b", "b"]
    np.testing.assert_array_equal(graph.adjacency.toarray(), [[0, 1, 0], [1, 0, 0], [0, 0, 0]])


def test_cora_is_what_its_card_says(shared_data):
    graph = read_graph(dataset("cora"))
    assert graph.features.shape == (2708, 1433)
    assert graph.adjacency.nnz == 2 * 5278
    assert np.bincount(graph.labels()).tolist() == [351, 217, 418, 818, 426, 298, 180]


def nodes(files, text):
    (files / "bad.csv").write_text(text)
    return files / "bad.csv"


@pytest.mark.parametrize(
    ("text", "knobs", "said"),
    [
        ("a,b\n1,2\n3,x\n", {}, "column 'b', row 2: 'x' is no number"),
        ("a,b\n1,2\n3,\n", {}, "column 'b', row 2: empty"),
        ("a,b\n1,2\n3,inf\n", {}, "column 'b', row 2: inf"),
        ("a,b\n1,2\n", {"id": "c"}, "no column 'c'; there are a, b"),
        ("a,b\n1,2\n", {"drop": ("z",)}, "no column 'z'"),
        ("a,class\n1,2\n", {}, "'class' looks like the class of a node"),
        ("a,b\n1,2\n1,3\n", {"id": "a"}, "column 'a', row 2: '1' names no node, or another"),
        ("a,b\n", {}, "no features"),
        ("", {}, "cannot be read: empty CSV"),
    ],
)
def test_wrong_node_tables(files, text, knobs, said):
    with pytest.raises(InputError, match=said) as error:
        read_graph(nodes(files, text), **knobs)
    assert "bad.csv" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0,1\n1,4\n", "edge 2: node 4; expected a number from 0 to 3"),
        ("0,1\n-1,2\n", "edge 2: node -1; expected"),
        ("0,1\nann,2\n", "edge 2: 'ann' is no node number; name the column .* --id"),
        ("0,1\n2,\n", "edge 2: an end is missing"),
        ("0,1,2,3\n", "4 columns; expected two columns"),
        ("0\n1\n", "1 columns; expected two columns"),
        ("0,1,0\n", "edge 1: weight '0'; expected a number above zero"),
        ("0,1,1\n0,2,x\n", "edge 2: weight 'x'"),
        ("", "cannot be read as an edge list"),
    ],
)
def test_wrong_edge_lists(files, text, said):
    path = files / "wrong.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=said) as error:
        read_graph((np.eye(4), path))
    assert "wrong.csv" in str(error.value)


def test_an_unknown_name_is_no_node(files):
    (files / "edges.csv").write_text("ann,bob\nann,eve\n")
    with pytest.raises(InputError, match="edge 2: 'eve' is not among the 4 nodes"):
        read_graph((files / "nodes.csv", files / "edges.csv"), **KNOBS)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ((np.eye(3), np.eye(4)), "4 columns; expected two columns"),
        ((np.eye(3), sparse.csr_array(np.eye(2))), "a matrix of .*expected 3 x 3"),
        ((np.eye(3), sparse.csr_array(-np.eye(3))), "not a number above zero"),
        ((np.eye(3), "no/such.csv"), "no such file; expected an edge list"),
        ((1, 2, 3), "a graph of 3 parts"),
        (np.zeros(3), "expected numbers, one row a node"),
        (np.array([["a"]]), "expected numbers, one row a node"),
    ],
)
def test_wrong_sources(source, said):
    with pytest.raises(InputError, match=said):
        read_graph(source).lines()


def test_wrong_archives(files):
    np.savez(files / "odd.npz", colours=np.eye(2))
    with pytest.raises(InputError, match=r"odd.npz: holds colours; expected an array 'features'"):
        read_graph(files / "odd.npz")
    np.savez(files / "objects.npz", x=np.array([{}, {}], dtype=object))
    with pytest.raises(
        InputError, match=r"objects\.npz: array 'x': holds records or Python objects"
    ):
        read_graph(files / "objects.npz")
    (files / "cut.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(InputError, match=r"cut\.npz: cannot be read"):
        read_graph(files / "cut.npz")
    np.savez(files / "few.npz", x=np.eye(3), y=[0, 1])
    with pytest.raises(InputError, match=r"few\.npz: classes of shape"):
        read_graph(files / "few.npz")
    with pytest.raises(InputError, match="no array 'kind'; there are x, y"):
        read_graph(files / "few.npz", labels="kind")


def test_too_many_neighbours_and_missing_classes(files):
    with pytest.raises(InputError, match="nodes: 5 neighbours among 3 nodes"):
        read_graph(np.eye(3), neighbours=5).lines()
    with pytest.raises(InputError, match="classes are not known"):
        read_graph(np.eye(3)).labels()
    with pytest.raises(InputError, match="neighbours=0"):
        GraphSource.of(neighbours=0)


def test_features_of_uneven_scale_are_pointed_out():
    g = np.random.default_rng(0)
    told = read_graph(np.stack([g.normal(0, 1, 9), g.normal(0, 1e4, 9), np.ones(9)], 1)).lines()
    assert any("consider --scaling standard" in line for line in told)
    assert any("1 features never vary" in line for line in told)
