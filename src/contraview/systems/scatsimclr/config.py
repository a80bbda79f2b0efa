"""Settings of ScatSimCLR."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import Field, PositiveInt

from contraview.frameworks.images.variant import VariantConfig


class ScatSimCLRConfig(VariantConfig):
    """Settings of ScatSimCLR; all of the base's are among them."""

    scales: int = Field(2, ge=1, le=5, description="J of the scattering: maps are 2^J smaller")
    turns: int = Field(4, ge=1, description="L, directions of its wavelets; paper 16")
    coefficients: Literal["raw", "log", "standardised"] = Field(
        "raw",
        description="how the adapter sees the maps: as they are, as in the official code, where "
        "those of second order are hundreds of times smaller than the average; log(1e-3 + map); or "
        "with mean and spread of each map taken away",
    )
    stem: int = Field(32, ge=4, description="channels of the adapter's first convolution")
    widths: tuple[PositiveInt, ...] = Field(
        (32, 32),
        min_length=1,
        description="channels of the adapter's residual blocks, one a block; multiples of 4; paper "
        "8, 12, 16, 30 or 45 blocks of 64 or 128",
    )
    grid: int = Field(
        4, ge=1, le=64, description="the adapter's maps are averaged to so many cells a side; the "
        "embedding has grid^2 times the last width",
    )  # fmt: skip
    pretext: Literal["rotation", "jigsaw", "none"] = Field(
        "rotation",
        description="what else is asked of a view: which quarter turn it has, or which of 35 "
        "orders its nine tiles are in",
    )
    pretext_weight: float = Field(0.3, ge=0, description="lambda of the pretext loss")
    pretext_after: float = Field(
        0.4,
        ge=0,
        lt=1,
        description="share of the steps before lambda counts; paper: the first 40 of 100 epochs; "
        "official code: 0",
    )
    pretext_widths: tuple[PositiveInt, PositiveInt] = Field(
        (128, 64),
        description="hidden widths of the pretext head; paper 512 and 128 (rotation), 512 a tile "
        "and 4096 (jigsaw)",
    )
    cached_views: int = Field(
        8,
        ge=0,
        description="views of each image that are made once and drawn from at every step; 0: made "
        "anew each time, as in the paper",
    )
    cache_mb: int = Field(
        1024, ge=1, description="largest size of these views in MB: where there is no room for "
        "all, there are fewer, and below 2 they are made anew",
    )  # fmt: skip


PRESETS: Final[Mapping[str, Mapping[str, Any]]] = {
    "small": {},
    "tiny": {"widths": (16,), "stem": 16, "steps": 100, "batch": 64, "cached_views": 4},
    "paper": {  # ScatSimCLR30 with rotation on STL-10
        "turns": 16,
        "stem": 256,
        "widths": (128,) * 30,
        "hidden": 2048,
        "outputs": 128,
        "temperature": 0.5,
        "pretext_widths": (512, 128),
        "cached_views": 0,
        "views": {
            "crop": 0.08,
            "flip": 0.5,
            "jitter": 1.0,
            "jitter_chance": 0.8,
            "grey": 0.2,
            "blur": 0.5,
            "blur_sigma": 4.7,  # 2 pixels of an image of 96
        },
        "lr": 3e-4,
        "warmup": 0.0,
        "weight_decay": 1e-5,
        "batch": 64,
        "steps": 164_000,  # 100 passes over 105,000 images
    },
}
