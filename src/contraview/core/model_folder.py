"""A model on disk: system.json, weights.safetensors, tables as Parquet. Nothing is ever unpickled.

system.json names every other file with its SHA-256 and is written last, so a folder that a crash
left half-written, or that somebody changed by hand, is recognised and refused.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from contraview.core.errors import InputError
from contraview.core.learnt import Learnt
from contraview.core.model_files import inside, read_json
from contraview.core.parquet_files import read_parquet
from contraview.core.whole_file import json_bytes, write_bytes, write_json, write_together

FORMAT = 1
DESCRIPTION = "system.json"
PREVIOUS = "system.previous.json"
"""The description as it was before the last `amend_model`."""
WEIGHTS = "weights.safetensors"
_PARTS: Final = {
    "format": int,
    "system": str,
    "version": str,
    "config": dict,
    "source": dict,
    "facts": dict,
    "files": dict,
}
_KINDS: Final = {int: "a whole number", str: "a text", dict: "an object"}
_NO_TENSORS: Final = (OSError, ValueError, KeyError, TypeError, OverflowError, MemoryError)
"""What safetensors raises, beside its own error, for a header that makes no sense."""


@dataclass(frozen=True)
class Model:
    """A model folder as read: which system, its settings, how it read data, what it learnt.

    ``amendments`` is what `amend_model` added after the fit, by name.
    """

    slug: str
    config: dict[str, Any]
    source: dict[str, Any]
    learnt: Learnt
    version: str
    amendments: Mapping[str, Learnt] = field(default_factory=dict)


def check_target(folder: Path) -> None:
    """Refuse a target that holds something other than a model or a run, before any work is done."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; expected a folder to write the model to")
    if folder.is_dir():
        names = {entry.name for entry in folder.iterdir()}
        if names and not names & {DESCRIPTION, "events.jsonl"}:
            raise InputError(
                f"{folder}: holds other files; expected a new or empty folder, or an earlier model"
            )


def write_model(
    folder: Path,
    *,
    slug: str,
    config: Mapping[str, Any],
    source: Mapping[str, Any],
    learnt: Learnt,
    version: str,
) -> None:
    """Write a model folder. An earlier model of the same folder is replaced.

    Raises:
        OSError: a file cannot be written; an earlier model is then as it was.
    """
    check_target(folder)
    folder.mkdir(parents=True, exist_ok=True)
    digests: dict[str, str] = {}

    def files() -> Iterator[tuple[Path, bytes]]:
        tables = ((f"{name}.parquet", _parquet(table)) for name, table in learnt.tables.items())
        for name, content in chain([(WEIGHTS, _packed(learnt))], tables):
            digests[name] = hashlib.sha256(content).hexdigest()
            yield folder / name, content
        description = {
            "format": FORMAT,
            "system": slug,
            "version": version,
            "config": dict(config),
            "source": dict(source),
            "facts": learnt.facts,
            "files": digests,
        }
        yield folder / DESCRIPTION, json_bytes(description)

    write_together(files(), instead_of=[folder / PREVIOUS])
    _sweep(folder)


def amend_model(folder: Path, parts: Mapping[str, Learnt | None], *, by: str) -> None:
    """Add what was learnt after the fit to a model, or replace it: at once or not at all.

    Arrays go into files named by their content, beside all that is there; then system.json is
    replaced in one step. What system.json said before stays as system.previous.json, with the
    files it names, for `revert_model`. A new fit into the folder drops all amendments.

    Args:
        folder: the model.
        parts: by name; None takes one away.
        by: the command that does it.
    """
    description = _read_description(folder / DESCRIPTION)
    amendments = dict(description.get("amendments", {}))
    for name, learnt in parts.items():
        if learnt is None:
            amendments.pop(name, None)
            continue
        content = _packed(learnt)
        digest = hashlib.sha256(content).hexdigest()
        file = f"{name}.{digest[:12]}.safetensors"
        write_bytes(folder / file, content)
        amendments[name] = {"file": file, "sha256": digest, "facts": learnt.facts}
    write_bytes(folder / PREVIOUS, (folder / DESCRIPTION).read_bytes())
    amended = {"by": by, "step": _step(description) + 1}
    changed = {**description, "amendments": amendments, "amended": amended}
    write_json(folder / DESCRIPTION, changed)
    _sweep(folder)


def revert_model(folder: Path, *, by: str) -> None:
    """Take back the last `amend_model`; once more brings it back.

    Raises:
        InputError: nothing was amended since the fit, or the last change is another command's.
    """
    description = _read_description(folder / DESCRIPTION)
    if not (folder / PREVIOUS).is_file():
        raise InputError(f"{folder}: nothing to take back; it is as it was fitted")
    last = max(description, _read_description(folder / PREVIOUS), key=_step)
    if _step(last) and last["amended"]["by"] != by:
        other = last["amended"]["by"]
        raise InputError(
            f"{folder}: the last change is of {other}; `contraview {other} --undo` takes it back"
        )
    before, now = (folder / PREVIOUS).read_bytes(), (folder / DESCRIPTION).read_bytes()
    write_bytes(folder / DESCRIPTION, before)
    write_bytes(folder / PREVIOUS, now)


def _step(description: Mapping[str, Any]) -> int:
    """How many amendments led to a description; 0 for one as it was fitted."""
    return int(description.get("amended", {}).get("step", 0))


def _sweep(folder: Path) -> None:
    """Remove the files of amendments that no description names any more."""
    known = set()
    for name in (DESCRIPTION, PREVIOUS):
        if (folder / name).is_file():
            amendments = _read_description(folder / name).get("amendments", {})
            known |= {each["file"] for each in amendments.values()}
    for path in folder.glob(f"*.{'?' * 12}.safetensors"):
        if path.name not in known:
            path.unlink(missing_ok=True)


def _parquet(table: pl.DataFrame) -> bytes:
    content = BytesIO()
    table.write_parquet(content)
    return content.getvalue()


def _packed(learnt: Learnt) -> bytes:
    return save({key: np.asarray(a, order="C") for key, a in learnt.arrays.items()})


def read_model(folder: Path) -> Model:
    """Read a model folder; an `InputError` names the file that is missing, damaged or too new."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected a model written by `contraview fit`")
    description = _read_description(folder / DESCRIPTION)
    amendments = description.get("amendments", {})
    files = description["files"] | {each["file"]: each["sha256"] for each in amendments.values()}
    for name, digest in files.items():
        path = inside(folder, name)
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                raise InputError(
                    f"{path}: differs from what {DESCRIPTION} says; copy or fit the model again"
                )
    try:
        arrays = load_file(folder / WEIGHTS)
        tables = {
            name.removesuffix(".parquet"): read_parquet(folder / name, str(folder / name))
            for name in description["files"]
            if name.endswith(".parquet")
        }
        added = {
            name: Learnt(load_file(folder / each["file"]), facts=each["facts"])
            for name, each in amendments.items()
        }
    except (SafetensorError, *_NO_TENSORS) as error:
        raise InputError(f"{folder}: cannot be read: {error}") from None
    learnt = Learnt(arrays, tables, description["facts"])
    return Model(
        description["system"],
        description["config"],
        description["source"],
        learnt,
        description["version"],
        added,
    )


def _read_description(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise InputError(f"{path}: missing; expected a model written by `contraview fit`")
    description = read_json(inside(path.parent, path.name))
    if not isinstance(description, dict) or not _PARTS.keys() <= description.keys():
        raise InputError(f"{path}: not a model description; expected {', '.join(sorted(_PARTS))}")
    for part, kind in _PARTS.items():
        if type(description[part]) is not kind:
            raise InputError(f"{path}: {part}: expected {_KINDS[kind]}")
    if description["format"] > FORMAT:
        raise InputError(
            f"{path}: format {description['format']}; this version reads up to {FORMAT}: update "
            "contraview"
        )
    if WEIGHTS not in description["files"]:
        raise InputError(f"{path}: files: lacks {WEIGHTS}; expected every file of the model")
    if not all(isinstance(digest, str) for digest in description["files"].values()):
        raise InputError(f"{path}: files: expected the SHA-256 of each")
    amendments = description.get("amendments", {})
    if not isinstance(amendments, dict):
        raise InputError(f"{path}: amendments: expected an object")
    for name, each in amendments.items():
        fits = isinstance(each, dict) and all(
            isinstance(each.get(part), kind)
            for part, kind in (("file", str), ("sha256", str), ("facts", dict))
        )
        if not fits:
            raise InputError(f"{path}: amendment {name!r}: expected file, sha256 and facts")
    amended = description.get("amended", {"by": "", "step": 0})
    if not (
        isinstance(amended, dict)
        and isinstance(amended.get("by"), str)
        and type(amended.get("step")) is int
    ):
        raise InputError(f"{path}: amended: expected the command, and a number of steps")
    return description
