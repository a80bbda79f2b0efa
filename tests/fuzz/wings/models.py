"""Model folders as inputs: a tiny CLAN whose description or weights an attacker wrote."""

import hashlib
import json
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
from tests.fuzz.judge import Reader

import contraview
from contraview.core.model_folder import DESCRIPTION, WEIGHTS
from contraview.core.run import Run

_ROWS = 256


@cache
def _table() -> pl.DataFrame:
    g = np.random.default_rng(0)
    return pl.DataFrame(
        {
            "packets": g.integers(1, 100, _ROWS),
            "bytes": g.integers(40, 9000, _ROWS),
            "proto": g.choice(["tcp", "udp"], _ROWS),
        }
    )


@cache
def _whole() -> dict[str, bytes]:
    """The files of a fitted model."""
    from contraview.systems.clan import Clan

    clan = Clan(width=4, depth=1, outputs=2, steps=2, batch=16)
    clan.fit(_table(), run=Run(seed=0, show=False))
    with tempfile.TemporaryDirectory() as made:
        clan.save(Path(made))
        return {path.name: path.read_bytes() for path in Path(made).iterdir()}


def descriptions() -> list[bytes]:
    """system.json as it is written, and without spaces."""
    whole = _whole()[DESCRIPTION]
    return [whole, json.dumps(json.loads(whole), separators=(",", ":")).encode()]


def weights() -> list[bytes]:
    """weights.safetensors as it is written."""
    return [_whole()[WEIGHTS]]


def described(path: Path) -> None:
    """Load and ask a model whose system.json is the input."""
    (path.parent / WEIGHTS).write_bytes(_whole()[WEIGHTS])
    _ask(path.parent)


def weighed(path: Path) -> None:
    """Load and ask a model whose weights are the input, under a digest that fits."""
    told = json.loads(_whole()[DESCRIPTION])
    told["files"][WEIGHTS] = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_name(DESCRIPTION).write_text(json.dumps(told))
    _ask(path.parent)


def _ask(folder: Path) -> None:
    contraview.load(folder).score(_table().head(16))


READERS = (
    Reader("model_json", DESCRIPTION, described, descriptions),
    Reader("model_weights", WEIGHTS, weighed, weights),
)
