"""The log into the store: once, in groups, through restarts."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from eve import BEGIN, line

from contraview.apps.detection.alerts import write_alerts
from contraview.apps.detection.grouping import Groups
from contraview.apps.detection.reasons import Reason
from contraview.apps.serve.intake import Intake
from contraview.apps.serve.queries import Filter, Queries
from contraview.apps.serve.store import VERSION, Store
from contraview.core.errors import InputError


def groups(kept, **wanted):
    return kept.queries.groups(Filter(**wanted))


def test_alerts_of_one_source_and_reason_are_one_group(kept):
    assert kept.take(line(1), line(2, 30, dest_port=80), line(3, 60, proto="UDP")) == 3
    found = groups(kept)
    assert [g["flows"] for g in found["items"]] == [1, 2]
    tcp = found["items"][1]
    assert (tcp["about"], tcp["ports"], tcp["destinations"]) == ("iat", 2, 1)
    assert (tcp["first"], tcp["last"], tcp["score"]) == (BEGIN, BEGIN + 30, 5.002)
    assert tcp["port"] == 80, "the end of the strongest flow"


def test_a_line_that_is_not_whole_waits(kept):
    whole = line(1)
    assert kept.take(whole[:40]) == 0
    assert kept.take(whole[40:]) == 1


def test_what_was_taken_in_is_not_taken_in_again(kept):
    kept.take(line(1), line(2))
    kept.intake.close()
    again = Intake(kept.store, kept.log)
    assert again.take() == 0
    with kept.log.open("ab") as log:
        log.write(line(2) + line(3))
    assert again.take() == 1, "known by its id, wherever it stands"
    again.close()
    with kept.store.writing() as db:
        db.execute("DELETE FROM facts WHERE name = 'log'")
    from_the_begin = Intake(kept.store, kept.log)
    assert from_the_begin.take() == 0
    from_the_begin.close()


def test_a_transaction_that_fails_leaves_nothing_and_is_done_again(kept, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    kept.take(line(1))
    with monkeypatch.context() as patched:
        patched.setattr(Intake, "_count", fail)
        with pytest.raises(OSError, match="disk full"):
            kept.take(line(2, 10, src_ip="192.0.2.9"), line(3, 20))
    assert groups(kept)["total"] == 1
    assert kept.intake.take() == 2
    assert [g["flows"] for g in groups(kept)["items"]] == [2, 1]


def test_a_log_that_is_rotated_away_is_read_to_its_end(kept, tmp_path):
    kept.take(line(1))
    with kept.log.open("ab") as log:
        log.write(line(2))
    kept.log.rename(tmp_path / "alerts.jsonl.1")
    kept.log.write_bytes(line(3))
    assert kept.intake.take() == 2
    assert groups(kept)["items"][0]["flows"] == 3


def test_what_is_no_record_is_counted_and_left_out(kept):
    broken = [
        b"{\n",
        b"[1]\n",
        b'{"event_type": "alert", "contraview": 3}\n',
        line(1, own_score="high"),
    ]
    assert kept.take(*broken, line(2)) == 1
    assert kept.intake.malformed == 4
    assert kept.take(b'{"event_type": "stats", "contraview": {}}\n') == 0
    assert kept.intake.malformed == 4, "a heartbeat is no alert, and nothing broken"


def test_health_is_kept_apart(kept):
    health = line(1, own_health="gap", own_message="records were gone", own_id="a" * 32)
    assert kept.take(health, health) == 1
    assert [each["sort"] for each in kept.queries.health()] == ["gap"]
    assert groups(kept)["total"] == 0


def test_groups_are_those_of_the_command(kept):
    rng = np.random.default_rng(0)
    count = 600
    start = datetime(2026, 3, 1, tzinfo=UTC)
    seconds = np.cumsum(rng.exponential(20, count))
    table = pl.DataFrame(
        {
            "timestamp": [start + timedelta(seconds=float(s)) for s in seconds],
            "src_addr": rng.choice(["192.0.2.1", "192.0.2.2", "192.0.2.3"], count),
            "src_port": np.arange(count) + 1024,
            "dst_addr": rng.choice([f"203.0.113.{i}" for i in range(9)], count),
            "dst_port": rng.choice([22, 80, 443], count),
            "ip_prot": rng.choice([6, 17], count),
            "score": rng.gamma(2.0, 2.0, count) + 4,
            "view_clan": np.ones(count),
            "rule": rng.choice([None, None, "conn_state"], count).tolist(),
        },
        schema_overrides={"rule": pl.String},
    )
    columns = rng.choice(["fwd_iat_max", "bwd_iat_mean", "bytes_mean"], count)
    why = [[Reason(str(c), 1.0, 0.0, 99.0, 1.0)] for c in columns]
    by_command = Groups()
    told, _ = by_command.add(table, why, None)
    rest, _ = by_command.finish()
    told = pl.concat([told, rest])
    lines = []
    write_alerts(lines.append, "eve", table, why, threshold=4.0)
    assert kept.take(*(each.encode() for each in lines)) == count
    ours = kept.queries.groups(Filter(limit=500))["items"]
    assert 20 < len(ours) == told.height < 500

    def key(flows, destinations, ports, score):
        return flows, destinations, ports, round(score, 3)

    expected = told.select("group_flows", "group_destinations", "group_ports", "score").rows()
    found = [(g["flows"], g["destinations"], g["ports"], g["score"]) for g in ours]
    assert sorted(key(*row) for row in found) == sorted(key(*row) for row in expected)


def test_filters(kept):
    kept.take(
        line(1),
        line(2, 10, src_ip="10.0.0.5", alert={"severity": 1}),
        line(3, 20, src_ip="10.0.0.6", dest_ip="10.0.0.5", dest_port=8443, own_rule="conn_state"),
    )
    assert groups(kept, text="10.0.0.5")["total"] == 2
    assert groups(kept, text="10.0.0.5 8443")["total"] == 1
    assert groups(kept, text="IAT")["total"] == 2, "whatever the case"
    assert groups(kept, text="%")["total"] == 0, "no wildcard of its own"
    assert groups(kept, severity=[1, 2])["total"] == 1
    assert [g["id"] for g in groups(kept, order="strongest")["items"]] == [3, 2, 1]
    assert groups(kept, until=2)["total"] == 2
    assert [g["id"] for g in groups(kept, offset=1, limit=1)["items"]] == [2]
    assert groups(kept, state="suppressed")["total"] == 0


def test_masked_hosts_are_numbers_everywhere(kept):
    kept.take(
        line(1, community_id="1:abc"), line(2, 10, src_ip="203.0.113.80", dest_ip="192.0.2.7")
    )
    masked = Queries(kept.store, redact=True)
    group = masked.group(1)
    said = repr(masked.groups(Filter())) + repr(group) + repr(masked.alerts(1, 0, 9))
    assert "192.0.2" not in said
    assert "203.0.113" not in said
    assert (group["src"], group["dst"]) == ("host-1", "host-2")
    assert group["strongest"]["community_id"] is None, "it can be guessed back"
    assert masked.groups(Filter(text="192.0.2.7"))["total"] == 0
    assert masked.groups(Filter(text="host-2"))["total"] == 2


def test_a_file_that_is_no_state_is_refused(tmp_path):
    path = tmp_path / "state.sqlite"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(InputError, match=r"state\.sqlite: is no state"):
        Store(path)
    path.unlink()
    store = Store(path)
    with store.writing() as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    store.close()
    with pytest.raises(InputError, match="later version"):
        Store(path)
