"""From a fitted system to a file that gives the same answers without this library."""

import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from contraview.apps.export.agreement import Agreement, session_of
from contraview.apps.export.onnx_file import onnx_model, schema
from contraview.core.errors import InputError
from contraview.core.graph import Exports, Graph
from contraview.core.version import __version__

NEEDED: Final = ("onnx", "onnx_ir", "onnxscript", "onnxruntime")
ROW_WISE: Final = ("embed", "score", "classify", "regress")
"""The verbs whose answers a graph can give: one row an item."""
HELD: Final = 1000
"""Items that the system itself draws to be compared on."""


def export(
    system: Any, path: Path, data: Any = None, only: Sequence[str] = ()
) -> tuple[Agreement, ...]:
    """Write ``path``, once its answers are those of ``system``.

    Args:
        system: a fitted one.
        path: of the file, which appears whole or not at all; an earlier one is replaced.
        data: items of the user's own, as the system's reader gives them, to compare on as well.
        only: the verbs that the file is to answer; all that the model has, by default.

    Returns:
        How well file and system agree on items that the system drew, and on ``data``.

    Raises:
        InputError: the extra is not installed; the model is no tensor graph, or has no such verb.
        ContraviewError: the answers differ.
    """
    need_extra()
    graph = graph_of(system)
    verbs = chosen(system, graph, only)
    model = onnx_model(graph, verbs, metadata_of(system, graph, verbs))
    import onnx_ir

    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.partial")
    try:
        onnx_ir.save(model, beside)
        session = session_of(str(beside))
        agreements = [Agreement(session, graph, verbs).compare(system, graph.held(HELD, 1))]
        if data is not None:
            agreements.append(Agreement(session, graph, verbs))
            for part in data.parts():
                agreements[-1].compare(system, part)
        for agreement in agreements:
            agreement.need(system.slug)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return tuple(agreements)


def need_extra() -> None:
    """Raise an `InputError` where what writes and runs ONNX is not installed."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise InputError(f"export needs {', '.join(missing)}: pip install 'contraview[onnx]'")


def graph_of(system: Any) -> Graph:
    """The graph of a fitted system.

    Raises:
        InputError: it has none, and why.
    """
    if isinstance(system, Exports):
        return system.graph()
    raise InputError(
        f"{system.slug}: has none of {', '.join(ROW_WISE)}, the verbs that give a row an item: "
        "no graph can answer for it"
    )


def chosen(system: Any, graph: Graph, only: Sequence[str]) -> tuple[str, ...]:
    """The verbs to answer, in the order of the graph.

    Raises:
        InputError: one of ``only`` is not among the graph's.
    """
    absent = [verb for verb in only if verb not in graph.outputs]
    if absent:
        raise InputError(
            f"{system.slug}: the graph has no {absent[0]!r}; it has {', '.join(graph.outputs)}"
        )
    return tuple(verb for verb in graph.outputs if not only or verb in only)


def metadata_of(system: Any, graph: Graph, verbs: Sequence[str]) -> dict[str, str]:
    """What the file says of itself, each value a text or JSON: see docs/export.md."""
    return {
        "system": system.slug,
        "contraview": __version__,
        "inputs": schema(graph.inputs),
        "outputs": schema([graph.outputs[verb] for verb in verbs]),
        **{name: json.dumps(fact, ensure_ascii=False) for name, fact in graph.facts.items()},
    }
