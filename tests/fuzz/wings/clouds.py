"""Point clouds and meshes."""

from pathlib import Path

from tests.fuzz import pack
from tests.fuzz.judge import Reader
from tests.fuzz.seeds import shapes
from tests.fuzz.wings.items import use

from contraview.modalities.clouds.data import read_clouds


def _clouds(path: Path) -> None:
    use(read_clouds(path, points=16))


READERS = (
    Reader("ply", "cloud.ply", _clouds, shapes.ply),
    Reader("obj", "cloud.obj", _clouds, shapes.obj),
    Reader("off", "cloud.off", _clouds, shapes.off),
    Reader("xyz", "cloud.xyz", _clouds, shapes.xyz),
    Reader("cloud_arrays", "cloud.npz", _clouds, shapes.cloud_arrays, pack.archive),
    Reader("sh3f", "furniture.sh3f", _clouds, shapes.furniture, pack.furniture),
)
