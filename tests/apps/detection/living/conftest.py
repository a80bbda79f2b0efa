from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from contraview.apps.detection.alerts import event_id
from contraview.apps.detection.detection import detect
from contraview.apps.detection.detector import Detector
from contraview.apps.detection.living.feedback import Feedback
from contraview.core.run import Run
from contraview.core.seeds import numpy_generator
from contraview.modalities.flows import lab_traffic


@pytest.fixture(scope="session")
def detector():
    """The light detector of the lab's first day."""
    knobs = {"light": True, "steps": 250}
    return Detector(**knobs).fit(str(lab_traffic.flows(1)), run=Run(seed=0))


@pytest.fixture(scope="session")
def monday(detector):
    """The alerts of the lab's second day, with what the lab knows of each."""
    rows = pl.concat(list(detect(detector, detector.read(str(lab_traffic.flows(2))))))
    return rows.filter("alert")


@pytest.fixture
def said(detector, monday):
    """Makes feedback on some alerts of a label."""

    def some(label, count, verdict="attack", name=None, **where):
        chosen = monday.filter(
            pl.col("label") == label, *(pl.col(c) == v for c, v in where.items())
        )
        places = numpy_generator(0, "said").permutation(chosen.height)[:count]
        assert len(places) == count, f"{chosen.height} alerts of {label}"
        at = datetime(2026, 1, 2, tzinfo=UTC)
        named = (name or label) if verdict == "attack" else None
        return [
            Feedback(event_id(row), verdict, named, at, row["score"], _inputs(detector, row))
            for row in chosen[np.sort(places).tolist()].to_dicts()
        ]

    return some


def _inputs(detector, row):
    return {name: row[name] for name in detector.inputs if row[name] is not None}
