"""Do contrast-learnt features with an elliptical bonus find a reward sooner?"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from contraview.claims.claim import Claim, Experiment, Figures
from contraview.claims.results import Data
from contraview.core.run import Run
from contraview.core.seeds import stream_seed
from contraview.modalities.environments.data import LOCK, Environment, read_environment
from contraview.systems.contrastive_ucb.config import ContrastiveUcbConfig
from contraview.systems.contrastive_ucb.exploring import Explorer

METHOD = "contrast-learnt features, bonus"
GREEDY = "the same features, no bonus (epsilon-greedy)"
RANDOM = "random fixed features of equal rank, bonus"
COUNTS = "a feature a pair (plain counts), bonus"
STEPS = "log2 of the steps in the environment to success"
SUCCESS = 0.8
"""Share of the best possible return, above what nothing gains, that counts as success."""
RATIO = "correlation of psi^T phi with the true density ratio"
LEVEL = "level to reach"


@dataclass(frozen=True)
class Task:
    """An environment and the settings that all arms share in it.

    Attributes:
        name: of the environment.
        id: that gymnasium knows it by.
        options: of the environment.
        rank: of the features.
        most: steps after which an arm that has not succeeded is stopped, and counted with.
    """

    name: str
    id: str
    options: tuple[str, ...]
    rank: int
    most: int
    horizon: int | None = None

    def make(self, seed: int) -> Environment:
        """The environment; a lock has a code of its own for each seed."""
        options = self.options
        if self.id == LOCK:
            options = (*options, f"seed={stream_seed(seed, 'code') % 2**31}")
        return read_environment(self.id, options=options, horizon=self.horizon)


TASKS = (
    Task("combination lock of 12", LOCK, ("length=12", "actions=4"), 32, 12_000, 12),
    Task("FrozenLake 8x8", "FrozenLake-v1", ("map_name=8x8", "is_slippery=false"), 128, 12_000),
    Task("CliffWalking", "CliffWalking-v1", (), 96, 8_000, 100),
)
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "small": {"knobs": {}, "share of steps": 1.0},
    "smoke": {"knobs": {"updates": 2, "plan_every": 50}, "share of steps": 0.01},
}


@dataclass(frozen=True)
class Race:
    """Every arm explores the same environment until its greedy policy succeeds."""

    task: Task

    def __call__(self, run: Run, settings: Mapping[str, Any]) -> Figures:
        """Steps to success of every arm, and how true the learnt ratio is in the end."""
        most = max(round(self.task.most * settings["share of steps"]), 100)
        knobs = {"rank": self.task.rank, "episodes": most, **settings["knobs"]}
        arms = {
            METHOD: knobs,
            GREEDY: {**knobs, "bonus": 0.0},
            RANDOM: {**knobs, "contrast": False},
            COUNTS: {**knobs, "contrast": False},
        }
        figures: dict[str, dict[str, float]] = {STEPS: {}, RATIO: {}}
        for arm, chosen in arms.items():
            environment = self.task.make(run.seed)
            explorer = new_explorer(chosen, environment, run.seed, counts=arm == COUNTS)
            figures[STEPS][arm] = math.log2(steps_to_success(explorer, most))
            if arm == METHOD:
                explorer.fit()
                figures[RATIO] = {METHOD: ratio_correlation(explorer), LEVEL: 0.8}
        return figures


def new_explorer(
    knobs: Mapping[str, Any], environment: Environment, seed: int, *, counts: bool
) -> Explorer:
    """An explorer; with ``counts`` each pair of state and action has a feature of its own."""
    pairs = environment.states * environment.actions
    if not counts:
        return Explorer(ContrastiveUcbConfig.of(**knobs), environment, seed)
    explorer = Explorer(ContrastiveUcbConfig.of(**{**knobs, "rank": pairs}), environment, seed)
    with torch.no_grad():
        explorer.features.logits.copy_(torch.eye(pairs)[None] * 1e4)
    return explorer


def steps_to_success(explorer: Explorer, most: int) -> int:
    """Steps taken when the greedy policy of what was learnt first succeeds, at most ``most``."""
    environment = explorer.environment
    nothing, best = 0.0, optimum(environment)
    if best < 0:
        nothing = 2 * best
    steps, planned = 0, 0
    for episode in explorer.episodes(Run(seed=explorer.seed, show=False)):
        steps += len(episode)
        if explorer.planned > planned:
            planned = explorer.planned
            policy = explorer.values(0.0)[0].argmax(axis=1)
            if worth(environment, policy) >= nothing + SUCCESS * (best - nothing):
                return min(steps, most)
        if steps >= most:
            break
    return most


def worth(environment: Environment, policy: np.ndarray) -> float:
    """The expected return of a policy within the horizon, by the true transitions."""
    table, states = environment.table, np.arange(environment.states)
    onward = (table.moves - table.final)[states, policy]
    there, total = table.start, 0.0
    for _ in range(environment.horizon):
        total += float(there @ table.rewards[states, policy])
        there = there @ onward
    return total


def optimum(environment: Environment) -> float:
    """The largest expected return within the horizon, by the true transitions."""
    table = environment.table
    onward, value = table.moves - table.final, np.zeros(environment.states)
    for _ in range(environment.horizon):
        value = (table.rewards + onward @ value).max(axis=1)
    return float(table.start @ value)


def ratio_correlation(explorer: Explorer) -> float:
    """Of psi^T phi with P(s' | s, a) / P_base(s') over tried pairs and all next states."""
    environment = explorer.environment
    tried = explorer.seen().counts[0] > 0
    true = environment.table.moves.reshape(-1, environment.states)[tried] * environment.states
    return float(np.corrcoef(explorer.features.ratios()[0][tried].ravel(), true.ravel())[0, 1])


def _data(task: Task) -> list[Data]:
    mark = task.make(0).fingerprint()
    return [Data(name=task.name, real=False, fingerprint=mark)]


def _claims() -> tuple[Claim, ...]:
    claims: list[Claim] = []
    margin = round(math.log2(1.5), 3)
    for task in TASKS:
        race = Experiment(
            f"contrastive_ucb {task.name}",
            partial(_data, task),
            Race(task),
            presets=PRESETS,
            first_seed=100,
        )
        slug = "".join(c if c.isalnum() else "_" for c in task.name.lower())
        claims += [
            Claim(
                f"bonus_{slug}",
                "the elliptical bonus reaches success in fewer steps than chance does",
                race, STEPS, METHOD, GREEDY, margin, better="lower",
            ),
            Claim(
                f"features_{slug}",
                "learnt features reach success in fewer steps than random ones",
                race, STEPS, METHOD, RANDOM, margin, better="lower",
            ),
            Claim(
                f"ratio_{slug}",
                "the contrast recovers the density ratio of the transitions",
                race, RATIO, METHOD, LEVEL, 0.001,
            ),
        ]  # fmt: skip
    return tuple(claims)


CLAIMS = _claims()
