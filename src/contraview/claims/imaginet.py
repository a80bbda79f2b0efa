"""Is a fake of an unseen generator, once compressed, easier to tell from features by contrast?

Real images are Fashion-MNIST, fakes come from small generators learnt here: this is real against
simulated fake, and says nothing of photographs.
"""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
import torch
from jaxtyping import Float

from contraview.claims.claim import Claim, Experiment, Figures
from contraview.claims.pictures import FASHION, fashion, fashion_data
from contraview.core.run import Run
from contraview.core.seeds import numpy_generator, torch_generator
from contraview.evaluation.anomaly import auroc
from contraview.evaluation.probes import LinearProbe
from contraview.frameworks.generators import GeneratorConfig, learn_generator
from contraview.modalities.images.data import Images
from contraview.modalities.images.perturbations import compressed
from contraview.systems.imaginet import ImagiNet

REAL = "real"
LEARNT = ("vae", "gan", "diffusion", "pca")
BLEND = "blend"
"""Two real images that are near each other, mixed half and half."""
KINDS = (*LEARNT, BLEND)
PAIRS = tuple(combinations(KINDS, 2))
"""Which two generators training does not see: seed after seed the next pair."""
SELF_CON, CROSS_ENTROPY = "SelfCon", "cross-entropy"
ONE_EXIT, ORIGIN_ALONE = "SupCon, no second exit", "SelfCon, no generator term"
SPECTRUM = "logistic regression on the power spectrum"
UNSEEN = "AUC, unseen generators, JPEG"
SEEN = "AUC, seen generators, JPEG"
PLAIN = "AUC, unseen generators, as trained on"
ARMS: Mapping[str, Mapping[str, Any]] = {
    SELF_CON: {},
    CROSS_ENTROPY: {"objective": "cross_entropy", "exits": ()},
    ONE_EXIT: {"exits": ()},
    ORIGIN_ALONE: {"generator_weight": 0.0},
}
TOLD_APART = (60, 96)
"""Quality of the JPEG pass that every image, real or not, has been through before it is seen."""
HARD = 40
"""Quality of the JPEG pass of the test."""

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "small": {
        "source": 4000, "each": 800, "judged": 600,
        "generators": {
            "vae": {"latents": (4, 24), "steps": 250},
            "gan": {"latents": (32,), "steps": 250, "lr": 1e-3},
            "diffusion": {"widths": (16, 32), "steps": 300},
            "pca": {"latents": (64,)},
        },
        "detector": {"steps": 300, "batch": 96},
    },
    "smoke": {
        "source": 100, "each": 30, "judged": 20,
        "generators": {
            kind: {"widths": (8, 16), "latents": (4,), "steps": 3, "batch": 8} for kind in LEARNT
        },
        "detector": {"steps": 4, "batch": 16, "widths": (8, 16), "exits": (1,), "head_steps": 5},
    },
}  # fmt: skip


def fakes(kind: str, real: Images, count: int, settings: Mapping[str, Any], run: Run) -> np.ndarray:
    """``count`` images of one kind, [n, 1, h, w] from 0 to 1, with the grey levels of real ones."""
    draws = torch_generator(run.seed, "fakes", kind)
    if kind == BLEND:
        made = _blended(real, count, draws)
    else:
        config = GeneratorConfig.of(kind=kind, **settings["generators"][kind])
        made = learn_generator(config, real, run).sample(count, draws).numpy()
    return matched(made, real.pixels / np.float32(255))


def _blended(real: Images, count: int, draws: torch.Generator) -> np.ndarray:
    chosen = torch.randperm(len(real), generator=draws)[:count]
    every = real.batch(torch.arange(len(real)))
    one = every[chosen]
    far = torch.cdist(one.flatten(1), every.flatten(1))
    far[torch.arange(len(chosen)), chosen] = torch.inf
    return ((one + every[far.argmin(1)]) / 2).numpy()


def matched(made: Float[np.ndarray, "n ..."], real: Float[np.ndarray, "m ..."]) -> np.ndarray:
    """The made images with their grey levels moved, in their order, to the real images' levels.

    Quantiles to quantiles over all pixels of a set: mean, variance and histogram say nothing then.
    """
    places = np.linspace(0, 1, 1001)
    own, aim = np.quantile(made, places), np.quantile(real, places)
    rising = own + np.arange(len(own)) * 1e-9  # equal levels keep their order
    return np.interp(made, rising, aim).astype(np.float32)


def passed_on(
    pixels: Float[np.ndarray, "n 1 h w"], low: int, high: int, generator: torch.Generator
) -> np.ndarray:
    """All images through one JPEG pass of a quality from ``low`` to below ``high``; 8 bits."""
    quality = torch.randint(low, high, (len(pixels),), generator=generator)
    again = compressed(torch.from_numpy(pixels), quality)
    return (again * 255).round().byte().numpy()


def spectrum(images: Images) -> Float[np.ndarray, "n d"]:
    """The logarithm of the power of each frequency."""
    power = np.abs(np.fft.rfft2(images.pixels[:, 0] / 255.0)) ** 2
    return np.log(power + 1e-3).reshape(len(images), -1)


def measure(run: Run, settings: Mapping[str, Any]) -> Figures:
    """Three generators are seen in training, two are not; every arm sees the same images."""
    hidden = PAIRS[run.seed % len(PAIRS)]
    generator = numpy_generator(run.seed, "imaginet")
    first, second = fashion(FASHION[0]), fashion(FASHION[1])
    order = generator.permutation(len(first))
    source = first.take(order[: settings["source"]])
    seen = [kind for kind in KINDS if kind not in hidden]
    each, judged = settings["each"], settings["judged"]
    made = {kind: fakes(kind, source, each + judged, settings, run) for kind in KINDS}
    # As many real images as fakes; those that the generators learnt from are not among them.
    rest = first.take(order[settings["source"] :][: len(seen) * each]).pixels / np.float32(255)
    draws = torch_generator(run.seed, "passes")
    trained_on = [rest, *(made[kind][:each] for kind in seen)]
    labels = np.repeat([REAL, *seen], [len(part) for part in trained_on])
    train = _images(passed_on(np.concatenate(trained_on), *TOLD_APART, draws), labels)
    test = second.take(generator.choice(len(second), judged, replace=False)).pixels
    shown = {REAL: test / np.float32(255), **{kind: made[kind][each:] for kind in KINDS}}
    hard = {k: _images(passed_on(v, HARD, HARD + 1, draws)) for k, v in shown.items()}
    mild = {k: _images(passed_on(v, *TOLD_APART, draws)) for k, v in shown.items()}
    figures: dict[str, dict[str, float]] = {name: {} for name in (UNSEEN, SEEN, PLAIN)}
    for arm, knobs in ARMS.items():
        system = ImagiNet(**{**settings["detector"], **knobs}).fit(train, labels=labels, run=run)
        found = {kind: system.classify(images)[:, 1] for kind, images in hard.items()}
        plain = {kind: system.classify(mild[kind])[:, 1] for kind in (REAL, *hidden)}
        _note(figures, arm, found, plain, hidden, seen)
    probe = LinearProbe.fit(spectrum(train), np.where(labels == REAL, REAL, "synthetic"), c=0.01)
    found = {kind: probe.classify(spectrum(images))[:, 1] for kind, images in hard.items()}
    plain = {kind: probe.classify(spectrum(mild[kind]))[:, 1] for kind in (REAL, *hidden)}
    _note(figures, SPECTRUM, found, plain, hidden, seen)
    return figures


def _note(
    figures: dict[str, dict[str, float]],
    arm: str,
    found: Mapping[str, np.ndarray],
    plain: Mapping[str, np.ndarray],
    hidden: tuple[str, ...],
    seen: list[str],
) -> None:
    """The mean over generators, so that an easy one does not stand for all."""
    figures[UNSEEN][arm] = float(np.mean([auroc(found[REAL], found[kind]) for kind in hidden]))
    figures[SEEN][arm] = float(np.mean([auroc(found[REAL], found[kind]) for kind in seen]))
    figures[PLAIN][arm] = float(np.mean([auroc(plain[REAL], plain[kind]) for kind in hidden]))


def _images(pixels: np.ndarray, labels: np.ndarray | None = None) -> Images:
    names = np.full(len(pixels), "") if labels is None else labels
    return Images(pixels, pl.DataFrame({"label": names.tolist()}), label="label")


_EXPERIMENT = Experiment("imaginet fakes", fashion_data, measure, PRESETS, first_seed=100)

CLAIMS = (
    Claim(
        "unseen_generator",
        "after JPEG, fakes of generators that training did not see are told from real images with "
        "a higher AUC by features learnt by SelfCon than by the same network's from cross-entropy "
        "with the same labels (Fashion-MNIST against simulated fakes)",
        _EXPERIMENT, UNSEEN, SELF_CON, CROSS_ENTROPY, 0.02,
    ),
    Claim(
        "second_exit",
        "after JPEG, the second exit raises the AUC on unseen generators over SupCon without it",
        _EXPERIMENT, UNSEEN, SELF_CON, ONE_EXIT, 0.01,
    ),
)  # fmt: skip
