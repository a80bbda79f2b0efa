"""Recordings of people that fit in a test."""

import numpy as np

from contraview.core.seeds import numpy_generator
from contraview.modalities.signals.data import read_signals

PEOPLE, RECORDINGS, LENGTH = 6, 4, 120


def arrays(people: int = PEOPLE, seed: int = 0) -> dict[str, np.ndarray]:
    """Two channels a recording; a person has a rate, a wave form and an age that goes with both."""
    g = numpy_generator(seed, "tiny signals")
    whose = np.repeat(np.arange(people), RECORDINGS)
    age = 20 + 10.0 * np.arange(people)
    t = np.arange(LENGTH)
    rate = 0.1 + 0.08 * whose[:, None]
    phase = g.uniform(0, 6, (len(whose), 1))
    wave = np.sin(rate * t + phase) + 0.2 * whose[:, None] * np.sin(2 * rate * t + 2 * phase)
    other = np.cos(rate * t + phase)
    signals = np.stack([wave, other], 1) + g.normal(0, 0.1, (len(whose), 2, LENGTH))
    return {"signals": signals, "subject": whose, "age": age[whose]}


def data(**knobs):
    """The tiny recordings as `fit` takes them, cut in two segments each."""
    return read_signals(arrays(), window=60, **knobs)
