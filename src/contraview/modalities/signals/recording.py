"""One recording: somebody's samples from one start to one end, and where they came from."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from contraview.core.errors import InputError


@dataclass(frozen=True)
class Recording:
    """Samples in order, at one rate.

    Attributes:
        name: the file and place it came from, as messages call it.
        subject: whose it is.
        samples: [c, t], NaN where a sample is missing.
        label: what is known of it, a number or a text; None where nothing is.
    """

    name: str
    subject: str
    samples: Float[np.ndarray, "c t"]
    label: float | str | None = None

    def bridged(self, longest: int) -> "Recording":
        """Missing runs of at most ``longest`` samples replaced by a straight line between their
        neighbours; longer ones, and those at either end, stay.
        """
        missing = np.isnan(self.samples)
        if not longest or not missing.any():
            return self
        samples = self.samples.copy()
        for channel, holes in zip(samples, missing, strict=True):
            known = np.flatnonzero(~holes)
            for start, end in _runs(holes):
                if end - start <= longest and start > 0 and end < len(holes):
                    channel[start:end] = np.interp(np.arange(start, end), known, channel[known])
        return Recording(self.name, self.subject, samples, self.label)

    def need_whole(self, channels: tuple[str, ...]) -> None:
        """Raise an `InputError` that names the first missing run, if there is one."""
        missing = np.isnan(self.samples)
        if not missing.any():
            return
        channel = int(missing.any(1).argmax())
        start, end = _runs(missing[channel])[0]
        raise InputError(
            f"{self.name}: channel {channels[channel]!r}: {end - start} missing samples in a row "
            f"from sample {start + 1}; expected none (bridge short gaps with max_gap, or "
            "leave such segments out with unusable=skip)"
        )


def _runs(holes: Bool[np.ndarray, " t"]) -> list[tuple[int, int]]:
    """Start and end (exclusive) of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], holes.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
