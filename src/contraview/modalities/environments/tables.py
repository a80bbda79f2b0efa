"""Environments that are a table: so many states, so many actions, a probability each."""

from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from jaxtyping import Bool, Float

from contraview.core.errors import InputError

SLACK = 1e-6


@dataclass(frozen=True)
class Table:
    """The transitions of an environment with states and actions that can be counted.

    Two players choose at once where ``players`` has two numbers; an action is then the pair, as
    ``a * players[1] + b``, and the reward is what the second player pays the first.

    Attributes:
        moves: probability of the next state for each state and action, [s, a, s].
        rewards: expected reward of a state and action, [s, a].
        start: probability of each state at the start, [s].
        final: probability that the episode ends with a move, [s, a, s], at most ``moves``.
        players: how many actions each player has.
    """

    moves: Float[np.ndarray, "s a s"]
    rewards: Float[np.ndarray, "s a"]
    start: Float[np.ndarray, " s"]
    final: Float[np.ndarray, "s a s"]
    players: tuple[int, ...]


def table_of(
    name: str,
    transitions: np.ndarray,
    rewards: np.ndarray,
    start: np.ndarray | None = None,
    terminal: Bool[np.ndarray, " s"] | np.ndarray | None = None,
) -> Table:
    """Check and unfold the arrays of a Markov decision process, or of a two-player game.

    Args:
        name: for messages.
        transitions: [s, a, s], or [s, a, b, s] for two players; rows sum to one.
        rewards: [s, a], or [s, a, b].
        start: probability of each state at the start; state 0 by default.
        terminal: states that end an episode.

    Raises:
        InputError: shapes that do not fit, rows that are no probabilities, a value not finite.
    """
    shape = transitions.shape
    if len(shape) not in (3, 4) or shape[0] != shape[-1] or not transitions.size:
        raise InputError(
            f"{name}: transitions of shape {shape}; expected [states, actions, states], or "
            "[states, actions, actions, states] for two players"
        )
    if rewards.shape != shape[:-1]:
        raise InputError(f"{name}: rewards of shape {rewards.shape}; expected {shape[:-1]}")
    states, players = shape[0], shape[1:-1]
    moves = transitions.reshape(states, -1, states).astype(np.float64)
    wrong = (moves < 0).any(2) | ~(np.abs(moves.sum(2) - 1) < SLACK)
    if wrong.any():
        state, action = np.argwhere(wrong)[0]
        raise InputError(
            f"{name}: state {state}, action {action}: its transitions are no probabilities that "
            "sum to 1"
        )
    if not np.isfinite(rewards).all():
        raise InputError(f"{name}: a reward is not finite")
    first = np.eye(states)[0] if start is None else np.asarray(start, np.float64)
    if first.shape != (states,) or (first < 0).any() or abs(first.sum() - 1) > SLACK:
        raise InputError(f"{name}: start is no probability for each of {states} states")
    ends = np.zeros(states, bool) if terminal is None else np.asarray(terminal, bool)
    if ends.shape != (states,):
        raise InputError(f"{name}: terminal of shape {ends.shape}; expected ({states},)")
    return Table(
        moves / moves.sum(2, keepdims=True),
        rewards.reshape(states, -1).astype(np.float64),
        first,
        moves * ends,
        tuple(int(count) for count in players),
    )


def known_table(env: gym.Env) -> Table | None:
    """The true transitions of an environment that tells them (`TableEnv`, gymnasium's toy texts).

    For judging a policy; no system learns from it.
    """
    bare: Any = env.unwrapped
    if isinstance(bare, TableEnv):
        return bare.table
    listed = getattr(bare, "P", None)
    first = getattr(bare, "initial_state_distrib", None)
    if not isinstance(listed, dict) or first is None:
        return None
    states, actions = len(listed), len(listed[0])
    moves, final = np.zeros((2, states, actions, states))
    rewards = np.zeros((states, actions))
    for state, by_action in listed.items():
        for action, outcomes in by_action.items():
            for chance, following, reward, ends in outcomes:
                moves[state, action, following] += chance
                final[state, action, following] += chance * ends
                rewards[state, action] += chance * reward
    return Table(moves, rewards, np.asarray(first, np.float64), final, (actions,))


class TableEnv(gym.Env):
    """An environment that draws from a `Table`."""

    def __init__(self, table: Table) -> None:
        self.table = table
        states, actions = table.rewards.shape
        self.observation_space = spaces.Discrete(states)
        self.action_space = spaces.Discrete(actions)
        self._cumulated, self._first = table.moves.cumsum(2), table.start.cumsum()
        self.state = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """To a state drawn from the start."""
        super().reset(seed=seed, options=options)
        self.state = self._draw(self._first)
        return self.state, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        """One move: next state, reward, whether the episode is over."""
        before = self.state
        self.state = self._draw(self._cumulated[before, action])
        likely = self.table.moves[before, action, self.state]
        ends = self.np_random.random() * likely < self.table.final[before, action, self.state]
        return self.state, float(self.table.rewards[before, action]), bool(ends), False, {}

    def _draw(self, cumulated: Float[np.ndarray, " s"]) -> int:
        place = np.searchsorted(cumulated, self.np_random.random(), side="right")
        return int(min(place, len(cumulated) - 1))


def combination_lock(length: int, actions: int, seed: int) -> Table:
    """A lock that opens after ``length`` right turns in a row. Simulated.

    States 0 to length - 1 count the right turns so far, ``length`` is open and the last one is
    jammed: a wrong turn leads there, and nothing leads out. Opening pays one and ends the episode.
    Which of the ``actions`` turns is right at each place is drawn from ``seed``. Playing at random
    opens it once in actions ** length episodes.
    """
    if length < 1 or actions < 2:
        raise InputError(
            f"a lock of length {length} with {actions} actions; expected at least 1 and 2"
        )
    code = np.random.default_rng(seed).integers(0, actions, length)
    opened, jammed = length, length + 1
    moves = np.zeros((length + 2, actions, length + 2))
    moves[:, :, jammed] = 1
    rewards = np.zeros((length + 2, actions))
    for place, right in enumerate(code):
        moves[place, right] = np.eye(length + 2)[place + 1]
    rewards[length - 1, code[-1]] = 1
    terminal = np.arange(length + 2) == opened
    return table_of("lock", moves, rewards, None, terminal)


class CombinationLock(TableEnv):
    """`combination_lock` as a gymnasium environment."""

    def __init__(self, length: int = 12, actions: int = 4, seed: int = 0) -> None:
        super().__init__(combination_lock(length, actions, seed))
