"""Every objective: two processes agree with one in loss and gradient, in n x N memory."""

import json
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from inspect import getmembers, isfunction
from pathlib import Path
from pkgutil import iter_modules

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from contraview import objectives
from contraview.objectives import (
    clad_loss,
    clan_loss,
    density_ratio,
    dice_loss,
    group_divergence,
    hierarchical,
    info_nce,
    koleo,
    masked_mse,
    neighbourhood,
    nt_xent,
    soft_contrast,
    sup_con,
)
from contraview.objectives.chamfer import chamfer
from contraview.objectives.clip import clip
from contraview.objectives.diffusion import variational_bound
from contraview.objectives.hierarchical import instance_contrast, temporal_contrast
from contraview.objectives.negative_cosine import negative_cosine

ROWS = 12  # of each tensor, in all
MANY = 2048  # rows in all where memory is counted
BETA = torch.linspace(0.01, 0.3, 10)


def rows(count: int = ROWS) -> dict[str, Tensor]:
    """The global batch: what one process holds whole and several hold in part."""
    generator = torch.Generator().manual_seed(7)
    return {
        "a": torch.randn(count, 6, generator=generator),
        "b": torch.randn(count, 6, generator=generator),
        "weights": torch.rand(count, count, generator=generator),
        "labels": torch.randint(3, (count,), generator=generator),
        "attack": torch.rand(count, generator=generator) < 0.4,
        "queue": torch.randn(5, 6, generator=generator),
        "shares": torch.rand(count, generator=generator),
        "several": (torch.rand(count, 3, generator=generator) < 0.4).float(),
        "times": torch.randint(len(BETA), (count,), generator=generator),
    }


# name -> loss of the two embeddings and of whatever else the batch holds, cut alike
OBJECTIVES: dict[str, Callable[[Tensor, Tensor, dict[str, Tensor]], Tensor]] = {
    "nt_xent": lambda a, b, _: nt_xent(a, b, 0.2),
    "nt_xent, cold": lambda a, b, _: nt_xent(a, b, 0.01),
    "nt_xent, row weights": lambda a, b, rest: nt_xent(a, b, 0.2, row_weights=rest["shares"]),
    "info_nce, row weights": lambda a, b, rest: info_nce(
        a, b, scale=1.5, weights=rest["weights"], row_weights=rest["shares"]
    ),
    "negative_cosine, row weights": lambda a, b, rest: (
        negative_cosine(a, b, row_weights=rest["shares"])
        + negative_cosine(b, a, row_weights=rest["shares"])
    ),
    "info_nce": lambda a, b, rest: info_nce(a, b, scale=1.5, extra_keys=rest["queue"]),
    "info_nce, weights": lambda a, b, rest: info_nce(a, b, scale=1.5, weights=rest["weights"]),
    "info_nce, weights inside": lambda a, b, rest: info_nce(
        a, b, scale=1.5, weights=rest["weights"], weights_inside_log=True, exclude_self=True
    ),
    "info_nce, itself": lambda a, b, rest: info_nce(
        a + b, a + b, scale=1.5, weights=rest["weights"], exclude_self=True
    ),
    "sup_con": lambda a, b, rest: sup_con(a + b, rest["labels"]),
    "soft_contrast": lambda a, b, rest: soft_contrast(
        a, b, rest["several"], rest["several"].flip(1), 0.3
    ),
    "density_ratio": lambda a, b, _: density_ratio(a.exp().sum(1), b.exp()),
    "neighbourhood": lambda a, b, rest: neighbourhood(a + b, rest["weights"], 1.5),
    "group_divergence": lambda a, b, rest: group_divergence((a + b).softmax(1)),
    "hierarchical": lambda a, b, _: hierarchical(a.view(-1, 3, 2), b.view(-1, 3, 2), 0.3),
    "koleo": lambda a, b, _: koleo(a + b),
    "clan_loss": lambda a, b, _: clan_loss(a, b, balance=0.3),
    "clan_loss, squared": lambda a, b, _: clan_loss(a, b, squared=True),
    "dice_loss": lambda a, b, rest: dice_loss(
        torch.stack([a, b], 1), (rest["attack"][:, None].expand(a.shape)).long()
    ),
    "masked_mse": lambda a, b, rest: masked_mse(
        a.view(-1, 1, 2, 3), b.view(-1, 1, 2, 3), (b > 0.3).view(-1, 1, 2, 3)
    ),
    "clad_loss": lambda a, b, rest: clad_loss(a + b, rest["attack"]),
    "clip": lambda a, b, _: clip(a, b, scale=7.0),
    "clip, one direction": lambda a, b, _: clip(a, b, scale=7.0, symmetric=False),
    "chamfer": lambda a, b, _: chamfer(a.view(-1, 3, 2), b.view(-1, 3, 2)),
    "instance_contrast": lambda a, b, _: instance_contrast(a.view(-1, 3, 2), b.view(-1, 3, 2)),
    "temporal_contrast": lambda a, b, _: temporal_contrast(a.view(-1, 3, 2), b.view(-1, 3, 2)),
    "variational_bound": lambda a, b, rest: variational_bound(
        a, b, a - b, b.sigmoid(), rest["times"], BETA, (1 - BETA).cumprod(0)
    ),
}

# public functions of the package that are no loss, and why
NO_LOSS = {
    "student_t": "shares of groups, each row by itself; group_divergence is the loss",
    "sharpened": "a target without gradient; its sums over processes show in group_divergence",
    "normalised": "the target of masked_mse, each row by itself",
    "unit": "each row by itself",
    "log_sum_exp": "an engine: takes keys that were gathered already",
    "pair_sum": "an engine: takes keys that were gathered already",
    "gather": "the rule itself",
    "mean": "the rule itself",
    "weighted": "each row by itself",
}

# losses that compare rows with the rows of others by tiles: no n x N matrix is ever there
BY_TILES = (
    "nt_xent", "nt_xent, cold", "info_nce", "sup_con", "soft_contrast", "clan_loss",
    "clan_loss, squared", "clad_loss", "clip",
)  # fmt: skip
# neighbourhood is not among them: linear in the weights that are not zero, and here none is
BY_ROWS = (*BY_TILES, "koleo", "info_nce, weights")


class Largest(TorchDispatchMode):
    """Notes how many values the largest tensor holds that anything makes, also in backward."""

    def __init__(self) -> None:
        super().__init__()
        self.values = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        for each in made if isinstance(made, tuple | list) else (made,):
            if isinstance(each, Tensor):
                self.values = max(self.values, each.numel())
        return made


def largest_tensors(part: slice) -> dict[str, Tensor]:
    """For each loss that compares rows: values of the largest tensor on the way there and back."""
    batch = rows(MANY)
    rest = {name: batch[name] if name == "queue" else batch[name][part] for name in batch}
    found = {}
    for name in BY_ROWS:
        a, b = rest["a"].clone().requires_grad_(), rest["b"].clone().requires_grad_()
        with Largest() as largest:
            OBJECTIVES[name](a, b, rest).backward()
        found[f"largest/{name}"] = torch.tensor(largest.values)
    return found


def evaluate(part: slice) -> dict[str, Tensor]:
    """Losses and gradients of every objective on one part of the batch."""
    batch = rows()
    rest = {name: batch[name] if name == "queue" else batch[name][part] for name in batch}
    found = {}
    for name, objective in OBJECTIVES.items():
        a, b = rest["a"].clone().requires_grad_(), rest["b"].clone().requires_grad_()
        loss = objective(a, b, rest)
        loss.backward()
        found |= {f"{name}/loss": loss.detach(), f"{name}/a": a.grad, f"{name}/b": b.grad}
    # A tensor may be untouched by an objective; safetensors has no None.
    return {name: torch.zeros(1) if x is None else x.contiguous() for name, x in found.items()}


def public_functions() -> set[str]:
    found = set()
    for module in iter_modules(objectives.__path__):
        full_name = f"{objectives.__name__}.{module.name}"
        for name, function in getmembers(import_module(full_name), isfunction):
            if function.__module__ == full_name and not name.startswith("_"):
                found.add(name)
    return found


def test_no_objective_is_left_out():
    compared = {name.partition(",")[0] for name in OBJECTIVES}
    assert not compared & NO_LOSS.keys()
    assert public_functions() == compared | NO_LOSS.keys(), "add it to OBJECTIVES, or say why not"


@pytest.mark.parametrize("cuts", [(0, 6, 12), (0, 5, 12)], ids=["even", "uneven"])
def test_two_processes_agree_with_one(tmp_path, cuts):
    workers = []
    for rank in range(2):
        job = {"rank": rank, "part": cuts[rank : rank + 2], "folder": str(tmp_path)}
        command = [sys.executable, __file__, json.dumps(job)]
        workers.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
    for worker in workers:
        _, errors = worker.communicate(timeout=600)
        assert worker.returncode == 0, errors
    parts = [load_file(tmp_path / f"{rank}.safetensors") for rank in range(2)]
    for name, expected in evaluate(slice(0, ROWS)).items():
        if name.endswith("/loss"):
            for part in parts:
                torch.testing.assert_close(part[name], expected, rtol=1e-5, atol=1e-6, msg=name)
        else:
            # Each process leaves W = 2 times the gradient on its own rows; DDP's mean halves it.
            joined = torch.cat([part[name] for part in parts]) / 2
            torch.testing.assert_close(joined, expected, rtol=1e-4, atol=1e-6, msg=name)
    for rank, part in enumerate(parts):
        for name in BY_ROWS:
            values = int(part[f"largest/{name}"])
            # weights and what koleo keeps are n x N by their nature; nothing is ever N x N
            most = MANY * MANY // 8 if name in BY_TILES else MANY * MANY // 2
            assert values <= most, f"{name}: {values} values at once on process {rank}"


def test_one_process_that_builds_the_matrix_would_be_noticed():
    a = torch.randn(MANY, 6, requires_grad=True)
    with Largest() as largest:
        (a @ a.T).logsumexp(1).sum().backward()
    assert largest.values == MANY * MANY


def work(rank: int, part: list[int], folder: str) -> None:
    """One of two processes: runs as a script."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2
    )
    half = MANY // 2
    found = evaluate(slice(*part)) | largest_tensors(slice(rank * half, (rank + 1) * half))
    save_file(found, Path(folder) / f"{rank}.safetensors")
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    work(**json.loads(sys.argv[1]))
