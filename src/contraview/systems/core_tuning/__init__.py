"""Core-tuning: fine-tuning with a contrast between mixed features."""

from contraview.systems.core_tuning.config import CoreTuningConfig
from contraview.systems.core_tuning.core_tuning import CoreTuning

__all__ = ["CoreTuning", "CoreTuningConfig"]
