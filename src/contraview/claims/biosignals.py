"""Are two segments of a person better positives than two views of one? Does KoLeo keep room?"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Float
from scipy.signal import welch
from torch.nn.functional import normalize

from contraview.claims.claim import Claim, Experiment, Figures
from contraview.claims.results import Data
from contraview.core.run import Run
from contraview.core.seeds import numpy_generator
from contraview.evaluation.reidentification import reidentification_figures
from contraview.modalities.datasets import dataset
from contraview.modalities.signals.data import Signals, read_signals
from contraview.systems.biosignals import Biosignals
from contraview.training.collapse import effective_rank

PIGS: Final = "PigCVP"
WINDOW: Final = 1000
SPECTRUM: Final = 512
"""Samples of a stretch whose spectra are averaged; the best of 128 to 2,000 on pilot splits."""

PARTICIPANT, SEGMENT = "two segments of a participant", "two views of a segment"
WITHOUT = "two segments of a participant, no KoLeo"
UNTRAINED = "untrained encoder"
MAP, ONE_NN, DISPERSION = "mAP", "1-NN accuracy", "dispersion ratio"
RANK = "effective rank"
CHOICES: Final[Mapping[str, Mapping[str, Any]]] = {
    PARTICIPANT: {},
    SEGMENT: {"pairs": "segment"},
    WITHOUT: {"koleo": 0.0},
}
PRESETS: Final[Mapping[str, Mapping[str, Any]]] = {
    "small": {"steps": 120},
    "smoke": {"widths": (8, 8), "steps": 3},
}


@lru_cache(maxsize=1)
def _pigs() -> Signals:
    return read_signals(dataset("pig_cvp"), window=WINDOW)


def _data() -> list[Data]:
    return [{"name": PIGS, "real": True, "fingerprint": _pigs().fingerprint()}]


def reidentification(run: Run, settings: Mapping[str, Any]) -> Figures:
    """Every arm on individuals that it never saw: a random half, then the other one; the mean."""
    pigs = _pigs()
    owners = pigs.groups()
    names = numpy_generator(run.seed, "halves of the individuals").permutation(np.unique(owners))
    one = np.isin(owners, names[: len(names) // 2])
    both = [
        _one_way(pigs.take(np.flatnonzero(fit)), pigs.take(np.flatnonzero(~fit)), run, settings)
        for fit in (one, ~one)
    ]
    return {
        metric: {arm: float(np.mean([each[metric][arm] for each in both])) for arm in arms}
        for metric, arms in both[0].items()
    }


def _one_way(fit: Signals, test: Signals, run: Run, settings: Mapping[str, Any]) -> Figures:
    systems = {
        arm: Biosignals(**{**settings, **choice}).fit(fit, run=run)
        for arm, choice in CHOICES.items()
    }
    systems[UNTRAINED] = Biosignals(**settings).untrained(fit, run=run)
    found = {arm: system.embed(test) for arm, system in systems.items()}
    rank = {arm: _rank(vectors) for arm, vectors in found.items()}
    owners, recordings = _by_recording(test)
    vectors = {arm: _mean(each, recordings) for arm, each in found.items()}
    waves = [_scored(test.recordings[i].samples[0]) for i in np.unique(test.owner)]
    vectors["log spectrum"] = np.stack([_log_spectrum(wave) for wave in waves])
    vectors["raw series"] = np.stack(waves)
    figures = {arm: reidentification_figures(each, owners) for arm, each in vectors.items()}
    metrics = (MAP, ONE_NN, DISPERSION)
    return {metric: {arm: f[metric] for arm, f in figures.items()} for metric in metrics} | {
        RANK: rank
    }


def _by_recording(signals: Signals) -> tuple[np.ndarray, np.ndarray]:
    """Whose each recording is, and the recording of each segment, numbered from 0."""
    kept, recordings = np.unique(signals.owner, return_inverse=True)
    return np.asarray([signals.recordings[i].subject for i in kept]), recordings


def _mean(vectors: Float[np.ndarray, "n d"], owner: np.ndarray) -> Float[np.ndarray, "r d"]:
    return np.stack([vectors[owner == i].mean(0) for i in range(owner.max() + 1)])


def _rank(vectors: Float[np.ndarray, "n d"]) -> float:
    return effective_rank(normalize(torch.from_numpy(vectors)))


def _scored(wave: Float[np.ndarray, " t"]) -> Float[np.ndarray, " t"]:
    return (wave - wave.mean()) / wave.std()


def _log_spectrum(wave: Float[np.ndarray, " t"]) -> Float[np.ndarray, " f"]:
    """Log of the power by frequency (Welch's method), all but the mean."""
    return np.log(welch(wave, nperseg=SPECTRUM)[1][1:] + 1e-6)


_EXPERIMENT: Final = Experiment("biosignals", _data, reidentification, PRESETS, first_seed=100)

CLAIMS = (
    Claim(
        "participant_pairs",
        "two segments of a person are better positives than two views of one segment",
        _EXPERIMENT,
        MAP,
        PARTICIPANT,
        SEGMENT,
        0.05,
    ),
    Claim(
        "koleo_rank",
        "the KoLeo term keeps more directions of the embedding in use",
        _EXPERIMENT,
        RANK,
        PARTICIPANT,
        WITHOUT,
        1.0,
    ),
)
