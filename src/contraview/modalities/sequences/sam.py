"""Alignments as SAM, the text format that samtools and genome browsers read."""

from typing import Final

import polars as pl

from contraview.core.version import __version__

COLUMNS: Final = {
    "qname": pl.String,
    "flag": pl.Int64,
    "rname": pl.String,
    "pos": pl.Int64,
    "mapq": pl.Int64,
    "cigar": pl.String,
    "rnext": pl.String,
    "pnext": pl.Int64,
    "tlen": pl.Int64,
    "seq": pl.String,
    "qual": pl.String,
    "score": pl.Float64,
    "distance": pl.Int64,
}
"""The eleven columns of a SAM record in their order, then what becomes its tags AS and NM."""
UNMAPPED, REVERSE = 4, 16
"""Flags: the read was not placed; it lies on the other strand and is written as that strand."""


def header(names: list[str], lengths: list[int]) -> str:
    """The header: the sequences of the reference in order, and which program wrote this."""
    lines = ["@HD\tVN:1.6\tSO:unsorted"]
    lines += [f"@SQ\tSN:{name}\tLN:{length}" for name, length in zip(names, lengths, strict=True)]
    return "\n".join([*lines, f"@PG\tID:contraview\tPN:contraview\tVN:{__version__}", ""])


def records(table: pl.DataFrame) -> str:
    """One line a row of a table with `COLUMNS`; the tags only where the read was placed.

    AS is a whole number by the format's rule: the score is rounded.
    """
    lines = []
    for row in table.select(*COLUMNS).iter_rows():
        *fields, score, distance = row
        tags = [] if row[1] & UNMAPPED else [f"AS:i:{round(score)}", f"NM:i:{distance}"]
        lines.append("\t".join([*map(str, fields), *tags]))
    return "".join(f"{line}\n" for line in lines)
