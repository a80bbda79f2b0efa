"""A report of made-up flows, some of whose fields want to be more than text."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from contraview.apps.detection.reasons import Reason
from contraview.apps.report.contents import (
    Calibrated,
    Contents,
    Detected,
    EmbeddingMap,
    Learned,
)
from contraview.apps.report.page import page

HOSTILE = '<script>alert("x")</script> & $x$'
START = datetime(2026, 3, 1, 23, 59, 30, tzinfo=UTC)


def made_flows(rows: int = 400) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    kinds = np.where(np.arange(rows) % 4 == 3, "scan", "benign").astype(object)
    kinds[5::40] = HOSTILE
    score = rng.gamma(1.0, 1.0, rows) + np.where(kinds == "benign", 0, 3)
    return pl.DataFrame(
        {
            "timestamp": [START + timedelta(milliseconds=250 * i) for i in range(rows)],
            "src_addr": ["192.0.2.7" if i % 4 == 3 else f"198.51.100.{i % 9}" for i in range(rows)],
            "src_port": 40_000 + np.arange(rows),
            "dst_addr": ["203.0.113.80"] * rows,
            "dst_port": np.full(rows, 8443),
            "ip_prot": np.full(rows, 6),
            "score": score,
            "view_clan": score * 1.2,
            "view_ecod": score * 0.8,
            "rule": pl.Series([HOSTILE if i == 7 else None for i in range(rows)], dtype=pl.String),
            "label": pl.Series(kinds, dtype=pl.String),
            "alert": score > 3.0,
        }
    )


@pytest.fixture(scope="session")
def made() -> Contents:
    flows = made_flows()
    held_out = np.random.default_rng(1).gamma(1.0, 1.0, 999)
    alerts = flows.filter("alert").height
    reasons = [
        [
            Reason("bwd_iat_max" if i % 2 else "fwd_iat_mean", 6e6 + i, 1500.0, 99.95, 2.0),
            Reason(HOSTILE, HOSTILE, HOSTILE, 12.5, 0.5),
        ]
        for i in range(alerts)
    ]
    groups = flows["label"].to_numpy().astype(np.str_)
    places = np.random.default_rng(2).normal(size=(flows.height, 2))
    steps = [{"step": s, "loss": 1 / s, "collapse": {"effective_rank": 8.0}} for s in range(1, 5)]
    return Contents(
        "detector",
        "0.1.0",
        seed=3,
        settings={"max_fpr": 0.01, "light": False, "bank": None, "note": HOSTILE},
        learned=Learned(1500, 999, ("dur", HOSTILE), {"proto": ("tcp", HOSTILE)}, {"x": 0.0}, "ab"),
        findings={HOSTILE: [HOSTILE], "clean": []},
        calibrated=Calibrated(held_out, 0.01, 3.0, 0.0, True),
        detected=Detected(HOSTILE, flows, reasons, map=EmbeddingMap(places, groups, 0.5, "benign")),
        training={HOSTILE: steps},
        commands=["contraview demo", HOSTILE],
        laboratory=True,
    )


@pytest.fixture(scope="session")
def made_page(made: Contents) -> str:
    return page(made)
