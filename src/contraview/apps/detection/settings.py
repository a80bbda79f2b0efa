"""Settings of the default detector."""

from pydantic import Field

from contraview.core import config


class DetectorConfig(config.Config):
    """Settings of the default detector."""

    light: bool = Field(False, description="CLAN and ECOD only: a few us a flow, no stored bank")
    calibration: float = Field(
        1 / 3, gt=0, lt=1, description="share of the benign flows held out to calibrate on"
    )
    max_fpr: float = Field(0.01, gt=0, lt=1, description="share of benign flows that may alert")
    trees: int = Field(200, ge=1, description="trees of the isolation forest")
    neighbour: int = Field(5, ge=1, description="which neighbour the kNN view measures to")
    bank: int | None = Field(
        None, ge=1, description="most benign flows the kNN view keeps; unset keeps all"
    )
    steps: int = Field(500, ge=1, description="optimiser steps of the CLAN view")
    mass_negatives: float = Field(
        0.0, ge=0, lt=1, description="share of CLAN's negatives that are unaltered benign rows"
    )
    contamination: float = Field(
        0.0, ge=0, lt=0.5, description="share of the flows suspected not to be benign"
    )
