"""Does choosing missing patches first make a network learn more from one label in a hundred?"""

from collections.abc import Mapping
from copy import copy, deepcopy
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Int, Shaped
from torch import Tensor, nn

from contraview.claims.claim import Claim, Experiment, Figures
from contraview.claims.pictures import PIXELS, PROBE_C, fashion_data, flat, seen_and_judged
from contraview.core.run import Run
from contraview.core.seeds import numpy_generator
from contraview.evaluation.few_label import accuracy, few_labels
from contraview.evaluation.probes import LinearProbe
from contraview.frameworks.two_view import two_view
from contraview.modalities.images.data import Images
from contraview.modalities.images.views import ViewConfig
from contraview.networks.fresh import fresh
from contraview.networks.mlp import mlp
from contraview.objectives.nt_xent import nt_xent
from contraview.systems.selfie import Selfie
from contraview.training.loop import train
from contraview.training.samplers import epochs
from contraview.training.schedule import Schedule

METHOD, SCRATCH = "pre-trained by choosing patches", "trained from scratch"
SHUFFLED, SIMCLR = "pre-trained on shuffled positions", "pre-trained by SimCLR, same cost"
TWICE = "twice chance"
PER_CLASS = 60
ACCURACY = f"accuracy, {PER_CLASS} labels a class"
CHOICE = "right patches chosen, unseen images"
RATES = (1e-3, 3e-3, 1e-2)
"""For each arm the fine-tuning rate is taken that is best on further training images."""

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "small": {
        "seen": 60_000,
        "judged": 10_000,
        "validation": 1_000,
        "simclr_steps": 170,
        "steps": 200,
        "finetune": {"steps": 150},
    },
    "smoke": {
        "seen": 800,
        "judged": 100,
        "validation": 50,
        "simclr_steps": 2,
        "steps": 2,
        "batch": 16,
        "widths": (8, 16),
        "strides": (1, 2),
        "depths": (0, 0),
        "finetune": {"steps": 2, "batch": 16},
    },
}


def measure(run: Run, settings: Mapping[str, Any]) -> Figures:
    """Arms begin with the same initial weights and learn from the same labelled images."""
    knobs = dict(settings)
    seen, test = seen_and_judged(run.seed, knobs.pop("seen"), knobs.pop("judged"))
    labels, truth = seen.labels(), test.labels()
    rows = few_labels(labels, PER_CLASS, numpy_generator(run.seed, "few labels"))
    others = np.setdiff1d(np.arange(len(seen)), rows)
    validation = seen.take(others[: knobs.pop("validation")])
    simclr_steps = knobs.pop("simclr_steps")
    scratch = Selfie(**knobs | {"steps": 0}).fit(seen, run=run)
    arms = {
        METHOD: Selfie(**knobs).fit(seen, run=run),
        SHUFFLED: Selfie(**knobs, shuffled=True).fit(seen, run=run),
        SCRATCH: scratch,
    }
    choice = {arm: arms[arm].patch_choice(test, seed=run.seed) for arm in (METHOD, SHUFFLED)}
    chosen = {arm: found["accuracy"] for arm, found in choice.items()}
    chosen[TWICE] = 2 * choice[METHOD]["chance"]
    arms[SIMCLR] = _by_simclr(scratch, seen, simclr_steps, run)
    labelled = seen.take(rows), labels[rows]
    found = {arm: _best(system, *labelled, validation, test, run) for arm, system in arms.items()}
    probe = LinearProbe.fit(flat(labelled[0]), labelled[1], c=PROBE_C[PIXELS])
    found[PIXELS] = accuracy(truth, probe.predict(flat(test)))
    return {ACCURACY: found, CHOICE: chosen}


def _by_simclr(scratch: Selfie, seen: Images, steps: int, run: Run) -> Selfie:
    """The same patch network, taught by SimCLR on whole images."""
    system, config, view = copy(scratch), scratch.config, ViewConfig.of()
    system.choice = deepcopy(scratch.choice)
    patch = system.choice.patch
    head = fresh(lambda: mlp(patch.outputs, 128, 64, norm="batch"), run.seed, "head")

    def views(rows: Int[Tensor, " b"], generator: torch.Generator) -> tuple[Tensor, Tensor]:
        pixels = seen.batch(rows, generator.device)
        return view(pixels, generator), view(pixels, generator)

    train(
        nn.Sequential(patch, head),
        two_view(views, partial(nt_xent, temperature=0.2)),
        epochs(len(seen), config.batch, run.seed),
        Schedule.of(steps=steps, batch=config.batch, lr=config.lr, warmup=config.warmup,
                    weight_decay=config.weight_decay),
        run=run,
        name="simclr",
    )  # fmt: skip
    return system


def _best(
    system: Selfie,
    labelled: Images,
    labels: Shaped[np.ndarray, " n"],
    validation: Images,
    test: Images,
    run: Run,
) -> float:
    """Accuracy on ``test`` of the fit whose rate is best on ``validation``."""
    fits: list[Selfie] = []
    for lr in RATES:
        tuned = copy(system)
        stage = system.config.finetune.model_copy(update={"lr": lr})
        tuned.config = system.config.model_copy(update={"finetune": stage})
        fits.append(tuned.finetune(labelled, labels=labels, run=run))
    best = max(fits, key=lambda fit: accuracy(validation.labels(), _named(fit, validation)))
    return accuracy(test.labels(), _named(best, test))


def _named(system: Selfie, images: Images) -> Shaped[np.ndarray, " n"]:
    return np.asarray(system.classes)[system.classify(images).argmax(1)]


_EXPERIMENT = Experiment("selfie one per cent", fashion_data, measure, PRESETS, first_seed=100)
_SAID = f"fine-tuned on {PER_CLASS} labels a class, a network whose patches were pre-trained"
CLAIMS = (
    Claim(
        "over_scratch", f"{_SAID} names more images right than the same network from scratch",
        _EXPERIMENT, ACCURACY, METHOD, SCRATCH, 0.005,
    ),
    Claim(
        "over_shuffled",
        f"{_SAID} names more images right than one pre-trained on a task without an answer",
        _EXPERIMENT, ACCURACY, METHOD, SHUFFLED, 0.005,
    ),
    Claim(
        "chooses_patches",
        "on unseen images the right patch is chosen more than twice as often as by chance",
        _EXPERIMENT, CHOICE, METHOD, TWICE, 0.01,
    ),
)  # fmt: skip
