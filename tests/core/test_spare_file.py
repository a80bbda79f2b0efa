"""Temporary room: what it is for is said where there is none."""

import resource

import pytest

from contraview.core.errors import ContraviewError
from contraview.core.spare_file import spare_file


@pytest.fixture
def short():
    """Files may hold a thousand bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("short")
def test_a_map_is_refused_before_it_is_written_to(monkeypatch):
    def mapped():
        with spare_file("the images", 2000):
            raise AssertionError

    with pytest.raises(ContraviewError, match=r"no room for the images \(File too large\)"):
        mapped()


@pytest.mark.usefixtures("short")
def test_what_is_written_without_room_is_said(monkeypatch):
    def written():
        with spare_file("the flows") as file:
            file.write(b"x" * 5000)

    with pytest.raises(ContraviewError, match=r"no room for the flows .* TMPDIR"):
        written()
