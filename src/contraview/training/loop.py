"""The one training loop, over Hugging Face Accelerate.

Devices, precision and processes are Accelerate's matter: `accelerate launch` and its flags decide.
Here are the steps, in an order that a reader can follow, and what makes a training safe to kill:
everything random at a step is a function of (seed, step), so weights, optimiser state and the step
number are all that a checkpoint has to hold.
"""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType
from jaxtyping import Int64
from torch import Tensor, nn

from contraview.core.errors import ContraviewError, InputError
from contraview.core.run import Run
from contraview.core.seeds import stream_seed, torch_generator
from contraview.training.checkpoint import (
    Checkpoint,
    checkpoint_path,
    collect,
    network,
    read_checkpoint,
    restore,
    write_checkpoint,
)
from contraview.training.journal import Journal
from contraview.training.processes import (
    need_all,
    need_same,
    on_any,
    own_slice,
    unlike_one_process,
)
from contraview.training.row_draws import RowDraws
from contraview.training.samplers import Batches
from contraview.training.schedule import Schedule
from contraview.training.step import Loss, Step

SHARDED = {DistributedType.FSDP, DistributedType.DEEPSPEED, DistributedType.MEGATRON_LM}

CHECKPOINT_SECONDS: Final = 60.0
"""The longest that a training goes on without a checkpoint."""
CHECKPOINT_SHARE: Final = 0.05
"""Of the time, what checkpoints by the clock may take; large ones then come less often."""

ADVICE = "earlier checkpoints are kept; try a lower learning rate or gradient clipping"


def train(
    model: nn.Module,
    loss: Loss,
    batches: Batches,
    schedule: Schedule,
    *,
    run: Run,
    name: str = "train",
    settings: Mapping[str, Any] | None = None,
    after_step: Callable[[nn.Module, int], None] | None = None,
    checkpoint_every: int | None = None,
    log_every: int = 50,
) -> None:
    """Train ``model`` in place with AdamW; it ends on the training device, in evaluation mode.

    Parameters that require a gradient are trained. Whatever else ``loss`` or ``after_step`` change
    (a teacher, a queue) has to be part of the model, as buffers or frozen parameters: that is what
    a checkpoint holds. A run with a folder continues from its checkpoint, and the weights are then
    bit for bit those of the uninterrupted training (same machine, torch build, threads and
    processes; operations that torch documents as deterministic; not fp16, whose loss scale starts
    anew).

    Several processes share each batch, so its size, the steps and the learning rate stay as they
    are. Each row gets the draws that it would get on one process (see `RowDraws`); dropout is each
    process's own. Where a layer takes statistics over a batch, a warning says that results differ.

    The checkpoint stays after the last step, so that nothing is trained twice if saving the model
    fails: call `clear_checkpoints` once it is saved.

    Args:
        model: the network, on any device.
        loss: see `Loss`.
        batches: the rows of a step (see `samplers`); each process takes its own slice of them.
        schedule: steps, learning rates and AdamW's settings.
        run: the seed, the folder for events and checkpoints, the progress bar.
        name: of this training among those of the run; names its random streams and its checkpoint.
        settings: JSON values that define the training besides seed and schedule (the system's
            settings, the data's fingerprint): a checkpoint made with others is refused.
        after_step: called as ``after_step(model, done)`` without gradients when ``done`` steps
            have been taken; moves a teacher (EMA).
        checkpoint_every: steps between checkpoints; the run's where it is not said. There is also
            one where `CHECKPOINT_SECONDS` have passed, so that no kill costs more than those.
        log_every: steps between events of kind "step".

    Raises:
        InputError: the checkpoint is damaged or of other settings; the batch cannot be split.
        ContraviewError: loss or weights are not finite, or a checkpoint cannot be written. The
            last good checkpoint stays.
        KeyboardInterrupt: after Ctrl-C, once the step is finished and its checkpoint written. A
            second Ctrl-C does not wait for them.
    """
    accelerator = Accelerator()
    need_all(accelerator)
    run.show &= accelerator.is_main_process  # one bar for all processes
    path = checkpoint_path(run, name)
    if path and accelerator.distributed_type in SHARDED:
        raise InputError(
            f"{accelerator.distributed_type.value}: checkpoints of sharded weights are not "
            "supported; launch with plain data parallelism, or train without a folder"
        )
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(
        trained, betas=schedule.betas, weight_decay=schedule.weight_decay, fused=True
    )
    wrapped, stepper = accelerator.prepare(model, optimizer)
    if accelerator.scaler is None:
        # Accelerate's step searches the disk for an optional package every time (140 us); where
        # no loss is scaled it then only calls the optimiser that it wraps.
        stepper = optimizer
    settings = {
        "seed": run.seed,
        "schedule": schedule.model_dump(mode="json"),
        "network": network(model),
        **(settings or {}),
    }
    machine = _machine(accelerator)

    def keep(done: int) -> None:
        if not all(bool(parameter.isfinite().all()) for parameter in trained):
            raise ContraviewError(f"{name}: weights are not finite after step {done}; {ADVICE}")
        if path and accelerator.is_main_process:
            write_checkpoint(path, Checkpoint(done, settings, machine, collect(model, optimizer)))

    every = run.checkpoint_every if checkpoint_every is None else checkpoint_every
    start = 0
    checkpoint = read_checkpoint(path, settings) if path and run.resume else None
    if checkpoint:
        start = checkpoint.step
        restore(model, optimizer, checkpoint.tensors)
    need_same(start, accelerator, path)
    with (
        run.progress(name, schedule.steps) as advance,
        _interruption() as asked,
        torch.random.fork_rng(devices=[]),
    ):
        journal = Journal(
            run,
            name,
            accelerator=accelerator,
            advance=advance,
            steps=schedule.steps,
            log_every=log_every,
        )
        journal.start(start, machine, checkpoint)
        wrapped.train()
        if warning := unlike_one_process(model, accelerator):
            journal.warn(start, warning)
        next_by = _next_by(time.monotonic())
        for step in range(start, schedule.steps):
            began = time.perf_counter()
            batch = batches(step)
            rows = own_slice(batch, accelerator)
            waited = time.perf_counter() - began

            lr = schedule.lr_at(step)
            for group in optimizer.param_groups:
                group["lr"] = lr
            generator, draws = _seeded(run, name, step, accelerator, len(rows))
            stepper.zero_grad()
            with draws:
                result = _gradients(accelerator, wrapped, loss, rows, generator)
            _need_finite(result, name, step + 1, lr)
            if schedule.clip is not None:
                accelerator.clip_grad_norm_(wrapped.parameters(), schedule.clip)
            stepper.step()
            done = step + 1
            if after_step is not None:
                with torch.no_grad():
                    after_step(model, done)

            journal.note(done, result, rows=len(batch), lr=lr, waited=waited + result.waited)
            interrupted = on_any(asked, accelerator)
            due = done % every == 0 or time.monotonic() > next_by
            if interrupted or due or done == schedule.steps:
                began = time.monotonic()
                keep(done)
                next_by = _next_by(began)
            if interrupted:
                journal.event("interrupted", step=done)
                raise KeyboardInterrupt
    accelerator.unwrap_model(wrapped, keep_fp32_wrapper=False)
    model.eval()


def _next_by(began: float) -> float:
    """When the next checkpoint is due, the last one having been written since ``began``."""
    now = time.monotonic()
    return now + max(CHECKPOINT_SECONDS, (now - began) / CHECKPOINT_SHARE)


def _gradients(
    accelerator: Accelerator,
    model: nn.Module,
    loss: Loss,
    rows: Int64[Tensor, " n"],
    generator: torch.Generator,
) -> Step:
    """Forward and backward over this process's rows: the gradients are in the parameters after."""
    result = loss(model, rows, generator)
    accelerator.backward(result.loss)
    if result.after_backward is not None:
        result.after_backward()
    return result


def _seeded(
    run: Run, name: str, step: int, accelerator: Accelerator, rows: int
) -> tuple[torch.Generator, AbstractContextManager[Any]]:
    """The step's own generator, and what makes its draws those of the rows.

    torch's global generator, for dropout, is seeded for the step too.
    """
    device, rank = accelerator.device, accelerator.process_index
    seed = stream_seed(run.seed, name, "dropout", step, rank)
    torch.default_generator.manual_seed(seed)  # torch.manual_seed asks every backend: 100 us
    if device.type != "cpu":
        torch.get_device_module(device).manual_seed(seed)
    generator = torch_generator(run.seed, name, "step", step, 0, device=device)
    processes = accelerator.num_processes
    if processes == 1:
        return generator, nullcontext()
    own = torch_generator(run.seed, name, "own step", step, rank, device=device)
    first, batch = rank * rows, processes * rows
    return generator, RowDraws(generator, own, first=first, rows=rows, batch=batch)


def _need_finite(result: Step, name: str, step: int, lr: float) -> None:
    if not math.isfinite(result.loss.item()):
        figures = "".join(f"{key} {value:.4g}, " for key, value in result.figures().items())
        raise ContraviewError(f"{name}, step {step}: {figures}lr {lr:.3g}; {ADVICE}")


def _machine(accelerator: Accelerator) -> dict[str, Any]:
    """What the bits of the result depend on besides settings and data."""
    return {
        "torch": torch.__version__,
        "device": accelerator.device.type,
        "threads": torch.get_num_threads(),
        "processes": accelerator.num_processes,
        "precision": accelerator.mixed_precision,
    }


@contextmanager
def _interruption() -> Iterator[threading.Event]:
    """Ctrl-C sets the event, so that a step can be finished; the second one interrupts at once.

    Signals belong to the main thread; elsewhere, and where SIGINT is ignored, nothing changes.
    """
    asked = threading.Event()
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield asked
        return

    def ask(_signal: int, _frame: Any) -> None:
        asked.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, ask)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)
