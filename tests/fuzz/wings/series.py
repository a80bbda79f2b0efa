"""Time series."""

from tests.fuzz.judge import Reader
from tests.fuzz.seeds import texts
from tests.fuzz.wings.items import use

from contraview.modalities.series.data import read_series

READERS = (Reader("series", "series.csv", lambda p: use(read_series(p, max_gap=1)), texts.series),)
