"""The system itself: fit, embed, search, regress."""

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import nn

from contraview.core.errors import InputError
from contraview.core.graph import Graph
from contraview.core.learnt import Learnt, demand, sizes, texts
from contraview.core.run import Run
from contraview.core.system import System
from contraview.core.weights import set_weights, weights_of
from contraview.evaluation.probes import RidgeProbe
from contraview.frameworks.momentum import Student, following, momentum_loss
from contraview.index.exact import nearest
from contraview.modalities.signals import views
from contraview.modalities.signals.data import Signals, SignalSource
from contraview.modalities.signals.nets import MBConvEncoder
from contraview.networks.conv import ConvEncoder
from contraview.networks.fresh import fresh
from contraview.networks.mlp import mlp
from contraview.pairing.groups import pairs_within_groups
from contraview.systems.biosignals.config import PAPER, BiosignalsConfig
from contraview.systems.biosignals.graph import segment_graph
from contraview.systems.biosignals.pairs import half_loss, pair_views
from contraview.training.loop import train
from contraview.training.schedule import Schedule

BATCH = 256
"""Segments embedded at a time."""


class Biosignals(System):
    """Learns from many people's unlabelled recordings what tells one person from another.

    Two *different* segments of a participant, each altered at random, are a positive pair, and the
    other participants of the batch are the negatives. What stays the same in a person over time
    (vessels, heart, age, body) is what the embedding then holds, and a ridge regression on the mean
    embedding of a person reads health measures from few labels. Queries come from the encoder, keys
    from its moving average; the KoLeo term keeps embeddings from crowding together::

        L = ½ [InfoNCE(z₁, m(z₂)) + InfoNCE(z₂, m(z₁))] + λ/2 [KoLeo(z₁) + KoLeo(z₂)]

    The paper has no public code. Where its text leaves values open (strengths of the augmentations,
    schedule, number of steps) they are ours; normalisation is by groups, not by batch, so the
    teacher needs no statistics; AdamW with a half cosine stands for Adam with steps.

    Verbs: `embed` (a segment), `search`; `regress` after a `fit` with labels. `embed_subjects`
    gives the mean of each subject's segments. Amplitude is not seen: each channel of each segment
    is z-scored. A model keeps no recording of those it learnt from.
    """

    slug = "biosignals"
    Config = BiosignalsConfig
    Source = SignalSource
    presets: ClassVar = {
        "small": {},
        "paper": PAPER,
        "paper_ecg": PAPER
        | {
            "p_cut_out": 0.8,
            "p_magnitude_warp": 0.5,
            "p_noise": 0.5,
            "p_permute_channels": 0.0,
            "p_time_warp": 0.3,
        },
    }

    network: nn.Module
    channels: tuple[str, ...]
    window: int
    probe: RidgeProbe | None = None

    @classmethod
    def describe(cls, data: Any) -> list[str]:
        """How many segments of how many subjects, and which channels were found."""
        signals = SignalSource.of().read(data)
        subjects = len(np.unique(signals.groups()))
        found = f"{len(signals)} segments of {signals.window} samples, {subjects} subjects"
        return [f"{found}, channels: {', '.join(signals.channels)}"]

    def fit(
        self,
        data: Any,
        /,
        *,
        labels: Sequence[float] | np.ndarray | None = None,
        run: Run | None = None,
    ) -> "Biosignals":
        """Learn from the recordings of at least two subjects.

        Args:
            data: what `read_signals` reads, or the `Signals` it gives.
            labels: a number for each segment, the same in all segments of a subject, NaN where
                unknown: fits the probe of `regress`.
            run: seed, folder and progress.
        """
        run = run or Run()
        signals = self.read(data)
        groups = signals.groups()
        if labels is not None:
            _subject_values(groups, labels)  # refuse before the training, not after
        _need_pairs(groups)
        self.untrained(signals, run=run)
        self._train(signals, groups, run)
        return self if labels is None else self.fit_probe(signals, labels)

    def untrained(self, data: Any, /, *, run: Run | None = None) -> "Biosignals":
        """The system with the weights that `fit` starts from, for comparison."""
        run = run or Run()
        signals = self.read(data)
        self.channels, self.window, self.probe = signals.channels, signals.window, None
        self._facts = {
            "segments": len(signals),
            "subjects": len(np.unique(signals.groups())),
            "fingerprint": signals.fingerprint(),
        }
        run.log("data", **self._facts)
        self.network = self._fresh(run.seed)
        return self

    def _train(self, signals: Signals, groups: Shaped[np.ndarray, " n"], run: Run) -> None:
        knobs = self.config
        student = Student(self.network)
        codes = torch.from_numpy(np.unique(groups, return_inverse=True)[1])
        batches = pairs_within_groups(codes, 2 * knobs.participants, run.seed)
        schedule = Schedule(
            steps=knobs.steps,
            batch=len(batches(0)),
            lr=knobs.lr,
            warmup=knobs.warmup,
            start_lr=0.0,
            final_lr=0.0,
            weight_decay=knobs.weight_decay,
        )
        train(
            student,
            momentum_loss(pair_views(signals, knobs), partial(half_loss, knobs), chunk=knobs.chunk),
            batches,
            schedule,
            run=run,
            settings={
                "config": knobs.model_dump(mode="json", exclude={"probe_segments"}),
                "data": self._facts["fingerprint"],
            },
            after_step=following(knobs.momentum),
        )

    def fit_probe(self, data: Any, labels: Sequence[float] | np.ndarray) -> "Biosignals":
        """Fit the probe of `regress` alone, on one mean embedding and one number a subject."""
        self.need_fit()
        signals = self.read(data)
        names, values = _subject_values(signals.groups(), labels)
        known = np.isin(signals.groups(), names[np.isfinite(values)])
        signals = signals.take(np.flatnonzero(known))
        counts = np.unique(signals.groups(), return_counts=True)[1]
        self._averaged = self.config.probe_segments or int(counts.min())
        self.probe = RidgeProbe.fit(self._means(signals)[1], values[np.isfinite(values)])
        return self

    @property
    def fitted(self) -> bool:
        """Whether `fit` or `restore` has run."""
        return hasattr(self, "network")

    def embed(self, data: Any, /) -> Float[np.ndarray, "n d"]:
        """The embedding of each segment, before the projection, not normalised."""
        return self._embed(self._read(data))

    def embed_subjects(
        self, data: Any, /
    ) -> tuple[Shaped[np.ndarray, " s"], Float[np.ndarray, "s d"]]:
        """Subjects in sorted order, and the mean embedding of all segments of each."""
        signals = self._read(data)
        names, owner, counts = np.unique(signals.groups(), return_inverse=True, return_counts=True)
        embedded = self._embed(signals)
        totals = np.zeros((len(names), embedded.shape[1]))
        np.add.at(totals, owner, embedded)
        return names, (totals / counts[:, None]).astype(np.float32)

    def search(
        self, queries: Any, /, *, among: Any = None, k: int = 10
    ) -> tuple[Int[np.ndarray, "m k"], Float[np.ndarray, "m k"]]:
        """The ``k`` segments of ``among`` most like each query, with cosines.

        Embeddings tell people apart, so the model keeps none of those it was fitted on: ``among``
        has to be given.
        """
        if among is None:
            raise InputError("biosignals: keeps no recordings of its own; say among what to search")
        bank, asked = torch.from_numpy(self.embed(among)), torch.from_numpy(self.embed(queries))
        distances, found = nearest(bank, asked, k, metric="cosine")
        return found.numpy(), 1 - distances.numpy()

    def regress(self, data: Any, /) -> Float[np.ndarray, " n"]:
        """The number of each segment's subject: its segments are averaged, then the probe reads it.

        As many segments of a subject are averaged as in the fit, evenly spread over those given.
        """
        self.need_fit()
        if self.probe is None:
            raise InputError("biosignals: learnt no labels; fit with labels, or call fit_probe")
        signals = self._read(data)
        names, means = self._means(signals)
        owner = np.searchsorted(names, signals.groups())
        return self.probe.regress(means)[owner]

    def _means(self, signals: Signals) -> tuple[Shaped[np.ndarray, " s"], Float[np.ndarray, "s d"]]:
        """Each subject's mean over the same number of segments: more would be more certain, and
        the probe could read from it how much was recorded.
        """
        names, owner, counts = np.unique(signals.groups(), return_inverse=True, return_counts=True)
        if counts.min() < self._averaged:
            raise InputError(
                f"subject {names[counts.argmin()]}: {counts.min()} segments; the probe averages "
                f"{self._averaged} of each subject"
            )
        rows = [
            np.flatnonzero(owner == i)[
                np.linspace(0, count - 1, self._averaged).round().astype(int)
            ]
            for i, count in enumerate(counts)
        ]
        return names, self.embed_subjects(signals.take(np.concatenate(rows)))[1]

    def _read(self, data: Any) -> Signals:
        self.need_fit()
        signals = self.read(data)
        if (signals.channels, signals.window) != (self.channels, self.window):
            raise InputError(
                f"{signals.recordings[0].name}: segments of {signals.window} samples of "
                f"{', '.join(signals.channels)}; the model learnt from {self.window} samples of "
                f"{', '.join(self.channels)}"
            )
        return signals

    @torch.inference_mode()
    def _embed(self, signals: Signals) -> Float[np.ndarray, "n d"]:
        encoder = self.network.eval()[0]  # pyright: ignore[reportIndexIssue]
        parts = [
            encoder(views.z_score(torch.from_numpy(signals.segments(rows))))
            for rows in np.split(np.arange(len(signals)), range(BATCH, len(signals), BATCH))
        ]
        return torch.cat(parts).numpy()

    def _fresh(self, seed: int) -> nn.Sequential:
        knobs, channels = self.config, len(self.channels)

        def make() -> nn.Sequential:
            encoder = (
                ConvEncoder(channels, knobs.widths, dimensions=1, kernel=knobs.kernel)
                if knobs.encoder == "conv"
                else MBConvEncoder(channels, knobs.widths, knobs.repeats, kernel=knobs.kernel)
            )
            return nn.Sequential(encoder, mlp(encoder.outputs, knobs.hidden, knobs.outputs))

        return fresh(make, seed, "network")

    def graph(self) -> Graph:
        """Segments in, `embed` out; `regress` averages a subject's segments and stays here."""
        self.need_fit()
        encoder = self.network[0]  # pyright: ignore[reportIndexIssue]
        return segment_graph(encoder, encoder.outputs, self.channels, self.window)

    def learnt(self) -> Learnt:
        """Encoder, projection, and the probe where labels were learnt."""
        parts = {"network": Learnt(weights_of(self.network))}
        facts: dict[str, Any] = {"channels": list(self.channels), "window": self.window}
        if self.probe is not None:
            parts["probe"] = self.probe.learnt()
            facts["averaged"] = self._averaged
        learnt = Learnt.joined(parts)
        learnt.facts |= facts | {"data": self._facts}
        return learnt

    def restore(self, learnt: Learnt) -> None:
        """Take up what `learnt` gave."""
        self.channels = texts(learnt.facts["channels"], "channels")
        (self.window,) = sizes([learnt.facts["window"]], 1, "window")
        self._facts = learnt.facts["data"]
        self.network = self._fresh(0)
        set_weights(self.network, learnt.part("network").arrays)
        if "probe" in learnt.facts:
            self.probe = RidgeProbe.restore(learnt.part("probe"))
            self._averaged = learnt.facts["averaged"]
            demand(type(self._averaged) is int and self._averaged > 0, "averages no segments")


def _need_pairs(groups: Shaped[np.ndarray, " n"]) -> None:
    names, counts = np.unique(groups, return_counts=True)
    if (counts >= 2).sum() < 2:
        raise InputError(
            f"{len(names)} subjects, {(counts >= 2).sum()} of them with two segments or more; "
            "expected at least two such subjects to tell apart"
        )


def _subject_values(
    groups: Shaped[np.ndarray, " n"], labels: Sequence[float] | np.ndarray
) -> tuple[Shaped[np.ndarray, " s"], Float[np.ndarray, " s"]]:
    """Subjects in sorted order and the one number of each."""
    numbers = np.asarray(labels)
    if numbers.dtype.kind not in "fiu":
        raise InputError(f"labels: {numbers[:1].tolist()} is no number; `regress` learns numbers")
    if len(numbers) != len(groups):
        raise InputError(f"{len(numbers)} labels for {len(groups)} segments; expected one each")
    names, first, owner = np.unique(groups, return_index=True, return_inverse=True)
    values = numbers.astype(np.float64)[first]
    same = np.isclose(values[owner], numbers, rtol=0, atol=0, equal_nan=True)
    if not same.all():
        row = int((~same).argmax())
        raise InputError(
            f"subject {groups[row]}: labels {values[owner[row]]:g} and {numbers[row]:g}; expected "
            "one number a subject"
        )
    return names, values
