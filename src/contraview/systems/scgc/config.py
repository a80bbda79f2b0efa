"""SCGC's settings, with the paper's own for each of its data sets."""

from typing import Any, Final, Literal

from pydantic import Field, PositiveInt

from contraview.core import config


class ScgcConfig(config.Config):
    """Settings of SCGC; "official" is github.com/gayanku/SCGC."""

    clusters: int | None = Field(None, ge=2, description="k, how many groups; has to be given")
    hidden: tuple[PositiveInt, ...] = Field(
        (256, 256, 512), description="widths of the encoder's hidden layers; official 500-500-2000"
    )
    code: int = Field(10, ge=2, description="dimensions of the embedding; official 10")
    scaling: Literal["none", "standard", "unit"] = Field(
        "none",
        description="of the features: z-scores, or rows of length one; official none",
    )

    reconstruction: bool = Field(
        False, description="keep the decoder and add its squared error: SCGC; without it SCGC*"
    )
    cumulative: bool = Field(
        True, description="positives are the sum of the powers 1 to R (SCGC*), not the R-th (SCGC)"
    )
    hops: int = Field(1, ge=1, description="R, the largest power of the adjacency; official 1 to 4")
    alpha: float = Field(1.0, ge=0, description="weight of the neighbourhood contrast")
    beta: float = Field(0.1, ge=0, description="weight of the divergence from sharpened groups")
    tau: float = Field(
        0.25, gt=0, le=40, description="multiplies the cosine, an inverse temperature"
    )

    epochs: int = Field(60, ge=1, description="passes over the nodes, all at once; official 200")
    lr: float = Field(1e-3, gt=0, description="constant learning rate of Adam; official 1e-3, 1e-4")
    batch: int = Field(
        4096, ge=2, description="most nodes a step; above it, batches and their own sub-matrix"
    )
    pretraining_epochs: int = Field(
        30, ge=1, description="passes of the autoencoder; official: given checkpoints"
    )
    pretraining_batch: int = Field(256, ge=2, description="nodes a step of the autoencoder")
    pretraining_lr: float = Field(1e-3, gt=0, description="constant rate of the autoencoder's Adam")
    restarts: int = Field(20, ge=1, description="of k-means, whose best is kept; official 20")
    readout: Literal["assignment", "k-means"] = Field(
        "assignment",
        description="groups by the largest soft assignment (official), or by k-means on unit codes",
    )


OFFICIAL: Final[dict[str, tuple[tuple[float, float, int, float, float], ...]]] = {
    "usps": ((1, 0.1, 4, 0.5, 1e-3), (4, 0.1, 4, 0.25, 1e-3)),
    "hhar": ((1, 10, 4, 2.25, 1e-3), (1, 10, 3, 2.25, 1e-3)),
    "reut": ((3, 0.1, 3, 1, 1e-3), (0.5, 0.1, 3, 0.25, 1e-3)),
    "acm": ((0.5, 0.1, 2, 0.25, 1e-3), (1, 0.1, 1, 0.25, 1e-3)),
    "dblp": ((0.5, 0.1, 1, 0.25, 1e-3), (1, 0.1, 1, 0.25, 1e-3)),
    "cite": ((1, 0.1, 1, 0.25, 1e-4), (1, 0.1, 1, 0.25, 1e-4)),
}
"""alpha, beta, R, tau and learning rate of SCGC and of SCGC*, by data set (official README)."""

_NETWORK: Final = {"hidden": (500, 500, 2000), "code": 10, "epochs": 200, "batch": 1_000_000}


def _official(name: str, *, star: bool) -> dict[str, Any]:
    alpha, beta, hops, tau, lr = OFFICIAL[name][star]
    return {
        **_NETWORK,
        "reconstruction": not star,
        "cumulative": star,
        "alpha": alpha,
        "beta": beta,
        "hops": hops,
        "tau": tau,
        "lr": lr,
    }


PRESETS: Final[dict[str, dict[str, Any]]] = {
    "small": {},
    "paper": _official("dblp", star=True),
    **{f"paper-{name}": _official(name, star=True) for name in OFFICIAL},
    **{f"paper-{name}-reconstruction": _official(name, star=False) for name in OFFICIAL},
}
"""``paper`` is SCGC* as for DBLP and ACM, the graphs given as such; the others are by data set."""
