"""Isolation forest: grown by scikit-learn, kept as arrays, scored by our own batched traversal."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Float32, Int, Int32

from contraview.core.learnt import Learnt, array, demand
from contraview.core.seeds import stream_seed
from contraview.frameworks.one_class.rows import need_fit_rows, need_rows

DEEPEST = 64
"""Levels of a tree on 256 rows: 8, as scikit-learn grows them; a row takes a step for each."""
ROWS_AT_ONCE = 128
"""Rows in flight: their cells and the nodes they stand on stay in the processor's cache."""


@dataclass(frozen=True)
class IsolationForest:
    """Rows that random cuts set apart early (Liu, Ting and Zhou 2008), scores as in scikit-learn.

    The nodes of all trees stand in one list, breadth first over the forest: the roots come first,
    and two siblings stand side by side. A row at node i goes on to ``children[i]``, or to the
    node after it where the row's value is above the threshold. A leaf leads to itself.

    Attributes:
        feature: the column each node cuts; 0 at a leaf.
        threshold: the value of the cut; infinite at a leaf.
        children: the left child of each node, its right sibling being the next; a leaf's is
            itself.
        samples: how many of its tree's fit rows reached the node.
        trees: how many trees, and so how many roots, there are.
        columns: how many columns a row has.
    """

    feature: Int32[np.ndarray, " nodes"]
    threshold: Float32[np.ndarray, " nodes"]
    children: Int32[np.ndarray, " nodes"]
    samples: Int32[np.ndarray, " nodes"]
    trees: int
    columns: int

    @classmethod
    def fit(
        cls, rows: Float[np.ndarray, "n d"], *, trees: int = 200, seed: int = 0
    ) -> "IsolationForest":
        """Grow trees on benign rows, each on 256 of them (all, where there are fewer)."""
        from sklearn.ensemble import IsolationForest as Grower

        need_fit_rows(rows)
        grower = Grower(n_estimators=trees, random_state=stream_seed(seed, "forest") % 2**32)
        grown = [member.tree_ for member in grower.fit(rows).estimators_]
        first = np.cumsum([0, *(tree.node_count for tree in grown)])
        feature = np.concatenate([tree.feature for tree in grown])
        inner = feature >= 0
        itself = np.arange(len(feature))

        def joined(side: str) -> Int[np.ndarray, " nodes"]:
            parts = [getattr(tree, side) + first[i] for i, tree in enumerate(grown)]
            return np.where(inner, np.concatenate(parts).astype(np.intp), itself)

        left, right = joined("children_left"), joined("children_right")
        order = _breadth_first(first[:-1], left, right, inner)
        place = np.empty_like(order)
        place[order] = itself
        threshold = np.where(inner, np.concatenate([tree.threshold for tree in grown]), np.inf)
        return cls(
            feature=np.where(inner, feature, 0)[order].astype(np.int32),
            threshold=_rounded_down(threshold[order]),
            children=place[left[order]].astype(np.int32),
            samples=np.concatenate([t.n_node_samples for t in grown])[order].astype(np.int32),
            trees=trees,
            columns=rows.shape[1],
        )

    def score(self, rows: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        """2^(-mean path length / expected path length), from 0 to 1: minus `score_samples`."""
        need_rows(rows, self.columns)
        feature, children = self.feature.astype(np.intp), self.children.astype(np.intp)
        depth, lengths = self.paths
        mean = np.empty(len(rows))
        for start in range(0, len(rows), ROWS_AT_ONCE):
            some = np.ascontiguousarray(rows[start : start + ROWS_AT_ONCE], dtype=np.float32)
            cells = some.ravel()
            row_start = np.arange(len(some)) * self.columns
            node = np.broadcast_to(np.arange(self.trees)[:, None], (self.trees, len(some)))
            for _ in range(depth):
                values = cells.take(feature.take(node) + row_start)
                above = values > self.threshold.take(node)
                node = children.take(node)
                node += above
            mean[start : start + len(some)] = lengths.take(node).mean(axis=0)
        return 2.0 ** (-mean / self.expected)

    def learnt(self) -> Learnt:
        """What `restore` needs."""
        return Learnt(
            arrays={
                "feature": self.feature,
                "threshold": self.threshold,
                "children": self.children,
                "samples": self.samples,
            },
            facts={"trees": self.trees, "columns": self.columns},
        )

    @classmethod
    def restore(cls, learnt: Learnt) -> "IsolationForest":
        """The forest that `learnt` described."""
        held, facts = learnt.arrays, learnt.facts
        made = cls(
            feature=array(held, "feature", 1, "i"),
            threshold=held["threshold"],
            children=array(held, "children", 1, "i"),
            samples=array(held, "samples", 1, "i"),
            trees=facts["trees"],
            columns=facts["columns"],
        )
        made._check()
        return made

    def _check(self) -> None:
        """Refuse nodes that lead out of the forest, back up, or together again."""
        nodes = len(self.children)
        alike = {len(self.feature), len(self.threshold), len(self.samples)} == {nodes}
        demand(alike and self.threshold.dtype == np.float32, "isolation forest: parts of two trees")
        demand(
            all(type(each) is int for each in (self.trees, self.columns))
            and 1 <= self.trees <= nodes,
            "isolation forest: trees that are not there",
        )
        inner = np.flatnonzero(self.children != np.arange(nodes))
        pairs = _pairs(self.children[inner], self.children[inner].astype(np.int64) + 1)
        demand((self.children[inner] > inner).all(), "isolation forest: a node leads back up")
        demand(
            not pairs.size or (pairs.min() >= self.trees and pairs.max() < nodes),
            "isolation forest: a node leads out of its tree",
        )
        demand(len(np.unique(pairs)) == len(pairs), "isolation forest: two nodes lead to one")
        demand(
            ((self.feature >= 0) & (self.feature < self.columns)).all(),
            "isolation forest: cuts a column that is not there",
        )
        demand(
            (self.samples >= 1).all() and not np.isnan(self.threshold).any(),
            "isolation forest: a node without rows, or a cut at no number",
        )
        demand(self.paths[0] <= DEEPEST, f"isolation forest: deeper than {DEEPEST}")

    @property
    def expected(self) -> float:
        """The path length that a score of one half stands for."""
        return float(_expected_length(self.samples[:1])[0])

    @cached_property
    def paths(self) -> tuple[int, Float[np.ndarray, " nodes"]]:
        """The depth of the deepest leaf; for each leaf its depth plus what its rows would add."""
        inner = self.children != np.arange(len(self.children))
        depth = np.zeros(len(self.children))
        level, deepest = np.arange(self.trees), 0
        while (level := level[inner[level]]).size:
            deepest += 1
            level = _pairs(self.children[level], self.children[level] + 1)
            depth[level] = deepest
        return deepest, depth + _expected_length(self.samples)


def _breadth_first(
    roots: Int[np.ndarray, " trees"],
    left: Int[np.ndarray, " nodes"],
    right: Int[np.ndarray, " nodes"],
    inner: np.ndarray,
) -> Int[np.ndarray, " nodes"]:
    """All nodes, level by level over the whole forest, siblings side by side."""
    levels = [roots]
    while (parents := levels[-1][inner[levels[-1]]]).size:
        levels.append(_pairs(left[parents], right[parents]))
    return np.concatenate(levels)


def _pairs(left: Int[np.ndarray, " n"], right: Int[np.ndarray, " n"]) -> Int[np.ndarray, " m"]:
    return np.stack([left, right], axis=1).ravel()


def _rounded_down(values: Float[np.ndarray, " n"]) -> Float32[np.ndarray, " n"]:
    """Single precision, never upwards: a single-precision x is above both, or above neither."""
    single = values.astype(np.float32)
    return np.where(single > values, np.nextafter(single, np.float32(-np.inf)), single)


def _expected_length(samples: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """The mean path length of an unsuccessful search among n: 2 H(n - 1) - 2 (n - 1) / n.

    Equation 1 of the paper, with the harmonic number as log + Euler's constant, as scikit-learn.
    """
    n = np.maximum(samples, 2).astype(np.float64)
    length = 2 * (np.log(n - 1) + np.euler_gamma) - 2 * (n - 1) / n
    return np.where(samples > 2, length, np.where(samples == 2, 1.0, 0.0))
