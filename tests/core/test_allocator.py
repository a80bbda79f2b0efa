"""Freed arrays go back to the system."""

import ctypes
import subprocess
import sys

import pytest

WITHIN = """
import numpy as np
from contraview.core.allocator import give_back_freed_memory
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 2**20
for _ in range(3):
    np.ones(3 << 20)  # from now on blocks up to this size lie in the heap
before = resident()
held, blocks = [], []
for k in range(60):
    blocks.append(np.ones(2 << 17))  # 2 MB
    held.append(np.ones(200))  # a small one between any two
blocks.clear()
freed = resident() - before
assert give_back_freed_memory()
print(freed, resident() - before)
"""


def test_blocks_between_small_ones_are_given_back():
    if not sys.platform.startswith("linux") or not hasattr(ctypes.CDLL(None), "malloc_trim"):
        pytest.skip("another C library than glibc")
    command = [sys.executable, "-W", "ignore", "-c", WITHIN]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    freed, after = map(float, done.stdout.split())
    assert freed > 10
    assert after < freed / 3
