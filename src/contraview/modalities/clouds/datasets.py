"""The data sets of point clouds and meshes that examples, claims and tests are measured on."""

from typing import Final

from contraview.core.datasets import Dataset, File
from contraview.core.packages import Member

_LIBRARIES: Final = {
    "BlendSwap-CC-0": "7ef093fe70cedbb160bdb532d86a84580459635e34130c16777f549eba1993dc",
    "BlendSwap-CC-BY": "29ae78937b4d5dbe93db74067817a984fa411f017b007fd666bc40368bdb0c83",
    "KatorLegaz": "f512443b5d3a6903497573095f971f44334b3165ab32182133051fa9487764a6",
    "Reallusion": "dd553207876ccec6372dde7aaea6b2dcf2d631997fcdb8a9856a639e0db9aa9b",
    "Scopia": "b4505451b1e8ab339c101c0afddfef4e1a07b95aa8c821c61ec41487afd43850",
}


def _library(name: str, sha256: str) -> File:
    path = f"usr/share/sweethome3d/furniture/{name}.sh3f"
    return File(f"{name}.sh3f", sha256, member=Member("debian", "sweethome3d-furniture", path))


FURNITURE: Final = Dataset(
    name="furniture",
    about="820 meshes of furniture, people, plants and vehicles with names and categories, the "
    "libraries of Sweet Home 3D in Debian's sweethome3d-furniture 1.8 (a download of 120 MB)",
    licence="by library: BlendSwap-CC-0 CC0 1.0; BlendSwap-CC-BY CC BY 3.0 (BlendSwap "
    "contributors); KatorLegaz CC BY 3.0 US (Andrew Kator and Jennifer Legaz); Reallusion CC BY "
    "3.0 US (Reallusion); Scopia CC BY 3.0 (Emmanuel Puybaret / eTeks and Scopia)",
    editions=(tuple(_library(name, sha256) for name, sha256 in _LIBRARIES.items()),),
)
DATASETS: Final = (FURNITURE,)
