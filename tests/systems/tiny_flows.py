"""Network flows that fit in a test."""

import numpy as np
import polars as pl

from contraview.core.seeds import numpy_generator
from contraview.modalities.flows.data import read_flows

SOURCE = {"benign": "kind == benign", "labels": "kind"}


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


def data():
    """The tiny flows, as `fit` takes them."""
    return read_flows(flows(), **SOURCE)
