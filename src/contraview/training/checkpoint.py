"""A training on disk, to be taken up again: one safetensors file, whole or absent.

Weights and optimiser state are tensors by parameter name; the rest is JSON in the file's header.
A digest covers both, so a damaged file is recognised. Nothing is ever unpickled.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from contraview.core.errors import ContraviewError, InputError
from contraview.core.processes import is_main
from contraview.core.run import Run
from contraview.core.whole_file import write_bytes

FORMAT = 1
SUFFIX = ".checkpoint.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """A training after ``step`` steps.

    Attributes:
        step: optimiser steps done.
        settings: what defines the training; one of other settings cannot continue from here.
        machine: what the bits of the result also depend on (threads, processes, torch build).
        tensors: weights and optimiser state, as `collect` gives them.
    """

    step: int
    settings: dict[str, Any]
    machine: dict[str, Any]
    tensors: dict[str, Tensor]


def checkpoint_path(run: Run, name: str) -> Path | None:
    """Where the training ``name`` keeps its checkpoint; None for a run without a folder."""
    return None if run.folder is None else run.folder / f"{name}{SUFFIX}"


def clear_checkpoints(run: Run) -> None:
    """Remove the run's checkpoints. For the caller to do once the model is saved, not before."""
    if run.folder is not None and is_main():
        for path in run.folder.glob(f"*{SUFFIX}*"):
            path.unlink()


def network(model: nn.Module) -> dict[str, str]:
    """Each tensor of the model by name: type, shape, and whether it is trained. For `settings`."""
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    return {
        name: _kind(value) + (" trained" if name in trained else "")
        for name, value in model.state_dict().items()
    }


def collect(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """A copy of everything that training changes: ``model.NAME``, ``optimizer.KEY.NAME``."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"optimizer.{key}.{name}"] = value
    # Tied weights share storage, which safetensors refuses: each name gets its own copy.
    return {
        name: value.detach().to("cpu", copy=True).contiguous() for name, value in tensors.items()
    }


def restore(
    model: nn.Module, optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]
) -> None:
    """Put back what `collect` took from a model of the same `network`."""
    model.load_state_dict({name: tensors[f"model.{name}"] for name in model.state_dict()})
    parameters = dict(model.named_parameters())
    moments: dict[str, dict[str, Tensor]] = {}
    for full_name, value in tensors.items():
        part, _, rest = full_name.partition(".")
        if part == "optimizer":
            key, _, name = rest.partition(".")
            moments.setdefault(name, {})[key] = _laid_out(value, parameters[name])
    names = {parameter: name for name, parameter in parameters.items()}
    order = [names[p] for group in optimizer.param_groups for p in group["params"]]
    state = {number: moments[name] for number, name in enumerate(order) if name in moments}
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _laid_out(value: Tensor, parameter: Tensor) -> Tensor:
    """A copy of ``value`` in the parameter's memory order (channels last, say), where they match.

    A copy, since the file may be memory-mapped and the optimiser writes in place; in that order,
    since the fused optimiser walks through both without looking at strides.
    """
    if value.shape != parameter.shape:
        return value.clone()
    return torch.empty_like(parameter, dtype=value.dtype, device=value.device).copy_(value)


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Replace the checkpoint at ``path``; where that fails the earlier one stays."""
    about = {
        "format": FORMAT,
        "step": checkpoint.step,
        "settings": checkpoint.settings,
        "machine": checkpoint.machine,
    }
    text = json.dumps(about)
    header = {"contraview": text, "digest": _digest(text, checkpoint.tensors)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, save(checkpoint.tensors, header))
    except OSError as error:
        kept = "the one before it is kept" if path.exists() else "there is none before it"
        raise ContraviewError(
            f"{path}: the checkpoint of step {checkpoint.step} cannot be written "
            f"({error.strerror}); {kept}"
        ) from error


def read_checkpoint(path: Path, settings: Mapping[str, Any]) -> Checkpoint | None:
    """The checkpoint at ``path``; None where there is none.

    Raises:
        InputError: it is damaged, of another format, or was made with other ``settings``.
    """
    if not path.exists():
        return None
    over = "delete it to start over"
    try:
        with safe_open(path, "pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: damaged, not a checkpoint ({error}); {over}") from None
    text = header.get("contraview", "")
    if header.get("digest") != _digest(text, tensors):
        raise InputError(f"{path}: damaged, its content does not match its digest; {over}")
    about = json.loads(text)
    if about["format"] != FORMAT:
        raise InputError(
            f"{path}: format {about['format']}; this version continues from {FORMAT} alone: {over}"
        )
    here = _flat(json.loads(json.dumps(settings)))  # as it would come back from a file
    if difference := first_difference(_flat(about["settings"]), here):
        raise InputError(
            f"{path}: made with other settings: {difference}; fit into another folder, or {over}"
        )
    return Checkpoint(about["step"], about["settings"], about["machine"], tensors)


def first_difference(there: Mapping[str, Any], here: Mapping[str, Any]) -> str | None:
    """The first key whose values differ, in words: ``lr is 0.1 there, 0.2 here``; None if equal."""
    for key in [*there, *(key for key in here if key not in there)]:
        old, new = (side.get(key, "absent") for side in (there, here))
        if old != new:
            return f"{key} is {old} there, {new} here"
    return None


def _digest(text: str, tensors: Mapping[str, Tensor]) -> str:
    sha = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        value = tensors[name]
        sha.update(f"\n{name} {_kind(value)}\n".encode())
        sha.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return sha.hexdigest()


def _kind(value: Tensor) -> str:
    return f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}"


def _flat(value: Any, name: str = "") -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {name: value}
    flat: dict[str, Any] = {}
    for key, item in value.items():
        flat |= _flat(item, f"{name}.{key}" if name else str(key))
    return flat
