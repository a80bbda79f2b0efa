"""Environments as a person names them: `read_environment` gives an `Environment`."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from pydantic import Field

from contraview.core.config import Config
from contraview.core.errors import InputError
from contraview.core.numpy_files import read_npz

EXPECTED = "a gymnasium id such as FrozenLake-v1, an environment, or an .npz of transitions"
LOCK = "contraview/CombinationLock-v0"
USUAL_HORIZON = 200


class EnvironmentSource(Config):
    """How an environment is made."""

    options: tuple[str, ...] = Field(
        (), description="of the environment, as NAME=VALUE: map_name=8x8 is_slippery=false"
    )
    horizon: int | None = Field(
        None, ge=1, description="most steps an episode; else the environment's own limit, or 200"
    )

    def read(self, source: Any) -> "Environment":
        """The environment ``source``; see `read_environment`."""
        if isinstance(source, Environment):
            return source
        if isinstance(source, list | tuple) and len(source) == 1:
            source = source[0]
        if find_spec("gymnasium") is None:
            raise InputError(
                "environments need gymnasium; install it with: pip install contraview[environments]"
            )
        import gymnasium as gym

        if isinstance(source, Mapping):
            return self._table("table", source)
        if isinstance(source, gym.Env):
            return self._made(_name_of(source), lambda: source)
        if not isinstance(source, str | Path) or not str(source):
            raise InputError(f"{source!r:.60}: expected {EXPECTED}")
        if str(source).endswith(".npz"):
            return self._table(str(source), _arrays(Path(source)))
        return self._made(str(source), partial(_make, str(source), _parsed(self.options)))

    def _table(self, name: str, arrays: Mapping[str, Any]) -> "Environment":
        from contraview.modalities.environments.tables import TableEnv, table_of

        missing = {"transitions", "rewards"} - arrays.keys()
        if missing:
            raise InputError(
                f"{name}: no array {min(missing)!r}; expected transitions [s, a, s] and rewards "
                "[s, a], perhaps start [s] and terminal [s]"
            )
        table = table_of(
            name,
            np.asarray(arrays["transitions"]),
            np.asarray(arrays["rewards"]),
            arrays.get("start"),
            arrays.get("terminal"),
        )
        return self._made(name, lambda: TableEnv(table))

    def _made(self, name: str, make: Callable[[], Any]) -> "Environment":
        env = make()
        spec = getattr(env, "spec", None)
        limit = getattr(spec, "max_episode_steps", None)
        horizon = self.horizon or limit or USUAL_HORIZON
        kind, states, players = _spaces(name, env)
        return Environment(name, make, env, horizon, kind, states, players, self.options)


def read_environment(
    source: Any, settings: EnvironmentSource | None = None, **knobs: Any
) -> "Environment":
    """Make an environment.

    Args:
        source: a gymnasium id (installed packages' ids too), an environment object, or a Markov
            decision process as an .npz or a mapping of arrays: ``transitions`` [s, a, s],
            ``rewards`` [s, a], perhaps ``start`` [s] and ``terminal`` [s]; with [s, a, b, s] and
            [s, a, b] it is a zero-sum game of two players. `Environment` is given back as it is.
        settings: how to make it.
        **knobs: the fields of `EnvironmentSource`, in place of ``settings``.

    Raises:
        InputError: there is no such environment, its arrays are no probabilities, or it has
            actions or states that no system here can take.
    """
    return (settings or EnvironmentSource.of(**knobs)).read(source)


@dataclass(frozen=True)
class Environment:
    """Something to act in. Data for `fit`.

    Attributes:
        name: its id or file.
        make: makes a new one.
        env: one that is there already.
        horizon: most steps an episode.
        kind: states that can be counted, or screens.
        states: how many; 0 for screens.
        players: how many actions each player has; one number, or two.
        options: it was made with.
    """

    name: str
    make: Callable[[], Any]
    env: Any
    horizon: int
    kind: Literal["tabular", "screens"]
    states: int
    players: tuple[int, ...]
    options: tuple[str, ...] = ()

    @property
    def actions(self) -> int:
        """How many actions; pairs of them for two players."""
        return int(np.prod(self.players))

    @cached_property
    def table(self) -> Any:
        """Its true transitions where it tells them, for judging; else None."""
        from contraview.modalities.environments.tables import known_table

        return known_table(self.env)

    def __len__(self) -> int:
        return self.states

    def parts(self) -> Iterator["Environment"]:
        """The environment."""
        yield self

    def collect(self) -> pl.DataFrame:
        """One row a state."""
        return pl.DataFrame({"state": np.arange(self.states)})

    def labels(self) -> Any:
        """There are none."""
        raise InputError(f"{self.name}: an environment has no labels")

    def take(self, rows: Sequence[int] | Any) -> "Environment":
        """Not possible: states belong together."""
        raise InputError(f"{self.name}: {len(rows)} states of an environment are no environment")

    def fingerprint(self) -> str:
        """SHA-256 over name, options and, where it tells them, transitions and rewards."""
        about = [self.kind, self.states, self.players, self.horizon]
        digest = hashlib.sha256(repr(about).encode())
        if self.table is None:
            digest.update(repr([self.name, self.options]).encode())
        else:
            for part in (self.table.moves, self.table.final, self.table.rewards, self.table.start):
                digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()

    def lines(self) -> list[str]:
        """What is worth knowing before acting in it, in sentences."""
        what = f"{self.states} states" if self.kind == "tabular" else "screens"
        who = " x ".join(map(str, self.players))
        game = "; a zero-sum game of two players" if len(self.players) == 2 else ""
        simulated = "; simulated by this library" if self.name == LOCK else ""
        size = f"{what}, {who} actions, episodes of at most {self.horizon} steps"
        return [f"{self.name}: {size}{game}{simulated}"]


def _make(name: str, options: Mapping[str, Any]) -> Any:
    import gymnasium as gym

    from contraview.modalities.environments.frames import Screens

    if LOCK not in gym.registry:
        gym.register(LOCK, "contraview.modalities.environments.tables:CombinationLock")
    screens = name.startswith("ALE/")
    if screens:
        if find_spec("ale_py") is None:
            raise InputError(
                f"{name}: needs ale-py; install it with: pip install contraview[atari]"
            )
        import ale_py  # pyright: ignore[reportMissingImports] an extra

        gym.register_envs(ale_py)
        options = {"frameskip": 1, "obs_type": "grayscale", **options}
    try:
        env = gym.make(name, disable_env_checker=True, **options)
    except (gym.error.Error, TypeError, ValueError, KeyError, ImportError, AssertionError) as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"{name}: cannot be made: {said}; expected {EXPECTED}") from None
    return Screens(env) if screens else env


def _spaces(name: str, env: Any) -> tuple[Literal["tabular", "screens"], int, tuple[int, ...]]:
    from gymnasium import spaces

    from contraview.modalities.environments.frames import Screens
    from contraview.modalities.environments.tables import TableEnv

    if not isinstance(env.action_space, spaces.Discrete) or env.action_space.start:
        raise InputError(f"{name}: actions are {env.action_space}; expected Discrete from 0")
    bare = env.unwrapped
    players = bare.table.players if isinstance(bare, TableEnv) else (int(env.action_space.n),)
    if isinstance(env, Screens):
        return "screens", 0, players
    if isinstance(env.observation_space, spaces.Discrete) and not env.observation_space.start:
        return "tabular", int(env.observation_space.n), players
    raise InputError(
        f"{name}: states are {env.observation_space}; expected Discrete from 0, or Atari screens"
    )


def _name_of(env: Any) -> str:
    spec = getattr(env, "spec", None)
    return spec.id if spec is not None else type(env.unwrapped).__name__


def _parsed(options: Sequence[str]) -> dict[str, Any]:
    """NAME=VALUE with values as JSON where they are, else text."""
    parsed: dict[str, Any] = {}
    for option in options:
        name, equals, value = option.partition("=")
        if not equals or not name.isidentifier():
            raise InputError(f"option {option!r}: expected NAME=VALUE")
        try:
            parsed[name] = json.loads(value)
        except ValueError:
            parsed[name] = value
    return parsed


def _arrays(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected {EXPECTED}")
    return read_npz(path, str(path))
