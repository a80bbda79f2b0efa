"""The policy loop: episodes in an environment, what they brought, and what is learnt after each."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from contraview.core.seeds import stream_seed

Choose = Callable[[Any, int], int]
"""A state and the number of steps so far in, an action out."""


@dataclass(frozen=True)
class Episode:
    """What happened from a reset to the end: row t is the step from state t.

    Attributes:
        states: before each step.
        actions: taken.
        rewards: received.
        following: the states after.
        ended: whether the environment was over after it; a cut at the horizon is no end.
    """

    states: Shaped[np.ndarray, "n ..."]
    actions: Int[np.ndarray, " n"]
    rewards: Float[np.ndarray, " n"]
    following: Shaped[np.ndarray, "n ..."]
    ended: Bool[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.actions)


def play(
    env: Any,
    choose: Choose,
    *,
    horizon: int,
    seed: int,
    name: tuple[str | int, ...] = ("episode",),
    after_step: Callable[[Any, int, float, Any, bool], None] | None = None,
) -> Episode:
    """One episode of at most ``horizon`` steps.

    Args:
        env: a gymnasium environment.
        choose: the policy.
        horizon: where to cut.
        seed: of the run; what the environment draws comes from its stream ``name``.
        name: of the episode.
        after_step: sees state, action, reward, next state and whether it is over.
    """
    state, _ = env.reset(seed=stream_seed(seed, *name) % 2**31)
    steps: list[tuple[Any, int, float, Any, bool]] = []
    for number in range(horizon):
        action = choose(state, number)
        following, reward, ended, cut, _ = env.step(action)
        steps.append((state, action, float(reward), following, bool(ended)))
        if after_step is not None:
            after_step(*steps[-1])
        if ended or cut:
            break
        state = following
    states, actions, rewards, nexts, ends = zip(*steps, strict=True)
    return Episode(
        np.asarray(states),
        np.asarray(actions, np.int64),
        np.asarray(rewards, np.float64),
        np.asarray(nexts),
        np.asarray(ends, bool),
    )


@dataclass
class Replay:
    """All steps so far of an environment whose states are numbers; nothing is thrown away.

    Rewards are what the environment gave: what a learner adds to them is its own affair.
    """

    columns: dict[str, np.ndarray] = field(
        default_factory=lambda: {
            "step": np.empty(0, np.int64),
            "state": np.empty(0, np.int64),
            "action": np.empty(0, np.int64),
            "reward": np.empty(0, np.float64),
            "following": np.empty(0, np.int64),
            "ended": np.empty(0, bool),
        }
    )
    size: int = 0

    def add(self, episode: Episode) -> None:
        """Append the steps of an episode."""
        new = {
            "step": np.arange(len(episode)),
            "state": episode.states,
            "action": episode.actions,
            "reward": episode.rewards,
            "following": episode.following,
            "ended": episode.ended,
        }
        needed = self.size + len(episode)
        for name, values in new.items():
            column = self.columns[name]
            if needed > len(column):
                # Doubling keeps the cost of growing in proportion to what is stored.
                grown = np.zeros(max(2 * len(column), needed, 1024), column.dtype)
                grown[: self.size] = column[: self.size]
                self.columns[name] = column = grown
            column[self.size : needed] = values
        self.size = needed

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, name: str) -> np.ndarray:
        """A column, such as ``state``, of all steps so far."""
        return self.columns[name][: self.size]
