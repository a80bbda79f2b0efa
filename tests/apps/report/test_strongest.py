from dataclasses import replace

import polars as pl
import pytest

from contraview.apps.detection.reasons import Reason
from contraview.apps.report.contents import Detected
from contraview.apps.report.strongest import aspect, strongest


def detected(rows: list[tuple[str, float, str]]) -> Detected:
    """Alerts as source, score and column of the strongest reason."""
    flows = pl.DataFrame(
        {
            "src_addr": [source for source, _, _ in rows],
            "score": [score for _, score, _ in rows],
            "rule": pl.Series([None] * len(rows), dtype=pl.String),
            "alert": True,
        }
    )
    return Detected("x", flows, [[Reason(c, 1.0, 0.0, 99.0, 1.0)] for _, _, c in rows])


@pytest.mark.parametrize(
    ("column", "about"),
    [
        ("bwd_iat_max", "iat"),
        ("fwd_pkt_len_std", "pkt_len"),
        ("pkt_len_var", "pkt_len"),
        ("flag_SYN", "flag_SYN"),
        ("max", "max"),
        ("sttl", "sttl"),
    ],
)
def test_aspect_is_what_a_statistic_is_about(column, about):
    assert aspect(column) == about


def test_a_scan_takes_one_place():
    scan = [("s", 9.0 - i / 100, "iat_max" if i % 2 else "fwd_iat_min") for i in range(50)]
    groups = strongest(detected([*scan, ("t", 4.0, "iat_max"), ("s", 5.0, "pkt_len_max")]))
    assert [(g.row["score"], g.flows, g.source) for g in groups] == [
        (9.0, 50, "A"),
        (5.0, 1, "A"),
        (4.0, 1, "B"),
    ]
    assert groups[0].reasons[0].column == "fwd_iat_min"


def test_at_most_so_many_and_the_strongest_first():
    rows = [(f"s{i}", float(i), "iat_max") for i in range(30)]
    assert [group.row["score"] for group in strongest(detected(rows))] == list(range(29, 19, -1))


def test_tables_without_addresses_are_grouped_by_reason():
    known = detected([("s", 1.0, "a"), ("t", 2.0, "a"), ("t", 3.0, "b")])
    groups = strongest(replace(known, flows=known.flows.drop("src_addr")))
    assert [(group.flows, group.source) for group in groups] == [(1, None), (2, None)]


def test_no_alert_no_group():
    known = detected([("s", 1.0, "a")])
    assert strongest(Detected("x", known.flows.with_columns(alert=False), [])) == []
