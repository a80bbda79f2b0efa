import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contraview.core.errors import InputError
from contraview.modalities.environments.data import LOCK, read_environment
from contraview.modalities.environments.tables import (
    TableEnv,
    combination_lock,
    known_table,
    table_of,
)

MOVES = np.zeros((3, 2, 3))
MOVES[:, 0, 1] = 1
MOVES[:, 1] = [0.5, 0.0, 0.5]
REWARDS = np.array([[0.0, 1.0], [0.0, -1.0], [0.0, 0.0]])
ARRAYS = {"transitions": MOVES, "rewards": REWARDS}


def test_a_gymnasium_id_with_options():
    lake = read_environment("FrozenLake-v1", options=("map_name=8x8", "is_slippery=false"))
    assert (lake.states, lake.actions, lake.kind) == (64, 4, "tabular")
    assert lake.horizon == gym.spec("FrozenLake-v1").max_episode_steps
    assert set(np.unique(lake.table.moves)) == {0.0, 1.0}
    assert read_environment("FrozenLake-v1").states == 16
    assert read_environment("CliffWalking-v1", horizon=70).horizon == 70
    assert read_environment(gym.make("CliffWalking-v1")).name == "CliffWalking-v1"
    assert read_environment(lake) is lake


def test_a_table_of_transitions_from_a_file_and_from_arrays(tmp_path):
    np.savez(tmp_path / "chain.npz", **ARRAYS, terminal=[False, False, True])
    chain = read_environment(tmp_path / "chain.npz")
    assert (chain.states, chain.players, chain.horizon) == (3, (2,), 200)
    same = read_environment({**ARRAYS, "terminal": np.array([False, False, True])})
    assert chain.fingerprint() == same.fingerprint()
    assert chain.fingerprint() != read_environment(ARRAYS).fingerprint()
    assert "3 states, 2 actions" in chain.lines()[0]


def test_a_game_has_two_players_and_pairs_of_actions():
    g = np.random.default_rng(0)
    moves = g.dirichlet(np.ones(3), (3, 2, 4))
    game = read_environment({"transitions": moves, "rewards": g.normal(size=(3, 2, 4))})
    assert game.players == (2, 4)
    assert game.actions == 8
    np.testing.assert_allclose(game.table.moves[1, 1 * 4 + 3], moves[1, 1, 3])
    assert "zero-sum game of two players" in game.lines()[0]


def test_an_environment_draws_what_its_table_says():
    env = TableEnv(table_of("chain", MOVES, REWARDS, terminal=np.array([0, 0, 1])))
    env.reset(seed=0)
    seen, ends = [], 0
    for _ in range(4000):
        env.state = 0
        state, reward, ended, _, _ = env.step(1)
        assert reward == 1.0
        assert ended == (state == 2)
        seen.append(state)
        ends += ended
    assert abs(np.mean(np.array(seen) == 2) - 0.5) < 0.03


def test_the_true_table_of_a_toy_text_is_its_own():
    lake = known_table(gym.make("FrozenLake-v1"))
    assert lake is not None
    np.testing.assert_allclose(lake.moves.sum(2), 1)
    assert (lake.final <= lake.moves + 1e-12).all()
    assert lake.start[0] == 1
    assert lake.rewards.max() == pytest.approx(1 / 3)
    assert known_table(gym.make("CartPole-v1")) is None


@given(st.integers(1, 12), st.integers(2, 5), st.integers(0, 1000))
def test_a_lock_opens_for_one_code_alone(length, actions, seed):
    lock = combination_lock(length, actions, seed)
    state, code = 0, []
    for _ in range(length):
        right = np.flatnonzero(lock.moves[state, :, length + 1] == 0)
        assert len(right) == 1
        code.append(right[0])
        state = int(lock.moves[state, right[0]].argmax())
    assert state == length
    assert lock.rewards.sum() == 1
    assert lock.final[length - 1, code[-1], length] == 1
    assert (lock.moves[length + 1, :, length + 1] == 1).all()


def test_a_lock_by_its_id_says_that_it_is_simulated():
    lock = read_environment(LOCK, options=("length=5", "actions=3", "seed=4"), horizon=5)
    assert lock.states == 7
    assert "simulated" in lock.lines()[0]


@pytest.mark.parametrize(
    ("source", "knobs", "said"),
    [
        ("FrozenLak-v1", {}, "cannot be made"),
        ("FrozenLake-v1", {"options": ("colour=red",)}, "cannot be made"),
        ("FrozenLake-v1", {"options": ("map_name",)}, "expected NAME=VALUE"),
        ("Pendulum-v1", {}, "actions are Box"),
        ("CartPole-v1", {}, "states are Box"),
        ("no/such.npz", {}, "no such file"),
        ({"transitions": MOVES}, {}, "no array 'rewards'"),
        ({**ARRAYS, "transitions": MOVES * 2}, {}, "state 0, action 0: its transitions are no"),
        ({**ARRAYS, "transitions": MOVES[0]}, {}, "transitions of shape"),
        ({**ARRAYS, "rewards": REWARDS.T}, {}, "rewards of shape"),
        ({**ARRAYS, "rewards": np.full((3, 2), np.nan)}, {}, "a reward is not finite"),
        ({**ARRAYS, "start": np.ones(3)}, {}, "start is no probability"),
        ({**ARRAYS, "terminal": np.ones(2)}, {}, "terminal of shape"),
        (5, {}, "expected a gymnasium id"),
    ],
)
def test_wrong_environments(source, knobs, said):
    with pytest.raises(InputError, match=said) as error:
        read_environment(source, **knobs)
    assert "\n" not in str(error.value)


def test_an_environment_has_no_labels_and_no_parts_to_take():
    chain = read_environment(ARRAYS)
    with pytest.raises(InputError, match="no labels"):
        chain.labels()
    with pytest.raises(InputError, match="are no environment"):
        chain.take([0])
    assert len(chain.collect()) == len(chain) == 3
