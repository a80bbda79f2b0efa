from datetime import UTC, datetime, timedelta, timezone

import pytest

from contraview.apps.report import wording
from contraview.apps.report.judgement import Figure


@pytest.mark.parametrize(
    ("share", "said"),
    [(0.0, "0 %"), (0.0094, "0.94 %"), (0.123, "12.3 %"), (0.9996, "100 %"), (1.0, "100 %")],
)
def test_percent(share, said):
    assert wording.percent(share) == said


def test_figures_with_their_intervals():
    assert wording.percents(Figure(0.0094, 0.0071, 0.0121)) == "0.94 % [0.71, 1.21]"
    assert wording.decimals(Figure(0.98131, 0.97, 0.99)) == "0.981 [0.970, 0.990]"


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("flow_duration", 6_020_000.0, "6.02 s"),
        ("fwd_iat_mean", 450.0, "450 µs"),
        ("idle_max", 1.5e8, "2.5 min"),
        ("bwd_pkt_len_tot", 14_200_000.0, "14.2 MB"),
        ("fwd_pkt_len_mean", 91.5, "91.5 B"),
        ("pkt_len_var", 1234.5, "1,234"),
        ("bytes_per_s", 1e6, "1 MB/s"),
        ("pkt_per_s", 0.25, "0.25/s"),
        ("fwd_tcp_init_win_bytes", -1.0, "-1"),
        ("flag_SYN", 2.0, "2"),
        ("sttl", 254.0, "254"),
        ("dur", 1e-6, "1e-06"),
        ("service", "http", "http"),
        ("service", None, "missing"),
        ("dur", float("nan"), "missing"),
        ("dur", float("inf"), "inf"),
    ],
)
def test_quantities_carry_the_units_of_the_meter(column, value, said):
    assert wording.quantity(column, value) == said


def test_moments_are_utc():
    plus_two = timezone(timedelta(hours=2))
    assert wording.moment(datetime(2026, 1, 1, 1, 2, 3, tzinfo=plus_two)) == "2025-12-31 23:02:03"
    assert wording.moment(datetime(2026, 1, 1, 1, 2, 3)) == "2026-01-01 01:02:03"
    assert wording.moment(datetime(2026, 1, 1, 1, 2, 3, tzinfo=UTC)) == "2026-01-01 01:02:03"
