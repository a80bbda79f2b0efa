"""A graph as an ONNX model: torch writes the numbers, the texts are added in front of them."""

import json
import logging
import warnings
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from contraview.core.errors import InputError
from contraview.core.graph import DType, Graph, Port

OPSET: Final = 20
"""Of ONNX's own operators."""
EXAMPLES: Final = 5
"""Items that the network is traced on; not one, which would be taken for a constant."""
UNSEEN: Final = -1
"""The number of a text that is none of a category's values."""
INNER: Final = "contraview/"
"""Begins the names of all values inside the graph, which the caller's own names never do."""


class Chosen(nn.Module):
    """Some of a network's outputs."""

    def __init__(self, network: nn.Module, places: Sequence[int]) -> None:
        super().__init__()
        self.network, self.places = network, tuple(places)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The chosen outputs, in order."""
        found = self.network(*inputs)
        return tuple(found[place] for place in self.places)


def onnx_model(graph: Graph, verbs: Sequence[str], metadata: Mapping[str, str]) -> Any:
    """The model, as onnx_ir holds it, that answers ``verbs``.

    Raises:
        InputError: a column is called as an output is.
    """
    inputs, outputs = graph.inputs, [graph.outputs[verb] for verb in verbs]
    both = {port.name for port in inputs} & {port.name for port in outputs}
    if both:
        raise InputError(f"column {min(both)!r}: the graph's own output has this name; rename it")
    places = [list(graph.outputs).index(verb) for verb in verbs]
    fed = as_numbers(inputs, graph.feed(graph.held(EXAMPLES, 0)))
    names = {axis for port in inputs for axis in port.shape if isinstance(axis, str)}
    axes: dict[str | int, Any] = {
        name: torch.export.Dim(name, min=graph.shortest.get(name, 1)) for name in names
    }
    shapes = tuple(
        {place: axes[axis] for place, axis in enumerate(port.shape) if axis in axes}
        for port in inputs
    )
    with _quiet():
        # Traced here, since torch.onnx would go on with axes of fixed length where tracing fails.
        traced = torch.export.export(
            Chosen(graph.network, places).cpu().eval(),
            tuple(torch.from_numpy(fed[port.name].copy()) for port in inputs),
            dynamic_shapes=(shapes,),
        )
        program = torch.onnx.export(traced, dynamo=True, opset_version=OPSET, verbose=False)
    assert program is not None
    model = program.model
    _name(model, inputs, outputs)
    _read_texts(model, inputs)
    model.metadata_props.update(metadata)
    return model


def as_numbers(inputs: Sequence[Port], fed: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    """What the network itself takes: each text as its number."""
    numbers = dict(fed)
    for port in inputs:
        if port.values is not None:
            known = {value: number for number, value in enumerate(port.values)}
            numbers[port.name] = np.array([known.get(text, UNSEEN) for text in fed[port.name]])
    return numbers


def schema(ports: Sequence[Port]) -> str:
    """Ports as JSON, for the metadata of the file."""
    return json.dumps([_told(port) for port in ports], ensure_ascii=False)


def _told(port: Port) -> dict[str, Any]:
    told: dict[str, Any] = {"name": port.name, "dtype": port.dtype, "shape": list(port.shape)}
    if port.values is not None:
        told |= {"values": list(port.values), "missing": port.missing}
    return told | {"meaning": port.meaning}


def _name(model: Any, inputs: Sequence[Port], outputs: Sequence[Port]) -> None:
    """Give inputs and outputs their names and axes, and all else names that cannot be theirs."""
    import onnx_ir as ir

    for number, node in enumerate(model.graph):
        node.name = f"{INNER}{number}"
        for place, value in enumerate(node.outputs):
            value.name = f"{INNER}{number}.{place}"
    for number, value in enumerate(list(model.graph.initializers.values())):
        value.name = f"{INNER}w{number}"
    for ports, values in ((inputs, model.graph.inputs), (outputs, model.graph.outputs)):
        for port, value in zip(ports, values, strict=True):
            value.name, value.shape = port.name, ir.Shape(port.shape)
            value.doc_string = port.meaning


def _read_texts(model: Any, inputs: Sequence[Port]) -> None:
    """Let categories come in as texts: a node in front turns each into its number."""
    import onnx_ir as ir

    texts = [port for port in inputs if port.values is not None]
    if not texts:
        return
    model.opset_imports["ai.onnx.ml"] = 3
    first = next(iter(model.graph))
    for port in texts:
        place = next(i for i, value in enumerate(model.graph.inputs) if value.name == port.name)
        number = model.graph.inputs[place]
        text = ir.Value(name=port.name, shape=number.shape, type=ir.TensorType(ir.DataType.STRING))
        text.doc_string = port.meaning
        node = ir.Node(
            "ai.onnx.ml",
            "LabelEncoder",
            inputs=[text],
            attributes=[
                ir.AttrStrings("keys_strings", port.values or ()),
                ir.AttrInt64s("values_int64s", range(len(port.values or ()))),
                ir.AttrInt64("default_int64", UNSEEN),
            ],
            name=f"{INNER}read {port.name}",
        )
        node.outputs[0].name = f"{INNER}number of {port.name}"
        model.graph.insert_before(first, node)
        for use, which in list(number.uses()):
            use.replace_input_with(which, node.outputs[0])
        model.graph.inputs[place] = text


@contextmanager
def _quiet() -> Any:
    """Without what torch's exporter says of its own insides."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


NUMPY: Final[Mapping[DType, Any]] = {
    "uint8": np.uint8,
    "int64": np.int64,
    "float32": np.float32,
    "float64": np.float64,
    "string": object,
}
"""What each type of element is in NumPy."""
