"""The robustness scaling study: how often a change of the image breaks a model that was right."""

from contraview.systems.robustness_scaling.config import RobustnessScalingConfig
from contraview.systems.robustness_scaling.robustness_scaling import RobustnessScaling

__all__ = ["RobustnessScaling", "RobustnessScalingConfig"]
