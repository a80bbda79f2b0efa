"""Flow records as a person has them, understood: `read_flows` gives `Flows`."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from jaxtyping import Bool, Int, Shaped
from pydantic import Field

from contraview.core.config import Config
from contraview.core.errors import InputError
from contraview.modalities.flows.benign import Condition
from contraview.modalities.flows.cells import text
from contraview.modalities.flows.intake import Intake, take_in
from contraview.modalities.flows.kinds.known import kind_named, recognise
from contraview.modalities.flows.kinds.metered import INTERCHANGEABLE
from contraview.modalities.flows.readers.parquet import reading
from contraview.modalities.flows.readers.source import read_raw
from contraview.modalities.flows.roles import Named, is_text
from contraview.modalities.flows.rows import SLICE, Rows


class FlowSource(Config):
    """How flow records are read."""

    benign: str | None = Field(
        None, description="which rows are benign: 'attack_cat == Normal', 'label in [0]'"
    )
    labels: str | None = Field(None, description="the column with the class of each row")
    drop: tuple[str, ...] = Field((), description="columns that are no inputs")
    categorical: tuple[str, ...] = Field((), description="columns to take as categories")
    time: str | None = Field(None, description="the column with the time of each row")
    kind: str | None = Field(
        None, description="read as this kind of record, whatever it looks like"
    )
    mode: Literal["std", "lycos"] = Field("std", description="how captures are cut into flows")

    def read(self, source: Any) -> "Flows":
        """The flows of ``source``; see `read_flows`."""
        condition = None if self.benign is None else Condition.read(self.benign)
        raws = read_raw(source, self.mode)
        schemas = [raw.cells.collect_schema() for raw in raws]
        kinds = [
            kind_named(self.kind or raw.kind or recognise(schema).name)
            for raw, schema in zip(raws, schemas, strict=True)
        ]
        for raw, kind in zip(raws, kinds, strict=True):
            if kind != kinds[0]:
                raise InputError(
                    f"{raw.name}: is {kind.name}, but {raws[0].name} is {kinds[0].name}; "
                    "expected one kind of flow record"
                )
        kind = kinds[0]
        told = () if self.labels is None else (self.labels,)
        rows, roles, intake = take_in(
            raws,
            kind,
            Named(
                labels=told,
                conditions=() if condition is None else condition.columns,
                drop=self.drop,
                categorical=self.categorical,
                time=() if self.time is None else (self.time,),
            ),
        )
        if condition is None and kind.benign is not None:
            usual = Condition.read(kind.benign)
            condition = usual if set(usual.columns) <= set(roles.labels) else None
        return Flows(
            kind=kind.name,
            rows=rows,
            numeric=tuple(roles.numeric),
            categorical=tuple(roles.categorical),
            identity=tuple(roles.identity),
            label=roles.labels[0] if roles.labels else None,
            time=roles.time[0] if roles.time else None,
            left_out=roles.left_out,
            condition=condition,
            intake=intake,
        )


def read_flows(source: Any, settings: FlowSource | None = None, **knobs: Any) -> "Flows":
    """Read flow records: one row a flow, each column with its role, corrupt rows kept out.

    Args:
        source: a path or a glob (capture, Zeek conn.log, eve.json, binetflow, nfdump or any other
            CSV, Parquet; text and captures also as .gz), a polars or pandas table, or several of
            these of one kind, which become one. `Flows` are given back as they are.
        settings: how to read them.
        **knobs: the fields of `FlowSource`, in place of ``settings``.

    Raises:
        InputError: nothing there, damaged, not understood, or a column that looks like a label
            and has not been named.
    """
    if isinstance(source, Flows):
        return source
    return (settings or FlowSource.of(**knobs)).read(source)


@dataclass(frozen=True)
class Flows:
    """Flow records and the role of each column.

    Attributes:
        kind: what kind of records they are; a model takes the kind it was fitted on.
        rows: all columns of the rows kept, in the order of the source.
        numeric: inputs that are numbers.
        categorical: inputs that are categories.
        identity: who talked to whom (addresses, ports, ids); never inputs.
        label: the column with the class, where there is one.
        time: the column with the time, where there is one.
        left_out: other columns that are no inputs, and why.
        condition: which rows are benign; None takes all of them.
        intake: what was read and what was kept out.
    """

    kind: str
    rows: Rows
    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    identity: tuple[str, ...]
    label: str | None
    time: str | None
    left_out: Mapping[str, str]
    condition: Condition | None
    intake: Intake

    @property
    def frame(self) -> pl.LazyFrame:
        """All columns and rows as one lazy table."""
        return self.rows.frame

    @property
    def columns(self) -> tuple[str, ...]:
        """The inputs, numeric ones first."""
        return (*self.numeric, *self.categorical)

    def __len__(self) -> int:
        return self.collect(pl.len()).item() if self.rows.left is None else self.rows.left

    def collect(self, *expressions: pl.Expr) -> pl.DataFrame:
        """All rows in memory, or what ``expressions`` make of them."""
        with reading(self.intake.sources[0]):
            return (self.frame.select(expressions) if expressions else self.frame).collect()

    def batches(self, rows: int = SLICE) -> Iterator[pl.DataFrame]:
        """The rows in order, at most ``rows`` at a time, in constant memory."""
        with reading(self.intake.sources[0]):
            yield from self.rows.slices(rows)

    def inputs(self, rows: int = SLICE) -> Iterator[pl.DataFrame]:
        """As `batches`, with the inputs alone."""
        with reading(self.intake.sources[0]):
            yield from self.rows.then(lambda part: part.select(self.columns)).slices(rows)

    def parts(self, rows: int = SLICE) -> Iterator["Flows"]:
        """The rows in order as `Flows` of at most ``rows`` rows each, held in memory one by one."""
        for frame in self.batches(rows):
            yield replace(self, rows=Rows.of([frame.lazy()]))

    def portable(self, folder: Path) -> "Flows":
        """The same rows where another process or machine can read them.

        They stay in their Parquet files; of other formats they are written to ``folder``, which
        must be there as long as the result is used.
        """
        if self.rows.lie_in_files():
            return self
        files = []
        for number, frame in enumerate(self.batches()):
            path = folder / f"{number:08}.parquet"
            frame.write_parquet(path, compression="lz4")
            files.append((pl.scan_parquet(path, glob=False), frame.height))
        return replace(self, rows=Rows(tuple(files), left=sum(height for _, height in files)))

    def pieces(self, rows: int = SLICE) -> Iterator["Flows"]:
        """As `parts`, but each is read only when it is used; one may turn out to be empty."""
        for piece in self.rows.pieces(rows):
            yield replace(self, rows=piece)

    def is_benign(self) -> Bool[np.ndarray, " n"]:
        """Which rows are known as benign."""
        if self.condition is None:
            raise InputError(
                f"{self.intake.sources[0]}: which rows are benign is not known; say it, as in "
                "--benign 'label == BENIGN'"
            )
        kept = self.condition.expression(self.frame.collect_schema())
        return self.collect(kept.alias("kept"))["kept"].to_numpy()

    def benign(self) -> "Flows":
        """The rows that are known as benign; all of them where nothing says which are.

        Raises:
            InputError: no row is.
        """
        if self.condition is None:
            return self
        kept = self.filter(self.condition.expression(self.frame.collect_schema()))
        if not len(kept):
            column = self.condition.columns[0]
            there = self.collect(text(column).unique().drop_nulls().sort().head(10))[column]
            raise InputError(
                f"{self.intake.sources[0]}: {self.condition.text!r} keeps no row; "
                f"{column!r} holds {', '.join(there)}"
            )
        return kept

    def filter(self, condition: pl.Expr) -> "Flows":
        """The rows for which a polars expression is true."""
        return replace(self, rows=self.rows.then(lambda part: part.filter(condition)))

    def take(self, rows: Int[np.ndarray, " n"] | Sequence[int]) -> "Flows":
        """The rows with these numbers, counted from 0, in this order; they are held in memory."""
        taken = self.collect(pl.all().gather(np.asarray(rows, np.int64)))
        return replace(self, rows=Rows.of([taken.lazy()]))

    def labels(self) -> Shaped[np.ndarray, " n"]:
        """The class of each row as text; empty where it has none."""
        if self.label is None:
            raise InputError(
                f"{self.intake.sources[0]}: has no labels; name their column with labels"
            )
        cells = self.collect(text(self.label).fill_null(""))
        return cells[self.label].to_numpy().astype(np.str_)

    def require(self, kind: str, numeric: Sequence[str], categorical: Sequence[str]) -> None:
        """Check that a model fitted on ``kind`` with these inputs can be given these flows.

        Raises:
            InputError: they are of another kind, or lack a column; nothing is ever filled in.
        """
        name = self.intake.sources[0]
        schema = self.frame.collect_schema()
        missing = [column for column in (*numeric, *categorical) if column not in schema]
        lacking = _some(missing)
        if self.kind != kind and not {self.kind, kind} <= INTERCHANGEABLE:
            lack = f"; missing {lacking}" if missing else ""
            raise InputError(f"{name}: is {self.kind}, but the model learnt from {kind}{lack}")
        if missing:
            raise InputError(f"{name}: the model needs columns that are missing: {lacking}")
        for columns, wanted in ((numeric, "numbers"), (categorical, "categories")):
            for column in columns:
                if is_text(schema[column]) != (wanted == "categories"):
                    raise InputError(
                        f"{name}: column {column!r} holds {schema[column]}; the model learnt it "
                        f"as {wanted}"
                    )

    def fingerprint(self) -> str:
        """SHA-256 over the inputs of all rows, in order, to single precision.

        The same rows have the same fingerprint whichever file format they came from.
        """
        digest = hashlib.sha256("\x1f".join(self.columns).encode())
        texts = hashlib.sha256()
        for rows in self.inputs():
            numbers = rows.select(pl.col(self.numeric).cast(pl.Float32)).to_numpy()
            digest.update(np.ascontiguousarray(numbers).tobytes())
            if self.categorical:
                cells = pl.col(self.categorical).fill_null("\x1e")
                lines = rows.select(pl.concat_str(cells, separator="\x1f")).to_series()
                texts.update("".join(f"{line}\n" for line in lines).encode())
        digest.update(texts.digest())
        return digest.hexdigest()


def _some(columns: Sequence[str]) -> str:
    more = f" and {len(columns) - 5} more" if len(columns) > 5 else ""
    return ", ".join(columns[:5]) + more
