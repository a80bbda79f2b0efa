"""Rules and labels: what they change on the page, and that the command says the same."""

from datetime import UTC, datetime, timedelta

import pytest
from eve import line, record

from contraview.apps.cli import main
from contraview.apps.detection.living.feedback import forget_feedback, load_feedback
from contraview.apps.detection.living.suppression import Rule, Suppressions, add_rule, remove_rule
from contraview.apps.serve.intake import Intake
from contraview.apps.serve.labelled import Label, Labelled
from contraview.apps.serve.queries import Filter, Queries
from contraview.apps.serve.quieted import Quieted, Wanted
from contraview.core.errors import InputError

INPUTS = {"fwd_iat_max": 9e6, "service": "dns"}


@pytest.fixture
def folder(tmp_path):
    """A model folder as far as rules and feedback need one."""
    made = tmp_path / "model"
    made.mkdir()
    (made / "system.json").write_text("{}")
    return made


@pytest.fixture
def taught(kept, folder):
    """A store of three groups with rules and labels."""
    quieted = Quieted(kept.store, kept.queries, folder)
    kept.intake.close()
    kept.intake = Intake(kept.store, kept.log, quieted.rule_of)
    kept.take(
        line(1, own_inputs=INPUTS),
        line(2, 10, dest_port=80, own_inputs=INPUTS),
        line(3, 20, src_ip="10.0.0.5"),
        line(4, 30, src_ip="10.0.0.6", own_rule="conn_state,history", own_inputs=INPUTS),
    )
    return quieted, Labelled(kept.store, kept.queries, folder)


def states(kept):
    return {g["id"]: g["suppressed"] for g in kept.queries.groups(Filter())["items"]}


def test_a_rule_quietens_what_is_here_and_what_comes(kept, taught, folder):
    quieted, _ = taught
    wanted = Wanted(alert=1, host="src", service=True)
    told = quieted.preview(wanted)
    assert told == {"rule": "host 192.0.2.7, service tcp/443", "alerts": 1, "groups": 1}
    rule = quieted.add(wanted)["id"]
    assert states(kept) == {1: None, 2: None, 3: None}, "one of the group is still open"
    other = quieted.add(Wanted(alert=2, host="src", reason=True))["id"]
    assert states(kept) == {1: other, 2: None, 3: None}
    kept.take(line(5, 40))
    assert kept.queries.alerts(1, 0, 9)[-1]["suppressed"] == rule, "the first rule that fits"
    assert states(kept)[1] == other
    assert [each["here"] for each in quieted.rules({other: 7})] == [1, 2]
    assert [each["held_back"] for each in quieted.rules({other: 7})] == [7, 0]
    kept.take(line(6, 50, own_reasons=[{"column": "fwd_iat_min"}], dest_port=22))
    assert states(kept)[1] == other
    kept.take(line(7, 60, own_reasons=[{"column": "bytes_mean"}], dest_port=22))
    assert states(kept)[4] is None, "another reason, another group"
    quieted.remove(other)
    assert states(kept)[1] is None
    assert kept.queries.alerts(1, 0, 1)[0]["suppressed"] == rule
    assert [each.id for each in Suppressions.load(folder).rules] == [rule]


def test_subnet_reason_and_until(kept, taught, folder):
    quieted, _ = taught
    quieted.add(Wanted(alert=3, subnet="src", until="2099-12-31", note="<b>known</b>"))
    assert [group for group, by in states(kept).items() if by] == [3, 2]
    shown = quieted.rules({})[0]
    assert shown["told"] == "subnet 10.0.0.0/24"
    assert shown["until"] == datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()
    told = quieted.preview(Wanted(alert=4, reason=True))
    assert told["rule"] == "reason conn_state"
    with pytest.raises(InputError, match="would suppress every alert"):
        quieted.preview(Wanted(alert=1))
    with pytest.raises(InputError, match="expected a date"):
        quieted.add(Wanted(alert=1, host="src", until="tomorrow"))
    with pytest.raises(InputError, match="no alert 99"):
        quieted.add(Wanted(alert=99, host="src"))


def test_rules_that_the_command_wrote_are_on_the_page(kept, taught, folder):
    quieted, _ = taught
    before = kept.queries.totals()["changed"]
    main(["suppress", str(folder), "--host", "10.0.0.5"])
    quieted.sync()
    assert [group for group, by in states(kept).items() if by] == [2]
    assert kept.queries.totals()["changed"] > before
    (rule,) = Suppressions.load(folder).rules
    remove_rule(folder, rule.id)
    quieted.sync()
    assert not any(states(kept).values())
    ended = Rule.of(host="10.0.0.5", until=datetime.now(UTC) - timedelta(days=1))
    add_rule(folder, ended)
    quieted.sync()
    assert not any(states(kept).values())
    assert quieted.rules({})[0]["expired"]


def test_masked_rules_name_no_address(kept, taught, folder):
    quieted = Quieted(kept.store, Queries(kept.store, redact=True), folder)
    assert quieted.add(Wanted(alert=1, host="src"))["told"] == "host host-1"
    assert quieted.add(Wanted(alert=3, subnet="src"))["told"] == "subnet masked"
    assert "192.0.2.7" in (folder / "suppressions.json").read_text(), "the rule itself knows"


def test_labels_are_the_feedback_of_the_model(kept, taught, folder):
    _, labelled = taught
    labelled.say(Label(alert=2, verdict="attack", name="port scan"))
    labelled.say(Label(alert=4, verdict="benign"))
    groups = {g["id"]: g["label"] for g in kept.queries.groups(Filter(state="labelled"))["items"]}
    assert groups == {1: "port scan", 3: "benign"}
    assert kept.queries.groups(Filter(text="scan"))["total"] == 1
    assert [each.inputs for each in load_feedback(folder)] == [INPUTS, INPUTS]
    assert [each["group"] for each in labelled.all()] == [3, 1]
    labelled.forget(4)
    forget_feedback(folder, record(2)["contraview"]["id"])
    labelled.sync()
    assert kept.queries.groups(Filter(state="labelled"))["total"] == 0
    assert kept.queries.groups(Filter(state="open"))["total"] == 3


def test_what_cannot_be_learnt_from_is_refused(taught, folder):
    _, labelled = taught
    with pytest.raises(InputError, match="does not carry its flow"):
        labelled.say(Label(alert=3, verdict="benign"))
    with pytest.raises(InputError, match="no attack's name"):
        labelled.say(Label(alert=1, verdict="benign", name="x"))
    assert load_feedback(folder) == []
