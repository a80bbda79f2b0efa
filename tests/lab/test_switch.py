"""Links are as late, as slow and as lossy as the plan says, and keep the order of their frames."""

from random import Random

import pytest
from lab.plan import Link
from lab.switch import _Way


def way(**link):
    return _Way(Link(**{"delay": 0.01, "jitter": 0.0, "rate": 1e6, "loss": 0.0} | link), Random(1))


def test_delay_and_rate():
    # 1,250 bytes at 1 Mbit/s take 10 ms on the wire, then 10 ms of delay.
    assert way().cross(100.0, 1250) == pytest.approx(100.02)


def test_frames_queue_behind_those_before_them():
    link = way()
    assert [link.cross(100.0, 1250) for _ in range(3)] == pytest.approx([100.02, 100.03, 100.04])
    assert link.cross(200.0, 1250) == pytest.approx(200.02)


def test_jitter_never_reorders():
    link = way(jitter=0.05, rate=1e9)
    arrivals = [link.cross(100 + i * 0.001, 100) for i in range(500)]
    assert arrivals == sorted(arrivals)
    assert len(set(arrivals)) == 500
    late = sum(a - (100 + i * 0.001) for i, a in enumerate(arrivals)) / 500
    assert late > 0.05


def test_loss_is_a_share():
    link = way(loss=0.1)
    assert sum(link.loses() for _ in range(10_000)) == pytest.approx(1000, abs=120)
    assert not any(way().loses() for _ in range(100))
