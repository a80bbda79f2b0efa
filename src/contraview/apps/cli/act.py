"""`contraview act`: play episodes with what was learnt."""

import sys
from pathlib import Path

from contraview.apps.batch.answers import loaded
from contraview.apps.batch.tables import need_table_name, write
from contraview.apps.cli.arguments import Positional, parse
from contraview.core.errors import InputError


def run(verb: str, arguments: list[str]) -> int:
    """Write one row an episode, its steps and its return; the mean on stderr."""
    chosen = parse(
        "contraview act",
        "Plays episodes in the environment that the model learnt from, or in ENVIRONMENT with "
        "--options.",
        arguments,
        model=(Positional[Path], ...),
        environment=(Positional[tuple[str, ...]], ()),
        options=(tuple[str, ...], ()),
        episodes=(int, 10),
        seed=(int, 0),
        out=(Path | None, None),
    )
    if chosen.episodes < 1:
        raise InputError(f"contraview act: {chosen.episodes} episodes; expected at least 1")
    need_table_name(chosen.out)
    system = loaded(verb, chosen.model)
    where = None
    if chosen.environment:
        system.source = system.source.model_copy(update={"options": chosen.options})
        where = system.read(chosen.environment)
    played = system.play(where, episodes=chosen.episodes, seed=chosen.seed)
    write([played], chosen.out)
    returns = played["return"]
    sys.stderr.write(f"mean return {returns.mean():.4g}, best {returns.max():.4g}\n")
    return 0
