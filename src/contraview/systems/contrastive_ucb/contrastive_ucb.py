"""Contrastive UCB (Qiu, Wang, Bai, Yang, Wang 2022, arXiv:2207.14800)."""

import math
from typing import Any, ClassVar

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from contraview.core.errors import InputError
from contraview.core.learnt import Learnt, array, demand
from contraview.core.run import Run
from contraview.core.seeds import numpy_generator
from contraview.core.system import System
from contraview.core.weights import set_weights, weights_of
from contraview.frameworks.policy import play
from contraview.modalities.environments.data import (
    Environment,
    EnvironmentSource,
    read_environment,
)
from contraview.systems.contrastive_ucb.config import PRESETS, ContrastiveUcbConfig
from contraview.systems.contrastive_ucb.exploring import Explorer
from contraview.systems.contrastive_ucb.nash import nash
from contraview.systems.contrastive_ucb.screens import ScreenLearner, new_network

MOST_CELLS = 50_000_000


class ContrastiveUcb(System):
    """Learns to act in an environment from few episodes, by going where it knows least.

    Features phi(s, a) and psi(s') are learnt by telling states that followed from states drawn at
    random: their product becomes the density ratio P(s' | s, a) / P_base(s'), a model of low rank.
    In those features values are linear, so planning is a least-squares regression, and how much is
    known of a pair is the length of its features under the inverse covariance of all that was
    seen. That length is added to the values as a bonus. Where transitions share causes, what was
    learnt of one pair counts for the others.

    States that can be counted take the analysed algorithm: gymnasium's toy texts, tables of
    transitions, and zero-sum games of two players, in which each state's value is that of its
    matrix game. Atari screens take SPR-UCB, the form of the official code
    (github.com/Baichenjia/Contrastive-UCB), which has no negatives.

    Differs from the paper on tables: features are shared by all steps of an episode unless
    ``by_step``; the function class is a softmax table, fitted by Adam on all that was seen, instead
    of the best of a finite class; a chance ``epsilon`` of an action at random stands for the two
    uniform actions at the end of each roll-in; rewards are estimated. From the official code on
    screens: one Cholesky factor a batch, views and draws from the run's seed, a smaller replay
    ratio by default.

    Verb: `act`; `play` plays episodes.
    """

    slug = "contrastive_ucb"
    Config = ContrastiveUcbConfig
    Source = EnvironmentSource
    presets: ClassVar = PRESETS

    values: Float[np.ndarray, "h s a"]
    players: tuple[int, ...]
    learner: ScreenLearner | None = None

    @classmethod
    def describe(cls, data: Any) -> list[str]:
        """How large the environment is."""
        return read_environment(data).lines()

    def fit(self, environment: Any, /, *, run: Run | None = None) -> "ContrastiveUcb":
        """Act in the environment and learn from what follows.

        Args:
            environment: see `read_environment`.
            run: seed, folder and progress.
        """
        run = run or Run()
        environment = read_environment(environment, self.source)
        self.players = environment.players
        self._facts = {
            "environment": environment.name,
            "options": list(environment.options),
            "horizon": environment.horizon,
            "fingerprint": environment.fingerprint(),
        }
        run.log("data", **self._facts)
        if environment.kind == "screens":
            self.learner = ScreenLearner(self.config, environment, run.seed)
            self.learner.learn(run)
            self._network, self.values = self.learner.network, np.empty((0, 0, 0))
            self._facts["steps"] = self.learner.replay.added
            return self
        cells = environment.states**2 * environment.actions
        if cells * (environment.horizon if self.config.by_step else 1) > MOST_CELLS:
            raise InputError(
                f"{environment.name}: {environment.states} states and {environment.actions} "
                "actions are too many to count"
            )
        explorer = Explorer(self.config, environment, run.seed)
        steps = sum(len(episode) for episode in explorer.episodes(run))
        explorer.learn()
        self._facts["steps"] = steps
        self.values = explorer.values(0.0)
        return self

    @property
    def fitted(self) -> bool:
        """Whether `fit` or `restore` has run."""
        return hasattr(self, "values")

    def act(self, states: Any, /, *, step: int = 0) -> Int[np.ndarray, " n"]:
        """The best action in each state, without bonus.

        Args:
            states: numbers [n], or screens [n, 4, 84, 84] of bytes.
            step: of the episode, which matters where features are ``by_step``.

        In a game it is the likeliest action of the first player; `strategies` has all.
        """
        self.need_fit()
        if not len(self.values):
            screens = np.asarray(states)
            if screens.shape[1:] != (4, 84, 84) or screens.dtype != np.uint8:
                raise InputError("screens: expected bytes of shape [n, 4, 84, 84]")
            return _screen_actions(self._network, screens)
        if len(self.players) == 2:
            return np.array(
                [mine.argmax() for mine, _ in self.strategies(states, step=step)], np.int64
            )
        return self._values(states, step).argmax(axis=1)

    def strategies(
        self, states: Any, /, *, step: int = 0
    ) -> list[tuple[Float[np.ndarray, " a"], Float[np.ndarray, " b"]]]:
        """For each state of a game the mixed strategies of both players."""
        if len(self.players) != 2:
            raise InputError("contrastive_ucb: mixed strategies are for games of two players")
        return [nash(q.reshape(self.players))[:2] for q in self._values(states, step)]

    def _values(self, states: Any, step: int) -> Float[np.ndarray, "n a"]:
        self.need_fit()
        numbers = np.asarray(states)
        known = self.values.shape[1]
        whole = numbers.ndim == 1 and (numbers.size == 0 or numbers.dtype.kind in "iu")
        if not whole or (numbers.size and not 0 <= numbers.min() <= numbers.max() < known):
            raise InputError(f"states: expected numbers from 0 to {known - 1}, one a state")
        at = min(step, len(self.values) - 1) if self.config.by_step else 0
        return self.values[at, numbers.astype(np.int64)]

    def play(
        self, environment: Any = None, /, *, episodes: int = 10, seed: int = 0
    ) -> pl.DataFrame:
        """Episodes played by what was learnt: one row each, with its steps and its return.

        Args:
            environment: where to play; the one that was learnt from by default.
            episodes: how many.
            seed: of the environment, and of mixed strategies.
        """
        self.need_fit()
        made = self.source.model_copy(update={"options": tuple(self._facts["options"])})
        where = self._facts["environment"] if environment is None else environment
        there = read_environment(where, made)
        self._need_same(there)
        rows: list[dict[str, Any]] = []
        for number in range(episodes):
            generator = numpy_generator(seed, "play", number)
            episode = play(
                there.env,
                lambda state, step, g=generator: self._chosen(state, step, g),
                horizon=self._facts["horizon"],
                seed=seed,
                name=("play", number),
            )
            rows.append(
                {
                    "episode": number + 1,
                    "steps": len(episode),
                    "return": float(episode.rewards.sum()),
                }
            )
        return pl.DataFrame(rows)

    def _chosen(self, state: Any, step: int, generator: np.random.Generator) -> int:
        if len(self.players) == 2:
            mine, theirs = self.strategies([int(state)], step=step)[0]
            first = generator.choice(len(mine), p=mine)
            return int(first * len(theirs) + generator.choice(len(theirs), p=theirs))
        return int(self.act(np.asarray(state)[None], step=step)[0])

    def _need_same(self, environment: Environment) -> None:
        learnt = self.values.shape[1] if len(self.values) else 0
        if environment.states != learnt or environment.players != self.players:
            raise InputError(
                f"{environment.name}: {environment.states} states and {environment.players} "
                f"actions; the model learnt from {learnt} and {self.players}"
            )

    def learnt(self) -> Learnt:
        """The values of every state and action by step; of screens, the network."""
        facts = {**self._facts, "players": list(self.players)}
        if not len(self.values):
            return Learnt(weights_of(self._network), facts=facts)
        return Learnt({"values": self.values}, facts=facts)

    def restore(self, learnt: Learnt) -> None:
        """Take up what `learnt` gave."""
        self.players = tuple(learnt.facts["players"])
        self._facts = {key: value for key, value in learnt.facts.items() if key != "players"}
        if "values" in learnt.arrays:
            self.values = array(learnt.arrays, "values", 3)
            fits = self.values.shape[2] == math.prod(self.players) > 0
            demand(fits and self.values.size > 0, "values that fit no players")
            return
        self.values = np.empty((0, 0, 0))
        self._network = new_network(self.config, self.players[0], 0)
        set_weights(self._network, learnt.arrays)
        self._network.eval()


def _screen_actions(network: Any, screens: np.ndarray) -> Int[np.ndarray, " n"]:
    import torch

    network.eval()
    with torch.inference_mode():
        latents = network.encode(torch.from_numpy(screens).float() / 255)
        return network.worth(latents).argmax(1).numpy()
