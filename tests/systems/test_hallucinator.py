import sys
from pathlib import Path

import numpy as np
import pytest

from contraview.core.run import Run
from contraview.frameworks.images.simclr import SimCLR
from contraview.systems.hallucinator import Hallucinator

sys.path.insert(0, str(Path(__file__).parent))
import tiny_images
from tiny import Tiny

KNOBS = {"widths": (8, 16), "steps": 20, "batch": 16, "hidden": 16, "outputs": 8, "queue": 40}
TINY = Tiny(
    tiny_images.data,
    KNOBS,
    labels=tiny_images.labels,
    ask={"search": lambda system: system.search(tiny_images.data(), among=tiny_images.data(), k=3)},
    wrong=("no/such/folder", "", [], 3.5, np.zeros((5, 8, 8))),
)


def test_it_is_simclr_with_a_setting():
    images = tiny_images.data()
    setting = SimCLR(
        **{name: value for name, value in KNOBS.items() if name != "queue"},
        positives={"weight": 1.0},
    )
    one = setting.fit(images, run=Run(seed=2)).embed(images)
    other = Hallucinator(**KNOBS).fit(images, run=Run(seed=2)).embed(images)
    np.testing.assert_array_equal(one, other)
    plain = Hallucinator(**KNOBS, positives={"weight": 0.0}).fit(images, run=Run(seed=2))
    assert not np.array_equal(plain.embed(images), one)


@pytest.mark.parametrize("base", ["simclr", "moco", "simsiam"])
def test_it_fits_on_every_base_says_how_far_it_moves_and_is_dropped(base, tmp_path):
    run = Run(tmp_path / "r", seed=0)
    model = Hallucinator(**KNOBS, base=base).fit(tiny_images.data(), run=run)
    step = [event for event in run.events() if event["kind"] == "step"][-1]
    assert {"pairs", "hallucinated", "cosine", "hallucinated cosine"} <= step["terms"].keys()
    assert not any("hallucinator" in name for name in model.learnt().arrays)
