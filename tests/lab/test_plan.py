"""A schedule is the same for the same seed, and bounded."""

from itertools import pairwise

import pytest
from lab.attacks import ATTACKS
from lab.clients import ACTIVITIES
from lab.guard import inside
from lab.plan import LIMIT, LIMITS, MINUTES, Plan, plan


@pytest.mark.parametrize("day", [1, 2, 3])
def test_same_seed_same_day(day, tmp_path):
    first = plan(day, 7, 3)
    assert first == plan(day, 7, 3)
    assert first != plan(day, 8, 3)
    first.write(tmp_path / "plan.json")
    assert Plan.read(tmp_path / "plan.json") == first


@pytest.mark.parametrize("day", [1, 2, 3])
def test_bounded_in_number_and_time(day):
    drawn = plan(day, 7, MINUTES[day])
    assert len(drawn.events) < 10_000
    longest = max([LIMIT, *LIMITS.values(), 600])
    for event in drawn.events:
        assert 0 <= event.start < drawn.seconds
        assert 0 < event.seconds <= longest
        assert event.activity in ACTIVITIES | ATTACKS
    assert [e.start for e in drawn.events] == sorted(e.start for e in drawn.events)


@pytest.mark.parametrize("day", [1, 2, 3])
def test_hosts_are_the_labs_own_and_distinct(day):
    hosts = plan(day, 7, 1).hosts
    assert len({inside(host.address) for host in hosts}) == len(hosts)
    assert all(host.address.startswith(f"10.77.{day}.") for host in hosts)


def test_day_one_is_benign_and_only_day_two_has_telemetry():
    activities = {d: {e.activity for e in plan(d, 7, MINUTES[d]).events} for d in (1, 2, 3)}
    assert not activities[1] & set(ATTACKS)
    assert set(ATTACKS) <= activities[2]
    assert set(ATTACKS) <= activities[3]
    assert "report_once" in activities[2]
    assert "report_once" not in activities[1] | activities[3]


def test_attackers_also_do_honest_work():
    drawn = plan(3, 7, MINUTES[3])
    attackers = {h.name for h in drawn.hosts if h.role in ("attacker", "compromised")}
    assert len(attackers) == 3
    for name in attackers:
        mine = {e.activity for e in drawn.events if e.host == name}
        assert mine & set(ATTACKS)
        assert mine & set(ACTIVITIES)


@pytest.mark.parametrize("day", [2, 3])
def test_an_attackers_tools_take_turns(day):
    drawn = plan(day, 7, MINUTES[day])
    for attacker in (h.name for h in drawn.hosts if h.role == "attacker"):
        mine = [e for e in drawn.events if e.host == attacker and e.activity in ATTACKS]
        assert len(mine) > 5
        for one, following in pairwise(mine):
            assert one.start + one.seconds < following.start
