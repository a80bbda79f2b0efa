"""Recordings out of arrays in memory or in an .npz file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from contraview.core.errors import InputError
from contraview.core.numpy_files import read_npz
from contraview.modalities.signals.recording import Recording

SIGNALS = "signals"


def from_npz(
    path: Path, subject: str | None, labels: str | None
) -> tuple[list[Recording], tuple[str, ...]]:
    """The recordings of a file with ``signals`` [n, c, t] or [n, t], subjects and labels."""
    return from_arrays(str(path), read_npz(path, str(path)), subject, labels)


def from_arrays(
    name: str, arrays: Mapping[str, Any], subject: str | None, labels: str | None
) -> tuple[list[Recording], tuple[str, ...]]:
    """The recordings of named arrays: ``signals``, and one entry a recording of the others."""
    if SIGNALS not in arrays:
        raise InputError(f"{name}: holds {', '.join(arrays)}; expected an array {SIGNALS!r}")
    signals = arrays[SIGNALS]
    if isinstance(signals, np.ndarray) and signals.ndim not in (2, 3):
        shape = list(signals.shape)
        raise InputError(f"{name}: {SIGNALS} is {shape}; expected [n, c, t] or [n, t]")
    count = len(signals)
    owners = _column(name, arrays, subject, count, "whose each recording is")
    known = _column(name, arrays, labels, count, "the label of each recording")
    recordings = [
        Recording(
            f"{name}, recording {i}",
            str(i if owners is None else owners[i]),
            _samples(f"{name}, recording {i}", each),
            None if known is None else str(known[i]) if labels == subject else _plain(known[i]),
        )
        for i, each in enumerate(signals)
    ]
    if not recordings:
        raise InputError(f"{name}: {SIGNALS} is empty; expected at least one recording")
    channels = len(recordings[0].samples)
    for each in recordings:
        if len(each.samples) != channels:
            raise InputError(
                f"{each.name}: {len(each.samples)} channels, but the first has {channels}; "
                "expected the same in each (arrays are [c, t])"
            )
    return recordings, tuple(f"channel {i}" for i in range(channels))


def _column(name: str, arrays: Mapping[str, Any], wanted: str | None, count: int, what: str) -> Any:
    if wanted is None:
        return None
    if wanted not in arrays:
        raise InputError(
            f"{name}: no {wanted!r}; expected an array of {count} that says {what} (or "
            "subject unset, where each recording is a subject of its own)"
        )
    values = arrays[wanted]
    if len(values) != count:
        raise InputError(
            f"{name}: {wanted!r} has {len(values)} entries for {count} recordings; expected {count}"
        )
    return values


def _samples(name: str, array: Any) -> Float[np.ndarray, "c t"]:
    samples = np.atleast_2d(np.asarray(array))
    if samples.ndim != 2 or samples.dtype.kind not in "fiu":
        raise InputError(
            f"{name}: {list(samples.shape)} of {samples.dtype}; expected numbers, [c, t] or [t]"
        )
    samples = samples.astype(np.float32)
    if np.isinf(samples).any():
        raise InputError(f"{name}: holds infinity; expected finite numbers, or NaN where missing")
    return samples


def _plain(value: Any) -> float | str:
    return float(value) if isinstance(value, int | float | np.number) else str(value)
