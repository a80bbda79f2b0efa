"""Do the four views earn their place: with CLAN against without it, and against CLAN alone?"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from contraview.apps.detection.detector import Detector, combined, held_out
from contraview.claims.claim import Claim, Experiment, Figures
from contraview.claims.results import Data
from contraview.claims.traffic import Lab, PublicSet, ShiftedSet, Traffic, nsl_family
from contraview.core.run import Run
from contraview.evaluation.anomaly import class_mean, class_mean_auroc, per_class_alarm_rate
from contraview.evaluation.threshold import threshold_at_fpr
from contraview.systems.clan import Clan

MAX_FPR = 0.01
AUROC, TPR, FPR = "signed AUROC", "TPR at 1 % FPR", "realised FPR at nominal 1 %"
FOUR, LIGHT, ALONE = "four views", "light: CLAN and ECOD", "CLAN alone"
OFFICIAL = "CLAN alone, a tenth of the cells altered"
WITHOUT = "three views, without CLAN"
ARMS: Mapping[str, tuple[str, ...]] = {
    FOUR: ("clan", "ecod", "forest", "neighbours"),
    WITHOUT: ("ecod", "forest", "neighbours"),
    LIGHT: ("clan", "ecod"),
    ALONE: ("clan",),
    "ECOD alone": ("ecod",),
    "isolation forest alone": ("forest",),
    "nearest neighbours alone": ("neighbours",),
}
"""Every arm but `OFFICIAL` is a choice among the views of one and the same fit."""

SETS: Mapping[str, PublicSet | ShiftedSet | Lab] = {
    "UNSW-NB15": PublicSet("unsw_nb15", "Normal", fit=9_600, quiet=5_000, a_class=1_500),
    "NSL-KDD": PublicSet(
        "nsl_kdd", "normal", fit=8_069, quiet=5_000, a_class=1_500, family=nsl_family
    ),
    "NSL-KDD, train to test": ShiftedSet("nsl_kdd", "nsl_kdd_test", "normal", nsl_family),
    "lab": Lab(),
}
PRESETS: Mapping[str, Mapping[str, Any]] = {"small": {}, "smoke": {"steps": 20, "trees": 10}}


@dataclass(frozen=True)
class Sites:
    """One detector a site, arms from its views; then the mean and the worst over sites."""

    def data(self) -> list[Data]:
        """What every site is made of."""
        every = [each for traffic in SETS.values() for each in traffic.data()]
        return list({each["name"]: each for each in every}.values())

    def __call__(self, run: Run, settings: Mapping[str, Any]) -> Figures:
        """All figures of every arm for one seed."""
        figures: dict[str, dict[str, float]] = {}
        for site, traffic in SETS.items():
            parts = traffic(run.seed)
            detector = Detector(**settings).fit(parts.benign, run=run)
            views = detector.score_views(parts.test)
            scores = {OFFICIAL: _official(detector, parts, run)}
            for arm, names in ARMS.items():
                chosen = [detector.views.index(name) for name in names]
                held = combined(detector.held_views[:, chosen])
                scores[arm] = held, combined(views[:, chosen])
            for arm, (held, test) in scores.items():
                for figure, value in _figures(held, test, parts.labels).items():
                    figures.setdefault(f"{figure}, {site}", {})[arm] = value
        for figure in (AUROC, TPR):
            sites = [figures[f"{figure}, {site}"] for site in SETS]
            arms = {arm: [site[arm] for site in sites] for arm in sites[0]}
            mean = {arm: float(np.mean(values)) for arm, values in arms.items()}
            figures[f"{figure}, mean over sites"] = mean
            figures[f"{figure}, worst site"] = {arm: min(v) for arm, v in arms.items()}
        return figures


def _official(
    detector: Detector, parts: Traffic, run: Run
) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " n"]]:
    """Held-out and test scores of the CLAN view as the pilots had it, with p = .1."""
    learn, calibrate = held_out(parts.benign, detector.config.calibration, run.seed)
    knobs = detector.clan.config.model_dump() | {"p_feature": 0.1}
    clan = Clan(**knobs).fit(learn, run=run)
    return clan.score(calibrate).astype(np.float64), clan.score(parts.test).astype(np.float64)


def _figures(
    held: Float[np.ndarray, " m"], scores: Float[np.ndarray, " n"], labels: np.ndarray
) -> dict[str, float]:
    threshold = threshold_at_fpr(held, MAX_FPR)
    found = per_class_alarm_rate(scores, labels, threshold)
    return {
        AUROC: class_mean_auroc(scores, labels, benign=""),
        FPR: found.pop(""),
        TPR: class_mean(found),
    }


SITES = Experiment("detector over sites", Sites().data, Sites(), PRESETS, first_seed=200)
WITH_CLAN = "with CLAN as its fourth view the detector finds more than without it"
NOT_ALONE = "over sites of different kinds, the four views find more than CLAN alone"
NOT_OFFICIAL = "the four views find more than CLAN with the official share of altered cells"


def _claim(name: str, statement: str, metric: str, baseline: str, *data: str) -> Claim:
    return Claim(name, statement, SITES, metric, FOUR, baseline, margin=0.01, data=data)


def _on(site: str, traffic: PublicSet | ShiftedSet | Lab) -> tuple[Claim, Claim]:
    slug = "_".join(re.findall(r"\w+", site.lower()))
    names = traffic.names
    return (
        _claim(f"with_clan_auroc_{slug}", WITH_CLAN, f"{AUROC}, {site}", WITHOUT, *names),
        _claim(f"with_clan_tpr_{slug}", WITH_CLAN, f"{TPR}, {site}", WITHOUT, *names),
    )


CLAIMS = (
    *(claim for site, traffic in SETS.items() for claim in _on(site, traffic)),
    _claim("with_clan_mean", WITH_CLAN, f"{AUROC}, mean over sites", WITHOUT),
    _claim("not_alone_mean", NOT_ALONE, f"{AUROC}, mean over sites", ALONE),
    _claim("not_alone_worst", NOT_ALONE, f"{AUROC}, worst site", ALONE),
    _claim("not_alone_unsw_nb15", NOT_ALONE, f"{AUROC}, UNSW-NB15", ALONE, "unsw_nb15"),
    _claim("official_mean", NOT_OFFICIAL, f"{AUROC}, mean over sites", OFFICIAL),
    _claim("official_worst", NOT_OFFICIAL, f"{AUROC}, worst site", OFFICIAL),
)
