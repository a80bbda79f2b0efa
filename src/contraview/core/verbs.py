"""What a fitted system can be asked to do. A verb enters here with the first system that has it."""

from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float


@runtime_checkable
class Embeds(Protocol):
    """Rows in, one vector a row out."""

    def embed(self, data: Any, /) -> Float[np.ndarray, "n d"]:
        """The embedding of each row."""
        ...


@runtime_checkable
class Scores(Protocol):
    """Rows in, one number a row out: higher is more anomalous."""

    def score(self, data: Any, /) -> Float[np.ndarray, " n"]:
        """The anomaly score of each row."""
        ...


@runtime_checkable
class Classifies(Protocol):
    """Rows in, one probability a class and row out."""

    classes: tuple[str, ...]

    def classify(self, data: Any, /) -> Float[np.ndarray, "n c"]:
        """The probability of each class; rows sum to one."""
        ...


VERBS: dict[str, type] = {"embed": Embeds, "score": Scores, "classify": Classifies}
