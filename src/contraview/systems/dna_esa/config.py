"""DNA-ESA's settings, with the paper's own beside those that fit a laptop."""

from typing import Any, Final, Literal

from pydantic import Field, PositiveInt, model_validator

from contraview.core import config


class DnaEsaConfig(config.Config):
    """Settings of DNA-ESA; "official" is github.com/KennethEnevoldsen/dna2vec."""

    tokens: Literal["kmer", "bpe"] = Field(
        "kmer", description="k-mers, or byte pairs learnt from the reference; official byte pairs"
    )
    k: int = Field(5, ge=1, le=8, description="bases of a k-mer")
    stride: int = Field(2, ge=1, description="bases from one k-mer to the next")
    vocabulary: int = Field(
        1000, ge=16, description="byte-pair tokens, special ones included; official 10000"
    )
    width: int = Field(64, ge=4, description="width of the transformer; official 384")
    depth: int = Field(1, ge=1, description="transformer blocks; official 6")
    heads: int = Field(2, ge=1, description="attention heads; official 12")
    hidden: int = Field(128, ge=4, description="width of the perceptrons; official 1536")
    place: float = Field(
        0.1,
        ge=0,
        description="length of a position's vector, a token's being 1; official about 0.7: the "
        "positions' share is the same in every vector, and hides what differs at first",
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="on every sub-layer; official 0.1")

    train_fragments: tuple[PositiveInt, PositiveInt] = Field(
        (120, 240), description="least and most bases of a training fragment; official 800, 2000"
    )
    train_reads: tuple[PositiveInt, PositiveInt] = Field(
        (60, 120), description="least and most bases of a training read in it; official 80, 180"
    )
    noise: float = Field(
        0.0, ge=0, lt=1, description="share of a training read's bases replaced; official 0"
    )
    temperature: float = Field(0.05, gt=0, description="of the loss; official 0.05")
    steps: int = Field(600, ge=0, description="optimiser steps; official 100000")
    batch: int = Field(64, ge=2, description="pairs a step, all contrasted; official 16")
    chunk: int | None = Field(
        None,
        ge=1,
        description="pairs at a time through the network, to save memory for another forward pass: "
        "the gradient is of the whole batch (GradCache, arXiv 2101.06983); unset: all at once",
    )
    lr: float = Field(1e-2, gt=0, description="peak learning rate; official 1e-4")
    warmup: float = Field(0.1, ge=0, lt=1, description="share of steps that warm up; official 0.3")
    weight_decay: float = Field(0.01, ge=0, description="AdamW weight decay; official 0.01")
    clip: float = Field(1.0, gt=0, description="largest gradient norm; official 1")

    fragment: int = Field(1000, ge=2, description="bases of a fragment in the index; official 1000")
    overlap: int = Field(200, ge=0, description="bases shared with the next; official 200")
    candidates: int = Field(
        50, ge=1, description="fragments a read is aligned to; official 50 a chromosome"
    )
    strands: Literal["forward", "both"] = Field(
        "forward", description="place a read as it is, or also as its reverse complement"
    )
    match: float = Field(2.0, gt=0, description="alignment score of a matching base; official 2")
    mismatch: float = Field(4.0, ge=0, description="taken off for a mismatch; official 1")
    gap_open: float = Field(5.0, ge=0, description="taken off to open a gap; official 0.5")
    gap_extend: float = Field(1.0, ge=0, description="taken off to extend it; official 0.1")
    accept: float = Field(
        0.5, ge=0, le=1, description="least share of the perfect score at which a read is placed"
    )
    store: str | None = Field(
        None,
        description="folder of a LanceDB store for the fragments' vectors, for references that do "
        "not fit in memory; unset: vectors are part of the model",
    )

    @model_validator(mode="after")
    def _fits(self) -> "DnaEsaConfig":
        if self.width % self.heads:
            raise ValueError(f"heads={self.heads} do not divide width={self.width}")
        if self.overlap >= self.fragment:
            raise ValueError(f"overlap={self.overlap} is not below fragment={self.fragment}")
        for name in ("train_fragments", "train_reads"):
            least, most = getattr(self, name)
            if not 1 <= least <= most:
                raise ValueError(f"{name}={least}, {most}: expected the least first, from 1 up")
        if self.train_reads[0] > self.train_fragments[0]:
            raise ValueError("the shortest training read is longer than the shortest fragment")
        return self

    @property
    def longest(self) -> int:
        """The most bases that the encoder is ever given."""
        return max(self.fragment, self.train_fragments[1], self.train_reads[1])


PRESETS: Final[dict[str, dict[str, Any]]] = {
    "small": {},
    "paper": {
        "tokens": "bpe",
        "vocabulary": 10_000,
        "width": 384,
        "depth": 6,
        "heads": 12,
        "hidden": 1536,
        "place": 0.7,
        "dropout": 0.1,
        "train_fragments": (800, 2000),
        "train_reads": (80, 180),
        "noise": 0.0,
        "temperature": 0.05,
        "steps": 100_000,
        "batch": 16,
        "lr": 1e-4,
        "warmup": 0.3,
        "weight_decay": 0.01,
        "clip": 1.0,
        "fragment": 1000,
        "overlap": 200,
        "candidates": 50,
        "match": 2.0,
        "mismatch": 1.0,
        "gap_open": 0.5,
        "gap_extend": 0.1,
    },
}
