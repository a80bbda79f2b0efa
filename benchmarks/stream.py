"""`contraview score` and `embed` over ever larger files: peak memory, seconds; one process and Ray.

    python benchmarks/stream.py [--rows N] [--json FILE]

Files of N, 10 N and 100 N flows with 83 columns: rows of the bundled lab traffic drawn with
replacement, each number moved by about a percent (seed 0). As Parquet in row groups of 122,880
rows (DuckDB's default); at 100 N also of 1,048,576 rows (pyarrow's default), and up to 10 N as CSV.
CLAN, small, is fitted on the first day. Each run is the command in a fresh process with one thread.
Memory is the peak of its resident set (VmHWM, read by the process itself at its end), CPU time its
user and system time, children included. `growth` is the peak at 100 N over the peak at 10 N: at N
the file is smaller than one part of 65,536 rows. `cpu_seconds_a_million_rows` is told at both
sizes, without what a run over N rows costs (imports, the model).

The arm `ray` is `--ray local`: a cluster of this machine, one worker a core, which is started and
ended within the run; its memory and CPU time are those of the command, without the workers. Its
file is compared with that of one process byte by byte.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from contraview.core.seeds import numpy_generator
from contraview.modalities.flows import lab_traffic
from contraview.modalities.flows.readers.parquet import KIND_KEY

SMALL_GROUP, LARGE_GROUP, CHUNK = 122_880, 1_048_576, 61_440
KIND = "meter/std"

_TIMING = """
import json, resource, sys, time
begin = time.perf_counter()
from contraview.apps.cli import main
code = main(sys.argv[2:])
assert code == 0, code
spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
with open("/proc/self/status") as status:
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
with open(sys.argv[1], "w") as file:
    json.dump({"seconds": round(time.perf_counter() - begin, 1), "peak_mb": round(peak / 1024),
               "cpu_seconds": round(sum(u.ru_utime + u.ru_stime for u in spent), 1)}, file)
"""


def flows(rows: int) -> Iterator[pl.DataFrame]:
    """Made-up flows, `CHUNK` at a time; the same ones first, however many there are."""
    days = pl.concat([pl.read_parquet(lab_traffic.flows(day)) for day in (1, 2, 3)])
    numbers = [name for name, dtype in days.schema.items() if dtype == pl.Float32]
    draw = numpy_generator(0, "stream")
    for start in range(0, rows, CHUNK):
        some = days[draw.integers(0, days.height, CHUNK)]
        moved = draw.normal(1.0, 0.01, (CHUNK, len(numbers))).astype(np.float32)
        columns = [pl.col(n) * pl.Series(n, moved[:, i]) for i, n in enumerate(numbers)]
        yield some.with_columns(columns)[: rows - start]


def write_parquet(path: Path, rows: int, group: int) -> None:
    """Write flows as the meter's, ``group`` rows a row group."""
    writer, held = None, pl.DataFrame()
    for chunk in flows(rows):
        held = pl.concat([held, chunk]) if held.height else chunk
        table = held.to_arrow()
        if writer is None:
            writer = pq.ParquetWriter(path, table.schema.with_metadata({KIND_KEY: KIND}))
        if held.height >= group:
            writer.write_table(table[:group].cast(writer.schema), row_group_size=group)
            held = held[group:]
    assert writer is not None
    if held.height:
        writer.write_table(held.to_arrow().cast(writer.schema), row_group_size=group)
    writer.close()


def write_csv(path: Path, rows: int) -> None:
    with path.open("w") as file:
        for number, chunk in enumerate(flows(rows)):
            file.write(chunk.write_csv(include_header=number == 0))


def measured(folder: Path, *arguments: Any) -> dict[str, float]:
    """What one command took, in a fresh process."""
    told = folder / "told.json"
    subprocess.run(
        [sys.executable, "-c", _TIMING, told, *map(str, arguments)],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "2"},
    )
    return json.loads(told.read_text())


def run(folder: Path, rows: int) -> dict[str, Any]:
    model = folder / "model"
    learn = ["--benign", "label == benign", "--drop", "service", "--kind", KIND]
    measured(folder, "fit", "clan", lab_traffic.flows(1), "--out", model, *learn)
    out, again = folder / "out.parquet", folder / "again.parquet"

    def score(source: Path, verb: str = "score", *flags: Any) -> dict[str, float]:
        return measured(folder, verb, model, source, "--out", out, *flags)

    parquet: dict[str, dict[str, float]] = {}
    csv: dict[str, dict[str, float]] = {}
    for times in (1, 10, 100):
        source = folder / "flows.parquet"
        write_parquet(source, rows * times, SMALL_GROUP)
        parquet[f"{rows * times}"] = score(source)
        if times == 10:
            embed = score(source, "embed")
            score(source)
            out.rename(again)
            ray = score(source, "score", "--ray", "local")
            same = out.read_bytes() == again.read_bytes()
            again.unlink()
        if times < 100:
            text = folder / "flows.csv"
            write_csv(text, rows * times)
            csv[f"{rows * times}"] = score(text)
            text.unlink()
    write_parquet(source, rows * 100, LARGE_GROUP)
    large = score(source)
    first, middle, last = parquet.values()

    def a_million(arm: dict[str, float], start: dict[str, float], more: int) -> float:
        return round((arm["cpu_seconds"] - start["cpu_seconds"]) / (more * rows / 1e6), 1)

    return {
        "benchmark": "stream",
        "rows": [rows, 10 * rows, 100 * rows],
        "columns": 83,
        "score_parquet": parquet,
        "growth": round(last["peak_mb"] / middle["peak_mb"], 3),
        "cpu_seconds_a_million_rows": {
            "10": a_million(middle, first, 9),
            "100": a_million(last, first, 99),
        },
        "score_parquet_row_groups_of_1048576": {f"{100 * rows}": large},
        "score_csv": csv,
        "embed_parquet": {f"{10 * rows}": embed},
        "score_parquet_ray_local": {f"{10 * rows}": ray, "same_file": same},
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
        "versions": {name: version(name) for name in ("torch", "polars", "pyarrow", "ray")},
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=30_000)
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="contraview-stream-") as name:
        text = json.dumps(run(Path(name), options.rows), indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
