"""Settings of SoftCon."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import Field

from contraview.frameworks.images.moco import MoCoConfig


class SoftConConfig(MoCoConfig):
    """Settings of SoftCon; all of MoCo's are among them."""

    soft_weight: float = Field(
        1.0, ge=0, description="l of the soft contrast; the paper's was not found; 0: MoCo alone"
    )
    soft_temperature: float = Field(
        0.2, gt=0, description="t of the soft contrast; the paper's was not found"
    )
    soft_between: Literal["student", "teacher"] = Field(
        "student",
        description="whose embeddings of the other view the student's are compared with in the "
        "soft contrast; teacher: an encoder that starts untrained collapses, since all its "
        "embeddings flee from all of the teacher's together",
    )
    masked: float = Field(
        0.25,
        ge=0,
        lt=1,
        description="share of patches that the student does not see; the teacher sees all; the "
        "paper's was not found; 0: none",
    )
    patch: int = Field(
        4, ge=1, description="side of the masked patches in pixels; paper 14 with a ViT"
    )
    place: str | None = Field(
        None,
        description="the column that says which images show the same place, in other seasons: the "
        "second view is then one of another of these; unset: both views are of one image",
    )
    spreads: float = Field(
        2.0,
        gt=0,
        description="range of a band that becomes 8 bits: mean +- so many standard deviations",
    )


PRESETS: Final[Mapping[str, Mapping[str, Any]]] = {
    "small": {},
    "tiny": {"widths": (16, 32, 64), "steps": 200, "batch": 64, "queue": 1024},
    "paper": {
        "widths": (64, 256, 512, 1024, 2048),  # as wide as a ResNet-50, and far less deep
        "hidden": 2048,
        "outputs": 128,
        "temperature": 0.2,
        "momentum": 0.999,
        "queue": 65_536,
        "batch": 256,
        "patch": 16,
        "views": {"crop": 0.2, "jitter": 0.5, "grey": 0.2, "blur": 0.5},
        "steps": 300_000,  # 100 passes over 780,371 patches; the paper's own number: not found
    },
}
