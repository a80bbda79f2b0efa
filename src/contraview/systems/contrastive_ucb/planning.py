"""Least-squares value iteration on features: the values of every state and action, step by step."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from contraview.systems.contrastive_ucb.bonus import Covariance
from contraview.systems.contrastive_ucb.nash import nash

Value = Callable[[Float[np.ndarray, "s a"]], Float[np.ndarray, " s"]]
"""Values of actions in, the value of each state out."""


@dataclass(frozen=True)
class Seen:
    """What was seen of each pair of state and action, by step where features are by step.

    Attributes:
        counts: how often each pair was tried, [t, n].
        onward: how often each state followed and the episode went on, [t, n, s].
        rewards: mean reward of each pair, over the largest seen; 0 where never tried, [t, n].
    """

    counts: Float[np.ndarray, "t n"]
    onward: Float[np.ndarray, "t n s"]
    rewards: Float[np.ndarray, "t n"]


def plan(
    phi: Float[np.ndarray, "t n d"],
    seen: Seen,
    value: Value,
    *,
    horizon: int,
    bonus: float,
    ridge: float,
    discount: float,
) -> Float[np.ndarray, "h s a"]:
    """Q of each step: Q_h = r + discount phi^T w_h + b, w_h = Sigma^-1 sum phi V_{h+1}(s').

    V is zero after the horizon and after an end. The bonus b = min(bonus |phi|_{Sigma^-1}, H)
    enters here, into the target, and nowhere else: what was seen keeps its own rewards. A negative
    ``bonus`` is the lower bound of the player who pays. Q stays within -H and H. Maps shared over
    steps give the same regression at each step, but values still by steps to go.

    Of a pair that was never tried the contrast says nothing: whatever features it has been given,
    it is taken as orthogonal to all that was seen. So nothing is predicted of it, and its bonus is
    the largest there is, bonus / sqrt(lambda).

    Args:
        phi: features of every pair (state * actions + action), a map a step, or one for all.
        seen: what has been seen so far.
        value: how the value of a state comes from those of its actions.
        horizon: H, the number of steps.
        bonus: scale of the bonus, 0 for none.
        ridge: lambda.
        discount: of the next step.
    """
    maps, pairs, _ = phi.shape
    states = seen.onward.shape[2]
    regress, bonuses = [], []
    phi = np.where(seen.counts[:, :, None] > 0, phi, 0.0)
    for features, counts, onward in zip(phi, seen.counts, seen.onward, strict=True):
        covariance = Covariance.of(features, counts, ridge)
        regress.append(covariance.solve(features.T @ onward))
        known = covariance.bonus(features, abs(bonus), float(horizon))
        new = min(abs(bonus) / ridge**0.5, float(horizon))
        bonuses.append(np.sign(bonus) * np.where(counts > 0, known, new))
    q = np.empty((horizon, states, pairs // states))
    worth = np.zeros(states)
    for step in reversed(range(horizon)):
        at = min(step, maps - 1)
        expected = phi[at] @ (regress[at] @ worth)
        total = seen.rewards[at] + discount * expected + bonuses[at]
        q[step] = np.clip(total, -horizon, horizon).reshape(states, -1)
        worth = value(q[step])
    return q


def best(q: Float[np.ndarray, "s a"]) -> Float[np.ndarray, " s"]:
    """One player: the value of the best action."""
    return q.max(axis=1)


def equilibrium(players: tuple[int, ...]) -> Value:
    """Two players: the value of the zero-sum game in each state."""

    def value(q: Float[np.ndarray, "s a"]) -> Float[np.ndarray, " s"]:
        return np.array([nash(game.reshape(players))[2] for game in q])

    return value
