import pytest
from benchmarks.month import simulate


def test_an_hour_or_two_with_kills_and_rotation():
    found = simulate(0.3, 24 * 1500)
    assert found["flows"] == 7 * 1500
    assert found["kills"] > 0
    assert found["alerts_compared_by_id"] > 0


@pytest.mark.nightly
def test_a_month_at_a_million_flows_a_day_loses_and_repeats_nothing_in_flat_memory():
    found = simulate(30, 1_000_000)
    assert found["kills"] > 50
    memory = found["resident_mb"]
    assert memory["second_half"] < memory["first_half"] + 100
