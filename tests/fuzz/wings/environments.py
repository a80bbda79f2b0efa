"""Decision processes as arrays."""

from pathlib import Path

from tests.fuzz import pack
from tests.fuzz.judge import Reader
from tests.fuzz.seeds import shapes

from contraview.modalities.environments.data import read_environment


def _environment(path: Path) -> None:
    environment = read_environment(path)
    environment.fingerprint()
    environment.lines()
    env = environment.make()
    env.reset(seed=0)
    env.step(0)


READERS = (Reader("environments", "mdp.npz", _environment, shapes.environments, pack.archive),)
