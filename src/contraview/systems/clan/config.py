"""CLAN's settings, with the paper's own beside those that fit a laptop."""

from typing import Any, Final, Literal

from pydantic import Field, model_validator

from contraview.core import config

CorruptionName = Literal["uniform", "gaussian", "jitter", "zero", "marginal", "shuffle", "mix"]


class ClanConfig(config.Config):
    """Settings of CLAN; "official" is github.com/jackwilkie/CLAN at commit 680ab61."""

    width: int = Field(128, ge=1, description="width of the residual blocks; official 1024")
    depth: int = Field(4, ge=1, description="number of residual blocks; official 4")
    outputs: int = Field(64, ge=2, description="dimensions of the embedding; official 64")
    dropout: float = Field(0.0, ge=0, lt=1, description="dropout in the blocks; official 0")

    margin: float = Field(
        0.5, gt=0, le=1, description="m, in units of (1 - cos)/2: a negative is pushed this far"
    )
    balance: float = Field(
        0.5, ge=0, le=1, description="alpha, the weight of the positive term against the negative"
    )
    squared: bool = Field(False, description="square both terms; official off")

    corruption: tuple[CorruptionName, ...] = Field(
        ("uniform",), min_length=1, description="what makes a negative, applied in this order"
    )
    p_feature: float | None = Field(
        None,
        gt=0,
        le=1,
        description="share of cells altered; unset: 18 columns a row (.1 to .6); official .1",
    )
    p_sample: float = Field(1.0, gt=0, le=1, description="share of rows altered; official 1")
    span: float = Field(1.7, gt=0, description="uniform: draws from [-span, span]; official 1.7")
    jitter: float = Field(0.5, gt=0, description="jitter: standard deviation of the added noise")
    mix_mixup: float = Field(0.5, ge=0, le=1, description="mix: chance of mixup against cutmix")
    mix_ratio: float = Field(0.5, ge=0, le=1, description="mix: share kept of the row itself")
    categories: Literal["uniform", "resample", "keep"] = Field(
        "uniform",
        description="categorical columns: corrupt their indicators like numbers, "
        "draw the category of another row, or leave them",
    )
    mass_negatives: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="share of negatives that are unaltered benign rows, evenly over clusters",
    )
    mass_clusters: int = Field(32, ge=2, description="clusters the mass negatives are drawn over")

    log: bool = Field(True, description="signed logarithm before the z-score; official off")
    contamination: float = Field(
        0.0,
        ge=0,
        lt=0.5,
        description="share of the fitting rows suspected not to be benign: left out half-way",
    )

    steps: int | None = Field(1000, ge=1, description="optimiser steps; or set epochs")
    epochs: int | None = Field(None, ge=1, description="passes over the benign rows; official 200")
    batch: int = Field(256, ge=2, description="benign rows a step; official 8192")
    chunk: int | None = Field(
        None,
        ge=1,
        description="rows at a time through the network, to save memory for one more forward pass: "
        "the gradient is of the whole batch (GradCache, arXiv 2101.06983); unset: all at once",
    )
    lr: float = Field(1e-3, gt=0, description="peak learning rate of AdamW; official 1e-4")
    lr_ends: float = Field(1e-6, ge=0, description="learning rate of the first and the last step")
    warmup: float = Field(0.1, ge=0, lt=1, description="share of the steps that warm up")
    weight_decay: float = Field(0.0, ge=0, description="AdamW weight decay; official 0")

    finetune_epochs: int = Field(100, ge=1, description="passes over the labelled rows")
    finetune_batch: int = Field(64, ge=2, description="labelled rows a step, class-balanced")
    finetune_start: Literal["linear", "random"] = Field(
        "linear",
        description="linear: begin at the logistic regression on unit embeddings; random: at a "
        "random layer on embeddings of any length, as the official code does",
    )
    finetune_lr: float = Field(
        1e-4, gt=0, description="constant learning rate of AdamW; official 1e-3"
    )
    finetune_weight_decay: float = Field(1e-6, ge=0, description="AdamW weight decay")
    finetune_rescale: bool = Field(
        False, description="z-score again by the labelled rows; official on"
    )

    @model_validator(mode="after")
    def _one_length(self) -> "ClanConfig":
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("set exactly one of steps and epochs")
        return self

    def total_steps(self, rows: int) -> int:
        """Optimiser steps for ``rows`` benign rows; the last incomplete batch is dropped."""
        if self.steps is not None:
            return self.steps
        assert self.epochs is not None
        return self.epochs * max(rows // self.batch, 1)


OFFICIAL_FINETUNING: Final[dict[str, Any]] = {
    "finetune_epochs": 100,
    "finetune_batch": 64,
    "finetune_start": "random",
    "finetune_lr": 1e-3,
    "finetune_weight_decay": 1e-6,
    "finetune_rescale": True,
}
"""Fine-tuning as the official script does it."""

PRESETS: Final[dict[str, dict[str, Any]]] = {
    "small": {},
    "paper": {
        "width": 1024,
        "depth": 4,
        "outputs": 64,
        "p_feature": 0.1,
        "span": 1.7,
        "margin": 0.5,
        "balance": 0.5,
        "log": False,
        "steps": None,
        "epochs": 200,
        "batch": 8192,
        "lr": 1e-4,
        "lr_ends": 1e-6,
        "warmup": 0.1,
        "weight_decay": 0.0,
        **OFFICIAL_FINETUNING,
    },
}
