"""ImagiNet's detector of synthetic images (Boychev, Cholakov 2024, arXiv 2407.20020)."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import polars as pl
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from contraview.core.errors import InputError
from contraview.core.graph import Graph
from contraview.core.learnt import Learnt, sizes, texts
from contraview.core.run import Run
from contraview.core.seeds import numpy_generator, torch_generator
from contraview.core.system import System
from contraview.core.weights import set_weights, weights_of
from contraview.evaluation.probes import labels_of
from contraview.frameworks.images.graph import image_graph
from contraview.modalities.images.data import Images, ImageSource, read_images
from contraview.networks.fresh import fresh
from contraview.systems.imaginet.config import PRESETS, ImagiNetConfig
from contraview.systems.imaginet.curve import curve
from contraview.systems.imaginet.encoder import UNKNOWN, ExitEncoder, detector_loss, laundered
from contraview.systems.imaginet.graph import Calibrated, Features
from contraview.systems.imaginet.heads import Head
from contraview.training.loop import train
from contraview.training.samplers import epochs
from contraview.training.schedule import Schedule

REAL, SYNTHETIC = "real", "synthetic"
UNNAMED = "unknown"
FEWEST = 8
AT_ONCE = 512


class ImagiNet(System):
    """Says whether an image is real or made by a model, how sure that is, and by which model.

    Trained on images labelled "real" or with the name of their generator, an encoder draws images
    of one origin together, and synthetic ones of one generator, by the supervised contrastive loss
    between two depths of the same network (SelfCon): an early exit and the last one. Classifiers on
    the frozen encoder then say real or synthetic with a probability that held-out images have
    calibrated, and name the generator, or say "unknown" where none of the known ones is likely.

    Labels: ``real`` (or another name by ``--real``), ``synthetic`` where the generator is unknown,
    anything else is a generator's name: sub-folders ``real/``, ``stylegan/``, ``sdxl/`` will do.

    Differs from the official code: a small convolutional encoder, AdamW; the frozen encoder stays
    in evaluation mode while classifiers learn, and classifiers see in use the features they were
    trained on (the official evaluation normalises them first and squashes a probability twice);
    probabilities are calibrated on images that trained nothing; the content type is not used (the
    official loss computes its term and drops it).

    Verbs: `classify`, `embed`.
    """

    slug = "imaginet"
    Config = ImagiNetConfig
    Source = ImageSource
    presets: ClassVar = PRESETS

    classes = (REAL, SYNTHETIC)
    encoder: ExitEncoder
    shape: tuple[int, int, int]
    generators: tuple[str, ...]
    origin: Head
    family: Head | None = None
    threshold: float = 0.0

    @classmethod
    def describe(cls, data: Any) -> list[str]:
        """Size, colour, copies, and what was left out."""
        return read_images(data).notes()

    def fit(
        self,
        images: Any,
        /,
        *,
        labels: Sequence[str] | np.ndarray | None = None,
        run: Run | None = None,
    ) -> "ImagiNet":
        """Learn from labelled images.

        Args:
            images: see `read_images`.
            labels: "real", a generator's name or "synthetic" for each; by default the column that
                the images name. Images with an empty label are left out.
            run: seed, folder and progress.
        """
        run, images = run or Run(), read_images(images)
        names = labels_of(images.labels() if labels is None else labels, len(images))
        images, names = images.take(np.flatnonzero(names != "")), names[names != ""]
        self._need_both(names)
        self.shape = images.shape
        known = np.unique(names[(names != self.config.real) & (names != SYNTHETIC)])
        self.generators = tuple(map(str, known))
        self._facts = {"images": len(images), "fingerprint": images.fingerprint()}
        run.log("data", **self._facts)
        origin, generator = self._numbers(names)
        kept, held = self._parts(names, run.seed)
        self.encoder = self._encoder(run.seed)
        seen = images.take(kept)
        self.encoder.standardise.learn(seen)
        config = self.config
        train(
            self.encoder,
            detector_loss(seen, origin[kept], generator[kept], config),
            epochs(len(seen), config.batch, run.seed),
            Schedule.of(
                steps=config.steps,
                batch=config.batch,
                lr=config.lr,
                warmup=0.05 if config.steps > 20 else 0.0,
                weight_decay=config.weight_decay,
            ),
            run=run,
            name="encoder",
            settings=config.model_dump(mode="json") | self._facts,
        )
        self.encoder.requires_grad_(False)
        self._learn_heads(images, origin, generator, kept, held, run)
        return self

    def _need_both(self, names: Shaped[np.ndarray, " n"]) -> None:
        real = int((names == self.config.real).sum())
        if real < FEWEST or len(names) - real < FEWEST:
            raise InputError(
                f"{real} images are labelled {self.config.real!r} and {len(names) - real} "
                f"otherwise; expected at least {FEWEST} real and {FEWEST} synthetic ones"
            )

    def _numbers(
        self, names: Shaped[np.ndarray, " n"]
    ) -> tuple[Int[Tensor, " n"], Int[Tensor, " n"]]:
        """0 real or 1 synthetic; the number of the generator, -1 where there is none."""
        place = {name: number for number, name in enumerate(self.generators)}
        of_generator = [place.get(str(name), UNKNOWN) for name in names]
        return torch.from_numpy((names != self.config.real).astype(np.int64)), torch.tensor(
            of_generator
        )

    def _parts(
        self, names: Shaped[np.ndarray, " n"], seed: int
    ) -> tuple[Int[np.ndarray, " k"], Int[np.ndarray, " h"]]:
        """What trains and what calibrates: the same share of every label is held out."""
        generator = numpy_generator(seed, "held out")
        held: list[np.ndarray] = []
        for name in np.unique(names):
            rows = generator.permutation(np.flatnonzero(names == name))
            held.append(rows[: round(self.config.held_out * len(rows))])
        chosen = np.sort(np.concatenate(held))
        return np.setdiff1d(np.arange(len(names)), chosen), chosen

    def _learn_heads(
        self,
        images: Images,
        origin: Int[Tensor, " n"],
        generator: Int[Tensor, " n"],
        kept: Int[np.ndarray, " k"],
        held: Int[np.ndarray, " h"],
        run: Run,
    ) -> None:
        """Both classifiers on plain and laundered images, and what held-out images say of them."""
        config, draws = self.config, torch_generator(run.seed, "launder")
        width = config.widths[-1]
        features, again = (self._both(images, rows, draws) for rows in (kept, held))
        twice, held_twice = np.tile(kept, 2), np.tile(held, 2)
        self.origin = Head.fresh(width, 2, config, run.seed, "origin")
        self.origin.learn(features, origin[twice], config, run, "origin")
        self.origin.calibrate(again, origin[held_twice])
        self.family = None
        if len(self.generators) < 2:
            return
        told, held_told = generator[twice] != UNKNOWN, generator[held_twice] != UNKNOWN
        self.family = Head.fresh(width, len(self.generators), config, run.seed, "generator")
        self.family.learn(features[told], generator[twice][told], config, run, "generator")
        self.family.calibrate(again[held_told], generator[held_twice][held_told])
        sure = self.family(again[held_told]).max(1)
        self.threshold = float(np.quantile(sure, 1 - config.known))

    def _both(
        self, images: Images, rows: Int[np.ndarray, " k"], draws: torch.Generator
    ) -> Float[Tensor, "m d"]:
        """Features of images as they are, and below them of the same laundered."""
        plain: list[Tensor] = []
        changed: list[Tensor] = []
        for part in torch.from_numpy(rows).split(AT_ONCE):
            pixels = images.batch(part)
            plain.append(self._features(pixels))
            changed.append(self._features(laundered(pixels, draws, self.config.laundering)))
        return torch.cat([*plain, *changed])

    def _encoder(self, seed: int) -> ExitEncoder:
        made = fresh(
            lambda: ExitEncoder(self.shape[0], self.config, len(self.generators)), seed, "encoder"
        )
        return made.eval()

    @torch.inference_mode()
    def _features(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        self.encoder.eval()
        device = next(self.encoder.parameters()).device
        return self.encoder.features(pixels.to(device)).cpu()

    @property
    def fitted(self) -> bool:
        """Whether `fit` or `restore` has run."""
        return hasattr(self, "origin")

    def embed(self, images: Any, /) -> Float[np.ndarray, "n d"]:
        """The encoder's output for each image; not normalised."""
        self.need_fit()
        images = read_images(images)
        images.need_shape(self.shape, self.slug)
        rows = torch.arange(len(images)).split(AT_ONCE)
        empty = torch.empty(0, self.config.widths[-1])
        return torch.cat([empty, *(self._features(images.batch(part)) for part in rows)]).numpy()

    def classify(self, images: Any, /) -> Float[np.ndarray, "n 2"]:
        """The probability that each image is real, and that it is synthetic."""
        features = torch.from_numpy(self.embed(images))
        return self.origin(features)

    def classified(self, images: Any, /) -> pl.DataFrame:
        """A row an image: real or synthetic, its probability, and the generator.

        ``generator`` is empty for images that are taken for real, and "unknown" where the most
        likely generator is less likely than `known` of the held-out images' were, or where fewer
        than two were learnt.
        """
        features = torch.from_numpy(self.embed(images))
        synthetic = self.origin(features)[:, 1]
        if self.family is None:
            named, sure = np.full(len(features), UNNAMED), np.full(len(features), np.nan)
        else:
            found = self.family(features)
            sure = found.max(1)
            best = np.asarray(self.generators)[found.argmax(1)]
            named = np.where(sure >= self.threshold, best, UNNAMED)
        made = synthetic > 0.5
        return pl.DataFrame(
            {
                "predicted": np.where(made, SYNTHETIC, REAL).tolist(),
                "p_real": 1 - synthetic,
                "p_synthetic": synthetic,
                "generator": np.where(made, named, "").tolist(),
                "p_generator": np.where(made, sure, np.nan),
            }
        ).with_columns(pl.col("p_generator").fill_nan(None))

    def evaluated(self, images: Any, /) -> dict[str, float]:
        """Figures on labelled images: as they are, by generator, and along curves of laundering.

        Generators that were not seen in training count as synthetic, and have their own figures.
        """
        images = read_images(images)
        names = images.labels()
        return curve(self, images.take(np.flatnonzero(names != "")), names[names != ""])

    def graph(self) -> Graph:
        """Pixels in, the vectors of `embed` and real or synthetic by `classify` out."""
        self.need_fit()
        origin = Calibrated(self.origin, len(self.classes))
        return image_graph(self.shape, Features(self.encoder), origin, self.classes)

    def learnt(self) -> Learnt:
        """Encoder, classifiers, threshold."""
        parts = {"encoder": Learnt(weights_of(self.encoder)), "origin": self.origin.learnt()}
        if self.family is not None:
            parts["family"] = self.family.learnt()
        whole = Learnt.joined(parts)
        whole.facts |= {
            "shape": list(self.shape),
            "generators": list(self.generators),
            "threshold": self.threshold,
            "data": self._facts,
        }
        return whole

    def restore(self, learnt: Learnt) -> None:
        """Take up what `learnt` gave."""
        channels, height, width = sizes(learnt.facts["shape"], 3, "shape")
        self.shape, self._facts = (channels, height, width), learnt.facts["data"]
        self.generators = texts(learnt.facts["generators"], "generators")
        self.threshold = learnt.facts["threshold"]
        self.encoder = self._encoder(0)
        set_weights(self.encoder, learnt.part("encoder").arrays)
        last = self.config.widths[-1]
        self.origin = Head.fresh(last, 2, self.config, 0, "origin")
        self.origin.restore(learnt.part("origin"))
        if "family" in learnt.facts:
            self.family = Head.fresh(last, len(self.generators), self.config, 0, "generator")
            self.family.restore(learnt.part("family"))
