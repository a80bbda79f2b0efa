"""What constitutes good contrastive learning in time-series forecasting."""

from contraview.systems.ts_forecast.config import TsForecastConfig
from contraview.systems.ts_forecast.ts_forecast import TsForecast

__all__ = ["TsForecast", "TsForecastConfig"]
