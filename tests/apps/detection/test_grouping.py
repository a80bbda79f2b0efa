from datetime import UTC, datetime, timedelta

import polars as pl

from contraview.apps.detection.conversation import latest
from contraview.apps.detection.grouping import COUNTED, Groups
from contraview.apps.detection.reasons import Reason

START = datetime(2026, 1, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def alert(at, *, src="10.0.0.9", dst="10.0.0.1", port=80, score=5.0, rule=None, second=0):
    seen = START + at * MINUTE + timedelta(seconds=second)
    return {
        "src_addr": src, "dst_addr": dst, "dst_port": port, "ip_prot": 6, "timestamp": seen,
        "last_seen": seen, "score": score, "rule": rule, "alert": True,
    }  # fmt: skip


def frame(rows):
    return pl.DataFrame(rows, schema_overrides={"rule": pl.String})


def why(rows, column="bwd_iat_max"):
    return [[Reason(column, 1.0, 0.0, 99.0, 1.0)] for _ in rows]


def run(batches, **knobs):
    groups, found = Groups(**knobs), []
    for rows in batches:
        table = frame(rows)
        found += groups.add(table, why(rows), latest(table))[0].to_dicts()
    return found + groups.finish()[0].to_dicts()


def test_a_scan_is_one_alert_that_says_how_large_it_was():
    scan = [
        alert(i / 100, dst=f"10.0.{i % 7}.1", port=i, score=5 + (i == 40)) for i in range(1, 2001)
    ]
    (group,) = run([scan[:700], scan[700:]])
    assert group["group_flows"] == 2000
    assert group["group_destinations"] == 7
    assert group["group_ports"] == COUNTED
    assert (group["dst_port"], group["score"]) == (40, 6.0)
    assert group["group_first"] == scan[0]["timestamp"]
    assert group["group_last"] == scan[-1]["timestamp"]


def test_sources_protocols_rules_and_reasons_are_kept_apart():
    rows = [
        alert(0),
        alert(0, src="10.0.0.8"),
        alert(0, rule="flag_urg"),
        alert(0) | {"ip_prot": 17},
    ]
    assert len(run([rows])) == 4
    groups = Groups()
    table = frame([alert(0), alert(0)])
    reasons = [why([0], "bwd_iat_max")[0], why([0], "pkt_len_mean")[0]]
    groups.add(table, reasons, latest(table))
    assert groups.finish()[0].height == 2
    groups.add(table, [why([0], "fwd_iat_min")[0], why([0], "iat_max")[0]], latest(table))
    assert groups.finish()[0].height == 1


def test_a_quiet_time_closes_a_group_whatever_the_batches():
    rows = [alert(at) for at in (0, 1, 4, 30, 31)]
    whole = run([rows])
    assert [group["group_flows"] for group in whole] == [3, 2]
    assert run([[row] for row in rows]) == whole


def test_quiet_is_by_the_clock_of_all_flows_not_of_alerts_alone():
    groups = Groups(quiet=5 * MINUTE)
    table = frame([alert(0)])
    assert groups.add(table, why([0]), START)[0].height == 0
    assert groups.add(table[:0], [], START + 4 * MINUTE)[0].height == 0
    closed, reasons = groups.add(table[:0], [], START + 6 * MINUTE)
    assert (closed.height, len(reasons)) == (1, 1)
    assert groups.finish()[0].height == 0


def test_what_never_pauses_is_told_of_every_hour():
    found = run([[alert(at)] for at in range(150)])
    assert [group["group_flows"] for group in found] == [61, 61, 28]


def test_open_groups_are_bounded_and_none_is_lost():
    rows = [alert(0, src=f"10.0.{i}.1", second=i % 60) for i in range(200)]
    found = run([rows], most=10)
    assert sum(group["group_flows"] for group in found) == 200
    assert len({group["src_addr"] for group in found}) == 200


def test_flows_without_times_are_given_out_at_the_end():
    bare = [{"src_addr": "a", "score": 5.0, "rule": None, "alert": True}] * 3
    groups = Groups()
    assert groups.add(frame(bare), why(bare), None)[0].height == 0
    (group,) = groups.finish()[0].to_dicts()
    assert (group["group_flows"], group["group_first"]) == (3, None)


def test_open_groups_are_kept_and_taken_up_again():
    rows = [alert(0, score=7.0), alert(1), alert(1, src="10.0.0.8", rule="flag_urg"), alert(2)]
    whole = run([rows])
    groups, again = Groups(), Groups()
    first, second = frame(rows[:3]), frame(rows[3:])
    groups.add(first, why(rows[:3]), latest(first))
    saved = groups.saved()
    again.restore(saved, at=0.0)
    again.add(second, why(rows[3:]), latest(second))
    table, reasons = again.finish()
    key = ["src_addr"]
    assert table.sort(key).to_dicts() == pl.DataFrame(whole).sort(key).to_dicts()
    assert reasons == [why([0])[0]] * 2
    assert again.saved() == {}


def test_a_source_that_says_nothing_more_does_not_hold_a_group_back():
    groups = Groups()
    table = frame([alert(0)])
    groups.add(table, why([0]), START, at=100.0)
    assert groups.elapse(399.0)[0].height == 0
    assert groups.elapse(401.0)[0]["group_flows"].to_list() == [1]
    for at in range(0, 3600, 200):
        assert groups.add(table, why([0]), START, at=float(at))[0].height == 0
        assert groups.elapse(float(at))[0].height == 0
    assert groups.elapse(3601.0)[0]["group_flows"].to_list() == [18]


def test_a_log_that_gains_a_column_keeps_the_groups_that_are_open():
    groups = Groups()
    first, second = frame([alert(0)]), frame([alert(1) | {"uid": "C1"}])
    groups.add(first, why([0]), latest(first))
    groups.add(second, why([0]), latest(second))
    groups.add(first, why([0]), latest(second))
    assert groups.finish()[0].select("group_flows", "uid").rows() == [(3, None)]
