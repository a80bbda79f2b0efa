"""Point-CMAE (Ren et al., ACCV 2024, arXiv:2407.05862)."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float

from contraview.core.errors import InputError
from contraview.core.graph import Graph
from contraview.core.learnt import Learnt
from contraview.core.run import Run
from contraview.core.system import System
from contraview.core.weights import set_weights, weights_of
from contraview.evaluation.probes import LinearProbe
from contraview.modalities.clouds.data import Clouds, CloudSource, read_clouds
from contraview.modalities.clouds.views import unit_sphere
from contraview.systems.point_cmae.config import PRESETS, PointCmaeConfig
from contraview.systems.point_cmae.graph import cloud_graph
from contraview.systems.point_cmae.network import Encoder, fresh_autoencoder
from contraview.systems.point_cmae.pretraining import pretrain

FEWEST = 8
EMBEDDING_BATCH = 64


class PointCmae(System):
    """Learns features of 3-D shapes from clouds and meshes without labels.

    A cloud is cut into patches. Two masks, drawn independently, each hide most of them; a shared
    encoder sees the visible ones, and one decoder a mask rebuilds the points of the hidden ones.
    About a third of the patches is hidden in both: there the two decoders have imagined the same
    thing from different evidence, and their tokens have to agree. There are no negatives and no
    augmentation to be invariant to. The shape vector joins the mean and the maximum of the tokens
    of a whole cloud; a linear SVM on it names classes. ``PointCmae(masks=1, contrast="none")`` is
    Point-MAE (Pang et al. 2022, arXiv:2203.06604).

    Differs from the official code (github.com/Amazingren/Point-CMAE): a token is drawn to the one
    at its own place (``match="all"`` for the code's version, which draws it to every token of the
    other branch) and is compared after the decoder's last normalisation, not before; class tokens
    are left out by default, since no loss reads them, and the projector exists only where
    something is projected; farthest-point sampling begins far from the mean, whatever the order
    of the points; masks are drawn batched; every draw comes from the run's seed.

    Verbs: `embed` after `fit`; `classify` after a `fit` with labels.
    """

    slug = "point_cmae"
    Config = PointCmaeConfig
    Source = CloudSource
    presets: ClassVar = PRESETS

    encoder: Encoder
    probe: LinearProbe | None = None

    @classmethod
    def describe(cls, data: Any) -> list[str]:
        """How many clouds and points there are."""
        clouds = read_clouds(data)
        return [f"{len(clouds):,} clouds of {clouds.points.shape[1]:,} points"]

    def fit(
        self,
        clouds: Any,
        /,
        *,
        labels: Sequence[str] | np.ndarray | None = None,
        run: Run | None = None,
    ) -> "PointCmae":
        """Learn from ``clouds``; with ``labels``, also to name classes.

        Args:
            clouds: a path, arrays or `Clouds`; see `read_clouds`. All of them are learnt from.
            labels: a class for each cloud, empty where unknown; see `learn_classes`.
            run: seed, folder and progress.
        """
        run, read = run or Run(), self._read(clouds)
        if len(read) < FEWEST:
            raise InputError(f"{len(read)} clouds to learn from; expected at least {FEWEST}")
        self._check_labels(labels, read)
        self._facts = {"clouds": len(read), "fingerprint": read.fingerprint()}
        run.log("data", **self._facts)
        network = fresh_autoencoder(self.config, run.seed)
        spheres = unit_sphere(torch.from_numpy(read.points))
        pretrain(network, spheres, self.config, run, self._facts["fingerprint"])
        self.encoder, self.probe = network.encoder, None
        return self if labels is None else self.learn_classes(read, labels)

    def learn_classes(self, clouds: Any, labels: Sequence[str] | np.ndarray) -> "PointCmae":
        """Fit the linear SVM that `classify` uses; the encoder stays as it is."""
        self.need_fit()
        read = self._read(clouds)
        self._check_labels(labels, read)
        self.probe = LinearProbe.fit(self.embed(read), labels, kind="svm", c=self.config.svm_c)
        return self

    @property
    def fitted(self) -> bool:
        """Whether `fit` or `restore` has run."""
        return hasattr(self, "encoder")

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that `classify` tells apart."""
        return self._need_probe().classes

    @torch.inference_mode()
    def embed(self, clouds: Any, /) -> Float[np.ndarray, "n e"]:
        """The shape vector of each cloud, twice as wide as a token, not normalised."""
        self.need_fit()
        read = self._read(clouds)
        self.encoder.eval()
        points = unit_sphere(torch.from_numpy(read.points))
        return torch.cat([self.encoder(part) for part in points.split(EMBEDDING_BATCH)]).numpy()

    def classify(self, clouds: Any, /) -> Float[np.ndarray, "n c"]:
        """A share for each of `classes`: the softmax of the SVM's margins, no probability."""
        return self._need_probe().classify(self.embed(clouds))

    def _read(self, clouds: Any) -> Clouds:
        read = read_clouds(clouds, self.source)
        there, needed = read.points.shape[1], max(self.config.patches, self.config.patch_points)
        if there < needed:
            raise InputError(
                f"clouds of {there} points; expected at least {needed}: as many as patches, and as "
                "many as points of a patch"
            )
        return read

    @staticmethod
    def _check_labels(labels: Sequence[str] | np.ndarray | None, clouds: Clouds) -> None:
        """Refuse labels that cannot be learnt from before any training."""
        if labels is None:
            return
        if len(labels) != len(clouds):
            raise InputError(f"{len(labels)} labels for {len(clouds)} clouds; expected one a cloud")
        classes = set(map(str, labels)) - {""}
        if len(classes) < 2:
            raise InputError(f"{len(classes)} class among the labels; expected at least 2")

    def _need_probe(self) -> LinearProbe:
        if self.probe is None:
            raise InputError("point_cmae: learnt no classes; fit with labels, or learn_classes")
        return self.probe

    def graph(self) -> Graph:
        """Points in, the shape vectors of `embed` and, where learnt, `classify` out."""
        self.need_fit()
        fewest = max(self.config.patches, self.config.patch_points)
        return cloud_graph(self.encoder, 2 * self.config.width, self.probe, fewest, self._read)

    def learnt(self) -> Learnt:
        """The encoder and, where learnt, the classes; decoders are not needed any more."""
        parts = {"encoder": Learnt(arrays=weights_of(self.encoder))}
        if self.probe is not None:
            parts["probe"] = self.probe.learnt()
        learnt = Learnt.joined(parts)
        learnt.facts |= self._facts
        return learnt

    def restore(self, learnt: Learnt) -> None:
        """Take up what `learnt` gave."""
        self.encoder = fresh_autoencoder(self.config, 0).encoder
        set_weights(self.encoder, learnt.part("encoder").arrays)
        self._facts = {key: learnt.facts[key] for key in ("clouds", "fingerprint")}
        if "probe" in learnt.facts:
            self.probe = LinearProbe.restore(learnt.part("probe"))
