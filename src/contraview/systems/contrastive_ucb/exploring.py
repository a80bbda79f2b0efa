"""The paper's algorithm on tables: act optimistically, contrast what followed, plan again."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from contraview.core.run import Run
from contraview.core.seeds import numpy_generator, stream_seed
from contraview.frameworks.policy import Episode, Replay, play
from contraview.modalities.environments.data import Environment
from contraview.objectives.density_ratio import density_ratio
from contraview.systems.contrastive_ucb.config import ContrastiveUcbConfig
from contraview.systems.contrastive_ucb.features import FactorTables
from contraview.systems.contrastive_ucb.nash import nash
from contraview.systems.contrastive_ucb.planning import Seen, best, equilibrium, plan
from contraview.training.checkpoint import (
    Checkpoint,
    checkpoint_path,
    read_checkpoint,
    write_checkpoint,
)
from contraview.training.samplers import balanced

NAME = "explore"
CHECKPOINT_EVERY = 50


class Explorer:
    """Features, what has been seen, and the plan made of both.

    Attributes:
        planned: how many times a plan was made.
        upper: optimistic values by step, [h, s, a], by which the (first) player acts.
        lower: pessimistic ones, by which the second player of a game acts.
    """

    def __init__(self, config: ContrastiveUcbConfig, environment: Environment, seed: int) -> None:
        self.config, self.environment, self.seed = config, environment, seed
        self.maps = environment.horizon if config.by_step else 1
        self.pairs = environment.states * environment.actions
        self.features = self._fresh_features(0)
        self.replay = Replay()
        self.planned, self._planned_at, self._fitted_at = 0, 0, 0
        self._plan()

    def episodes(self, run: Run) -> Iterator[Episode]:
        """Explore for the configured number of episodes; each is given once it is learnt from.

        A run with a folder keeps a checkpoint every `CHECKPOINT_EVERY` episodes and goes on from
        the last one; everything random is a function of the seed and the episode, so the result
        is the same to the bit.
        """
        config, environment = self.config, self.environment
        path = checkpoint_path(run, NAME)
        settings = {
            "seed": self.seed,
            "config": config.model_dump(mode="json"),
            "data": environment.fingerprint(),
        }
        start = 0
        kept = read_checkpoint(path, settings) if path and run.resume else None
        if kept is not None:
            start = kept.step
            self._take_up(kept.tensors)
        with run.progress(NAME, config.episodes) as advance:
            advance(start)
            for number in range(start, config.episodes):
                generator = numpy_generator(self.seed, "actions", number)
                episode = play(
                    environment.env,
                    lambda state, step, g=generator: self.choose(int(state), step, g),
                    horizon=environment.horizon,
                    seed=self.seed,
                    name=("episode", number),
                )
                self.replay.add(episode)
                if len(self.replay) - self._planned_at >= config.plan_every:
                    self.learn()
                gained = float(episode.rewards.sum())
                run.log("episode", number=number + 1, steps=len(episode), gained=gained)
                advance(gained=f"{gained:.3g}")
                done = number + 1
                if path and (done % CHECKPOINT_EVERY == 0 or done == config.episodes):
                    write_checkpoint(path, Checkpoint(done, settings, {}, self._tensors()))
                yield episode

    def choose(self, state: int, step: int, generator: np.random.Generator) -> int:
        """The action of the optimistic plan; one at random with probability epsilon."""
        if generator.random() < self.config.epsilon:
            return int(generator.integers(self.environment.actions))
        at = step if self.config.by_step else 0
        if len(self.environment.players) == 2:
            first, second = self.environment.players
            mine = nash(self.upper[at, state].reshape(first, second))[0]
            theirs = nash(self.lower[at, state].reshape(first, second))[1]
            return int(
                generator.choice(first, p=mine) * second + generator.choice(second, p=theirs)
            )
        values = self.upper[at, state]
        return int(generator.choice(np.flatnonzero(values >= values.max() - 1e-9)))

    def learn(self) -> None:
        """A new plan; before it new features, where enough has been seen since the last ones."""
        if self.config.contrast and len(self.replay) >= (1 + self.config.growth) * self._fitted_at:
            self.fit()
            self._fitted_at = len(self.replay)
        self.planned += 1
        self._planned_at = len(self.replay)
        self._plan()

    def _fresh_features(self, number: int) -> FactorTables:
        """Features as they are drawn, anew for each fit."""
        return FactorTables(
            self.maps,
            self.pairs,
            self.environment.states,
            self.config.rank,
            sharpness=self.config.sharpness,
            seed=stream_seed(self.seed, "features", number),
        )

    def fit(self) -> None:
        """Features from scratch: what followed each pair against every state (P_base is even).

        Rows come evenly from all pairs that were tried, however often: the density ratio that is
        sought does not depend on how the pairs are weighted. As in the paper nothing is kept of
        the last fit.
        """
        self.features = self._fresh_features(self.planned + 1)
        optimizer = torch.optim.Adam(self.features.parameters(), lr=self.config.lr)
        seen = [
            torch.from_numpy(each) for each in (self._map(), self._pair(), self.replay["following"])
        ]
        batches = balanced(
            seen[1] * self.maps + seen[0],
            self.config.batch,
            stream_seed(self.seed, "contrast", self.planned),
        )
        for update in range(self.config.updates):
            rows = batches(update)
            loss = density_ratio(*self.features(*(each[rows] for each in seen)))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    def _pair(self) -> Int[np.ndarray, " n"]:
        """The pair of state and action of each step so far."""
        return self.replay["state"] * self.environment.actions + self.replay["action"]

    def _map(self) -> Int[np.ndarray, " n"]:
        """Which of the feature maps each step so far belongs to."""
        return np.minimum(self.replay["step"], self.maps - 1)

    def seen(self) -> Seen:
        """The counts of everything seen so far."""
        replay, states = self.replay, self.environment.states
        counts = np.zeros((self.maps, self.pairs))
        onward = np.zeros((self.maps, self.pairs, states))
        rewards = np.zeros((self.maps, self.pairs))
        step, pair = self._map(), self._pair()
        np.add.at(counts, (step, pair), 1)
        np.add.at(rewards, (step, pair), replay["reward"])
        on = ~replay["ended"]
        np.add.at(onward, (step[on], pair[on], replay["following"][on]), 1)
        largest = np.abs(replay["reward"]).max(initial=0.0) or 1.0
        return Seen(counts, onward, rewards / np.maximum(counts, 1) / largest)

    def values(self, bonus: float) -> Float[np.ndarray, "h s a"]:
        """The plan with a bonus of this scale; 0 is what has been learnt so far, as it is."""
        players = self.environment.players
        return plan(
            self.features.all_phi(),
            self.seen(),
            equilibrium(players) if len(players) == 2 else best,
            horizon=self.environment.horizon,
            bonus=bonus,
            ridge=self.config.ridge,
            discount=self.config.discount,
        )

    def _plan(self) -> None:
        self.upper = self.values(self.config.bonus)
        self.lower = self.upper
        if len(self.environment.players) == 2:
            self.lower = self.values(-self.config.bonus)

    def _tensors(self) -> dict[str, Any]:
        tensors = {f"model.{k}": v.clone() for k, v in self.features.state_dict().items()}
        for name in self.replay.columns:
            tensors[f"replay.{name}"] = torch.from_numpy(self.replay[name].copy())
        tensors["plan.upper"] = torch.from_numpy(self.upper.copy())
        tensors["plan.lower"] = torch.from_numpy(self.lower.copy())
        tensors["plan.made"] = torch.tensor([self.planned, self._planned_at, self._fitted_at])
        return tensors

    def _take_up(self, tensors: dict[str, Any]) -> None:
        self.features.load_state_dict(
            {name: tensors[f"model.{name}"] for name in self.features.state_dict()}
        )
        columns = {
            name.removeprefix("replay."): value.clone().numpy()
            for name, value in tensors.items()
            if name.startswith("replay.")
        }
        self.replay = Replay(columns, len(columns["state"]))
        self.upper, self.lower = tensors["plan.upper"].numpy(), tensors["plan.lower"].numpy()
        self.planned, self._planned_at, self._fitted_at = tensors["plan.made"].tolist()
