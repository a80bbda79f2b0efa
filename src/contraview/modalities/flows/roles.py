"""Which columns are inputs, labels, identity and time; in unknown tables by name and value."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

from contraview.core.errors import InputError
from contraview.modalities.flows.cells import EMPTY, number, text
from contraview.modalities.flows.kinds.kind import Kind
from contraview.modalities.flows.readers.raw import LINE
from contraview.modalities.flows.rows import Rows

NUMBER_SHARE: Final = 0.95
"""Of a column's values this share must be numbers for it to be a column of numbers."""
TEXT_SHARE: Final = 0.5
"""With fewer numbers than this it is a column of text; in between nobody should guess."""
MOST_CATEGORIES: Final = 200
"""A column of text with more distinct values, or fewer than two rows a value, is no category."""

_LABEL: Final = re.compile(r"^(labels?|attack.*|class|difficulty|target)$|(^|[ _.-])label$")
_ENDPOINT: Final = re.compile(
    r"(^|[ _.-])(ip|ipaddr|addr|address|port|mac|id|uid|uuid|guid|hash|host|hostname|vlan)\d?$"
    r"|^(s|d|src|dst|ds|source|dest|destination)(ip|port|addr|address|mac|host)$"
    r"|^id\.(orig|resp)_[hp]$|^(unnamed[ :_].*|index|row|rownum|row_number)$"
)
_TIME: Final = re.compile(
    r"^(ts|te|time|timestamp|date|datetime|[sl]time|(start|end|first|last)[ _]?(time|seen)"
    r"|(time|date)[ _](start|end|first|last))$"
)


@dataclass
class Roles:
    """The role of each column.

    Attributes:
        numeric: inputs that are numbers.
        categorical: inputs that are categories.
        identity: who talked to whom.
        labels: columns with labels; the first one is the class.
        time: columns with times; the first one orders the rows.
        left_out: every column that is no input though nobody said so, and why.
    """

    numeric: list[str] = field(default_factory=list)
    categorical: list[str] = field(default_factory=list)
    identity: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    time: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Named:
    """The columns whose role the user has told; those of a benign condition are labels too."""

    labels: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    time: tuple[str, ...] = ()


class Census:
    """What the cells of each column of text are, from one pass over all rows.

    Attributes:
        rows: rows seen.
        filled: cells that hold something.
        numbers: cells that hold a number.
        values: the different values, as long as they are no more than `MOST_CATEGORIES`.
    """

    def __init__(self, rows: Rows, kind: Kind) -> None:
        schema = rows.frame.collect_schema()
        texts = [column for column, dtype in schema.items() if is_text(dtype)]
        if kind.numbers is not None:
            texts = [column for column in texts if column in kind.numbers]
        self.rows = sum(height for _, height in rows.parts)
        self.filled = dict.fromkeys(texts, 0)
        self.numbers = dict.fromkeys(texts, 0)
        self.values: dict[str, set[str]] = {} if kind.marks else {c: set() for c in texts}
        # Columns of numbers are not read here: a file of numbers alone is not read at all.
        for part in rows.then(lambda part: part.select(texts)).slices() if texts else ():
            self._add(part, texts)

    def _add(self, part: pl.DataFrame, texts: list[str]) -> None:
        counts: list[pl.Expr] = []
        for column in texts:
            # Looking closer only at what is no number is what makes this pass cheap.
            rest = text(column).filter(number(column).is_null()).fill_null("")
            counts.append((~rest.is_in(EMPTY)).sum().alias(f"words {column}"))
            counts.append(number(column).is_not_null().sum().alias(f"numbers {column}"))
            if column in self.values:
                some = pl.col(column).cast(pl.String).unique().head(MOST_CATEGORIES + 1)
                counts.append(some.str.strip_chars().implode().alias(f"values {column}"))
        found = part.select(counts).row(0, named=True)
        for column in texts:
            self.numbers[column] += found[f"numbers {column}"]
            self.filled[column] += found[f"numbers {column}"] + found[f"words {column}"]
            if column in self.values:
                self.values[column].update(set(found[f"values {column}"]) - {None, ""})
                if len(self.values[column]) > MOST_CATEGORIES:
                    del self.values[column]

    def has_few_values(self, column: str) -> bool:
        """Whether the column can be a category: few values, and each of them in some rows."""
        values = self.values.get(column)
        return values is not None and len(values) <= self.filled[column] / 2


def is_text(dtype: Any) -> bool:
    """Whether the cells of a column are text, whose meaning must be found."""
    return dtype in (pl.String, pl.Categorical, pl.Enum)


def assign(name: str, kind: Kind, schema: Mapping[str, Any], census: Census, named: Named) -> Roles:
    """The role of every column of a table.

    Raises:
        InputError: a named column is missing, one looks like a label and is not named, or one is
            half numbers and half text.
    """
    there = [column for column in schema if column != LINE]
    for column in (*named.labels, *named.conditions, *named.drop, *named.categorical, *named.time):
        if column not in there:
            raise InputError(f"{name}: no column {column!r}; there are {', '.join(there)}")
    roles = Roles(
        labels=_once(*named.labels, *_present(kind.labels, there), *named.conditions),
        time=_once(*named.time, *_present(kind.time, there)),
    )
    for column in there:
        if column in named.categorical:
            roles.categorical.append(column)
        elif column in named.drop:
            roles.left_out[column] = "dropped"
        elif column in roles.labels or column in roles.time:
            continue
        elif column in kind.identity:
            roles.identity.append(column)
        elif column in kind.categorical:
            roles.categorical.append(column)
        elif kind.numbers is None:
            _place(name, kind, column, schema[column], census, roles)
        elif column in kind.text:
            continue
        elif column not in kind.numbers:
            roles.left_out[column] = f"no input of {kind.name}"
        elif not kind.derived:
            roles.numeric.append(column)
    # A known kind has one order of inputs, whichever order its file has.
    place = {column: index for index, column in enumerate(kind.columns)}
    for inputs in (roles.numeric, roles.categorical):
        inputs.sort(key=lambda column: place.get(column, len(place)))
    roles.numeric += kind.derived
    return roles


def _place(name: str, kind: Kind, column: str, dtype: Any, census: Census, roles: Roles) -> None:
    """Find the role of a column by its name, then by its values."""
    said = column.strip().lower()
    if _LABEL.search(said):
        raise InputError(
            f"{name}: column {column!r} looks like a label; name it with labels or drop "
            "(or categorical, if it is an input)"
        )
    if _ENDPOINT.search(said):
        roles.identity.append(column)
    elif _TIME.search(said) or dtype.is_temporal():
        roles.time.append(column)
    elif dtype.is_numeric() or dtype == pl.Boolean or dtype == pl.Null:
        roles.numeric.append(column)
    elif not is_text(dtype):
        roles.left_out[column] = f"holds {dtype}, neither numbers nor text"
    else:
        _place_text(name, kind, column, census, roles)


def _place_text(name: str, kind: Kind, column: str, census: Census, roles: Roles) -> None:
    filled, numbers = census.filled[column], census.numbers[column]
    share = numbers / filled if filled else 1.0
    if share >= NUMBER_SHARE:
        roles.numeric.append(column)
    elif share >= TEXT_SHARE:
        raise InputError(
            f"{name}: column {column!r}: {filled - numbers:,} of {filled:,} values "
            "are no numbers; expected numbers, or name it with categorical or drop"
        )
    elif kind.marks:
        roles.left_out[column] = f"no input of {kind.name}"
    elif census.has_few_values(column):
        roles.categorical.append(column)
    else:
        roles.identity.append(column)
        roles.left_out[column] = "text with too many different values for a category"


def _once(*columns: str) -> list[str]:
    return list(dict.fromkeys(columns))


def _present(columns: Sequence[str], there: Sequence[str]) -> list[str]:
    return [column for column in columns if column in there]
