"""What several processes have to agree on to be one training."""

import os
import threading
from pathlib import Path

import torch
from accelerate import Accelerator
from jaxtyping import Int64
from torch import Tensor, nn

from contraview.core.errors import InputError
from contraview.core.processes import started
from contraview.training.batch_statistics import batch_statistics


def need_all(accelerator: Accelerator) -> None:
    """Refuse processes that a launcher started and that do not work together."""
    if started() != accelerator.num_processes:
        raise InputError(
            f"{started()} processes were started and each works alone; without a GPU for each, "
            "set ACCELERATE_USE_CPU=true"
        )


def need_same(start: int, accelerator: Accelerator, path: Path | None) -> None:
    """Refuse processes that found different checkpoints: they would wait for each other forever."""
    if accelerator.num_processes == 1:
        return
    own = torch.tensor([start], device=accelerator.device)
    starts = torch.as_tensor(accelerator.gather(own)).tolist()
    if len(set(starts)) > 1:
        raise InputError(
            f"{path}: the processes' checkpoints are of steps {starts}; expected a folder that all "
            "machines share"
        )


def unlike_one_process(model: nn.Module, accelerator: Accelerator) -> str | None:
    """What keeps a training from being that of one process, or from being of several; or None."""
    if accelerator.num_processes > 1:
        layer = batch_statistics(model)
        return layer and (
            f"{layer} takes statistics over the rows of each process apart: results differ from "
            "one process"
        )
    asked = {"ACCELERATE_MIXED_PRECISION", "MASTER_PORT"} <= os.environ.keys()
    if asked and "RANK" not in os.environ:
        return (
            "several processes were asked for and one was started, as `accelerate launch --cpu` "
            "does; for two: ACCELERATE_USE_CPU=true accelerate launch --multi_gpu --num_processes 2"
        )
    return None


def on_any(asked: threading.Event, accelerator: Accelerator) -> bool:
    """Whether any process was interrupted: all stop after the same step, or none."""
    if accelerator.num_processes == 1:
        return asked.is_set()
    flag = torch.tensor(float(asked.is_set()), device=accelerator.device)
    return bool(torch.as_tensor(accelerator.reduce(flag, "sum")).item())


def own_slice(batch: Int64[Tensor, " batch"], accelerator: Accelerator) -> Int64[Tensor, " n"]:
    """This process's rows of a batch."""
    size, left = divmod(len(batch), accelerator.num_processes)
    if left:
        raise InputError(
            f"a batch of {len(batch)} rows cannot be split evenly over "
            f"{accelerator.num_processes} processes; expected a multiple of them"
        )
    return batch[accelerator.process_index * size :][:size]
