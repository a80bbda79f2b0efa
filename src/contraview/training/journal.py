"""What a training says about itself while it runs: the bar, the events, the collapse warning."""

import logging
import time
from typing import Any

import torch
from accelerate import Accelerator

from contraview.core.run import Advance, Run
from contraview.training.checkpoint import Checkpoint, first_difference
from contraview.training.collapse import CollapseWatch
from contraview.training.step import Step

logger = logging.getLogger(__name__)

REDRAW = 0.1
"""Seconds between two changes of the progress bar."""


class Journal:
    """Shows every step on the bar and writes every ``log_every``-th, and the last, as an event.

    An event of kind "step" carries the training's name, the steps done, loss and terms (means
    over processes), the learning rate, and for the steps since the event before: rows a second
    over all processes and the share of time spent waiting for data. Where the loss gives
    embeddings, it carries the collapse figures too. A resumed run repeats the events between its
    checkpoint and where it was killed; an event "resume" says from which step.
    """

    def __init__(
        self,
        run: Run,
        name: str,
        *,
        accelerator: Accelerator,
        advance: Advance,
        steps: int,
        log_every: int,
    ) -> None:
        self._run = run
        self._name = name
        self._accelerator = accelerator
        self._advance = advance
        self._steps = steps
        self._log_every = log_every
        self._watch = CollapseWatch()
        self._started = self._drawn = self._logged = time.perf_counter()
        self._undrawn = self._unlogged_rows = 0
        self._waited = self._waited_before = 0.0

    def start(self, done: int, machine: dict[str, Any], checkpoint: Checkpoint | None) -> None:
        """Say that a training starts, or goes on after ``done`` steps and perhaps elsewhere."""
        self.event("resume" if checkpoint else "start", step=done, steps=self._steps, **machine)
        self._advance(done)
        if checkpoint and checkpoint.machine != machine:
            changes = first_difference(checkpoint.machine, machine)
            self.warn(done, f"not bit for bit the uninterrupted training: {changes}")

    def event(self, kind: str, **fields: Any) -> None:
        """Write an event of this training, one for all processes."""
        if self._accelerator.is_main_process:
            self._run.log(kind, name=self._name, **fields)

    def note(self, done: int, step: Step, *, rows: int, lr: float, waited: float) -> None:
        """Take note of a step: the ``done``-th, over ``rows`` rows of all processes."""
        self._undrawn += 1
        self._unlogged_rows += rows
        self._waited += waited
        now = time.perf_counter()
        last = done == self._steps
        if last or now - self._drawn > REDRAW:
            share = self._waited / max(now - self._started, 1e-9)
            self._advance(self._undrawn, loss=f"{step.loss.item():.4g}", data=f"{share:.0%}")
            self._drawn, self._undrawn = now, 0
        if last or done % self._log_every == 0:
            self._log(done, step, lr, max(now - self._logged, 1e-9))
            self._logged, self._unlogged_rows = now, 0
            self._waited_before = self._waited

    def _log(self, done: int, step: Step, lr: float, elapsed: float) -> None:
        figures = step.figures()
        numbers = torch.tensor(list(figures.values()), device=self._accelerator.device)
        means = torch.as_tensor(self._accelerator.reduce(numbers, "mean")).tolist()
        if not self._accelerator.is_main_process:
            return
        fields = {
            "step": done,
            "loss": means[0],
            "terms": dict(zip(step.terms, means[1:], strict=True)),
            "lr": lr,
            "rows_per_second": round(self._unlogged_rows / elapsed, 1),
            "data_wait": round((self._waited - self._waited_before) / elapsed, 4),
        }
        if step.embeddings is not None and len(step.embeddings) > 1:
            fields["collapse"] = self._watch.look(step.embeddings, step.positives)
        self.event("step", **fields)
        watched = "collapse" in fields and not step.narrow
        if watched and (said := self._watch.warning(fields["collapse"])):
            self.warn(done, said)

    def warn(self, done: int, message: str) -> None:
        """Warn as an event and on stderr, once for all processes."""
        self.event("warning", step=done, message=message)
        if self._accelerator.is_main_process:
            logger.warning("%s, step %d: %s", self._name, done, message)
