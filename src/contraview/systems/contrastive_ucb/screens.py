"""SPR-UCB, the form for Atari screens: latent prediction, C51, and the bonus in the return."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize, pad

from contraview.core.run import Run
from contraview.core.seeds import numpy_generator, stream_seed, torch_generator
from contraview.frameworks.policy import play
from contraview.modalities.environments.data import Environment
from contraview.networks.fresh import fresh
from contraview.systems.contrastive_ucb.config import ContrastiveUcbConfig
from contraview.systems.contrastive_ucb.screen_network import ScreenNetwork


@dataclass
class ScreenReplay:
    """The latest screens in a ring, with the priority of each as the start of a sequence."""

    size: int
    length: int

    def __post_init__(self) -> None:
        self.screens = np.zeros((self.size, 4, 84, 84), np.uint8)
        self.actions = np.zeros(self.size, np.int64)
        self.rewards = np.zeros(self.size, np.float32)
        self.ended = np.zeros(self.size, bool)
        self.priorities = np.zeros(self.size)
        self.added = 0

    def add(
        self, screen: UInt8[np.ndarray, "4 84 84"], action: int, reward: float, ended: bool
    ) -> None:
        """Append a step."""
        at = self.added % self.size
        self.screens[at], self.actions[at] = screen, action
        self.rewards[at], self.ended[at] = reward, ended
        self.priorities[at] = self.priorities.max(initial=0.0) or 1.0
        self.added += 1

    def draw(
        self, count: int, exponent: float, generator: np.random.Generator
    ) -> tuple[Int[np.ndarray, "n l"], Float[np.ndarray, " n"]]:
        """Places of ``count`` whole sequences, likelier where the priority is high, and weights.

        Weights undo the preference (Schaul et al. 2016, arXiv 1511.05952, eq. 1 and section 3.4).
        """
        filled = min(self.added, self.size)
        oldest = self.added - filled
        starts = np.arange(oldest, self.added - self.length + 1)
        chances = self.priorities[starts % self.size] ** exponent
        chances /= chances.sum()
        chosen = generator.choice(len(starts), count, p=chances)
        weights = 1 / (len(starts) * chances[chosen])
        places = (starts[chosen][:, None] + np.arange(self.length)) % self.size
        return places, weights / weights.max()


class ScreenLearner:
    """SPR-UCB as its official code runs it: no negatives, a bonus from the head's own features.

    phi is the softmax over atoms of the action taken; Lambda grows by phi phi^T of every replayed
    batch, repeats included, and never shrinks while phi changes: the bonus fades with updates, not
    with visits. Its discounted sum over n steps enters the target; stored rewards stay.
    """

    def __init__(self, config: ContrastiveUcbConfig, environment: Environment, seed: int) -> None:
        self.config, self.environment, self.seed = config, environment, seed
        self.network = new_network(config, environment.actions, seed)
        self.optimizer = torch.optim.Adam(
            self.network.parameters(), lr=config.screen_lr, eps=1.5e-4
        )
        self.covariance = torch.eye(config.atoms, dtype=torch.float64) * config.screen_ridge
        self.length = max(config.n_step, config.jumps) + 1
        size = min(config.replay_size, config.steps + self.length)
        self.replay = ScreenReplay(size, self.length)
        self.updates = 0

    def learn(self, run: Run) -> None:
        """Act and learn for the configured number of steps, episode after episode."""
        config, environment, taken, number = self.config, self.environment, 0, 0
        with run.progress("explore", config.steps) as advance, torch.random.fork_rng(devices=[]):
            torch.manual_seed(stream_seed(self.seed, "noise"))
            while taken < config.steps:
                generator = numpy_generator(self.seed, "actions", number)

                def after(state: Any, action: int, reward: float, _next: Any, ended: bool) -> None:
                    self.replay.add(state, action, reward, ended)
                    due = self.replay.added % config.update_every == 0
                    if due and self.replay.added >= max(config.warmup, 2 * self.length):
                        for _ in range(config.updates_each):
                            self._update()
                    advance()

                episode = play(
                    environment.env,
                    partial(self._choose, generator),
                    horizon=min(environment.horizon, config.steps - taken),
                    seed=self.seed,
                    name=("episode", number),
                    after_step=after,
                )
                # A game cut at the horizon is over too: the next screen belongs to another one.
                self.replay.ended[(self.replay.added - 1) % self.replay.size] = True
                taken, number = taken + len(episode), number + 1
                gained = float(episode.rewards.sum())
                run.log("episode", number=number, steps=len(episode), gained=gained)
        self.network.eval()

    def _choose(self, generator: np.random.Generator, state: np.ndarray, _step: int) -> int:
        if self.replay.added < self.config.warmup:
            return int(generator.integers(self.environment.actions))
        return int(self.act(state[None], noisy=True)[0])

    @torch.no_grad()
    def act(
        self, screens: UInt8[np.ndarray, "n 4 84 84"], *, noisy: bool = False
    ) -> Int[np.ndarray, " n"]:
        """The action of the largest expected return."""
        self.network.train(noisy)
        latents = self.network.encode(torch.from_numpy(screens).float() / 255)
        return self.network.worth(latents).argmax(1).numpy()

    def _update(self) -> None:
        config, network = self.config, self.network
        network.train()
        places, weights = self.replay.draw(
            config.replay_batch, config.priority, numpy_generator(self.seed, "draw", self.updates)
        )
        generator = torch_generator(self.seed, "views", self.updates)
        self.updates += 1
        actions = torch.from_numpy(self.replay.actions[places])
        rewards = torch.from_numpy(self.replay.rewards[places])
        alive = still_going(torch.from_numpy(self.replay.ended[places]))
        views = [self._view(places[:, step], generator) for step in range(max(config.jumps, 0) + 1)]
        latents = network.encode(views[0])
        logits = network.logits(latents)[torch.arange(len(places)), actions[:, 0]]
        with torch.no_grad():
            last = network.encode(self._view(places[:, config.n_step], generator))
            bonuses = self._bonuses(places, actions, generator)
            target = self._target(last, rewards + bonuses, alive)
        losses = cross_entropy(logits, target, reduction="none")
        apart = self._prediction(latents, views, actions, alive)
        total = (torch.from_numpy(weights).float() * (losses + config.prediction * apart)).mean()
        self.optimizer.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), config.clip)
        self.optimizer.step()
        self.replay.priorities[places[:, 0]] = losses.detach().numpy() + 1e-6
        phi = logits.detach().softmax(1).double()
        self.covariance += phi.T @ phi

    def _prediction(
        self,
        latents: Float[Tensor, "n 64 7 7"],
        views: list[Tensor],
        actions: Int[Tensor, "n l"],
        alive: Float[Tensor, "n l"],
    ) -> Float[Tensor, " n"]:
        """Sum over the K next steps of the squared distance of unit vectors: predicted and seen.

        What is seen carries no gradient (a copy of the network as it is: momentum 0). Steps behind
        the end of an episode do not count.
        """
        total = latents.new_zeros(len(latents))
        for step in range(1, self.config.jumps + 1):
            latents = self.network.next(latents, actions[:, step - 1])
            predicted = self.network.predict(self.network.projected(latents))
            with torch.no_grad():
                seen = self.network.projected(self.network.encode(views[step]))
            apart = (normalize(predicted) - normalize(seen)).square().sum(1)
            total = total + apart * alive[:, step]
        return total

    def _bonuses(
        self,
        places: Int[np.ndarray, "n l"],
        actions: Int[Tensor, "n l"],
        generator: torch.Generator,
    ) -> Float[Tensor, "n l"]:
        """C sqrt(phi^T Lambda^-1 phi) of each step of the return, by one Cholesky factor."""
        factor = torch.linalg.cholesky(self.covariance)
        found = torch.zeros(actions.shape)
        for step in range(self.config.n_step):
            latents = self.network.encode(self._view(places[:, step], generator))
            rows = torch.arange(len(places))
            phi = self.network.logits(latents)[rows, actions[:, step]].softmax(1).double()
            half = torch.linalg.solve_triangular(factor, phi.T, upper=False)
            found[:, step] = self.config.bonus * half.square().sum(0).sqrt().float()
        return found

    def _target(
        self,
        last: Float[Tensor, "n 64 7 7"],
        rewards: Float[Tensor, "n l"],
        alive: Float[Tensor, "n l"],
    ) -> Float[Tensor, "n m"]:
        """The distribution of the n-step return, on the atoms (Bellemare et al. 2017, alg. 1)."""
        config, network = self.config, self.network
        steps = torch.arange(config.n_step)
        factors = config.screen_discount**steps
        gained = (rewards[:, : config.n_step] * factors * alive[:, : config.n_step]).sum(1)
        logits = network.logits(last)
        best = (logits.softmax(2) * network.support).sum(2).argmax(1)
        later = logits[torch.arange(len(last)), best].softmax(1)
        kept = config.screen_discount**config.n_step * alive[:, config.n_step]
        return projected(later, gained[:, None] + kept[:, None] * network.support, network.support)

    def _view(self, places: Int[np.ndarray, " n"], generator: torch.Generator) -> Tensor:
        screens = torch.from_numpy(self.replay.screens[places]).float() / 255
        return view(screens, self.config.shift, self.config.intensity, generator)


def new_network(config: ContrastiveUcbConfig, actions: int, seed: int) -> ScreenNetwork:
    """The untrained network of a seed."""

    def make() -> ScreenNetwork:
        return ScreenNetwork(
            actions, hidden=config.hidden, atoms=config.atoms, reach=config.value_range
        )

    return fresh(make, seed, "screens")


def still_going(ended: Tensor) -> Float[Tensor, "n l"]:
    """1 up to and with the step that ends an episode, 0 behind it."""
    before = torch.cat([torch.zeros_like(ended[:, :1]), ended[:, :-1]], dim=1)
    return (before.cumsum(1) == 0).float()


def projected(
    chances: Float[Tensor, "n v"], values: Float[Tensor, "n v"], support: Float[Tensor, " m"]
) -> Float[Tensor, "n m"]:
    """Chances at some values as chances on the atoms: each shared by the two atoms around it."""
    gap = support[1] - support[0]
    place = ((values.clamp(support[0], support[-1]) - support[0]) / gap).clamp(0, len(support) - 1)
    nearness = (1 - (place[:, :, None] - torch.arange(len(support))).abs()).clamp(min=0)
    return (chances[:, :, None] * nearness).sum(1)


def view(
    screens: Float[Tensor, "n 4 84 84"], shift: int, intensity: float, generator: torch.Generator
) -> Float[Tensor, "n 4 84 84"]:
    """Each item moved by up to ``shift`` pixels (edges repeated) and made brighter or darker.

    Brightness is multiplied by 1 + intensity x, x normal and cut at -2 and 2 (DrQ's intensity).
    """
    count = len(screens)
    if shift:
        wide = pad(screens, (shift,) * 4, mode="replicate")
        moved = torch.randint(2 * shift + 1, (count, 2), generator=generator).tolist()
        side = screens.shape[2]
        screens = torch.stack(
            [each[:, y : y + side, x : x + side] for each, (y, x) in zip(wide, moved, strict=True)]
        )
    noise = torch.randn(count, 1, 1, 1, generator=generator).clamp(-2, 2)
    return screens * (1 + intensity * noise)
