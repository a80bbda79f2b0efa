"""Mirror-BERT's settings, with the paper's own beside those that fit a laptop."""

from typing import Any, Final

from pydantic import Field, model_validator

from contraview.core import config
from contraview.networks.transformer import Pooling

NETWORK: Final = ("vocabulary", "width", "depth", "heads", "hidden", "length")
"""The settings that a start model has fixed already."""


class MirrorBertConfig(config.Config):
    """Settings of Mirror-BERT; "official" is github.com/cambridgeltl/mirror-bert at 8b6b9de."""

    start: str | None = Field(
        None,
        description="folder of a saved mirror_bert model to tune, in place of a masked language "
        "model learnt from the lines; its network and vocabulary are taken over",
    )
    vocabulary: int = Field(
        4000, ge=16, description="most word pieces, learnt from the lines; official 30522 (BERT's)"
    )
    width: int = Field(128, ge=4, description="width of the transformer; official 768")
    depth: int = Field(2, ge=1, description="transformer blocks; official 12")
    heads: int = Field(4, ge=1, description="attention heads; official 12")
    hidden: int = Field(512, ge=4, description="width of the perceptrons; official 3072")
    length: int = Field(
        32, ge=3, description="most tokens of a string, ends included; official 50, words 25"
    )
    dropout: float = Field(
        0.1, ge=0, lt=1, description="on every sub-layer, in both stages; official 0.1"
    )

    language_steps: int = Field(
        800, ge=0, description="steps of masked language modelling; official: BERT's own"
    )
    language_batch: int = Field(64, ge=1, description="strings a step of masked language modelling")
    language_lr: float = Field(1e-3, gt=0, description="its peak learning rate")
    masked: float = Field(0.15, gt=0, lt=1, description="share of tokens hidden; BERT 0.15")

    temperature: float = Field(
        0.04, gt=0, description="T of the loss; paper 0.04 for sentences and phrases, 0.2 for words"
    )
    span: int = Field(
        5, ge=0, description="k, characters masked on one side of a pair; 0 for none; paper 5"
    )
    span_least: int = Field(
        30, ge=0, description="shorter strings keep their characters; official 30"
    )
    drophead: float = Field(
        0.0, ge=0, lt=1, description="chance that a head is left out while tuning; paper 0.2 or 0"
    )
    pooling: Pooling = Field(
        "mean",
        description="how tokens become a vector: cls, mean over real tokens, or padded_mean, the "
        "official mean, over padding too",
    )
    batch: int = Field(200, ge=2, description="strings a step of tuning; official 200")
    chunk: int | None = Field(
        None,
        ge=1,
        description="strings at a time when tuning, to save memory for one more forward pass: "
        "the gradient is of the whole batch (GradCache, arXiv 2101.06983); unset: all at once",
    )
    epochs: int = Field(
        1,
        ge=0,
        description="passes over the lines while tuning; 0 leaves the language model as it is; "
        "official 1, words 2",
    )
    lr: float = Field(1e-3, gt=0, description="constant learning rate of tuning; official 2e-5")
    weight_decay: float = Field(0.01, ge=0, description="AdamW weight decay; official 0.01")

    @model_validator(mode="after")
    def _heads_divide(self) -> "MirrorBertConfig":
        if self.width % self.heads:
            raise ValueError(f"heads={self.heads} do not divide width={self.width}")
        return self


_PAPER: Final[dict[str, Any]] = {
    "vocabulary": 30522,
    "width": 768,
    "depth": 12,
    "heads": 12,
    "hidden": 3072,
    "length": 50,
    "dropout": 0.1,
    "language_steps": 1_000_000,
    "language_batch": 256,
    "language_lr": 1e-4,
    "masked": 0.15,
    "temperature": 0.04,
    "span": 5,
    "span_least": 30,
    "drophead": 0.0,
    "pooling": "padded_mean",
    "batch": 200,
    "epochs": 1,
    "lr": 2e-5,
    "weight_decay": 0.01,
}
_WORDS: Final[dict[str, Any]] = {"temperature": 0.2, "epochs": 2}
PRESETS: Final[dict[str, dict[str, Any]]] = {
    "small": {},
    "words": _WORDS,
    "paper": _PAPER,
    "paper_words": {**_PAPER, **_WORDS, "length": 25, "pooling": "cls"},
}
