"""Settings of the robustness scaling study."""

from typing import Any, Final

from pydantic import Field, field_validator

from contraview.core.config import Config
from contraview.modalities.images.perturbations import FAMILIES


class RobustnessScalingConfig(Config):
    """Settings of the study; the paper's numbers of images and strengths were not found."""

    families: tuple[str, ...] = Field(
        tuple(FAMILIES), min_length=1, description="families of perturbation; the paper has six"
    )
    severity: float = Field(
        0.5, gt=0, le=1, description="strength of every perturbation, from 0 (next to none) to 1"
    )
    most: int = Field(2000, ge=1, description="images of the bench at most, drawn from those given")
    resamples: int = Field(
        2000, ge=100, description="draws of models behind the intervals of the slopes"
    )

    @field_validator("families")
    @classmethod
    def _known(cls, families: tuple[str, ...]) -> tuple[str, ...]:
        for family in families:
            if family not in FAMILIES:
                raise ValueError(f"no family {family!r}; there are {', '.join(FAMILIES)}")
        return families


PRESETS: Final[dict[str, dict[str, Any]]] = {
    "small": {"most": 1000},
    "paper": {"families": tuple(FAMILIES), "most": 50_000, "resamples": 10_000},
}
