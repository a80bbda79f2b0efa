from collections.abc import Iterator

import pytest
from benchmarks.commands import Commands, Forked


@pytest.fixture(scope="module")
def command() -> Iterator[Commands]:
    """The command in processes that die when told, or find no room for what they write."""
    forked = Forked()
    yield forked
    forked.close()
