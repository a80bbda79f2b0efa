"""Whether a file gives what the system gives: both are asked about the same items."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from contraview.core.errors import ContraviewError
from contraview.core.graph import Graph

TOLERANCE: Final = 1e-4
"""The largest |a - b| / max(1, |a|), a by the system and b by the file: below 1 it is absolute,
above it is relative.
"""
SIZES: Final = (1, 2, 3, 64)
"""The first batches that a file is given; the last size goes on."""


class Agreement:
    """The largest difference of each output, over all items that were compared."""

    def __init__(self, session: Any, graph: Graph, verbs: Sequence[str]) -> None:
        self.rows = 0
        self.differences = dict.fromkeys(verbs, 0.0)
        self._session, self._graph = session, graph

    def compare(self, system: Any, data: Any) -> "Agreement":
        """Take in items of a kind that the verbs take."""
        fed = self._graph.feed(data)
        expected = {verb: getattr(system, verb)(data) for verb in self.differences}
        rows = len(next(iter(fed.values())))
        for part in _parts(rows):
            found = self._answer({name: each[part] for name, each in fed.items()})
            for verb, answer in zip(self.differences, found, strict=True):
                worst = difference(expected[verb][part], answer)
                # A NaN is larger than any tolerance, and no maximum may lose it.
                self.differences[verb] = float(np.maximum(self.differences[verb], worst))
        self.rows += rows
        return self

    def _answer(self, fed: Mapping[str, np.ndarray]) -> Sequence[np.ndarray]:
        try:
            return self._session.run([self._graph.outputs[v].name for v in self.differences], fed)
        except Exception as error:  # noqa: BLE001 the runtime's own errors have no common class
            said = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ContraviewError(f"onnxruntime cannot run the graph: {said}") from None

    def need(self, slug: str) -> None:
        """Raise a `ContraviewError` where an output differs by more than `TOLERANCE`."""
        for verb, found in self.differences.items():
            if not found <= TOLERANCE:
                raise ContraviewError(
                    f"{slug}: {verb} by the file differs by {found:.1e} from {verb} by "
                    f"contraview on {self.rows} items; expected at most {TOLERANCE:.0e}. "
                    "No file was kept"
                )


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """The largest |a - b| / max(1, |a|); NaN where one of two arrays has a number and the other
    has none, infinite where their shapes differ.
    """
    if one.shape != other.shape:
        return float("inf")
    a, b = one.astype(np.float64), other.astype(np.float64)
    with np.errstate(invalid="ignore"):  # of infinite numbers; no NaN is within a tolerance
        return float((np.abs(a - b) / np.maximum(1, np.abs(a))).max(initial=0.0))


def session_of(model: bytes | str) -> Any:
    """A session of onnxruntime on the CPU, with as many threads as torch has here."""
    import onnxruntime  # pyright: ignore[reportMissingImports] an extra
    import torch

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 as above
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ContraviewError(f"onnxruntime cannot read the graph: {said}") from None


def _parts(rows: int) -> Iterator[slice]:
    start = 0
    for size in (*SIZES, *(SIZES[-1] for _ in range(rows // SIZES[-1]))):
        if start < rows:
            yield slice(start, start + size)
        start += size
