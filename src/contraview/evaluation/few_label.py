"""Naming classes from a handful of labels: how the labels are drawn, how the answer is judged."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int, Shaped

from contraview.core.errors import InputError
from contraview.core.seeds import numpy_generator
from contraview.evaluation.probes import LinearProbe

Episode = tuple[Int[np.ndarray, " s"], Int[np.ndarray, " q"]]
"""Rows to learn from, and rows to name."""


def few_labels(
    labels: Shaped[np.ndarray, " n"], per_class: int, generator: np.random.Generator
) -> Int[np.ndarray, " m"]:
    """Indices of ``per_class`` rows of each class, drawn without replacement.

    A class with fewer rows gives all it has, as in CLAN's protocol. The indices are grouped by
    class, classes in sorted order.
    """
    if per_class < 1:
        raise InputError(f"{per_class} labels a class; expected at least 1")
    _, owner, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    shuffled = np.lexsort([generator.random(len(labels)), owner])
    place = np.arange(len(labels)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return shuffled[place < per_class]


def episodes(
    support: Shaped[np.ndarray, " n"],
    queries: Shaped[np.ndarray, " m"],
    *,
    ways: int,
    shots: int,
    count: int,
    seed: int,
) -> Iterator[Episode]:
    """Small tasks: ``ways`` random classes, ``shots`` rows of each to learn from, rows to name.

    Rows to learn from and rows to name come from two label arrays, so that a split by group holds
    in each episode too. Every row of ``queries`` of the chosen classes is named.

    Raises:
        InputError: fewer than ``ways`` classes have ``shots`` rows and something to name.
    """
    classes, sizes = np.unique(support, return_counts=True)
    usable = [c for c, size in zip(classes, sizes, strict=True) if size >= shots and c in queries]
    if not 2 <= ways <= len(usable):
        raise InputError(
            f"{ways} classes an episode; expected 2 to {len(usable)}, the classes with {shots} rows"
        )
    for number in range(count):
        generator = numpy_generator(seed, "episode", number)
        names = [usable[i] for i in generator.choice(len(usable), ways, replace=False)]
        learn = [
            generator.choice(np.flatnonzero(support == n), shots, replace=False) for n in names
        ]
        yield np.concatenate(learn), np.flatnonzero(np.isin(queries, names))


def episode_accuracy(
    support: Float[np.ndarray, "n d"],
    support_labels: Shaped[np.ndarray, " n"],
    queries: Float[np.ndarray, "m d"],
    query_labels: Shaped[np.ndarray, " m"],
    *,
    ways: int,
    shots: int,
    count: int,
    seed: int,
) -> float:
    """Mean accuracy over `episodes` of a linear SVM that is fitted anew in each."""
    drawn = episodes(support_labels, query_labels, ways=ways, shots=shots, count=count, seed=seed)
    found = []
    for learn, asked in drawn:
        probe = LinearProbe.fit(support[learn], support_labels[learn], kind="svm")
        found.append(accuracy(query_labels[asked], probe.predict(queries[asked])))
    return float(np.mean(found))


def macro_f1(truth: Shaped[np.ndarray, " n"], predicted: Shaped[np.ndarray, " n"]) -> float:
    """The unweighted mean of F1 over the classes of ``truth``; a class never predicted has zero."""
    from sklearn.metrics import f1_score

    _need_rows(truth)
    classes = np.unique(truth)
    return float(f1_score(truth, predicted, labels=classes, average="macro"))


def accuracy(truth: Shaped[np.ndarray, " n"], predicted: Shaped[np.ndarray, " n"]) -> float:
    """The share of rows whose predicted class is the true one."""
    _need_rows(truth)
    return float((truth == predicted).mean())


def _need_rows(truth: Shaped[np.ndarray, " n"]) -> None:
    if not len(truth):
        raise InputError("no rows to judge; expected at least one")
