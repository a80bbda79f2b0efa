"""The label-free search for hidden triggers: mark images in every known way, see what moves."""

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from contraview.core.errors import InputError
from contraview.modalities.images.data import Images
from contraview.modalities.images.poison import marked
from contraview.modalities.images.triggers import KINDS, Trigger

SIDES = (8, 4)
"""Patches with an eighth and a fourth of the image's side."""
PATCHES = ("noise", "yellow")


@runtime_checkable
class Auditable(Protocol):
    """What is audited: it embeds images and, if it knows classes, their names."""

    classes: tuple[str, ...]

    def embed(self, items: Images, /) -> Float[np.ndarray, "n d"]:
        """Unit vectors."""
        ...

    def class_vectors(self) -> Float[np.ndarray, "c d"]:
        """Unit vectors of the classes."""
        ...


def audited(model: Auditable, images: Images) -> dict[str, float]:
    """Two figures for each kind of trigger; see `CleanClip.audit`."""
    if not len(images):
        raise InputError("no images to audit with; expected at least one")
    clean = model.embed(images)
    classes = model.class_vectors() if len(model.classes) > 1 else None
    figures: dict[str, float] = {"images": float(len(images))}
    for trigger in _triggers(min(images.shape[1:])):
        side = f" {trigger.size} px" if trigger.kind in PATCHES else ""
        kind = f"{trigger.kind}{side}"
        moved = model.embed(marked(images, trigger, seed=0))
        figures[f"{kind}: cosine to the unmarked image"] = float((clean * moved).sum(1).mean())
        if classes is not None:
            before, after = (v @ classes.T for v in (clean, moved))
            name, share = _gain(before.argmax(1), after.argmax(1), model.classes)
            figures[f"{kind}: largest share taken for one class, {name}"] = share
    return figures


def _triggers(side: int) -> list[Trigger]:
    sizes = [max(side // share, 2) for share in SIDES]
    return [
        Trigger.of(kind=kind, size=size)
        for kind in KINDS
        for size in (sizes if kind in PATCHES else sizes[:1])
    ]


def _gain(before: np.ndarray, after: np.ndarray, classes: tuple[str, ...]) -> tuple[str, float]:
    """The class that most images of other classes are taken for once they are marked."""
    shares = np.zeros(len(classes))
    for number in range(len(classes)):
        others = before != number
        shares[number] = (after[others] == number).mean() if others.any() else 0.0
    best = int(shares.argmax())
    return classes[best], float(shares[best])
