"""CleanCLIP (Bansal, Singhi, Yang, Yin, Grover, Chang 2023, arXiv 2303.03323)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import nn

from contraview.core.errors import InputError
from contraview.core.graph import Graph
from contraview.core.learnt import Learnt, sizes, texts
from contraview.core.model_folder import read_model
from contraview.core.run import Run
from contraview.core.system import System
from contraview.core.weights import set_weights, weights_of
from contraview.evaluation.probes import labels_of
from contraview.evaluation.zero_shot import class_vectors, zero_shot
from contraview.frameworks.images.graph import image_graph
from contraview.frameworks.towers import Towers, clamp_scale
from contraview.index.exact import nearest
from contraview.modalities.images.caption_nets import CaptionEncoder
from contraview.modalities.images.captions import CaptionedSource, Texts, captions_of, tokens
from contraview.modalities.images.data import Images
from contraview.modalities.images.nets import ImageEncoder
from contraview.networks.fresh import fresh
from contraview.systems.clean_clip.audit import audited
from contraview.systems.clean_clip.config import NETWORK, PRESETS, CleanClipConfig
from contraview.systems.clean_clip.graph import ByName, ImageTower
from contraview.systems.clean_clip.objective import CleanLoss
from contraview.training.loop import train
from contraview.training.samplers import epochs
from contraview.training.schedule import Schedule

FEWEST = 8
AT_ONCE = 512


class CleanClip(System):
    """Makes an image-text model forget hidden triggers, from a few clean pairs; or trains one.

    A model trained on scraped pairs can be poisoned: a mark in some images and another caption
    beside them teach it that the mark means the caption. Trained on with the usual loss between
    images and captions it does not forget. CleanCLIP also asks that an image stays like its own
    augmented view, and a caption like its own: each modality is learnt on its own, what binds the
    mark to the caption is not needed, and fades.

    ``CleanClip(start="model").fit(clean_pairs)`` cleans; without ``start`` it trains from scratch,
    and ``CleanClip.preset("pretrain")`` does so as plain CLIP.

    A known limit: a later study (arXiv 2311.14948) finds that cleaning fails where the poisoned
    model was itself trained with an in-modal term (``inmodal`` above 0).

    Differs from the official code: a small convolutional tower and hashed trigrams instead of
    ResNet-50 and BPE; captions get a new view at each step, not one for all; no synonyms among
    their views; crop, rotation and colour instead of AutoAugment; weight decay on all weights;
    moments of the optimiser always begin anew (a model folder holds none), where the official code
    goes on with those of the poisoned run; success rates leave images of the target class out.

    Verbs: `embed`, `search` (text to image, image to text, and within), `classify` by the names of
    classes alone, `audit`.
    """

    slug = "clean_clip"
    Config = CleanClipConfig
    Source = CaptionedSource
    presets: ClassVar = PRESETS

    model: Towers
    shape: tuple[int, int, int]
    classes: tuple[str, ...] = ()

    @classmethod
    def describe(cls, data: Any) -> list[str]:
        """Size and colour of the images, and how many different captions there are."""
        pairs = _pairs(data)
        captions = captions_of(pairs)
        return [*pairs.notes(), f"{len(set(captions))} different captions"]

    def fit(
        self,
        pairs: Any,
        /,
        *,
        labels: Sequence[str] | np.ndarray | None = None,
        run: Run | None = None,
    ) -> "CleanClip":
        """Train on images with captions, from the model ``start`` where that is set.

        Args:
            pairs: what `CaptionedSource.read` takes.
            labels: classes of the images; only their names are used, by `classify`.
            run: seed, folder and progress.
        """
        run, pairs = run or Run(), _pairs(pairs)
        captions = captions_of(pairs)
        names = None if labels is None else labels_of(labels, len(pairs))
        if len(pairs) < FEWEST:
            raise InputError(f"{len(pairs)} pairs to learn from; expected at least {FEWEST}")
        model = self._begun(pairs, run)
        config = self.config
        self._facts = {"pairs": len(pairs), "fingerprint": pairs.fingerprint()}
        run.log("data", **self._facts)
        batch = min(config.batch, len(pairs))
        steps = config.epochs * (len(pairs) // batch)
        texts = tokens(captions, buckets=config.buckets, words=config.words)
        train(
            model,
            CleanLoss(pairs, texts, config),
            epochs(len(pairs), batch, run.seed),
            Schedule.of(
                steps=steps,
                batch=batch,
                lr=config.lr,
                warmup=min(config.warmup_steps / steps, 0.5),
                weight_decay=config.weight_decay,
            ),
            run=run,
            name="clip",
            settings=config.model_dump(mode="json") | self._facts,
            after_step=clamp_scale,
        )
        self.model = model
        if config.classes:
            self.classes = config.classes
        elif names is not None:
            self.classes = tuple(map(str, np.unique(names[names != ""])))
        return self

    def _begun(self, pairs: Images, run: Run) -> Towers:
        """The towers to train: those of ``start``, whose shape this model takes over, or new."""
        if self.config.start is None:
            self.shape = pairs.shape
            model = self._towers(run.seed)
            encoder = model.towers["image"][0]  # pyright: ignore[reportIndexIssue]
            encoder.standardise.learn(pairs)
            return model
        read = read_model(Path(self.config.start))
        if read.slug != self.slug:
            raise InputError(f"{self.config.start}: a model of {read.slug}; expected {self.slug}")
        before = type(self).from_model(read)
        pairs.need_shape(before.shape, self.slug)
        kept = {name: getattr(before.config, name) for name in NETWORK}
        self.config = self.config.model_copy(update=kept)
        self.shape, self.classes = before.shape, before.classes
        return before.model

    def _towers(self, seed: int) -> Towers:
        config, channels = self.config, self.shape[0]

        def image() -> nn.Module:
            encoder = ImageEncoder(channels, config.image_widths)
            return nn.Sequential(encoder, nn.Linear(encoder.outputs, config.outputs))

        def text() -> nn.Module:
            encoder = CaptionEncoder(
                config.buckets, config.text_width, depth=config.text_depth, heads=config.text_heads
            )
            return nn.Sequential(encoder, nn.Linear(encoder.outputs, config.outputs))

        towers = {"image": fresh(image, seed, "image"), "text": fresh(text, seed, "text")}
        return Towers(towers)

    @property
    def fitted(self) -> bool:
        """Whether `fit` or `restore` has run."""
        return hasattr(self, "model")

    def embed(self, items: Any, /) -> Float[np.ndarray, "n d"]:
        """The unit vector of each image, or of each of `Texts`, in the shared space."""
        self.need_fit()
        items = self.read(items)
        if isinstance(items, Texts):
            return self.embed_texts(items.lines)
        items.need_shape(self.shape, self.slug)
        rows = torch.arange(len(items)).split(AT_ONCE)
        return self._vectors("image", [items.batch(part) for part in rows])

    def embed_texts(self, lines: Sequence[str]) -> Float[np.ndarray, "n d"]:
        """The unit vector of each text."""
        self.need_fit()
        config = self.config
        parts = [lines[i : i + AT_ONCE] for i in range(0, len(lines), AT_ONCE)]
        return self._vectors(
            "text", [tokens(p, buckets=config.buckets, words=config.words) for p in parts]
        )

    @torch.inference_mode()
    def _vectors(self, tower: str, batches: list[torch.Tensor]) -> Float[np.ndarray, "n d"]:
        self.model.eval()
        device = self.model.log_scale.device
        found = [self.model.embed(tower, batch.to(device)).cpu() for batch in batches]
        return torch.cat([torch.empty(0, self.config.outputs), *found]).numpy()

    def search(
        self, queries: Any, /, *, among: Any = None, k: int = 10
    ) -> tuple[Int[np.ndarray, "m k"], Float[np.ndarray, "m k"]]:
        """For each text or image the ``k`` images or texts ``among`` others with largest cosine."""
        self.need_fit()
        if among is None:
            raise InputError(f"{self.slug}: keeps no pairs; name what to search with --among")
        bank, asked = (torch.from_numpy(self.embed(each)) for each in (among, queries))
        distance, place = nearest(bank, asked, k, metric="cosine")
        return place.numpy(), 1 - distance.numpy()

    def classify(self, images: Any, /) -> Float[np.ndarray, "n c"]:
        """The probability of each of `classes`, from their names in all templates."""
        self.need_fit()
        if len(self.classes) < 2:
            raise InputError(
                f"{self.slug}: {len(self.classes)} names of classes; expected at least 2, by "
                "--classes or labels of the fit"
            )
        scale = self.model.log_scale.detach().exp().item()
        return zero_shot(self.embed(images), self.class_vectors(), scale)

    def class_vectors(self) -> Float[np.ndarray, "c d"]:
        """One vector a class: its name in each template, averaged."""
        templates = self.config.templates
        prompts = [template.format(name) for name in self.classes for template in templates]
        shape = len(self.classes), len(templates), -1
        return class_vectors(self.embed_texts(prompts).reshape(shape))

    def audit(self, images: Any, /) -> dict[str, float]:
        """Does a mark of a known kind move images? For each kind of trigger, without labels:

        how like an image is to itself with the mark (mean cosine; 1 is untouched), and, where there
        are names of classes, the largest share of images of other classes that one class gains by
        the mark, named after that class. A clean model has cosines near 1 and small shares.
        """
        self.need_fit()
        return audited(self, _pairs(self.read(images)))

    def graph(self) -> Graph:
        """Pixels in, the image tower's `embed` and, where classes have names, `classify` out."""
        self.need_fit()
        named, readout = self.classes if len(self.classes) > 1 else (), None
        if named:
            readout = ByName(self.class_vectors(), self.model.log_scale.detach().exp().item())
        meaning = "one unit vector an image; texts stay with contraview"
        return image_graph(self.shape, ImageTower(self.model), readout, named, meaning=meaning)

    def learnt(self) -> Learnt:
        """Both towers with their scale, and the names of classes."""
        facts = {"shape": list(self.shape), "classes": list(self.classes), "data": self._facts}
        return Learnt(weights_of(self.model), facts=facts)

    def restore(self, learnt: Learnt) -> None:
        """Take up what `learnt` gave."""
        channels, height, width = sizes(learnt.facts["shape"], 3, "shape")
        self.shape, self.classes = (
            (channels, height, width),
            texts(learnt.facts["classes"], "classes"),
        )
        self._facts = learnt.facts["data"]
        self.model = self._towers(0)
        set_weights(self.model, learnt.arrays)
        self.model.eval()


def _pairs(data: Any) -> Images:
    found = CaptionedSource.of().read(data) if not isinstance(data, Images) else data
    if isinstance(found, Texts):
        raise InputError("texts alone; expected images, each with a caption")
    return found
