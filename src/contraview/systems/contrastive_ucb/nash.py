"""Zero-sum matrix games."""

import numpy as np
from jaxtyping import Float
from scipy.optimize import linprog


def nash(
    game: Float[np.ndarray, "a b"],
) -> tuple[Float[np.ndarray, " a"], Float[np.ndarray, " b"], float]:
    """The equilibrium of a game in which the column player pays ``game[i, j]`` to the row player.

    Returns:
        The row player's mixed strategy, the column player's, and the value. No other strategy of
        one gains against the other's.

    The row player's strategy is a linear programme (largest v with x^T G >= v), the column player's
    its dual. A saddle point in pure strategies needs no programme.
    """
    worst, most = game.min(axis=1), game.max(axis=0)
    row, column = int(worst.argmax()), int(most.argmin())
    if worst[row] == most[column]:
        return np.eye(len(worst))[row], np.eye(len(most))[column], float(worst[row])
    actions, answers = game.shape
    found = linprog(
        np.r_[np.zeros(actions), -1.0],
        A_ub=np.c_[-game.T, np.ones(answers)],
        b_ub=np.zeros(answers),
        A_eq=np.r_[np.ones(actions), 0.0][None],
        b_eq=[1.0],
        bounds=[(0, None)] * actions + [(None, None)],
        method="highs",
    )
    rows = np.maximum(found.x[:-1], 0)
    columns = np.maximum(-found.ineqlin.marginals, 0)
    return rows / rows.sum(), columns / columns.sum(), float(found.x[-1])
