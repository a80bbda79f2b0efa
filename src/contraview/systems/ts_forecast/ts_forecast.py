"""Contrastive forecasting (Zhang, Yan, Meng and others 2023, arXiv 2306.12086)."""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import polars as pl
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from contraview.core.errors import InputError
from contraview.core.learnt import Learnt, demand, texts
from contraview.core.run import Run
from contraview.core.system import System
from contraview.core.weights import set_weights, weights_of
from contraview.evaluation.ridge import RidgeMap
from contraview.modalities.series.clock import Clock
from contraview.modalities.series.data import Series, SeriesSource
from contraview.modalities.series.scaling import Scaler
from contraview.modalities.series.views import cost_view
from contraview.modalities.series.windows import gather, starts
from contraview.networks.fresh import fresh
from contraview.pairing.ema import follow
from contraview.systems.ts_forecast.config import PRESETS, TsForecastConfig
from contraview.systems.ts_forecast.network import (
    ForecastNetwork,
    cost_contrast,
    moco_contrast,
    steps_contrast,
)
from contraview.training.loop import train
from contraview.training.samplers import epochs
from contraview.training.schedule import Schedule
from contraview.training.step import Loss, Step

BATCH = 512
"""Windows forecast at a time."""


class TsForecast(System):
    """Forecasts the next steps of a series, trained with a contrast beside the forecast's error.

    The paper asks which contrastive loss helps a forecaster, and whether it should be trained
    together with it or before it. All its variants are knobs here: TS2Vec's, MoCo's or CoST's
    contrast; transformer, LSTM or (dilated) convolutions; in one go or in two::

        end to end   L = (1 - lambda) MSE + lambda L_contrast
        two steps    L_contrast alone; then, on the frozen vector of the last step, ridge regression

    Differs from the official code: the backbone is a plain transformer, not Informer; augmentations
    are drawn for each sample (`shared_draws` for theirs); vectors that are compared have length one
    (`unit`); both terms of the hierarchical loss count (there a flag lands in ``alpha``, so that
    one of them is lost); a fixed number of steps with a half cosine stands for early stopping.

    Verbs: `forecast`. `backtest` gives the errors on later rows. Channels are standardised by the
    fitting rows alone.
    """

    slug = "ts_forecast"
    Config = TsForecastConfig
    Source = SeriesSource
    presets: ClassVar = PRESETS

    network: ForecastNetwork
    scaler: Scaler
    channels: tuple[str, ...]
    targets: tuple[str, ...]
    clock: Clock
    ridge: RidgeMap | None = None

    @classmethod
    def describe(cls, data: Any) -> list[str]:
        """Length, step and channels of the series."""
        series = SeriesSource.of().read(data)
        return [
            f"{len(series)} rows from {series.times[0]} to {series.times[-1]}, channels: "
            + ", ".join(series.channels)
        ]

    def fit(self, data: Any, /, *, run: Run | None = None) -> "TsForecast":
        """Learn from all rows of a series; keep later ones for `backtest`."""
        run = run or Run()
        series = self.read(data)
        config = self.config
        first = starts(len(series), config.length, config.horizon, config.stride)
        self.channels, self.targets, self.clock = series.channels, series.targets, series.clock
        self.scaler = Scaler.fit(series.values)
        self._facts = {"rows": len(series), "fingerprint": series.fingerprint()}
        run.log("data", **self._facts)
        self.network = self._fresh(run.seed)
        values = self._scaled(series)
        self._train(values, torch.from_numpy(first), run)
        self.ridge = None
        if config.training == "two_step":
            truth = gather(values, torch.from_numpy(first + config.length), config.horizon)
            above = truth[..., self._wanted].numpy() - self._levels(values, first)
            self.ridge = RidgeMap.fit(
                self._last_steps(values, first), above.reshape(len(first), -1)
            )
        return self

    def _train(self, values: Float[Tensor, "t c"], first: Int[Tensor, " n"], run: Run) -> None:
        config = self.config
        steps = config.total_steps(len(first))
        batches = epochs(len(first), config.batch, run.seed)
        schedule = Schedule(
            steps=steps,
            batch=len(batches(0)),
            lr=config.lr,
            warmup=0.05,
            start_lr=0.0,
            final_lr=0.0,
            weight_decay=config.weight_decay,
        )
        loss = forecast_loss(self.network, config, values, first, self._wanted)
        train(
            self.network,
            loss,
            batches,
            schedule,
            run=run,
            settings={
                "config": config.model_dump(mode="json"),
                "targets": list(self.targets),
                "data": self._facts["fingerprint"],
            },
            after_step=None if self.network.teacher is None else _move_teacher(config.momentum),
        )

    @property
    def fitted(self) -> bool:
        """Whether `fit` or `restore` has run."""
        return hasattr(self, "network")

    def forecast(self, data: Any, /) -> pl.DataFrame:
        """The rows that follow the last one of ``data``: times, and targets in their own units."""
        series = self._read(data)
        length = self.config.length
        if len(series) < length:
            raise InputError(
                f"{series.name}: {len(series)} rows; the model forecasts from the last {length}"
            )
        values = self._scaled(series)
        predicted = self._predict(values, np.asarray([len(series) - length]))[0]
        wanted = self._wanted
        restored = predicted * self.scaler.scale[wanted] + self.scaler.mean[wanted]
        times = self.clock.after(series.times[-1:], self.config.horizon)
        columns = [pl.Series(name, restored[:, i]) for i, name in enumerate(self.targets)]
        return pl.DataFrame([times, *columns])

    def hindcast(
        self, data: Any, /
    ) -> tuple[Float[np.ndarray, "n h k"], Float[np.ndarray, "n h k"]]:
        """Forecast and truth of every window of ``data``, one a row, in fitted deviations."""
        series = self._read(data)
        length, horizon = self.config.length, self.config.horizon
        first = starts(len(series), length, horizon)
        values = self._scaled(series)
        truth = gather(values[:, self._wanted], torch.from_numpy(first + length), horizon)
        return self._predict(values, first), truth.numpy()

    def backtest(self, data: Any, /) -> dict[str, float]:
        """MSE and MAE over all windows, steps and targets of ``data``, in fitted deviations, and
        those of repeating the last value; for rows that the model was not fitted on.
        """
        predicted, truth = self.hindcast(data)
        series = self._read(data)
        last = self._scaled(series)[self.config.length - 1 :][: len(truth), None, self._wanted]
        return {
            "MSE": float(np.square(predicted - truth).mean()),
            "MAE": float(np.abs(predicted - truth).mean()),
            "last value MSE": float(np.square(last.numpy() - truth).mean()),
            "last value MAE": float(np.abs(last.numpy() - truth).mean()),
        }

    @property
    def _wanted(self) -> list[int]:
        """The places of the targets among the channels."""
        return [self.channels.index(target) for target in self.targets]

    def _scaled(self, series: Series) -> Float[Tensor, "t c"]:
        return torch.from_numpy(self.scaler.scaled(series.values).astype(np.float32))

    def _read(self, data: Any) -> Series:
        self.need_fit()
        series = self.read(data)
        if series.channels != self.channels:
            raise InputError(
                f"{series.name}: channels {', '.join(series.channels)}; the model learnt from "
                f"{', '.join(self.channels)}"
            )
        if series.clock != self.clock:
            raise InputError(
                f"{series.name}: a step is {series.clock}; the model learnt from {self.clock}"
            )
        return series

    def _predict(
        self, values: Float[Tensor, "t c"], first: Int[np.ndarray, " n"]
    ) -> Float[np.ndarray, "n h k"]:
        if self.ridge is not None:
            flat = self.ridge.predict(self._last_steps(values, first)).astype(np.float32)
            return flat.reshape(len(first), self.config.horizon, -1) + self._levels(values, first)
        return self._over(values, first, lambda windows: self.network(windows)[0])

    def _last_steps(
        self, values: Float[Tensor, "t c"], first: Int[np.ndarray, " n"]
    ) -> Float[np.ndarray, "n d"]:
        """The frozen vector of each window's last step."""
        network = self.network
        return self._over(values, first, lambda w: network.encoder(w - network.level(w))[:, -1])

    def _levels(
        self, values: Float[Tensor, "t c"], first: Int[np.ndarray, " n"]
    ) -> Float[np.ndarray, "n 1 k"]:
        """What each window's forecast starts from."""
        return self._over(values, first, self.network.level)[..., self._wanted]

    @torch.inference_mode()
    def _over(
        self,
        values: Float[Tensor, "t c"],
        first: Int[np.ndarray, " n"],
        ask: Callable[[Tensor], Tensor],
    ) -> Float[np.ndarray, "n ..."]:
        self.network.eval()
        parts = torch.from_numpy(first).split(BATCH)
        return torch.cat([ask(gather(values, part, self.config.length)) for part in parts]).numpy()

    def _fresh(self, seed: int) -> ForecastNetwork:
        channels, wanted = len(self.channels), self._wanted
        return fresh(lambda: ForecastNetwork(channels, wanted, self.config), seed, "network")

    def learnt(self) -> Learnt:
        """Encoder and decoder, the scale of each channel, the ridge map where there is one."""
        parts = {
            "encoder": Learnt(weights_of(self.network.encoder)),
            "decoder": Learnt(weights_of(self.network.decoder)),
            "scaler": self.scaler.learnt(),
        }
        if self.ridge is not None:
            parts["ridge"] = self.ridge.learnt()
        learnt = Learnt.joined(parts)
        learnt.facts |= {
            "channels": list(self.channels),
            "targets": list(self.targets),
            "clock": [self.clock.unit, self.clock.size],
            "data": self._facts,
        }
        return learnt

    def restore(self, learnt: Learnt) -> None:
        """Take up what `learnt` gave."""
        self.channels = texts(learnt.facts["channels"], "channels")
        self.targets = texts(learnt.facts["targets"], "targets")
        unit, size = learnt.facts["clock"]
        demand(unit in ("mo", "us", "n") and float(size) > 0, "a clock that stands")
        self.clock = Clock(unit, float(size))
        self._facts = learnt.facts["data"]
        self.scaler = Scaler.restore(learnt.part("scaler"))
        self.network = self._fresh(0)
        set_weights(self.network.encoder, learnt.part("encoder").arrays)
        set_weights(self.network.decoder, learnt.part("decoder").arrays)
        self.ridge = RidgeMap.restore(learnt.part("ridge")) if "ridge" in learnt.facts else None


def forecast_loss(
    network: ForecastNetwork,
    config: TsForecastConfig,
    values: Float[Tensor, "t c"],
    first: Int[Tensor, " n"],
    wanted: list[int],
) -> Loss:
    """The loss of some windows: the forecast's error, the contrast, or both."""
    together = config.training == "end_to_end"
    contrasted = config.contrast != "none"

    def loss(model: nn.Module, rows: Int[Tensor, " b"], generator: torch.Generator) -> Step:
        windows = gather(values, first[rows], config.length).to(generator.device)
        kept = altered = None
        if config.contrast == "hierarchical":
            drawn = torch.rand(windows.shape[:2], generator=generator, device=windows.device)
            kept = drawn < config.keep
        elif contrasted:
            altered = cost_view(
                windows,
                generator,
                sigma=config.sigma,
                p=config.p_view,
                shared=config.shared_draws,
            )
        forecast, one, other, keys = model(windows, kept, altered)
        terms: dict[str, Tensor] = {}
        if together:
            truth = gather(values[:, wanted], first[rows] + config.length, config.horizon)
            terms["mse"] = (forecast - truth.to(forecast.device)).square().mean()
        if contrasted:
            terms["contrast"] = contrast(network, config, one, other, keys, generator)
        total = (
            (1 - config.balance) * terms["mse"] + config.balance * terms["contrast"]
            if together and contrasted
            else sum(terms.values(), torch.zeros((), device=windows.device))
        )
        watched = {"embeddings": one[:, -1], "positives": other[:, -1]} if contrasted else {}
        return Step(total, terms=terms, **watched)

    return loss


def contrast(
    network: ForecastNetwork,
    config: TsForecastConfig,
    one: Tensor,
    other: Tensor,
    keys: Tensor | None,
    generator: torch.Generator,
) -> Float[Tensor, ""]:
    """The contrastive term that ``config`` names."""
    if keys is None or network.queue is None:
        return steps_contrast(one, other, config)
    if config.contrast == "moco":
        return moco_contrast(one, keys, network.queue, config, generator)
    return cost_contrast(one, other, keys, network.queue, config, generator)


def _move_teacher(momentum: float) -> Callable[[nn.Module, int], None]:
    def move(model: nn.Module, _done: int) -> None:
        assert isinstance(model, ForecastNetwork)
        assert model.teacher is not None
        follow(model.teacher, model.student(), momentum)

    return move
