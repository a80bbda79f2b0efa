"""Core-tuning's settings, with the paper's own beside those that fit a laptop."""

from typing import Any, Final, Literal

from pydantic import Field, PositiveInt

from contraview.frameworks.images.finetuning import FinetuningConfig

Parity = Literal["paper", "code"]
"""Whose behaviour, where the paper and the official code differ."""


class CoreTuningConfig(FinetuningConfig):
    """Settings of Core-tuning; "official" is github.com/Vanint/Core-tuning at 3547790."""

    start: str | None = Field(
        None,
        description="folder of a fitted model whose image encoder is tuned (simclr, moco, simsiam, "
        "...); its form is taken over. Unset: an untrained encoder",
    )
    widths: tuple[PositiveInt, ...] = Field(
        (32, 64, 128, 128),
        min_length=1,
        description="channels of the encoder's blocks without a start; official ResNet-50",
    )
    eta: float = Field(
        0.1, ge=0, description="weight of the contrast; 0 leaves it out; official 0.1"
    )
    mixed: bool = Field(
        True, description="add mixed features to the batch; off: originals alone, as plain tuning"
    )
    focal: bool = Field(
        True, description="weigh each positive by 1 - p; off: plain supervised contrast"
    )
    alpha: float = Field(1.0, gt=0, description="both parameters of the Beta of mixing; official 1")
    least: float = Field(
        0.8, ge=0, le=1, description="least share of the partner in a mixed negative; official 0.8"
    )
    temperature: float = Field(0.07, gt=0, description="t of the contrast; official 0.07")
    hidden: int | None = Field(
        None, ge=1, description="hidden width of the contrastive head; unset: the encoder's, as "
        "official"
    )  # fmt: skip
    outputs: int = Field(64, ge=2, description="width of the contrastive head; official 256")
    parity: Parity = Field(
        "paper",
        description="code: search of the hardest positive and mean over the row as in the official "
        "code",
    )


PRESETS: Final[dict[str, dict[str, Any]]] = {
    "small": {},
    "paper": {
        "widths": (64, 256, 512, 1024, 2048),
        "eta": 0.1,
        "alpha": 1.0,
        "least": 0.8,
        "temperature": 0.07,
        "outputs": 256,
        "steps": 19_500,
        "batch": 256,
        "lr": 0.01,
        "warmup": 0.0,
        "weight_decay": 1e-4,
        "views": {"crop": 0.88, "ratio": 1.0, "rotate": 15.0, "jitter": 0, "grey": 0, "blur": 0},
    },
}
"""The paper's steps are 100 passes over the 50,000 images of CIFAR-10, read with ``--size 256``."""
