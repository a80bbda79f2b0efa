"""For each modality a data set that fits in a test, and settings that take a second on it."""

import numpy as np
import polars as pl

from contraview.core.seeds import numpy_generator


def flows(rows: int = 400, seed: int = 0) -> pl.DataFrame:
    """Traffic in which bytes follow packets; in the last eighth, the attacks, they do not."""
    g = numpy_generator(seed, "tiny flows")
    attacks = np.arange(rows) >= rows * 7 // 8
    packets = np.exp(g.normal(3, 1, rows)).round() + 1
    size = np.where(attacks, 40.0, 600.0) * np.exp(g.normal(0, 0.1, rows))
    table = {
        "packets": packets,
        "bytes": (packets * size).round(),
        "duration": packets * np.exp(g.normal(-3, 0.3, rows)),
        "gap": np.exp(g.normal(-2, 1, rows)),
        "proto": g.choice(["tcp", "udp"], rows),
        "flat": np.ones(rows),
        "kind": np.where(attacks, "attack", "benign"),
    }
    return pl.DataFrame(table)


SOURCES = {"flows": {"benign": "kind == benign", "labels": "kind"}}
KNOBS = {
    "clan": {"width": 16, "depth": 2, "outputs": 8, "steps": 60, "batch": 64},
    "detector": {"steps": 60, "trees": 20, "max_fpr": 0.05},
}


def data(modality: str):
    """The tiny data set of a modality, as a system's `fit` takes it."""
    from contraview.modalities.flows.data import read_flows

    return {"flows": lambda: read_flows(flows(), **SOURCES["flows"])}[modality]()
