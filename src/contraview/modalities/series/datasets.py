"""The data sets of time series that claims and tests are measured on."""

from typing import Final

from contraview.core.datasets import Dataset, File

DATASETS: Final = (
    Dataset(
        name="ett_h1",
        about="ETTh1 (Zhou et al. 2021): load of an electricity transformer and its oil "
        "temperature, 17,420 hours from July 2016, 7 channels",
        licence="CC BY-ND 4.0: passed on unchanged only",
        editions=(
            (
                File(
                    "ETTh1.csv",
                    "f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066",
                    "https://raw.githubusercontent.com/zhouhaoyi/ETDataset/main/ETT-small/ETTh1.csv",
                ),
            ),
        ),
    ),
)
