"""Which level of a generator's latents should views move, and do generated pairs suffice?"""

import math
from collections.abc import Mapping
from typing import Any

from contraview.claims.claim import Claim, Experiment, Figures
from contraview.claims.pictures import FEW, fashion_data, fitted_figures, seen_and_judged
from contraview.core.run import Run
from contraview.frameworks.generators import Generator
from contraview.frameworks.images.pretraining import ImagePretraining
from contraview.frameworks.images.simclr import SimCLR
from contraview.modalities.images.data import Images
from contraview.systems.mlvgm_views import MlvgmViews

LOCAL, GLOBAL = "generated, fine level moves", "generated, coarse level moves"
ONE, KEPT = "generated, both levels move alike", "generated, fine level, 2,000 pairs drawn once"
REAL = "real images, two views"
LEFT = "information left, nats"

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "small": {
        "seen": 10_000, "judged": 10_000, "displacement": 2.0, "sample": 2000,
        "widths": (16, 32, 64, 128), "steps": 200,
        "generator": {"latents": (4, 24), "widths": (16, 32, 64), "steps": 600},
        "critic": {"steps": 100, "estimates": 20},
    },
    "smoke": {
        "seen": 200, "judged": 100, "displacement": 2.0, "sample": 20,
        "widths": (8, 16), "steps": 3, "batch": 16,
        "generator": {"latents": (2, 4), "widths": (4, 8), "steps": 3},
        "critic": {"widths": (4, 8), "steps": 3, "batch": 16, "estimates": 2},
    },
}  # fmt: skip


class _Shared(MlvgmViews):
    """MLVGM views with the generator of all arms."""

    trained: Generator

    def generator_of(self, images: Images, run: Run) -> Generator:  # noqa: ARG002
        return self.trained


def measure(run: Run, settings: Mapping[str, Any]) -> Figures:
    """Accuracy with few labels for each arm; what moving a level leaves of an image."""
    knobs = dict(settings)
    train, test = seen_and_judged(run.seed, knobs.pop("seen"), knobs.pop("judged"))
    far, sample = knobs.pop("displacement"), knobs.pop("sample")
    knobs["views"] = {}  # T_x of every arm is that of SimCLR, better in a pilot than crops alone
    coarse, fine = knobs["generator"]["latents"]
    generator = MlvgmViews(**knobs).generator_of(train, Run(seed=run.seed, show=False))

    def arm(*sizes: float, **more: Any) -> _Shared:
        made = _Shared(**knobs, move={"sizes": sizes}, **more)
        made.trained = generator
        return made

    alike = far / math.sqrt(coarse + fine)
    plain = {name: value for name, value in knobs.items() if name not in ("generator", "critic")}
    arms: dict[str, ImagePretraining] = {
        LOCAL: arm(0.0, far / math.sqrt(fine)),
        GLOBAL: arm(far / math.sqrt(coarse), 0.0),
        ONE: arm(alike, alike),
        KEPT: arm(0.0, far / math.sqrt(fine), sample=sample),
        REAL: SimCLR(**plain),
    }
    figures = fitted_figures(arms, train, test, run.seed)
    method = arms[LOCAL]
    assert isinstance(method, _Shared)
    told = method.information(far, run=Run(seed=run.seed, show=False))
    return {**figures, LEFT: {LOCAL: told["level 1"], GLOBAL: told["level 0"]}}


_EXPERIMENT = Experiment("mlvgm_views levels", fashion_data, measure, PRESETS, first_seed=100)

CLAIMS = (
    Claim(
        "fine_over_coarse",
        "generated pairs that differ in the fine level make a better encoder than pairs that "
        "differ as much in the coarse one",
        _EXPERIMENT, FEW, LOCAL, GLOBAL, 0.01,
    ),
    Claim(
        "own_over_one",
        "and a better one than pairs whose levels all move alike",
        _EXPERIMENT, FEW, LOCAL, ONE, 0.005,
    ),
    Claim(
        "continuous_sampling",
        "new pairs at every step make a better encoder than 2,000 pairs drawn once",
        _EXPERIMENT, FEW, LOCAL, KEPT, 0.005,
    ),
    Claim(
        "information",
        "moved as far, the fine level leaves more information about an image than the coarse one",
        _EXPERIMENT, LEFT, LOCAL, GLOBAL, 0.1,
    ),
)  # fmt: skip
