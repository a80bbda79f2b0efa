"""Settings of Contrastive UCB, for tables and for screens."""

from typing import Any, Final

from pydantic import Field

from contraview.core import config


class ContrastiveUcbConfig(config.Config):
    """Settings; "official" is github.com/Baichenjia/Contrastive-UCB, the form for screens."""

    episodes: int = Field(300, ge=1, description="episodes to learn from (states that are counted)")
    rank: int = Field(64, ge=1, description="d, dimensions of the features")
    by_step: bool = Field(
        False, description="features of their own for each step of the episode, as in the paper"
    )
    bonus: float = Field(0.1, ge=0, description="gamma_k or c, scale of the bonus; official 1")
    ridge: float = Field(0.01, gt=0, description="lambda of Sigma = lambda I + sum phi phi^T")
    discount: float = Field(0.98, gt=0, le=1, description="of the next step; the theory has none")
    epsilon: float = Field(
        0.1, ge=0, le=1, description="chance of an action at random; the paper: the last two steps"
    )
    sharpness: float = Field(1.0, ge=0, description="spread of the first logits of phi")
    contrast: bool = Field(True, description="learn the features; without it they stay random")
    growth: float = Field(
        0.2, ge=0, description="share of new steps after which the features are fitted anew"
    )
    updates: int = Field(200, ge=1, description="updates of each fit")
    lr: float = Field(0.1, gt=0, description="learning rate of Adam on the features")
    batch: int = Field(256, ge=1, description="transitions an update")
    plan_every: int = Field(50, ge=1, description="steps in the environment between plannings")

    steps: int = Field(1600, ge=1, description="steps in the environment (screens); official 1e5")
    warmup: int = Field(400, ge=0, description="first steps, at random (screens); official 2000")
    update_every: int = Field(
        4, ge=1, description="steps in the environment between updates (screens); official 1"
    )
    updates_each: int = Field(1, ge=1, description="updates each time (screens); official 2")
    replay_batch: int = Field(32, ge=1, description="sequences an update (screens); official 32")
    replay_size: int = Field(100_000, ge=64, description="screens kept; official 100,000")
    priority: float = Field(0.5, ge=0, description="exponent of prioritised replay; official 0.5")
    n_step: int = Field(10, ge=1, description="steps of return before a value; official 10")
    jumps: int = Field(5, ge=1, description="K, steps that are predicted in latent; official 5")
    prediction: float = Field(5.0, ge=0, description="weight of the latent prediction; official 5")
    screen_discount: float = Field(
        0.99, gt=0, le=1, description="discount (screens); official 0.99"
    )
    screen_ridge: float = Field(1e-5, gt=0, description="lambda (screens); official 1e-5")
    screen_lr: float = Field(1e-4, gt=0, description="rate of Adam (screens); official 1e-4")
    shift: int = Field(4, ge=0, description="pixels a view is shifted by at most; official 4")
    intensity: float = Field(0.05, ge=0, description="spread of a view's brightness; official 0.05")
    hidden: int = Field(256, ge=1, description="width of the value head; official 256")
    atoms: int = Field(51, ge=2, description="atoms of the return's distribution; official 51")
    value_range: float = Field(10.0, gt=0, description="returns lie between -this and this")
    clip: float = Field(10.0, gt=0, description="largest gradient norm (screens); official 10")


PRESETS: Final[dict[str, dict[str, Any]]] = {
    "small": {},
    "paper": {
        "by_step": True,
        "discount": 1.0,
        "bonus": 1.0,
        "ridge": 1.0,
        "steps": 100_000,
        "warmup": 2000,
        "update_every": 1,
        "updates_each": 2,
        "replay_batch": 32,
        "n_step": 10,
        "jumps": 5,
        "prediction": 5.0,
        "screen_discount": 0.99,
        "screen_ridge": 1e-5,
        "screen_lr": 1e-4,
        "priority": 0.5,
        "shift": 4,
        "intensity": 0.05,
        "hidden": 256,
        "atoms": 51,
        "clip": 10.0,
    },
}
