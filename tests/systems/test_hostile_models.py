"""Models whose settings, facts and arrays somebody wrote to do harm, digests and all."""

import hashlib
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save

import contraview
from contraview.apps.cli import main
from contraview.apps.detection.detector import Detector
from contraview.core.errors import InputError
from contraview.core.run import Run
from contraview.systems.clan import Clan

sys.path.insert(0, str(Path(__file__).parent))
import tiny
import tiny_flows


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """The folders of a tiny CLAN and of a tiny detector."""
    place = tmp_path_factory.mktemp("models")
    knobs = tiny.of("clan").knobs | {"steps": 3}
    Clan(**knobs).fit(tiny_flows.data(), run=Run(seed=0)).save(place / "clan")
    detector = tiny.of("detector")
    detector.fit(Detector(**detector.knobs), Run(seed=0)).save(place / "detector")
    return place


@pytest.fixture
def model(fitted, tmp_path):
    def copied(slug="clan"):
        return Path(shutil.copytree(fitted / slug, tmp_path / slug))

    return copied


def change(folder, part, **values):
    path = folder / "system.json"
    told = json.loads(path.read_text())
    told[part] |= values
    path.write_text(json.dumps(told))


def put(folder, **arrays):
    """Replace arrays under a digest that fits; None takes one away. Dots are written as `__`."""
    path = folder / "weights.safetensors"
    held = load_file(path) | {name.replace("__", "."): a for name, a in arrays.items()}
    content = save({n: np.array(a, order="C") for n, a in held.items() if a is not None})
    path.write_bytes(content)
    change(folder, "files", **{path.name: hashlib.sha256(content).hexdigest()})


def held(folder, name):
    return load_file(folder / "weights.safetensors")[name].copy()


def refused(folder, says):
    with pytest.raises(InputError, match=says) as error:
        contraview.load(folder)
    assert str(error.value).isprintable()


@pytest.mark.parametrize(
    "knobs",
    [
        {"width": 10**9},
        {"width": 10**15},
        {"depth": 10**9},
        {"outputs": 10**12},
        {"width": 60_000, "depth": 60_000},
    ],
    ids=str,
)
def test_absurd_sizes_are_refused_before_the_network_is_built(model, knobs):
    folder = model()
    change(folder, "config", **knobs)
    begun = time.process_time()
    refused(folder, r"far larger than the weights|do not fit each other|at most 1,099,511,627,776")
    assert time.process_time() - begun < 20


def test_a_gigabyte_is_not_made_on_the_way(model):
    folder = model()
    change(folder, "config", width=200_000)
    code = (
        "import resource, sys, contraview\n"
        "from contraview.core.errors import InputError\n"
        "from contraview.systems.clan import Clan\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    contraview.load(sys.argv[1])\nexcept InputError:\n"
        "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    run = [sys.executable, "-c", code, str(folder)]
    grown = int(subprocess.run(run, check=True, capture_output=True, text=True).stdout)
    assert grown < 600_000, "kilobytes"


@pytest.mark.parametrize(
    ("part", "values"),
    [
        ("config", {"width": "x"}),
        ("config", {"width": -1}),
        ("config", {"margin": 1e308}),
        ("config", {"colour": "blue"}),
        ("config", {"corruption": {"a": 1}}),
        ("source", {"benign": 5}),
        ("source", {"kind": ["x"]}),
        ("facts", {"features": None}),
        ("facts", {"features": {"numeric": "abc"}}),
        ("facts", {"centroid": 5, "encoder": [], "features": []}),
    ],
    ids=str,
)
def test_settings_and_facts_of_other_kinds_are_refused(model, part, values):
    folder = model()
    change(folder, part, **values)
    refused(folder, "expected|do not fit each other|no setting|should|no ")


def test_weights_of_another_network_are_refused(model):
    folder = model()
    weight = next(n for n in load_file(folder / "weights.safetensors") if n.startswith("encoder."))
    put(folder, **{weight: held(folder, weight)[:-1]})
    refused(folder, "expected an array of shape .* by the settings")
    put(folder, **{weight: None})
    refused(folder, "none; expected an array of shape")


def chained(folder, prefix="forest"):
    """Children such that every node leads to the next two: paths double with each level."""
    children = held(folder, f"{prefix}.children")
    return np.minimum(np.arange(len(children)) + 1, len(children) - 2).astype(np.int32)


@pytest.mark.parametrize("how", ["back", "out", "far", "double", "column", "negative", "deep"])
def test_a_forest_that_leads_astray_is_refused(model, how):
    folder = model("detector")
    name = "forest.feature" if how in ("column", "negative") else "forest.children"
    nodes = held(folder, name)
    if how == "back":
        nodes[-1] = 0
    elif how == "out":
        nodes[0] = len(nodes) - 1
    elif how == "far":
        nodes[0] = 2**31 - 1
    elif how == "double":
        nodes = chained(folder)
    elif how == "column":
        nodes[0] = 10_000
    elif how == "negative":
        nodes[0] = -1
    else:
        length = 2 * 200 + 2
        nodes = np.arange(length, dtype=np.int32)
        nodes[1:-2:2] = np.arange(3, length, 2)[: len(nodes[1:-2:2])]
        nodes[0] = 1
        parts = {p: held(folder, f"forest.{p}")[:length] for p in ("feature", "samples")}
        put(
            folder,
            forest__feature=np.zeros(length, np.int32),
            forest__samples=np.ones_like(parts["samples"]),
            forest__threshold=np.zeros(length, np.float32),
        )
        change(
            folder, "facts", forest={"trees": 1, "columns": len(held(folder, "clan.features.mean"))}
        )
    put(folder, **{name: nodes})
    refused(folder, "isolation forest")


@pytest.mark.parametrize("k", [0, -1, 10**9, "5", 2.5, None, True])
def test_a_neighbour_that_is_not_there_is_refused(model, k):
    folder = model("detector")
    change(folder, "facts", neighbours={"k": k})
    if k is True:  # a whole number to Python
        k = "True"
    refused(folder, "neighbours")


@pytest.mark.parametrize(
    ("name", "alter", "says"),
    [
        ("calibration clan.ordered", lambda a: a[::-1], "not in order"),
        ("calibration clan.ordered", lambda a: a[:0], "not in order"),
        ("calibration clan.ordered", lambda a: a * np.nan, "not finite"),
        ("calibration clan.tail", lambda a: a * 0, "no tail"),
        ("calibration clan.tail", lambda a: a[:2], "do not fit"),
        ("ecod.ordered", lambda a: a[:, ::-1], "not in order"),
        ("ecod.ordered", lambda a: a[:1], "do not fit"),
        ("clan.centroid.mean", lambda a: a * 0, "without direction"),
        ("clan.centroid.mean", lambda a: a.astype(np.int64), "no array"),
        ("clan.features.mean", lambda a: a[:-1], "means for"),
        ("clan.features.spread", lambda a: a + np.inf, "not finite"),
        ("held.views", lambda a: a[:, :-1], "views"),
        ("neighbours.bank", lambda a: a[0], "no array of 2 axes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_arrays_that_could_not_have_been_learnt_are_refused(model, name, alter, says):
    folder = model("detector")
    put(folder, **{name: alter(held(folder, name))})
    refused(folder, says)


@pytest.mark.parametrize("verb", ["score", "detect", "evaluate", "calibrate"])
def test_the_command_says_so_in_one_line_and_exits_with_2(model, capsys, verb, tmp_path):
    folder = model("detector")
    change(folder, "config", steps="\x1b[2J\nx")
    flows = tmp_path / "flows.csv"
    tiny_flows.flows().write_csv(flows)
    more = {"evaluate": ["--labels", "kind"], "calibrate": ["--max-fpr", "0.05"]}.get(verb, [])
    assert main([verb, str(folder), str(flows), *more]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.strip().isprintable()
