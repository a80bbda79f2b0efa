"""The split behind Point-CMAE's claims."""

import numpy as np
import polars as pl

from contraview.claims.point_cmae import _split
from contraview.modalities.clouds.data import Clouds


def test_families_are_on_one_side_and_every_class_is_on_both():
    labels = np.repeat(["chair", "lamp", ""], [40, 20, 30])
    families = [f"{label} {i // 3}" for i, label in enumerate(labels)]
    table = pl.DataFrame({"cloud": families, "class": labels.tolist(), "family": families})
    clouds = Clouds(np.zeros((90, 4, 3), np.float32), table, "class")
    for seed in range(5):
        learn, test = _split(clouds, seed)
        assert sorted([*learn, *test]) == list(range(60))
        assert not {families[i] for i in learn} & {families[i] for i in test}
        assert set(labels[learn]) == set(labels[test]) == {"chair", "lamp"}
        assert 0.5 < len(learn) / 60 < 0.7
    assert not np.array_equal(_split(clouds, 0)[1], _split(clouds, 1)[1])
