"""Vectors in a LanceDB store on disk, for collections that do not fit in memory (an extra)."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from jaxtyping import Float, Float32, Int64

from contraview.core.errors import ContraviewError, InputError
from contraview.core.processes import is_main

TABLE: Final = "vectors"


class LanceStore:
    """One table of numbered vectors. Search reads every vector: exact, in constant memory.

    Args:
        folder: of the store.

    Raises:
        ContraviewError: lancedb is not installed.
    """

    def __init__(self, folder: Path | str) -> None:
        try:
            import lancedb  # pyright: ignore[reportMissingImports] an extra
        except ImportError:
            raise ContraviewError(
                "a store on disk needs lancedb: pip install 'contraview[vectors]'"
            ) from None
        self.folder = Path(folder)
        if self.folder.is_file():
            raise InputError(f"{folder}: is a file; expected a folder for the vectors")
        self._connect = lancedb.connect

    def write(self, vectors: Float[np.ndarray, "n d"], mark: str) -> None:
        """Replace what the store holds. ``mark`` says what it was made from (see `need`).

        Of several processes the main one writes.
        """
        if not is_main():
            return
        width = vectors.shape[1]
        flat = pa.array(np.ascontiguousarray(vectors, np.float32).ravel())
        table = pa.table(
            {
                "number": np.arange(len(vectors)),
                "vector": pa.FixedSizeListArray.from_arrays(flat, width),
            },
            schema=pa.schema(
                [("number", pa.int64()), ("vector", pa.list_(pa.float32(), width))],
                metadata={"mark": mark},
            ),
        )
        self._connect(str(self.folder)).create_table(TABLE, table, mode="overwrite")

    def mark(self) -> str:
        """What the vectors were made from, as `write` was told."""
        return (self._table().schema.metadata or {}).get(b"mark", b"").decode()

    def need(self, mark: str) -> None:
        """Refuse a store that is missing or holds other vectors than those of ``mark``.

        Raises:
            InputError: naming the folder.
        """
        if self.mark() != mark:
            raise InputError(f"{self.folder}: holds other vectors than this model's; fit it again")

    def nearest(
        self, queries: Float[np.ndarray, "m d"], k: int
    ) -> tuple[Float32[np.ndarray, "m k"], Int64[np.ndarray, "m k"]]:
        """1 - cos and the numbers of the ``k`` nearest vectors to each query, nearest first."""
        table = self._table()
        rows = table.count_rows()
        if not 1 <= k <= rows:
            raise InputError(f"{k} neighbours of {rows} vectors; expected 1 to {rows}")
        apart = np.empty((len(queries), k), np.float32)
        numbers = np.empty((len(queries), k), np.int64)
        for row, query in enumerate(queries):
            found = table.search(query.astype(np.float32)).distance_type("cosine").limit(k)
            answer = found.select(["number", "_distance"]).to_arrow()
            apart[row] = answer["_distance"].to_numpy()
            numbers[row] = answer["number"].to_numpy()
        return apart, numbers

    def _table(self) -> Any:
        if not self.folder.is_dir():
            raise InputError(f"{self.folder}: no such folder; expected the model's vectors")
        try:
            return self._connect(str(self.folder)).open_table(TABLE)
        except (ValueError, FileNotFoundError):
            raise InputError(f"{self.folder}: holds no store of vectors") from None
