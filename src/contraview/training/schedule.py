"""How long a training runs and how fast it learns: linear warm-up, then a half cosine."""

import math

from pydantic import Field

from contraview.core.config import Config


class Schedule(Config):
    """AdamW's settings over a fixed number of steps.

    CLAN's official run is ``warmup=0.1, start_lr=1e-6, lr=1e-4, final_lr=1e-6`` with the other
    defaults; a constant rate is ``final_lr=lr`` without warm-up.
    """

    steps: int = Field(ge=1, description="optimiser steps in all, warm-up included")
    batch: int = Field(ge=1, description="rows a step, over all processes together")
    lr: float = Field(gt=0, description="peak learning rate")
    warmup: float = Field(default=0.0, ge=0, lt=1, description="share of the steps that warm up")
    start_lr: float = Field(
        default=0.0, ge=0, description="learning rate of the first warm-up step"
    )
    final_lr: float = Field(default=0.0, ge=0, description="learning rate of the last step")
    betas: tuple[float, float] = Field(default=(0.9, 0.999), description="AdamW's moment decays")
    weight_decay: float = Field(default=0.0, ge=0, description="AdamW's decoupled weight decay")
    clip: float | None = Field(default=None, gt=0, description="largest gradient norm, if any")

    @property
    def warmup_steps(self) -> int:
        """``warmup`` as a whole number of steps; at least one step is left for the cosine."""
        return min(round(self.warmup * self.steps), self.steps - 1)

    def lr_at(self, step: int) -> float:
        """The learning rate of step 0, 1, ..., steps - 1.

        Rises linearly from ``start_lr`` at step 0 to ``lr`` at step ``warmup_steps``, then falls
        along a half cosine (Loshchilov and Hutter 2017, eq. 5, one period) and is exactly
        ``final_lr`` at the last step.
        """
        if step < self.warmup_steps:
            risen = step / self.warmup_steps
            return (1 - risen) * self.start_lr + risen * self.lr
        last = self.steps - 1
        gone = 1.0 if step == last else (step - self.warmup_steps) / (last - self.warmup_steps)
        height = (1 + math.cos(math.pi * gone)) / 2
        return height * self.lr + (1 - height) * self.final_lr
