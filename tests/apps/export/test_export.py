import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from contraview.apps.cli import main
from contraview.apps.export.agreement import Agreement, difference, session_of
from contraview.apps.export.export import export
from contraview.core.errors import ContraviewError, InputError
from contraview.core.graph import Graph, Port
from contraview.core.run import Run
from contraview.modalities.flows.data import read_flows
from contraview.systems.clan import Clan

sys.path.insert(0, str(Path(__file__).parents[2] / "systems"))
import tiny_flows


@pytest.fixture(scope="module")
def clan():
    knobs = {"width": 16, "depth": 2, "outputs": 8, "steps": 30, "batch": 64}
    return Clan(**knobs).fit(tiny_flows.data(), run=Run(seed=0))


def test_the_command_compares_on_given_data_too_and_writes_what_was_asked_for(
    clan, tmp_path, capsys
):
    clan.save(tmp_path / "model")
    tiny_flows.flows(300, seed=1).write_csv(tmp_path / "flows.csv")
    path = tmp_path / "new" / "clan.onnx"
    asked = ["export", str(tmp_path / "model"), str(tmp_path / "flows.csv"), "--onnx", str(path)]
    assert main([*asked, "--only", "score"]) == 0
    heard = capsys.readouterr()
    assert heard.out == f"{path}\n"
    assert [line.split(":")[0] for line in heard.err.splitlines()] == ["score"] * 2
    assert "on 300 given items" in heard.err
    session = session_of(str(path))
    assert [port.name for port in session.get_outputs()] == ["score"]
    told = session.get_modelmeta().custom_metadata_map
    columns = {port["name"]: port for port in json.loads(told["inputs"])}
    assert columns["proto"]["values"] == ["tcp", "udp"]
    assert columns["bytes"]["shape"] == ["n"]


def test_texts_never_seen_and_missing_numbers_are_what_they_are_to_the_model(clan, tmp_path):
    export(clan, tmp_path / "clan.onnx", only=("score",))
    odd = tiny_flows.flows(6).with_columns(proto=np.array(["tcp", "sctp", "", None, "udp", "TCP"]))
    odd[1, "bytes"] = None
    flows = read_flows(odd, **tiny_flows.SOURCE)
    fed = clan.graph().feed(flows)
    (found,) = session_of(str(tmp_path / "clan.onnx")).run(["score"], fed)
    assert difference(clan.score(flows), found) < 1e-6


def test_a_file_that_answers_otherwise_is_not_kept_and_an_earlier_one_stays(
    clan, tmp_path, monkeypatch
):
    path = tmp_path / "clan.onnx"
    path.write_bytes(b"the one before")
    score = clan.score
    monkeypatch.setattr(clan, "score", lambda flows: score(flows) + 2e-4)
    with pytest.raises(ContraviewError, match=r"score by the file differs by 2\.0e-04") as error:
        export(clan, path, only=("score",))
    assert error.value.exit_code == 1
    assert [each.name for each in tmp_path.iterdir()] == ["clan.onnx"]
    assert path.read_bytes() == b"the one before"


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_no_number_on_one_side_alone_fails(wrong):
    port = Port("score", "float64", ("n",), "")
    graph = Graph(torch.nn.Identity(), (), {"score": port}, lambda data: {"x": data}, np.zeros)
    session = SimpleNamespace(run=lambda names, fed: [fed["x"]])
    system = SimpleNamespace(score=lambda data: np.where(data == 70, wrong, data))
    agreement = Agreement(session, graph, ("score",))
    agreement.compare(system, np.arange(70.0)).need("it")
    agreement.compare(system, np.arange(100.0)).compare(system, np.arange(70.0))
    assert agreement.rows == 240
    with pytest.raises(ContraviewError, match="on 240 items"):
        agreement.need("it")


def test_differences_are_absolute_below_one_and_relative_above():
    assert difference(np.array([0.5, -3.0]), np.array([0.75, -3.0])) == 0.25
    assert difference(np.array([200.0]), np.array([201.0])) == pytest.approx(1 / 200)
    assert np.isnan(difference(np.array([1.0, np.nan]), np.array([1.0, 1.0])))
    assert difference(np.zeros((2, 3)), np.zeros((2, 4))) == float("inf")
    assert difference(np.zeros(0), np.zeros(0)) == 0


def test_without_the_extra_one_line_names_it(clan, tmp_path, monkeypatch, capsys):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "contraview.apps.export.export.find_spec",
        lambda name: None if name == "onnxscript" else found(name),
    )
    assert main(["export", str(tmp_path / "none"), "--onnx", str(tmp_path / "a.onnx")]) == 2
    heard = capsys.readouterr().err
    assert heard == "contraview: export needs onnxscript: pip install 'contraview[onnx]'\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--onnx FILE.onnx"),
        (["--onnx", "model.pt"], "--onnx FILE.onnx"),
        (["--onnx", "a.onnx", "--only", "classify"], "no 'classify'; it has embed, score"),
    ],
)
def test_wrong_use_is_one_line(clan, tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    clan.save(tmp_path / "model")
    assert main(["export", str(tmp_path / "model"), *arguments]) == 2
    heard = capsys.readouterr().err
    assert said in heard
    assert heard.count("\n") == 1
    assert not list(tmp_path.glob("*.onnx*"))


def test_a_column_that_is_called_as_an_output_is_refused(clan, tmp_path, monkeypatch):
    graph = clan.graph()
    ports = (replace(graph.inputs[0], name="score"), *graph.inputs[1:])
    monkeypatch.setattr(clan, "graph", lambda: replace(graph, inputs=ports))
    with pytest.raises(InputError, match="column 'score'"):
        export(clan, tmp_path / "clan.onnx")
