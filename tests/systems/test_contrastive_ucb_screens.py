"""SPR-UCB, the form of Contrastive UCB for Atari screens."""

import importlib.util

import gymnasium as gym
import numpy as np
import pytest
import torch

import contraview
from contraview.core.errors import InputError
from contraview.core.run import Run
from contraview.modalities.environments.data import Environment, read_environment
from contraview.modalities.environments.frames import Screens
from contraview.systems.contrastive_ucb import ContrastiveUcb, ContrastiveUcbConfig
from contraview.systems.contrastive_ucb.screen_network import NoisyLinear, ScreenNetwork
from contraview.systems.contrastive_ucb.screens import (
    ScreenLearner,
    ScreenReplay,
    projected,
    still_going,
    view,
)

SMALL = {
    "steps": 30,
    "warmup": 16,
    "update_every": 8,
    "replay_batch": 3,
    "n_step": 2,
    "jumps": 2,
    "hidden": 8,
    "atoms": 5,
}


class Flicker(gym.Env):
    """Grey frames of 210 x 160 in which even ones are dark; pays for action 1; ends after 9."""

    observation_space = gym.spaces.Box(0, 255, (210, 160), np.uint8)
    action_space = gym.spaces.Discrete(3)
    frame = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.frame = 0
        return self._screen(), {}

    def step(self, action):
        self.frame += 1
        return self._screen(), float(action == 1), self.frame >= 36, False, {}

    def _screen(self):
        return np.full((210, 160), 200 if self.frame % 2 else 0, np.uint8)


def data():
    env = Screens(Flicker())
    return Environment("flicker", lambda: env, env, 50, "screens", 0, (3,))


def test_screens_are_the_brighter_of_two_frames_four_at_a_time_with_clipped_rewards():
    env = Screens(Flicker())
    first, _ = env.reset(seed=0)
    assert first.shape == (4, 84, 84)
    assert first.max() == 0
    screens, reward, ended, _, _ = env.step(1)
    assert reward == 1.0
    assert screens[-1].min() == 200
    assert screens[:-1].max() == 0
    assert Screens(Flicker(), clip=False).reset()[0].shape == (4, 84, 84)
    for _ in range(8):
        *_, ended, _, _ = env.step(0)
    assert ended


def test_it_learns_saves_and_acts_the_same(tmp_path):
    system = ContrastiveUcb(**SMALL).fit(data(), run=Run(seed=0))
    screens = np.random.default_rng(0).integers(0, 255, (5, 4, 84, 84)).astype(np.uint8)
    actions = system.act(screens)
    assert set(actions) <= {0, 1, 2}
    again = ContrastiveUcb(**SMALL).fit(data(), run=Run(seed=0))
    for one, other in zip(system._network.parameters(), again._network.parameters(), strict=True):
        assert torch.equal(one, other)
    system.save(tmp_path / "model")
    loaded = contraview.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.act(screens), actions)
    assert len(loaded.play(data(), episodes=1)) == 1
    with pytest.raises(InputError, match="expected bytes of shape"):
        loaded.act(screens[0])


def test_lambda_grows_by_every_replayed_batch_and_the_stored_rewards_stay():
    learner = ScreenLearner(ContrastiveUcbConfig(**SMALL, bonus=9.0), data(), 0)
    learner.learn(Run(seed=0))
    assert learner.updates >= 2
    ridge = learner.config.screen_ridge * learner.config.atoms
    # rows of phi sum to one, so each adds at least 1/atoms and at most 1 to the trace
    grown = float(learner.covariance.trace()) - ridge
    replayed = learner.updates * SMALL["replay_batch"]
    assert replayed / learner.config.atoms <= grown <= replayed
    assert torch.linalg.eigvalsh(learner.covariance).min() > 0
    assert set(np.unique(learner.replay.rewards)) <= {0.0, 1.0}


def test_chances_are_shared_between_the_atoms_around_a_value():
    support = torch.linspace(-1, 1, 5)
    chances = torch.tensor([[0.5, 0.5]])
    found = projected(chances, torch.tensor([[0.25, 9.0]]), support)
    torch.testing.assert_close(found, torch.tensor([[0, 0, 0.25, 0.25, 0.5]]))


def test_steps_behind_an_end_do_not_count():
    ended = torch.tensor([[False, True, False, False], [False] * 4])
    expected = torch.tensor([[1.0, 1, 0, 0], [1, 1, 1, 1]])
    torch.testing.assert_close(still_going(ended), expected)


def test_sequences_are_whole_and_likelier_where_priority_is_high():
    replay = ScreenReplay(8, 3)
    for step in range(11):  # three of them overwritten
        replay.add(np.full((4, 84, 84), step, np.uint8), step % 2, 0.0, False)
    replay.priorities[:] = 1e-9
    replay.priorities[5] = 1.0
    places, weights = replay.draw(50, 1.0, np.random.default_rng(0))
    steps = replay.screens[places, 0, 0, 0]
    assert (np.diff(steps.astype(int), axis=1) == 1).all()
    assert (places[:, 0] == 5).mean() > 0.9
    assert weights.max() == 1


def test_views_move_each_item_and_change_its_brightness():
    screens = 0.1 + torch.rand(6, 4, 84, 84, generator=torch.Generator().manual_seed(0))
    same = view(screens, 0, 0.0, torch.Generator().manual_seed(0))
    assert torch.equal(same, screens)
    moved = view(screens, 4, 0.0, torch.Generator().manual_seed(0))
    assert moved.shape == screens.shape
    assert not torch.equal(moved, screens)
    ratio = view(screens, 0, 0.05, torch.Generator().manual_seed(0)) / screens
    assert (ratio.flatten(1).std(1) < 1e-4).all()
    assert 0.899 < float(ratio.min()) <= float(ratio.max()) < 1.101


def test_noise_is_there_in_training_alone():
    layer = NoisyLinear(4, 3)
    rows = torch.ones(2, 4)
    assert not torch.equal(layer.train()(rows), layer(rows))
    assert torch.equal(layer.eval()(rows), layer(rows))


def test_the_network_has_the_paper_s_shapes():
    network = ScreenNetwork(6, hidden=256, atoms=51, reach=10.0).eval()
    latents = network.encode(torch.rand(2, 4, 84, 84))
    assert latents.shape == (2, 64, 7, 7)
    assert network.next(latents, torch.tensor([0, 5])).shape == latents.shape
    assert network.logits(latents).shape == (2, 6, 51)
    assert network.worth(latents).abs().max() <= 10


@pytest.mark.nightly
def test_it_runs_on_pong(tmp_path):
    if importlib.util.find_spec("ale_py") is None:
        pytest.skip("needs ale-py: pip install contraview[atari]")
    pong = read_environment("ALE/Pong-v5")
    system = ContrastiveUcb(steps=600, warmup=200).fit(pong, run=Run(tmp_path / "run"))
    system.save(tmp_path / "model")
    played = contraview.load(tmp_path / "model").play(pong, episodes=1)
    assert -21 <= played["return"][0] <= 21
