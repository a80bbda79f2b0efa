"""The elliptical bonus: how little has been seen in the direction of some features."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.linalg import cho_factor, cho_solve, solve_triangular


@dataclass(frozen=True)
class Covariance:
    """Sigma = lambda I + sum of phi phi^T over what was seen, by its Cholesky factor.

    Attributes:
        factor: lower triangular L with L L^T = Sigma.
    """

    factor: Float[np.ndarray, "d d"]

    @classmethod
    def of(
        cls, features: Float[np.ndarray, "n d"], counts: Float[np.ndarray, " n"], ridge: float
    ) -> "Covariance":
        """The covariance of features that were seen ``counts`` times each; lambda is ``ridge``."""
        total = (features * counts[:, None]).T @ features
        total[np.diag_indices_from(total)] += ridge
        return cls(np.tril(cho_factor(total, lower=True)[0]))

    def solve(self, right: Float[np.ndarray, "d m"]) -> Float[np.ndarray, "d m"]:
        """Sigma^-1 times ``right``."""
        return cho_solve((self.factor, True), right)

    def bonus(
        self, features: Float[np.ndarray, "n d"], scale: float, cap: float
    ) -> Float[np.ndarray, " n"]:
        """min(scale |phi|_{Sigma^-1}, cap), never below zero.

        For one-hot features it is scale / sqrt(times seen + lambda).
        """
        half = solve_triangular(self.factor, features.T, lower=True)
        return np.minimum(scale * np.sqrt((half**2).sum(0)), cap)
