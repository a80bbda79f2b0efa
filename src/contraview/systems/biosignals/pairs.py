"""What is compared with what: two altered views of each pair, and half of the loss."""

from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor

from contraview.frameworks.two_view import Views
from contraview.modalities.signals import views
from contraview.modalities.signals.data import Signals
from contraview.objectives.info_nce import info_nce
from contraview.objectives.koleo import koleo
from contraview.objectives.unit import unit
from contraview.systems.biosignals.config import BiosignalsConfig


def pair_views(signals: Signals, knobs: BiosignalsConfig) -> Views:
    """Two altered views for each pair of rows (2i, 2i + 1): of both, or twice of the first."""
    alter = views.cascade(
        [
            views.sometimes(partial(views.cut_out, share=knobs.cut_out_share), knobs.p_cut_out),
            views.sometimes(
                partial(views.magnitude_warp, sigma=knobs.magnitude_sigma, knots=knobs.knots),
                knobs.p_magnitude_warp,
            ),
            views.sometimes(partial(views.noise, sigma=knobs.noise_sigma), knobs.p_noise),
            views.sometimes(views.permute_channels, knobs.p_permute_channels),
            views.sometimes(
                partial(views.time_warp, sigma=knobs.time_sigma, knots=knobs.knots),
                knobs.p_time_warp,
            ),
        ]
    )
    second = 1 if knobs.pairs == "participant" else 0

    def pair(rows: Int[Tensor, " b"], generator: torch.Generator) -> tuple[Tensor, Tensor]:
        both = []
        for chosen in (rows[0::2], rows[second::2]):
            segments = torch.from_numpy(signals.segments(chosen.numpy())).to(generator.device)
            both.append(alter(views.z_score(segments), generator))
        return both[0], both[1]

    return pair


def half_loss(
    knobs: BiosignalsConfig,
    queries: Float[Tensor, "b d"],
    keys: Float[Tensor, "b d"],
    _earlier: Float[Tensor, "k d"] | None,
) -> Float[Tensor, ""]:
    """One half of the loss: queries against the teacher's keys, and the queries' KoLeo term."""
    contrast = info_nce(unit(queries), unit(keys), scale=1 / knobs.temperature)
    return contrast + knobs.koleo * koleo(queries) if knobs.koleo else contrast
