"""ImagiNet's settings, with the paper's own beside those that fit a laptop."""

from typing import Any, Final, Literal

from pydantic import Field, PositiveInt, model_validator

from contraview.core.config import Config


class Laundering(Config):
    """What training images go through, as images do on their way through social networks."""

    chance: float = Field(
        0.5,
        ge=0,
        le=1,
        description="share of images that get one of JPEG, WebP, blur, noise; paper .5",
    )
    quality: tuple[int, int] = Field((50, 95), description="of JPEG and WebP; paper 50 to 95")
    blur: float = Field(
        0.05, gt=0, description="largest sigma as share of the side; paper kernels of 3 to 7 pixels"
    )
    noise: tuple[float, float] = Field(
        (3.0, 10.0), description="variance of the noise on values 0 to 255; paper 3 to 10"
    )
    shift: float = Field(
        0.1, ge=0, le=0.5, description="padding as share of the side, of which a random crop is cut"
    )
    turn: float = Field(
        0.33, ge=0, le=1, description="chance of a flip, and of a quarter turn; paper .33 each"
    )

    @model_validator(mode="after")
    def _ordered(self) -> "Laundering":
        low, high = self.quality
        if not 1 <= low <= high <= 100 or not 0 <= self.noise[0] <= self.noise[1]:
            raise ValueError(
                f"quality {self.quality} and noise {self.noise}; expected low to high, quality "
                "from 1 to 100"
            )
        return self


class ImagiNetConfig(Config):
    """Settings of ImagiNet; "paper" is arXiv 2407.20020 and its train script."""

    real: str = Field("real", min_length=1, description="the label of real images")
    objective: Literal["self_con", "cross_entropy"] = Field(
        "self_con",
        description="contrast between exits, or the classifier that it is judged against",
    )
    widths: tuple[PositiveInt, ...] = Field(
        (16, 32, 64, 128),
        min_length=2,
        description="channels of the encoder's blocks, multiples of 4; paper a ResNet-50",
    )
    exits: tuple[int, ...] = Field(
        (2,),
        description="blocks after which a sub-network leaves, from 1; paper the second of its "
        "stages; none: SupCon on the last block alone",
    )
    outputs: int = Field(64, ge=2, description="width of the projections; paper 128")
    temperature: float = Field(0.2, gt=0, description="t of SupCon; paper .07")
    origin_weight: float = Field(1.0, ge=0, description="of the term real against synthetic")
    generator_weight: float = Field(
        1.0, ge=0, description="of the term between generators, on synthetic images alone"
    )
    laundering: Laundering = Field(Laundering.of(), description="what training images go through")
    steps: int = Field(600, ge=1, description="optimiser steps of the encoder")
    batch: int = Field(128, ge=4, description="images a step; paper 200")
    lr: float = Field(2e-3, gt=0, description="peak learning rate of AdamW; paper SGD .005")
    weight_decay: float = Field(1e-4, ge=0, description="AdamW's decoupled weight decay")
    hidden: int = Field(
        0, ge=0, description="hidden width of the classifiers; 0 is linear; paper 1024"
    )
    dropout: float = Field(0.2, ge=0, lt=1, description="in the classifiers; paper .2")
    head_steps: int = Field(300, ge=1, description="optimiser steps of each classifier")
    head_lr: float = Field(1e-3, gt=0, description="of the classifiers; paper Adam 1e-4")
    held_out: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="share of the images that calibrates the probability and the threshold of "
        "unknown generators, and trains nothing else",
    )
    known: float = Field(
        0.95,
        gt=0,
        lt=1,
        description="share of held-out synthetic images whose generator is to be named; what is "
        "less sure is called unknown",
    )

    @model_validator(mode="after")
    def _inside(self) -> "ImagiNetConfig":
        if any(not 1 <= each < len(self.widths) for each in self.exits):
            raise ValueError(
                f"exits={self.exits}: expected blocks from 1 to {len(self.widths) - 1}, before the "
                "last"
            )
        if not self.origin_weight and not self.generator_weight:
            raise ValueError("origin_weight and generator_weight are 0: nothing would be learnt")
        return self


PRESETS: Final[dict[str, dict[str, Any]]] = {
    "small": {},
    "paper": {
        "widths": (64, 256, 512, 1024, 2048),
        "exits": (3,),
        "outputs": 128,
        "temperature": 0.07,
        "batch": 200,
        "steps": 320_000,
        "lr": 0.005,
        "hidden": 1024,
        "head_steps": 4_000,
        "head_lr": 1e-4,
        "weight_decay": 1e-4,
    },
}
"""The paper: 400 epochs of 160,000 images in batches of 200; 5 epochs for the classifier."""
