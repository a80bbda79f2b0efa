"""Suppression in what judges: nothing told twice, nothing silently gone."""

import json
from collections import Counter

import pytest
from test_watcher import add, health, lines, more, watch
from wall import Wall

from contraview.apps.cli import main
from contraview.apps.detection.living.suppression import Rule, add_rule
from contraview.apps.detection.watch.health import RulesWatch


@pytest.fixture
def folder(detector, tmp_path):
    return detector.save(tmp_path / "model")


def commonest(alerts):
    return Counter(line["src_ip"] for line in alerts).most_common(1)[0]


def test_a_rule_written_under_a_running_watcher_holds_from_the_next_batch(
    detector,
    folder,
    log,
    out,
):
    before, _ = watch(detector, log, out.with_name("all.jsonl"), Wall())
    host, hits = commonest(lines(out.with_name("all.jsonl")))
    rules = RulesWatch(folder)

    def quieten():
        add_rule(folder, Rule.of(host=host))
        add(log, log.read_text())

    counters, _ = watch(detector, log, out, Wall().then(quieten), rules=rules)
    told = lines(out)
    assert counters.suppressed == hits > 0
    assert counters.suppressed_by == {rules.rules.rules[0].id: hits}
    assert counters.alerts == len(told) == 2 * before.alerts - hits
    assert f"{hits:,} suppressed" in counters.line()


def test_a_damaged_rules_file_is_told_and_the_rules_before_hold_on(
    detector,
    folder,
    log,
    out,
):
    add_rule(folder, Rule.of(subnet="0.0.0.0/0"))
    rules = RulesWatch(folder)

    def damage():
        (folder / "suppressions.json").write_text("{")
        add(log, more(odd=0.5))

    counters, _ = watch(detector, log, out, Wall().then(damage), rules=rules)
    assert counters.suppressed > 0
    assert [sort for sort, _ in health(out)] == ["rules"]
    assert counters.alerts == 0


def test_the_command_counts_what_a_rule_held_back_and_says_what_expired(
    folder,
    log,
    tmp_path,
    capsys,
):
    told = tmp_path / "told.jsonl"
    assert main(["detect", str(folder), str(log), "--out", str(told)]) == 0
    host, hits = commonest(lines(told))
    everything = len(lines(told))
    add_rule(folder, Rule.of(service="tcp/1", until="2001-01-01"))
    asked = ["suppress", str(folder), "--host", host, "--note", "a printer", "--alerts", str(told)]
    capsys.readouterr()
    assert main(asked) == 0
    said = capsys.readouterr().out
    assert f"host {host}; fits {hits} of {everything} alerts; a printer" in said
    assert "service tcp/1; expired 2001-01-01" in said
    for form in ("eve", "csv"):
        assert main(["detect", str(folder), str(log), "--out", str(told), "--format", form]) == 0
        err = capsys.readouterr().err
        assert f"suppressed {hits} by " in err
        assert f"{everything - hits} alerts" in err
        assert "expired 2001-01-01, suppresses no more" in err
    ruled = json.loads((folder / "suppressions.json").read_text())["rules"]
    for rule in ruled:
        assert main(["suppress", str(folder), "--remove", rule["id"]]) == 0
    capsys.readouterr()
    assert main(["suppress", str(folder)]) == 0
    assert capsys.readouterr().out == "no rules\n"
    assert main(["suppress", str(folder), "--host", "h", "--until", "2001-01-01"]) == 2
