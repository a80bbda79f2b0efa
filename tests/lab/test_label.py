"""The join of flows and truth, by hand."""

from datetime import UTC, datetime, timedelta

import polars as pl
from lab.label import KEY, UNMATCHED, label
from lab.plan import plan
from lab.truth import SCHEMA, table

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
WEB, HOST = "10.77.1.2", "10.77.1.30"


def flows(*rows):
    """Rows of (seconds after noon, source, port, destination, port, protocol)."""
    table = [(NOON + timedelta(seconds=s), *key) for s, *key in rows]
    return pl.DataFrame(
        table,
        schema={"timestamp": pl.Datetime("us", "UTC")} | {c: SCHEMA[c] for c in KEY},
        orient="row",
    )


def truth(*rows):
    """Rows of (start, end, source, port, destination, port, protocol, label, service)."""
    moment = pl.Datetime("ms", "UTC")
    table = [
        (NOON + timedelta(seconds=a), NOON + timedelta(seconds=b), *r, "") for a, b, *r in rows
    ]
    return pl.DataFrame(table, schema=SCHEMA | {"start": moment, "end": moment}, orient="row")


SERVICE = (0, 900, None, None, WEB, 80, 6, "benign", "web")


def test_a_row_with_wildcards_fits():
    found = label(flows((5, HOST, 4000, WEB, 80, 6)), truth(SERVICE))
    assert found.select("label", "service").rows() == [("benign", "web")]


def test_a_known_socket_beats_a_tool():
    known = truth(
        (10, 40, HOST, None, WEB, None, None, "port_scan", "any"),
        (0, 600, HOST, 4000, WEB, 80, 6, "benign", "push"),
    )
    found = label(flows((20, HOST, 4000, WEB, 80, 6), (20, HOST, 4001, WEB, 80, 6)), known)
    assert found.select("label", "service").rows() == [("benign", "push"), ("port_scan", "any")]


def test_of_two_tools_the_more_precise_then_the_shorter_wins():
    known = truth(
        (0, 60, HOST, None, WEB, 80, 6, "slow_http", "web"),
        (10, 12, HOST, None, WEB, None, None, "port_scan", "any"),
        (30, 32, HOST, None, WEB, 80, 6, "syn_flood", "web"),
    )
    found = label(
        flows((11, HOST, 1, WEB, 80, 6), (11, HOST, 1, WEB, 81, 6), (31, HOST, 2, WEB, 80, 6)),
        known,
    )
    assert found["label"].to_list() == ["slow_http", "port_scan", "syn_flood"]


def test_windows_hold_and_a_port_used_twice_is_two_flows():
    known = truth(
        (0, 10, HOST, 4000, WEB, 443, 6, "benign", "tls"),
        (100, 110, HOST, 4000, WEB, 443, 6, "exfiltration", "tls"),
    )
    found = label(
        flows(*((s, HOST, 4000, WEB, 443, 6) for s in (-1, 0, 9, 13, 100, 111, 120))), known
    )
    assert found["label"].to_list() == [
        UNMATCHED, "benign", "benign", UNMATCHED, "exfiltration", "exfiltration", UNMATCHED,
    ]  # fmt: skip


def test_a_reversed_flow_and_an_icmp_error_are_found():
    known = truth(
        (0, 10, HOST, 4000, WEB, 80, 6, "benign", "web"),
        (20, 30, HOST, None, WEB, None, None, "port_scan", "any"),
    )
    found = label(flows((5, WEB, 80, HOST, 4000, 6), (25, WEB, 3, HOST, 3, 1)), known)
    assert found["label"].to_list() == ["benign", "port_scan"]


def test_order_and_columns_are_kept_and_each_flow_has_one_label():
    given = flows(*((s, HOST, 4000 + s, WEB, 80, 6) for s in (7, 3, 5, 1))).with_columns(
        x=pl.lit(1.5)
    )
    found = label(given, truth(SERVICE, SERVICE))
    assert found.drop("label", "service").equals(given)
    assert found["label"].to_list() == ["benign"] * 4


def test_truth_is_what_was_written_down_dated_by_the_day():
    record = {
        "start": 1_000.5, "end": 1_002.25, "src_addr": HOST, "src_port": None, "dst_addr": WEB,
        "dst_port": 80, "ip_prot": 6, "label": "benign", "service": "web", "detail": "test",
    }  # fmt: skip
    row = table(plan(2, 7, 0.1), [record]).row(0, named=True)
    day_later = datetime(1970, 1, 2, tzinfo=UTC)
    assert row["start"] == day_later + timedelta(seconds=1_000.5)
    assert row["end"] == day_later + timedelta(seconds=1_002.25)
    assert row["src_port"] is None
    assert (row["dst_port"], row["label"]) == (80, "benign")
