"""The graphs that examples, claims and tests are measured on."""

from typing import Final

from contraview.core.datasets import Dataset, File

DATASETS: Final = (
    Dataset(
        name="cora",
        about="Cora (McCallum et al. 2000): 2,708 papers, words and citations, 7 subjects, as in "
        "kimiyoung/planetoid",
        licence="MIT (repository); the data set is free for research",
        editions=(
            (
                File(
                    "cora.npz",
                    "2840472327bd243975a709002f4c2fe38d3ea7b0871e8b121b497b9284ee2509",
                ),
            ),
        ),
    ),
)
