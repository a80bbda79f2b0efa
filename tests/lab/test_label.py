"""The join of flows and truth, by hand."""

from datetime import UTC, datetime, timedelta

import polars as pl
from lab.label import KEY, UNMATCHED, label
from lab.truth import SCHEMA

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
WEB, HOST, OTHER = "10.77.1.2", "10.77.1.30", "10.77.1.31"


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


def test_service_rule_catches_what_is_not_written_down():
    found = label(flows((5, HOST, 4000, WEB, 80, 6)), truth(SERVICE))
    assert found.select("label", "service").rows() == [("benign", "web")]


def test_socket_beats_tool_beats_service():
    known = truth(
        SERVICE,
        (10, 40, HOST, None, WEB, None, None, "port_scan", "any"),
        (0, 600, HOST, 4000, WEB, 80, 6, "benign", "push"),
    )
    found = label(
        flows(
            (20, HOST, 4000, WEB, 80, 6),
            (20, HOST, 4001, WEB, 80, 6),
            (20, OTHER, 4000, WEB, 80, 6),
        ),
        known,
    )
    assert found["label"].to_list() == ["benign", "port_scan", "benign"]
    assert found["service"].to_list() == ["push", "any", "web"]


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
