"""Settings of the wearable biosignals system."""

from typing import Any, Literal

from pydantic import Field, PositiveInt, model_validator

from contraview.core.config import Config


class BiosignalsConfig(Config):
    """Settings; "paper" where its text gives the value, which for some is known second-hand."""

    pairs: Literal["participant", "segment"] = Field(
        "participant",
        description="positives: two segments of a participant, or two views of one segment",
    )
    encoder: Literal["conv", "mbconv"] = Field(
        "conv", description="plain strided convolutions, or an EfficientNet of 1-D MBConv blocks"
    )
    widths: tuple[PositiveInt, ...] = Field(
        (16, 32, 64, 64, 64),
        min_length=1,
        description="conv: of each block; mbconv: of the stem, each stage and the embedding; "
        "the last is the size of the embedding, paper 256",
    )
    repeats: tuple[PositiveInt, ...] = Field(
        (), description="mbconv: blocks of each stage; paper 16"
    )
    kernel: int = Field(5, ge=1, description="size of a convolution in samples, odd")
    hidden: int = Field(128, ge=1, description="width of the projection, inside; paper 1024")
    outputs: int = Field(64, ge=2, description="dimensions compared by the loss; paper 128")

    temperature: float = Field(0.04, gt=0, description="of InfoNCE; paper .04")
    koleo: float = Field(0.1, ge=0, description="lambda, the weight of the KoLeo term; paper .1")
    momentum: float = Field(0.99, ge=0, lt=1, description="of the teacher; paper .99")

    p_cut_out: float = Field(0.4, ge=0, le=1, description="chance of a cut-out; paper .4, ECG .8")
    p_magnitude_warp: float = Field(
        0.25, ge=0, le=1, description="chance of a magnitude warp; paper .25, ECG .5"
    )
    p_noise: float = Field(0.25, ge=0, le=1, description="chance of noise; paper .25, ECG .5")
    p_permute_channels: float = Field(
        0.25, ge=0, le=1, description="chance of a channel permutation; paper .25, ECG 0"
    )
    p_time_warp: float = Field(0.15, ge=0, le=1, description="chance of a time warp; paper .15, .3")
    cut_out_share: float = Field(0.2, gt=0, le=1, description="share of a segment cut out")
    magnitude_sigma: float = Field(0.2, gt=0, description="deviation of the curve from 1")
    noise_sigma: float = Field(0.1, gt=0, description="deviation of the noise, after the z-score")
    time_sigma: float = Field(0.2, gt=0, description="deviation of the speed from 1")
    knots: int = Field(4, ge=1, description="inner points of the curves of both warps")

    steps: int = Field(400, ge=1, description="optimiser steps")
    participants: int = Field(26, ge=2, description="pairs a batch, one a participant; paper 256")
    chunk: int | None = Field(
        None,
        ge=1,
        description="pairs at a time through the network, to save memory for another forward pass: "
        "the gradient is of the whole batch (GradCache, arXiv 2101.06983); unset: all at once",
    )
    lr: float = Field(1e-3, gt=0, description="peak learning rate of AdamW; paper 1e-3, Adam")
    warmup: float = Field(0.05, ge=0, lt=1, description="share of the steps that warm up")
    weight_decay: float = Field(0.0, ge=0, description="AdamW weight decay")

    probe_segments: int | None = Field(
        None,
        ge=1,
        description="segments averaged for each participant before the probe, evenly spread; "
        "unset: as many as the participant with the fewest has",
    )

    @model_validator(mode="after")
    def _stages(self) -> "BiosignalsConfig":
        stages = max(len(self.widths) - 2, 0)
        if self.encoder == "mbconv" and (not stages or len(self.repeats) != stages):
            raise ValueError(
                f"repeats: {len(self.repeats)} for {len(self.widths)} widths; expected one a "
                "stage, that is two fewer than widths"
            )
        if self.kernel % 2 == 0:
            raise ValueError("kernel: expected an odd number")
        return self


PAPER: dict[str, Any] = {
    "encoder": "mbconv",
    "widths": (32, 16, 24, 40, 80, 112, 192, 320, 256),
    "repeats": (1, 2, 2, 3, 3, 4, 1),
    "kernel": 3,
    "hidden": 1024,
    "outputs": 128,
    "temperature": 0.04,
    "koleo": 0.1,
    "momentum": 0.99,
    "p_cut_out": 0.4,
    "p_magnitude_warp": 0.25,
    "p_noise": 0.25,
    "p_permute_channels": 0.25,
    "p_time_warp": 0.15,
    "participants": 256,
    "lr": 1e-3,
    "steps": 100_000,
}
