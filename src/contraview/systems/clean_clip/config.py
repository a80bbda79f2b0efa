"""CleanCLIP's settings, with the paper's own beside those that fit a laptop."""

from typing import Any, Final

from pydantic import Field, PositiveInt

from contraview.core.config import Config
from contraview.modalities.images.views import ViewConfig


class CleanClipConfig(Config):
    """Settings of CleanCLIP; "official" is github.com/nishadsinghi/CleanCLIP at d6e2f1d."""

    start: str | None = Field(
        None,
        description="folder of the clean_clip model to clean; its networks are taken over. Unset: "
        "train from scratch",
    )
    crossmodal: float = Field(1.0, gt=0, description="w_clip, weight of L_x; official 1")
    inmodal: float = Field(
        1.0, ge=0, description="w_in, weight of L_in; official 1; 0 is plain CLIP"
    )
    views: ViewConfig = Field(
        ViewConfig.of(crop=0.5, rotate=15.0, grey=0.2, blur=0.0),
        description="the augmented image of L_in; official AutoAugment",
    )
    touched_words: float = Field(
        0.1, ge=0, le=1, description="share of words changed in the augmented caption; EDA's .1"
    )
    epochs: int = Field(10, ge=1, description="passes over the pairs; official 10")
    batch: int = Field(64, ge=2, description="pairs a step; official 64")
    chunk: int | None = Field(
        None,
        ge=1,
        description="pairs at a time through the network, to save memory for another forward pass: "
        "the gradient is of the whole batch (GradCache, arXiv 2101.06983); unset: all at once",
    )
    lr: float = Field(1e-3, gt=0, description="peak learning rate; official 1e-5")
    warmup_steps: int = Field(10, ge=0, description="steps that warm up; official 50")
    weight_decay: float = Field(
        0.1, ge=0, description="AdamW's; official .1, not on biases, norms and scale"
    )
    outputs: int = Field(128, ge=2, description="width of the shared space; official 1024")
    image_widths: tuple[PositiveInt, ...] = Field(
        (32, 64, 128, 256), min_length=1, description="channels of the image tower's blocks"
    )
    text_width: int = Field(
        128, ge=4, description="width of a word in the text tower; official 512"
    )
    text_depth: int = Field(
        0, ge=0, description="transformer blocks; 0 is a bag of trigrams; official 12"
    )
    text_heads: int = Field(4, ge=1, description="attention heads; official 8")
    buckets: int = Field(8192, ge=2, description="hashed character trigrams; official 49,408 BPE")
    words: int = Field(32, ge=1, description="words of a caption that are read; official 77 tokens")
    classes: tuple[str, ...] = Field(
        (), description="names that `classify` tells apart; unset: the labels of the fit"
    )
    templates: tuple[str, ...] = Field(
        ("a picture of {}", "{}"), min_length=1, description="prompts, {} is the class"
    )


NETWORK: Final = (
    "outputs", "image_widths", "text_width", "text_depth", "text_heads", "buckets", "words",
)  # fmt: skip
"""What a model that is cleaned keeps from the model it starts from."""

_OFFICIAL_NETWORK: Final[dict[str, Any]] = {
    "outputs": 1024,
    "image_widths": (64, 256, 512, 1024, 2048),
    "text_width": 512,
    "text_depth": 12,
    "text_heads": 8,
    "buckets": 49_408,
    "words": 77,
}

PRESETS: Final[dict[str, dict[str, Any]]] = {
    "small": {},
    "pretrain": {"inmodal": 0.0, "epochs": 20, "batch": 128, "lr": 2e-3, "warmup_steps": 20},
    "paper": {
        **_OFFICIAL_NETWORK,
        "epochs": 10,
        "batch": 64,
        "lr": 1e-5,
        "warmup_steps": 50,
        "weight_decay": 0.1,
    },
    "paper-pretrain": {
        **_OFFICIAL_NETWORK,
        "inmodal": 0.0,
        "epochs": 64,
        "batch": 128,
        "lr": 5e-4,
        "warmup_steps": 10_000,
        "weight_decay": 0.1,
    },
}
"""``small`` and ``paper`` clean a model, ``pretrain`` and ``paper-pretrain`` make one."""
