import numpy as np
import polars as pl
import pytest

from contraview.core.errors import InputError
from contraview.modalities.flows.features import FeatureMap

ROWS = pl.DataFrame(
    {
        "bytes": [0.0, 10.0, 1e8, 30.0],
        "flat": [7.0] * 4,
        "gap": [1.0, None, 3.0, float("inf")],
        "proto": ["tcp", "udp", "tcp", "tcp"],
        "one": ["x"] * 4,
    }
)


def fit(**settings):
    return FeatureMap.fit(ROWS, ["bytes", "flat", "gap"], ["proto", "one"], **settings)


def test_columns_scales_and_names_by_hand():
    features = fit()
    assert features.names == ("bytes", "gap", "proto=tcp", "proto=udp")
    assert features.sources == ("bytes", "gap", "proto")
    assert features.owner.tolist() == [0, 1, 2, 2]
    assert features.constant == {"flat": pytest.approx(7.0), "one": "x"}
    logs = np.log1p([0.0, 10.0, 1e8, 30.0])
    matrix = features.transform(ROWS)
    np.testing.assert_allclose(matrix[:, 0], (logs - logs.mean()) / logs.std(ddof=1), rtol=1e-5)
    tcp = np.array([1, 0, 1, 1])
    np.testing.assert_allclose(matrix[:, 2], (tcp - 0.75) / tcp.std(ddof=1), rtol=1e-5)


def test_missing_and_infinite_values_become_the_benign_mean():
    matrix = fit().transform(ROWS)
    assert matrix[1, 1] == 0
    assert matrix[3, 1] == 0
    assert np.isfinite(matrix).all()


def test_a_category_never_seen_has_no_indicator():
    features = fit()
    new = features.transform(ROWS[:1].with_columns(proto=pl.lit("sctp")))
    absent = (0 - features.mean[2:]) / features.spread[2:]
    np.testing.assert_allclose(new[0, 2:], absent, rtol=1e-6)


def test_plain_z_scores_without_the_logarithm():
    matrix = fit(log=False).transform(ROWS)
    values = ROWS["bytes"].to_numpy()
    np.testing.assert_allclose(
        matrix[:, 0], (values - values.mean()) / values.std(ddof=1), rtol=1e-5
    )


def test_a_row_does_not_depend_on_its_batch():
    features = fit()
    together = features.transform(ROWS)
    apart = np.concatenate([features.transform(ROWS[i : i + 1]) for i in range(4)])
    np.testing.assert_array_equal(together, apart)


def test_the_map_survives_the_round_trip():
    features = fit()
    again = FeatureMap.restore(features.learnt())
    np.testing.assert_array_equal(features.transform(ROWS), again.transform(ROWS))
    assert again.constant == features.constant


def test_nothing_that_varies_is_an_error():
    with pytest.raises(InputError, match="every input column is constant"):
        FeatureMap.fit(ROWS, ["flat"], ["one"])
    with pytest.raises(InputError, match="1 benign rows"):
        FeatureMap.fit(ROWS[:1], ["bytes"], [])
