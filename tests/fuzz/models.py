"""Mutated model folders of every system: ``python -m tests.fuzz.models SLUG|all --mutations N``.

A digest protects from accidents, not from an author: settings, facts, arrays and tables are
altered, digests are made to fit, the model is loaded and each of its verbs is asked. Only an
answer or a refusal will do. It runs as users run the library, without the checks of types that
the tests are run under. Exit code 1 where there are findings.
"""

import argparse
import copy
import json
import resource
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from safetensors.numpy import load_file
from tests.fuzz.judge import where
from tests.fuzz.target import CEILING

import contraview
from contraview.catalog import ENTRIES
from contraview.core.errors import ContraviewError
from contraview.core.learnt import Learnt
from contraview.core.model_folder import DESCRIPTION, WEIGHTS, write_model
from contraview.core.run import Run

sys.path.insert(0, str(Path(__file__).parents[1] / "systems"))
import tiny

SECONDS = 20
"""Of the processor's time; a model that takes more to load and ask hangs."""
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 7, 10**9, -(10**9), 2**31, 2**63, 10**40, 0.0, -0.5, 1e308),
    *("", "x", "../x", "\x1b[2J", "\u202e", [], {}, [None], ["x"], {"x": 1}, [[1], [2, 3]], "1"),
)
NUMBERS = (np.nan, np.inf, -np.inf, -1.0, 0.0, 1.0, 1e30, -1e30, 1e308, 3e9)


def main(arguments: list[str] | None = None) -> int:
    """Mutate; see the module."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.models", description=__doc__)
    parser.add_argument("systems", nargs="+", help="slugs, or all that are built")
    parser.add_argument("--mutations", type=int, default=50, help="for each system")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write (or update) the table of results here")
    told = parser.parse_args(arguments)
    built = [entry for entry in ENTRIES if entry.built]
    chosen = [e for e in built if told.systems == ["all"] or e.slug in told.systems]
    torch.set_num_threads(1)
    signal.signal(signal.SIGPROF, _hangs)
    rows = []
    for entry in chosen:
        row = mutated(entry, told.mutations, told.seed)
        rows.append(row)
        shown = "".join(f"\n  {count} x {said}" for said, count in row["findings"].items())
        print(
            f"{entry.slug}: {row['mutations']} mutations, {row['refused']} refused, "
            f"{row['cpu_seconds']} CPU s{shown}",
            flush=True,
        )
    if told.json:
        table = json.loads(told.json.read_text()) if told.json.exists() else {}
        command = f"python -m tests.fuzz.models all --mutations {told.mutations}"
        table["models"] = [row | {"command": command} for row in rows]
        told.json.write_text(json.dumps(table, indent=1) + "\n")
    return int(any(row["findings"] for row in rows))


def mutated(entry: Any, mutations: int, seed: int) -> dict[str, Any]:
    """Mutate one system's tiny model so many times."""
    begun, refused = time.process_time(), 0
    findings: Counter[str] = Counter()
    limit = resource.getrlimit(resource.RLIMIT_AS)
    with tempfile.TemporaryDirectory() as place, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = Path(place) / "whole"
        asked = tiny.of(entry.slug)
        system = asked.fit(entry.load_class()(**asked.knobs), Run(seed=0, show=False))
        system.save(whole)
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + CEILING, limit[1]))
        try:
            for number in range(mutations):
                generator = np.random.default_rng([seed, number])
                folder = Path(place) / "mutated"
                shutil.rmtree(folder, ignore_errors=True)
                what = mutate(whole, folder, generator)
                said = _ask(folder, entry, asked)
                refused += said == ""
                if said:
                    findings[f"{what}: {said}"] += 1
        finally:
            resource.setrlimit(resource.RLIMIT_AS, limit)
    return {
        "system": entry.slug,
        "mutations": mutations,
        "refused": refused,
        "findings": dict(findings),
        "seed": seed,
        "cpu_seconds": round(time.process_time() - begun, 1),
    }


def mutate(whole: Path, folder: Path, generator: np.random.Generator) -> str:
    """A copy of a model with one to three parts altered and digests that fit; says the last."""
    told = json.loads((whole / DESCRIPTION).read_text())
    arrays = {name: array.copy() for name, array in load_file(whole / WEIGHTS).items()}
    tables = {
        name.removesuffix(".parquet"): pl.read_parquet(whole / name)
        for name in told["files"]
        if name.endswith(".parquet")
    }
    what = ""
    for _ in range(int(generator.integers(1, 3))):
        kinds = ["config", "source", "facts", "facts", "array", "array", "array"]
        kind = str(generator.choice(kinds + ["table"] * bool(tables)))
        if kind == "array" and arrays:
            what = _mutate_array(arrays, generator)
        elif kind == "table":
            what = _mutate_table(tables, generator)
        else:
            kind = kind if kind in told else "facts"
            what = f"{kind}{_mutate_json(told[kind], generator)}"
    write_model(
        folder,
        slug=told["system"],
        config=told["config"],
        source=told["source"],
        learnt=Learnt(arrays, tables, told["facts"]),
        version=told["version"],
    )
    return what


def _ask(folder: Path, entry: Any, asked: Any) -> str | None:
    """What went wrong; "" where the model was refused, None where it answered."""
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        system = contraview.load(folder)
        for verb in entry.verbs.split():
            asked.answer(system, verb)
    except ContraviewError:
        return ""
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 a panic of Rust code is no Exception
        return f"{where(error)}: {error}".splitlines()[0][:160]
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return None


def _hangs(*_: Any) -> None:
    raise TimeoutError(f"no answer after {SECONDS} s")


def _mutate_json(value: Any, generator: np.random.Generator) -> str:
    """Replace, remove or add a value somewhere in an object; where."""
    path, at = "", value
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        if not keys or (path and generator.random() < 0.1):
            if isinstance(at, dict):
                at["added"] = copy.deepcopy(VALUES[int(generator.integers(len(VALUES)))])
            else:
                at.append(copy.deepcopy(VALUES[int(generator.integers(len(VALUES)))]))
            return f"{path} + one"
        key = keys[int(generator.integers(len(keys)))]
        path += f"[{key!r}]" if isinstance(key, str) else f"[{key}]"
        if isinstance(at[key], dict | list) and at[key] and generator.random() < 0.8:
            at = at[key]
            continue
        if generator.random() < 0.2:
            del at[key]
            return f"{path} removed"
        at[key] = copy.deepcopy(VALUES[int(generator.integers(len(VALUES)))])
        return f"{path} = {at[key]!r:.20}"


def _mutate_array(arrays: dict[str, np.ndarray], generator: np.random.Generator) -> str:
    """Alter values, type or shape of an array, or which there are; which and how."""
    name = str(generator.choice(sorted(arrays)))
    array = arrays[name]
    how = str(generator.choice(["value", "value", "value", "values", "type", "shape", "removed"]))
    if how in ("value", "values") and array.size:
        places = generator.integers(0, array.size, 1 if how == "value" else array.size)
        if array.dtype.kind == "f":
            filler = generator.choice(NUMBERS)
        elif array.dtype.kind == "b":
            filler = True
        else:
            bounds = np.iinfo(array.dtype)
            filler = generator.choice([bounds.min, bounds.max, 0, array.size, array.max() // 2])
        flat = array.reshape(-1).copy()
        with np.errstate(all="ignore"):
            flat[places] = np.asarray(filler).astype(array.dtype)
        arrays[name] = flat.reshape(array.shape)
        return f"{name}: {how} {filler}"
    if how == "type":
        kind = str(generator.choice(["float32", "float64", "int64", "int32", "uint8", "bool"]))
        with np.errstate(all="ignore"):
            arrays[name] = array.astype(kind)
        return f"{name}: {kind}"
    if how == "shape":
        shapes = (
            (array[:0], array[:-1], array[None], array.reshape(-1), np.repeat(array, 2, 0))
            if (array.ndim)
            else (array[None],)
        )
        arrays[name] = shapes[int(generator.integers(len(shapes)))].copy()
        return f"{name}: shape {list(arrays[name].shape)}"
    del arrays[name]
    if generator.random() < 0.3:
        arrays[f"{name}x"] = array
    return f"{name}: removed"


def _mutate_table(tables: dict[str, pl.DataFrame], generator: np.random.Generator) -> str:
    """Alter a table's cells, columns or rows, or remove it; which and how."""
    name = str(generator.choice(sorted(tables)))
    table = tables[name]
    how = str(generator.choice(["removed", "empty", "null", "texts", "numbers", "rows", "column"]))
    if how == "removed" or not table.width:
        del tables[name]
        return f"{name}: removed"
    column = str(generator.choice(table.columns))
    tables[name] = {
        "empty": lambda: table.clear(),
        "null": lambda: table.with_columns(pl.lit(None, table.schema[column]).alias(column)),
        "texts": lambda: table.with_columns(pl.lit("\x1b[2Jx").alias(column)),
        "numbers": lambda: table.with_columns(pl.lit(-(10**12)).alias(column)),
        "rows": lambda: table.head(table.height // 2),
        "column": lambda: table.drop(column),
    }[how]()
    return f"{name}: {how} {column}"


if __name__ == "__main__":
    sys.exit(main())
