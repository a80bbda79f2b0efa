import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import contraview
from contraview.apps.cli import main
from contraview.core.errors import InputError
from contraview.core.run import Run
from contraview.modalities.environments.data import LOCK, read_environment
from contraview.systems.contrastive_ucb import ContrastiveUcb, ContrastiveUcbConfig, exploring
from contraview.systems.contrastive_ucb.bonus import Covariance
from contraview.systems.contrastive_ucb.exploring import Explorer
from contraview.systems.contrastive_ucb.nash import nash
from contraview.systems.contrastive_ucb.planning import Seen, best, plan

sys.path.insert(0, str(Path(__file__).parent))
from tiny import Tiny

LENGTH, TURNS = 4, 3


def data():
    options = (f"length={LENGTH}", f"actions={TURNS}", "seed=1")
    return read_environment(LOCK, options=options, horizon=LENGTH)


TINY = Tiny(
    data,
    {"episodes": 60, "rank": 12, "updates": 30, "plan_every": 20, "epsilon": 0.2, "growth": 1.0},
    ask={"act": lambda system: system.act(np.arange(LENGTH + 2))},
    wrong=("no/such/file.npz", "", [], 3.5),
    seeded=False,  # once the lock is open every seed knows the same code
)


@pytest.fixture(scope="module")
def opened():
    return ContrastiveUcb(**TINY.knobs).fit(data(), run=Run(seed=0))


def test_the_lock_is_opened_and_the_code_is_known(opened):
    played = opened.play(data(), episodes=3)
    assert played["return"].to_list() == [1.0] * 3
    code = data().table.moves[np.arange(LENGTH), :, LENGTH + 1].argmin(axis=1)
    np.testing.assert_array_equal(opened.act(np.arange(LENGTH)), code)


def one_hot(counts):
    return np.eye(len(counts)), np.asarray(counts, float)


def test_for_one_hot_features_the_bonus_is_that_of_counts():
    features, counts = one_hot([0, 1, 3, 99])
    bonus = Covariance.of(features, counts, ridge=1.0).bonus(features, 2.0, cap=1.8)
    np.testing.assert_allclose(bonus, np.minimum(2 / np.sqrt(counts + 1), 1.8))


@given(st.integers(0, 1000), st.integers(1, 8), st.floats(1e-5, 2))
def test_sigma_stays_positive_definite_and_the_bonus_within_zero_and_the_cap(seed, rank, ridge):
    g = np.random.default_rng(seed)
    features = g.dirichlet(np.ones(rank), 20)
    counts = g.integers(0, 1000, 20).astype(float)
    covariance = Covariance.of(features, counts, ridge)
    sigma = covariance.factor @ covariance.factor.T
    assert np.linalg.eigvalsh(sigma).min() > 0
    expected = ridge * np.eye(rank) + (features * counts[:, None]).T @ features
    np.testing.assert_allclose(sigma, expected, rtol=1e-9, atol=1e-12)
    bonus = covariance.bonus(features, 3.0, cap=0.7)
    assert (bonus >= 0).all()
    assert (bonus <= 0.7).all()
    seen_more = Covariance.of(features, counts + 1, ridge).bonus(features, 3.0, cap=0.7)
    assert (seen_more <= bonus + 1e-12).all()


def test_planning_by_hand_on_a_chain_of_two():
    """State 0 leads to 1 (seen three times), state 1 pays one and ends (seen once)."""
    seen = Seen(
        counts=np.array([[3.0, 1.0]]),
        onward=np.array([[[0.0, 3.0], [0.0, 0.0]]]),
        rewards=np.array([[0.0, 1.0]]),
    )
    phi = np.eye(2)[None]
    plain = plan(phi, seen, best, horizon=2, bonus=0.0, ridge=1.0, discount=0.5)
    np.testing.assert_allclose(plain[1].ravel(), [0, 1])
    np.testing.assert_allclose(plain[0].ravel(), [0.5 * 3 / 4 * 1, 1])
    bold = plan(phi, seen, best, horizon=2, bonus=1.0, ridge=1.0, discount=0.5)
    last = np.array([0 + 1 / 2, 1 + 1 / np.sqrt(2)])
    np.testing.assert_allclose(bold[1].ravel(), last)
    np.testing.assert_allclose(bold[0].ravel(), [0.5 * 3 / 4 * last[1] + 1 / 2, last[1]])


def test_the_bonus_enters_the_target_and_not_what_was_stored():
    explorer = Explorer(ContrastiveUcbConfig(**TINY.knobs, bonus=5.0), data(), 0)
    for _ in explorer.episodes(Run(seed=0)):
        pass
    assert set(np.unique(explorer.replay["reward"])) <= {0.0, 1.0}
    assert (explorer.values(5.0) >= explorer.values(0.0) - 1e-12).all()
    assert explorer.seen().rewards.max() <= 1


def test_on_a_known_chain_the_product_becomes_the_density_ratio():
    moves = np.zeros((5, 2, 5))
    for state in range(5):
        moves[state, 0, min(state + 1, 4)] = moves[state, 1, max(state - 1, 0)] = 0.8
        moves[state, :, state] += 0.2
    chain = read_environment({"transitions": moves, "rewards": np.zeros((5, 2))}, horizon=50)
    knobs = {"rank": 8, "epsilon": 1.0, "episodes": 40, "updates": 200, "lr": 0.1}
    explorer = Explorer(ContrastiveUcbConfig(**knobs, plan_every=2000), chain, 0)
    for _ in explorer.episodes(Run(seed=0)):
        pass
    assert explorer.planned == 1
    true = moves.reshape(10, 5) * 5
    found = explorer.features.ratios()[0]
    assert np.corrcoef(found.ravel(), true.ravel())[0, 1] > 0.97
    np.testing.assert_allclose((found / 5).sum(1), 1, atol=0.3)  # what was seen is a sample


def test_without_contrast_features_stay_as_they_were_drawn():
    explorer = Explorer(ContrastiveUcbConfig(**TINY.knobs, contrast=False), data(), 0)
    before = explorer.features.logits.detach().clone()
    for _ in explorer.episodes(Run(seed=0)):
        pass
    assert torch.equal(explorer.features.logits, before)
    assert explorer.planned > 0


def test_features_by_step_are_the_paper_s():
    knobs = {**TINY.knobs, "by_step": True, "discount": 1.0}
    system = ContrastiveUcb(**knobs).fit(data(), run=Run(seed=0))
    assert system.values.shape == (LENGTH, LENGTH + 2, TURNS)
    assert system.play(data(), episodes=1)["return"].to_list() == [1.0]
    explorer = Explorer(ContrastiveUcbConfig(**knobs), data(), 0)
    assert explorer.features.logits.shape == (LENGTH, (LENGTH + 2) * TURNS, 12)


@pytest.mark.parametrize(
    ("game", "row", "column", "value"),
    [
        ([[1, -1], [-1, 1]], [0.5, 0.5], [0.5, 0.5], 0),
        ([[3, 1], [0, 0]], [1, 0], [0, 1], 1),
        ([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], [1 / 3] * 3, [1 / 3] * 3, 0),
        ([[2, -1], [-1, 1]], [0.4, 0.6], [0.4, 0.6], 0.2),
    ],
)
def test_equilibria_by_hand(game, row, column, value):
    found = nash(np.array(game, float))
    np.testing.assert_allclose(found[0], row, atol=1e-7)
    np.testing.assert_allclose(found[1], column, atol=1e-7)
    assert found[2] == pytest.approx(value, abs=1e-7)


@given(st.integers(0, 1000), st.integers(1, 5), st.integers(1, 5))
def test_no_player_gains_by_leaving_an_equilibrium(seed, actions, answers):
    game = np.random.default_rng(seed).normal(size=(actions, answers))
    row, column, value = nash(game)
    assert (row @ game).min() >= value - 1e-7
    assert (game @ column).max() <= value + 1e-7


def test_two_players_come_near_the_equilibrium_of_their_game():
    """Matching pennies with a richer second state: the first player's value is known."""
    moves = np.zeros((2, 2, 2, 2))
    moves[0, :, :, 1] = moves[1, :, :, 0] = 1
    rewards = np.array([[[1.0, -1.0], [-1.0, 1.0]], [[2.0, -1.0], [-1.0, 1.0]]])
    game = read_environment({"transitions": moves, "rewards": rewards}, horizon=4)
    system = ContrastiveUcb(episodes=40, rank=8, updates=60, plan_every=40, epsilon=0.3)
    system.fit(game, run=Run(seed=0))
    (first, second), (third, fourth) = system.strategies([0, 1])
    for found in (first, second):
        np.testing.assert_allclose(found, [0.5, 0.5], atol=0.1)
    for found in (third, fourth):
        np.testing.assert_allclose(found, [0.4, 0.6], atol=0.1)
    assert system.act([0, 1]).shape == (2,)
    assert len(system.play(game, episodes=2)) == 2


def test_an_interrupted_exploration_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    monkeypatch.setattr(exploring, "CHECKPOINT_EVERY", 7)
    whole = ContrastiveUcb(**TINY.knobs).fit(data(), run=Run(tmp_path / "whole"))
    real = exploring.play

    def stopped(*args, name, **rest):
        if name == ("episode", 30):
            raise KeyboardInterrupt
        return real(*args, name=name, **rest)

    monkeypatch.setattr(exploring, "play", stopped)
    with pytest.raises(KeyboardInterrupt):
        ContrastiveUcb(**TINY.knobs).fit(data(), run=Run(tmp_path / "run"))
    monkeypatch.setattr(exploring, "play", real)
    again = ContrastiveUcb(**TINY.knobs).fit(data(), run=Run(tmp_path / "run"))
    np.testing.assert_array_equal(again.values, whole.values)


def test_from_the_command_line(tmp_path, capsys):
    lock = [LOCK, "--options", f"length={LENGTH}", f"actions={TURNS}", "seed=1"]
    knobs = ["--horizon", str(LENGTH), "--episodes", "60", "--rank", "12", "--epsilon", "0.2"]
    model = str(tmp_path / "model")
    assert (
        main(["fit", "contrastive_ucb", *lock, *knobs, "--plan-every", "20", "--out", model]) == 0
    )
    capsys.readouterr()
    assert main(["act", model, "--episodes", "2"]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == ["episode,steps,return", "1,4,1.0", "2,4,1.0"]
    assert "mean return 1" in said.err
    assert main(["act", model, "--episodes", "0"]) == 2
    assert main(["act", model, "FrozenLake-v1"]) == 2
    assert "16 states" in capsys.readouterr().err
    assert (
        json.loads((tmp_path / "model" / "system.json").read_text())["facts"]["environment"] == LOCK
    )


def test_wrong_states_are_refused(opened):
    for wrong in ([-1], [99], [0.5], [[0]]):
        with pytest.raises(InputError, match="expected numbers from 0 to 5"):
            opened.act(wrong)
    with pytest.raises(InputError, match="games of two players"):
        opened.strategies([0])


def test_an_environment_too_large_to_count_is_refused(monkeypatch):
    from contraview.systems.contrastive_ucb import contrastive_ucb

    monkeypatch.setattr(contrastive_ucb, "MOST_CELLS", 10)
    with pytest.raises(InputError, match="6 states and 3 actions are too many to count"):
        ContrastiveUcb(**TINY.knobs).fit(data())


def test_the_paper_s_settings():
    config = ContrastiveUcb.preset("paper").config
    assert (config.steps, config.warmup, config.n_step, config.jumps) == (100_000, 2000, 10, 5)
    assert (config.update_every, config.updates_each, config.replay_batch) == (1, 2, 32)
    assert (config.atoms, config.hidden, config.prediction, config.clip) == (51, 256, 5, 10)
    assert (config.screen_lr, config.screen_ridge, config.priority) == (1e-4, 1e-5, 0.5)
    assert (config.shift, config.intensity, config.screen_discount) == (4, 0.05, 0.99)
    assert (config.by_step, config.discount, config.bonus) == (True, 1.0, 1.0)


def test_saved_and_loaded_it_plays_alike(opened, tmp_path):
    opened.save(tmp_path / "model")
    loaded = contraview.load(tmp_path / "model")
    assert loaded.play(episodes=2, seed=3).equals(opened.play(data(), episodes=2, seed=3))
