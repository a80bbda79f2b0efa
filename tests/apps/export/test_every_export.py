"""Every system of the catalog is written as a file that gives its answers, or says why not."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from contraview.apps.export.agreement import TOLERANCE, difference, session_of
from contraview.apps.export.export import ROW_WISE, export, graph_of
from contraview.catalog import ENTRIES, find
from contraview.core.errors import InputError
from contraview.core.run import Run

sys.path.insert(0, str(Path(__file__).parents[2] / "systems"))
import tiny

NO_ROWS = {"cm_unet", "contrastive_ucb", "pixcell", "robustness_scaling", "ts_forecast"}
"""Their verbs do not give a row an item."""
REFUSED = NO_ROWS | {"scatsimclr", "scgc"}
BESIDE = {"biosignals": {"regress"}}
"""Verbs that are left out of a graph."""
ALIKE = {"g_simclr", "genview", "hallucinator", "mlvgm_views", "moco", "simsiam"}
"""Their graph is SimCLR's, line by line: once a night is enough."""
WRITTEN = [
    pytest.param(entry.slug, marks=[pytest.mark.nightly] if entry.slug in ALIKE else [])
    for entry in ENTRIES
    if entry.built and entry.slug not in REFUSED
]


def fitted(entry):
    asked = tiny.of(entry.slug)
    return asked.fit(entry.load_class()(**asked.knobs), Run(seed=0))


def can(system, verb):
    """Whether the fitted system answers; `classify` needs classes that were learnt."""
    try:
        return verb != "classify" or len(system.classes) > 1
    except InputError:
        return False


@pytest.mark.parametrize("slug", sorted(REFUSED))
def test_what_is_no_graph_says_why_in_one_line(slug):
    system = fitted(find(slug))
    with pytest.raises(InputError, match=f"^{slug}: [^\\n]{{30,}}$"):
        graph_of(system)


@pytest.mark.parametrize("slug", WRITTEN)
def test_the_file_gives_the_answers_of_the_verbs(slug, tmp_path):
    entry, asked, path = find(slug), tiny.of(slug), tmp_path / "model.onnx"
    system = fitted(entry)
    graph = graph_of(system)
    verbs = {verb for verb in entry.verbs.split() if verb in ROW_WISE and can(system, verb)}
    assert set(graph.outputs) == verbs - BESIDE.get(slug, set())
    export(system, path)
    assert list(tmp_path.iterdir()) == [path]
    session = session_of(str(path))
    fed = graph.feed(asked.data())
    assert [port.name for port in graph.inputs] == [port.name for port in session.get_inputs()]
    for verb, port in graph.outputs.items():
        expected = asked.answer(system, verb)[0]
        for rows in (1, 7, len(expected)):
            some = {name: each[:rows] for name, each in fed.items()}
            (found,) = session.run([port.name], some)
            assert found.dtype == np.dtype(port.dtype)
            assert difference(expected[:rows], found) <= TOLERANCE, (verb, rows)
    told = session.get_modelmeta().custom_metadata_map
    assert told["system"] == slug
    assert [each["name"] for each in json.loads(told["inputs"])] == list(fed)
    if "classify" in graph.outputs:
        assert tuple(json.loads(told["classes"])) == system.classes
