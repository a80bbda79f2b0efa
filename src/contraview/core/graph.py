"""A fitted system as one tensor graph: what a file that runs without this library holds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from torch import nn

DType = Literal["uint8", "int64", "float32", "float64", "string"]


@dataclass(frozen=True)
class Port:
    """One named tensor that goes into a graph or comes out of it.

    Attributes:
        name: what the caller calls it.
        dtype: of its elements.
        shape: of each axis its length, or the name of an axis of any length; the first is ``n``,
            the items.
        meaning: what it holds, with its unit, in a sentence.
        values: of a category, the texts that the model knows; the graph takes any other text for
            one it has never seen. In the network they are their numbers here, -1 for any other.
        missing: of a category, the text that stands for no value.
    """

    name: str
    dtype: DType
    shape: tuple[str | int, ...]
    meaning: str
    values: tuple[str, ...] | None = None
    missing: str | None = None


@dataclass(frozen=True)
class Graph:
    """A fitted system as a network of tensors, pre- and post-processing inside.

    Attributes:
        network: takes the inputs in order, gives the outputs in order, as a tuple; in evaluation
            mode, on the CPU.
        inputs: what it takes.
        outputs: what it gives, by the verb whose answer each is.
        feed: from data as the system's reader gives it to the inputs, by name.
        held: so many items for a seed, as the verbs take them, on which the graph can be compared.
        shortest: of an axis of any length, how long it has to be where that is more than 1.
        facts: what else its user needs: classes, a threshold, a tokeniser; JSON values.
    """

    network: nn.Module
    inputs: tuple[Port, ...]
    outputs: Mapping[str, Port]
    feed: Callable[[Any], Mapping[str, np.ndarray]]
    held: Callable[[int, int], Any]
    facts: Mapping[str, Any] = field(default_factory=dict)
    shortest: Mapping[str, int] = field(default_factory=dict)


@runtime_checkable
class Exports(Protocol):
    """A system that can be written as a graph, or says why it cannot."""

    def graph(self) -> Graph:
        """The graph of all verbs that the fitted system answers row by row.

        Raises:
            InputError: what this model does is no function of tensors; the message says why.
        """
        ...
