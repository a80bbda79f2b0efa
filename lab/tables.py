"""What a day leaves beside its capture: the truth, and the labelled flows."""

import json
from pathlib import Path

import polars as pl

from contraview.modalities.flows.meter import meter
from contraview.modalities.flows.readers.parquet import KIND_KEY
from contraview.modalities.flows.schema import STATISTICS
from lab.label import KEY, UNMATCHED, label
from lab.plan import Plan
from lab.truth import table


def write(plan: Plan, out: Path) -> pl.DataFrame:
    """Meters and labels dayN.pcap.gz in `out`; writes dayN_truth.parquet and dayN_flows.parquet.

    The statistics are kept as 32-bit floats (relative error below 1e-7). Returns the flows.
    """
    name = out / f"day{plan.day}"
    log = name.with_suffix(".json")
    truth = table(plan, json.loads(log.read_text())["record"])
    metered = meter(name.with_suffix(".pcap.gz"), mode="std").frame.sort("timestamp", *KEY)
    flows = label(metered, truth).select(
        "timestamp", *KEY, pl.col(STATISTICS).cast(pl.Float32), "label", "service"
    )
    for frame, kind, metadata in ((truth, "truth", {}), (flows, "flows", {KIND_KEY: "meter/std"})):
        path = out / f"day{plan.day}_{kind}.parquet"
        partial = path.with_name(path.name + ".partial")
        frame.write_parquet(partial, compression="zstd", compression_level=19, metadata=metadata)
        partial.replace(path)
    unmatched = flows.filter(label=UNMATCHED).height
    print(f"day {plan.day}: {flows.height} flows, {unmatched} that the truth does not know")
    log.unlink()
    return flows
