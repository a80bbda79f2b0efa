import json
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from contraview.apps.detection.living.seen import Seen
from contraview.apps.detection.living.suppression import (
    Rule,
    Suppressions,
    add_rule,
    expire_rule,
    remove_rule,
)
from contraview.apps.detection.reasons import Reason
from contraview.core.errors import InputError

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
ROW = {
    "src_addr": "10.0.0.1",
    "src_port": 4000,
    "dst_addr": "192.168.7.9",
    "dst_port": 1883,
    "ip_prot": 6,
    "rule": None,
    "score": 7.0,
}
WHY = [Reason("bwd_iat_max", 9.0, 1.0, 99.9, 2.5), Reason("bytes_per_s", 1.0, 1.0, 50.0, 0.1)]
EVE = {
    "src_ip": "10.0.0.1",
    "dest_ip": "192.168.7.9",
    "dest_port": 1883,
    "proto": "TCP",
    "contraview": {"id": "ab" * 16, "reasons": [{"column": "bwd_iat_max"}]},
}
ECS = {
    "event": {"id": "ab" * 16},
    "network": {"transport": "tcp"},
    "source": {"address": "10.0.0.1"},
    "destination": {"address": "192.168.7.9", "port": 1883},
    "contraview": {"reasons": [{"column": "bwd_iat_max"}]},
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "system.json").write_text("{}")
    return tmp_path


@pytest.mark.parametrize("seen", [Seen.of_row(ROW, WHY), Seen.of_record(EVE), Seen.of_record(ECS)])
@pytest.mark.parametrize(
    ("named", "hit"),
    [
        ({"host": "10.0.0.1"}, True),
        ({"host": "192.168.7.9"}, True),
        ({"host": "10.0.0.2"}, False),
        ({"subnet": "192.168.0.0/16"}, True),
        ({"subnet": "172.16.0.0/12"}, False),
        ({"service": "tcp/1883"}, True),
        ({"service": "MQTT"}, True),
        ({"service": "udp/1883"}, False),
        ({"reason": "bwd_iat_max"}, True),
        ({"reason": "iat"}, True),
        ({"reason": "bytes_per_s"}, False),
        ({"host": "10.0.0.1", "service": "mqtt", "reason": "iat"}, True),
        ({"host": "10.0.0.1", "service": "dns"}, False),
    ],
)
def test_an_alert_must_fit_all_that_a_rule_names(seen, named, hit):
    assert Rule.of(**named).matches(seen) is hit


def test_a_broken_rule_is_the_reason_where_there_is_one():
    seen = Seen.of_row(ROW | {"rule": "flag_urg,flag_ece"}, WHY)
    assert Rule.of(reason="flag_ece").matches(seen)
    assert not Rule.of(reason="iat").matches(seen)


def test_addresses_are_compared_as_addresses():
    seen = Seen.of_row(ROW | {"src_addr": "2001:DB8:0::1"}, WHY)
    assert Rule.of(host="2001:db8::1").matches(seen)
    assert Rule.of(subnet="2001:db8::/32").matches(seen)
    assert not Rule.of(subnet="2001:db8::/32").matches(Seen.of_record({"src_ip": "<b>"}))


def test_a_date_holds_to_its_end_and_an_expired_rule_suppresses_nothing():
    rule = Rule.of(host="10.0.0.1", until=date(2026, 1, 2))
    there = Suppressions((rule,))
    seen = Seen.of_row(ROW, WHY)
    assert there.match(seen, NOW) is rule
    late = NOW + timedelta(hours=12)
    assert there.match(seen, late) is None
    assert (there.expired(NOW), there.expired(late)) == ([], [rule])


def test_suppressed_alerts_are_counted_by_rule_and_the_others_keep_their_reasons():
    alerts = pl.DataFrame([ROW, ROW | {"dst_port": 53}, ROW], schema_overrides={"rule": pl.String})
    first = Rule.of(service="mqtt")
    kept, why, hits = Suppressions((first,)).split(alerts, [WHY, WHY[1:], WHY], NOW)
    assert kept["dst_port"].to_list() == [53]
    assert why == [WHY[1:]]
    assert hits == {first.id: 2}


def test_rules_come_back_as_they_were_written(folder):
    rule = Rule.of(subnet="10.0.0.0/8", reason="iat", until="2026-12-31", note="ä <b>", now=NOW)
    add_rule(folder, rule)
    other = add_rule(folder, Rule.of(host="10.0.0.1", now=NOW))
    assert Suppressions.load(folder).rules == (rule, other)
    longer = add_rule(folder, Rule.of(subnet="10.0.0.0/8", reason="iat", now=NOW))
    assert longer.id == rule.id, "the same rule with another end"
    assert Suppressions.load(folder).rules == (other, longer)
    assert remove_rule(folder, other.id) == other
    ended = expire_rule(folder, longer.id, now=NOW)
    assert Suppressions.load(folder).expired(NOW) == [ended]


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ({}, "every alert"),
        ({"subnet": "ten"}, "10.0.0.0/8"),
        ({"service": "tcp/99999"}, "protocol/port"),
        ({"service": "x/1"}, "protocol/port"),
        ({"host": "h", "until": "soon"}, "2026-12-31"),
    ],
)
def test_what_is_not_understood_is_refused(named, said):
    with pytest.raises(InputError, match=said):
        Rule.of(**named)


def test_a_damaged_file_and_an_unknown_id_are_one_sentence(folder, tmp_path):
    with pytest.raises(InputError, match="there are: none"):
        remove_rule(folder, "0000")
    content = {"format": 1, "rules": [{"id": "x", "added": "2026-01-01"}]}
    (folder / "suppressions.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="every alert"):
        Suppressions.load(folder)
    (folder / "suppressions.json").write_text("[")
    with pytest.raises(InputError, match=r"cannot be read as JSON|no suppression rules"):
        Suppressions.load(folder)
    with pytest.raises(InputError, match="no model"):
        Suppressions.load(tmp_path / "nowhere")
