"""What every one-class scorer asks of the rows it is given."""

import numpy as np
from jaxtyping import Float

from contraview.core.errors import InputError


def need_fit_rows(rows: Float[np.ndarray, "n d"], fewest: int = 2) -> None:
    """Refuse rows that nothing can be learnt from."""
    if len(rows) < fewest:
        raise InputError(f"{len(rows)} benign rows to learn from; expected at least {fewest}")
    if not rows.shape[1]:
        raise InputError("benign rows of no columns; expected at least one that is not constant")
    need_rows(rows, rows.shape[1])


def need_rows(rows: Float[np.ndarray, "n d"], columns: int) -> None:
    """Refuse rows of another width than the fit's, or with values that are not numbers."""
    if rows.shape[1] != columns:
        raise InputError(f"rows of {rows.shape[1]} columns; expected {columns}, as in the fit")
    if not np.isfinite(rows).all():
        row, column = np.argwhere(~np.isfinite(rows))[0]
        raise InputError(
            f"row {row}, column {column}: {rows[row, column]}; expected a finite number"
        )
