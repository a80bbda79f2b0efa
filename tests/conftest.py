"""Shape-checked, single-threaded, offline: what every test runs under."""

import os
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings
from jaxtyping import install_import_hook

install_import_hook("contraview", "beartype.beartype")

torch.set_num_threads(1)
settings.register_profile(
    "contraview", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.load_profile("contraview")


@pytest.fixture
def shared_data() -> Path:
    """The folder of small real data that $CONTRAVIEW_DATA names; skips where it is not set."""
    folder = os.environ.get("CONTRAVIEW_DATA")
    if not folder:
        pytest.skip("set CONTRAVIEW_DATA to the folder with the small real data to run this")
    return Path(folder)
