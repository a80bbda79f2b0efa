"""Does a hidden trigger fade when each modality is also learnt on its own?"""

from collections.abc import Mapping
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Shaped

from contraview.claims.claim import Claim, Experiment, Figures
from contraview.claims.emoji import base_emoji, emoji_data
from contraview.core.run import Run
from contraview.core.seeds import numpy_generator
from contraview.evaluation.backdoor import attack_success_rate
from contraview.evaluation.few_label import accuracy
from contraview.modalities.images.data import Images
from contraview.modalities.images.poison import marked, poisoned
from contraview.modalities.images.triggers import Trigger
from contraview.systems.clean_clip import CleanClip

TARGET = "banana"
TEMPLATES = ("a picture of {}", "{}")
POISONED, CLEANED, PLAIN = "poisoned model", "cleaned by L_x + L_in", "cleaned by L_x alone"
ASR = "success rate of the trigger, images of other classes"
CA = "accuracy without the trigger"
KEPT = "accuracy without the trigger, against the poisoned model's less 5 points"
WORKS = "success rate of the trigger before cleaning"
LIKENESS = "cosine of an image and itself with the trigger"
ALLOWED = 0.05
PRECONDITION = 0.8
STEP = 0.001
"""The margin of the claims that compare with a bar; the bar lies this much beyond its number."""

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "small": {
        "size": 32, "trigger": {"kind": "blended"}, "classes": 300, "clean": 600, "poison": 0.03,
        "pretrain": {"epochs": 20},
        "finetune": {"epochs": 30, "views": {"crop": 0.7, "rotate": 10.0, "blur": 0.0}},
    },
    "smoke": {
        "size": 16, "trigger": {"kind": "blended"}, "classes": 20, "clean": 40, "poison": 0.03,
        "pretrain": {"epochs": 1, "image_widths": (8, 16), "text_width": 16, "outputs": 8},
        "finetune": {"epochs": 1},
    },
}  # fmt: skip


def _base(name: str, size: int, seed: int) -> tuple[Images, np.ndarray]:
    """The base concepts as a vendor draws them, with captions, and their names.

    A caption is the name in a sentence, or for half of the images the concept's keywords.
    """
    emoji = base_emoji(name, size)
    names = np.where(emoji.texts("tts_en") != "", emoji.texts("tts_en"), emoji.texts("name"))
    generator = numpy_generator(seed, "captions", name)
    captions = [
        f"a picture of {each}" if not words or generator.random() < 0.5 else words.replace("|", " ")
        for each, words in zip(names, emoji.texts("keywords_en"), strict=True)
    ]
    table = pl.DataFrame({"caption": captions})
    return Images(emoji.pixels, table, caption="caption"), names


def _joined(one: Images, other: Images) -> Images:
    return Images(
        np.concatenate([one.pixels, other.pixels]),
        pl.concat([one.table, other.table]),
        caption="caption",
    )


@dataclass(frozen=True)
class Scene:
    """What one seed is measured on.

    Attributes:
        dirty: poisoned pairs to train on.
        clean: pairs to clean with, the same for every arm.
        images: drawings that no model has seen, and their names.
        attacked: the same with the trigger.
        names: of the drawings.
    """

    dirty: Images
    clean: Images
    images: Images
    attacked: Images
    names: Shaped[np.ndarray, " n"]

    @property
    def classes(self) -> tuple[str, ...]:
        """The names to tell apart: the target and those of the drawings."""
        return (TARGET, *map(str, self.names))

    @classmethod
    def of(cls, seed: int, settings: Mapping[str, Any]) -> "Scene":
        """Half of Twitter's drawings and all of Google's to train on, the other half to judge."""
        size = settings["size"]
        google, names = _base("emoji_google", size, seed)
        twitter, _ = _base("emoji_twitter", size, seed)
        generator = numpy_generator(seed, "clean_clip")
        order = generator.permutation(len(twitter))
        seen, unseen = order[: len(order) // 2], order[len(order) // 2 :]
        _, first = np.unique(names[unseen], return_index=True)  # a few concepts share a name
        pool = unseen[np.sort(first)]
        others = pool[names[pool] != TARGET]
        judged = generator.choice(others, settings["classes"] - 1, replace=False)
        pairs = _joined(google, twitter.take(seen))
        trigger = Trigger.of(**settings["trigger"])
        dirty = poisoned(
            pairs,
            target=TARGET,
            count=round(settings["poison"] * len(pairs)),
            trigger=trigger,
            templates=TEMPLATES,
            seed=seed,
        )
        trusted = generator.choice(len(pairs), settings["clean"], replace=False)
        images = twitter.take(judged)
        return cls(dirty, pairs.take(trusted), images, marked(images, trigger, seed), names[judged])

    def figures(self, system: CleanClip) -> dict[str, float]:
        """Success rate of the trigger, accuracy without it, likeness with and without."""
        plain, attacked = (
            np.asarray(system.classes)[system.classify(shown).argmax(1)]
            for shown in (self.images, self.attacked)
        )
        cosines = (system.embed(self.images) * system.embed(self.attacked)).sum(1)
        return {
            ASR: attack_success_rate(attacked, self.names, TARGET),
            CA: accuracy(self.names, plain),
            LIKENESS: float(cosines.mean()),
        }


def measure(run: Run, settings: Mapping[str, Any]) -> Figures:
    """Poison, train, clean twice from the same model and the same pairs, judge all three."""
    scene = Scene.of(run.seed, settings)
    model = CleanClip.preset(
        "pretrain", classes=scene.classes, templates=TEMPLATES, **settings["pretrain"]
    ).fit(scene.dirty, run=run)
    arms = {POISONED: scene.figures(model)}
    with TemporaryDirectory() as folder:
        start = str(model.save(f"{folder}/model"))
        for arm, inmodal in ((CLEANED, 1.0), (PLAIN, 0.0)):
            system = CleanClip(
                start=start, inmodal=inmodal, templates=TEMPLATES, **settings["finetune"]
            )
            arms[arm] = scene.figures(system.fit(scene.clean, run=run))
    figures = {metric: {arm: arms[arm][metric] for arm in arms} for metric in (ASR, CA, LIKENESS)}
    before = figures[CA][POISONED] - ALLOWED - STEP
    return figures | {
        KEPT: {CLEANED: figures[CA][CLEANED], "poisoned model, less 5 points": before},
        WORKS: {POISONED: figures[ASR][POISONED], "the bar": PRECONDITION - STEP},
    }


_EXPERIMENT = Experiment("clean_clip emoji", emoji_data, measure, PRESETS, first_seed=100)

CLAIMS = (
    Claim(
        "trigger_works",
        "precondition: before cleaning the trigger works on more than 80 % of images",
        _EXPERIMENT, WORKS, POISONED, "the bar", STEP,
    ),
    Claim(
        "trigger_fades",
        "the in-modal terms make a model forget its trigger, where L_x alone does not",
        _EXPERIMENT, ASR, CLEANED, PLAIN, 0.30, "lower",
    ),
    Claim(
        "accuracy_stays",
        "cleaning costs at most 5 points of accuracy without the trigger",
        _EXPERIMENT, KEPT, CLEANED, "poisoned model, less 5 points", STEP,
    ),
    Claim(
        "trigger_search",
        "without labels: an image and itself with the trigger grow alike by cleaning",
        _EXPERIMENT, LIKENESS, CLEANED, POISONED, 0.05,
    ),
)  # fmt: skip
