import numpy as np

from contraview.frameworks.policy import Replay, play
from contraview.modalities.environments.tables import TableEnv, table_of

MOVES = np.zeros((3, 2, 3))
MOVES[0, 0, 1] = MOVES[1, 0, 2] = MOVES[2, 0, 2] = 1
MOVES[:, 1, 0] = 1
REWARDS = np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 0.0]])


def chain(*, terminal=True):
    ends = np.array([False, False, terminal])
    return TableEnv(table_of("chain", MOVES, REWARDS, terminal=ends))


def test_an_episode_ends_with_the_environment_and_is_cut_at_the_horizon():
    episode = play(chain(), lambda state, step: 0, horizon=9, seed=0)
    assert episode.states.tolist() == [0, 1]
    assert episode.following.tolist() == [1, 2]
    assert episode.rewards.tolist() == [1, 2]
    assert episode.ended.tolist() == [False, True]
    cut = play(chain(terminal=False), lambda state, step: int(step > 0), horizon=3, seed=0)
    assert cut.states.tolist() == [0, 1, 0]
    assert not cut.ended.any()


def test_what_is_called_after_a_step_sees_it():
    seen = []
    play(chain(), lambda s, t: 0, horizon=9, seed=0, after_step=lambda *step: seen.append(step))
    assert [tuple(map(float, step)) for step in seen] == [(0, 0, 1, 1, 0), (1, 0, 2, 2, 1)]


def test_the_same_seed_and_name_give_the_same_episode():
    moves = np.full((4, 1, 4), 0.25)
    env = TableEnv(table_of("dice", moves, np.zeros((4, 1))))
    one, same, other = (
        play(env, lambda s, t: 0, horizon=30, seed=seed, name=("episode", number)).states.tolist()
        for seed, number in ((0, 1), (0, 1), (0, 2))
    )
    assert one == same != other


def test_a_replay_keeps_every_step_in_order():
    replay = Replay()
    for _ in range(700):
        replay.add(play(chain(), lambda s, t: 0, horizon=9, seed=0))
    assert len(replay) == 1400
    assert replay["state"].tolist() == [0, 1] * 700
    assert replay["step"].tolist() == [0, 1] * 700
    assert replay["ended"].tolist() == [False, True] * 700
    assert replay["reward"].sum() == 2100
