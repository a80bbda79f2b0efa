"""The description of one kind of flow record."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl


@dataclass(frozen=True)
class Kind:
    """One kind of flow record and the role of each of its columns.

    Columns that are named here and absent from a file are an error, unless they are optional;
    columns of a file that are not named here are never inputs.

    Attributes:
        name: as stored in models.
        marks: columns that give the kind away; a table with all of them is of this kind.
        numbers: columns that hold numbers; None stands for every column that does and has no
            other role.
        categorical: columns that hold categories, all of them inputs.
        text: columns of text that inputs are derived from.
        derived: inputs computed from ``numbers`` and ``text``, which are then no inputs themselves.
        identity: who talked to whom; never inputs.
        labels: columns with labels; never inputs. The first one present names the class.
        time: columns with times; never inputs. The first one present orders the rows.
        benign: the expression that keeps benign rows, where labels are present.
        optional: columns that a file may lack; they read as empty.
        blank: the category that an empty cell stands for; None leaves it missing.
        records: the rows that are flow records at all, in a log that also holds others.
        nested: JSON objects whose members are columns called ``object.member``.
    """

    name: str
    marks: frozenset[str] = frozenset()
    numbers: tuple[str, ...] | None = None
    categorical: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    derived: Mapping[str, pl.Expr] = field(default_factory=dict)
    identity: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    time: tuple[str, ...] = ()
    benign: str | None = None
    optional: frozenset[str] = frozenset()
    blank: str | None = None
    records: tuple[str, str] | None = None
    nested: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that inputs are made from."""
        return (*(self.numbers or ()), *self.categorical, *self.text)

    @property
    def required(self) -> tuple[str, ...]:
        """The columns that a file must have."""
        return tuple(column for column in self.columns if column not in self.optional)
