"""Hallucinator (Wu, Hobbs, Hovakimyan 2023, arXiv 2307.12168)."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from contraview.frameworks.hallucination import Hallucination
from contraview.frameworks.images.variant import Variant, VariantConfig


class HallucinatorConfig(VariantConfig):
    """Settings of Hallucinator; all of the base's are among them."""

    positives: Hallucination = Field(
        Hallucination.of(weight=1.0), description="how further positives are made of embeddings"
    )


class Hallucinator(Variant):
    """Learns an encoder of images without labels, with more and harder positives at little cost.

    For each query a further positive is made in the space of embeddings: the query is moved away
    from the key of the other view, smoothed by two small layers, and has to find that key all the
    same. It stands on SimCLR, MoCo or SimSiam (``base``), and is as well a setting of each of
    these: ``SimCLR(positives={"weight": 1})``. The layers that make positives are dropped after
    the fit.

    No official code is public. This library's own decisions: the operator `Hallucination` says,
    on unit vectors after the projection head; the losses of real and hallucinated positives are
    averaged with weights 1 and w; for SimCLR hallucinations take the queries' place in a loss of
    their own; crops are those of the base, not centred on objects. Watch ``hallucinated cosine``
    in the run's report: where it reaches ``cosine``, the layers have undone the move.

    Verbs: `embed`, `search`; `classify` by a linear probe where `fit` was given labels.
    """

    slug = "hallucinator"
    Config = HallucinatorConfig
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        **Variant.presets,
        "paper": {
            "base": "moco",
            "widths": (64, 128, 256, 512),
            "batch": 256,
            "hidden": 2048,
            "outputs": 128,
            "temperature": 0.2,
            "momentum": 0.999,
            "queue": 65_536,
            "steps": 39_000,  # 200 passes over 50,000 images; the paper's own number: not found
        },
    }
