"""Settings of the forecasting study, with the official script's beside a laptop's."""

from typing import Any, Final, Literal

from pydantic import Field, model_validator

from contraview.core import config
from contraview.modalities.series.nets import Backbone

Contrast = Literal["hierarchical", "moco", "cost", "none"]


class TsForecastConfig(config.Config):
    """Settings; "official" is github.com/chiyuzhang94/contrastive_learning_time-series_e2e, commit
    5690df1.
    """

    length: int = Field(48, ge=2, description="L, rows of a window; official 48 to 720")
    horizon: int = Field(24, ge=1, description="H, rows to forecast, at most L; official 24 to 720")
    stride: int = Field(1, ge=1, description="rows between the fitting windows")

    centre: bool = Field(
        True,
        description="take the mean of each channel from a window and add it to the forecast, so "
        "that the level may drift; official off",
    )

    training: Literal["end_to_end", "two_step"] = Field(
        "end_to_end",
        description="forecast and contrast together, or contrast alone and then a ridge regression "
        "on the frozen vector of the last step",
    )
    contrast: Contrast = Field(
        "hierarchical",
        description="hierarchical: TS2Vec's, a window against itself with steps dropped; moco: "
        "against an altered one through a momentum encoder; cost: moco on half of the vector, "
        "amplitude and phase on the rest; none: the forecast's error alone",
    )
    balance: float = Field(
        0.5, ge=0, lt=1, description="lambda: (1 - lambda) MSE + lambda contrast; official .5"
    )
    alpha: float = Field(
        0.5,
        ge=0,
        le=1,
        description="hierarchical: weight of other windows against other times; paper .5, the "
        "official call passes its switch for unit vectors here, so 0 or 1",
    )
    keep: float = Field(
        0.5,
        gt=0,
        le=1,
        description="hierarchical: chance that a step is kept (the official 'mask rate')",
    )
    unit: bool = Field(
        True, description="compare directions; official keys and steps are not normalised"
    )
    temperature: float = Field(1.0, gt=0, description="moco: T; official 1")
    queue: int = Field(256, ge=1, description="moco: K, keys to remember; official 256")
    momentum: float = Field(0.999, ge=0, lt=1, description="moco: of the teacher; official .999")
    vector: Literal["mean", "step"] = Field(
        "mean", description="moco: mean over time, or one random step, the same in a batch"
    )
    sigma: float = Field(0.5, gt=0, description="moco: of jitter, scale, shift; official .5")
    p_view: float = Field(0.5, ge=0, le=1, description="moco: chance of each; official .5")
    shared_draws: bool = Field(
        False, description="moco: one draw and one coin for a whole batch, as the official code has"
    )
    spectral: float = Field(
        0.0005, ge=0, description="cost: weight of amplitude and phase; official .0005"
    )

    backbone: Backbone = Field(
        "transformer", description="what puts steps in context; official also Informer"
    )
    width: int = Field(32, ge=2, description="width inside; official 128, convolutions 64")
    depth: int = Field(2, ge=1, description="layers or blocks; official 2, convolutions 5 to 10")
    heads: int = Field(4, ge=1, description="attention heads; official 8")
    outputs: int = Field(32, ge=2, description="dimensions of a step's vector; official 320")
    dropout: float = Field(0.0, ge=0, lt=1, description="of the transformer; official .05")

    steps: int | None = Field(300, ge=1, description="optimiser steps; or set epochs")
    epochs: int | None = Field(None, ge=1, description="passes over the windows; official 20 to 30")
    batch: int = Field(32, ge=2, description="windows a step; official 16")
    lr: float = Field(3e-3, gt=0, description="peak learning rate of AdamW; official 1e-3, Adam")
    weight_decay: float = Field(0.0, ge=0, description="AdamW weight decay; official 0")

    @model_validator(mode="after")
    def _fits(self) -> "TsForecastConfig":
        if self.horizon > self.length:
            raise ValueError(
                f"horizon {self.horizon} is longer than the window of {self.length}; the forecast "
                "is read at the last steps of the window"
            )
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("set exactly one of steps and epochs")
        if self.training == "two_step" and self.contrast == "none":
            raise ValueError("training=two_step learns by contrast alone; contrast is none")
        if self.backbone == "transformer" and self.width % self.heads:
            raise ValueError(f"{self.heads} heads do not divide a width of {self.width}")
        return self

    def total_steps(self, windows: int) -> int:
        """Optimiser steps for this many windows; the last incomplete batch is dropped."""
        if self.steps is not None:
            return self.steps
        assert self.epochs is not None
        return self.epochs * max(windows // self.batch, 1)


PRESETS: Final[dict[str, dict[str, Any]]] = {
    "small": {},
    "paper": {
        "length": 48,
        "horizon": 24,
        "centre": False,
        "balance": 0.5,
        "alpha": 0.5,
        "queue": 256,
        "temperature": 1.0,
        "momentum": 0.999,
        "sigma": 0.5,
        "p_view": 0.5,
        "spectral": 0.0005,
        "width": 128,
        "depth": 2,
        "heads": 8,
        "outputs": 320,
        "dropout": 0.05,
        "steps": None,
        "epochs": 20,
        "batch": 16,
        "lr": 1e-3,
        "weight_decay": 0.0,
    },
}
