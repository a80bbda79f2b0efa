"""Every objective: two processes agree with one in loss and gradient."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

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
from contraview.objectives.negative_cosine import negative_cosine

ROWS = 12  # of each tensor, in all


def rows() -> dict[str, Tensor]:
    """The global batch: what one process holds whole and several hold in part."""
    generator = torch.Generator().manual_seed(7)
    return {
        "a": torch.randn(ROWS, 6, generator=generator),
        "b": torch.randn(ROWS, 6, generator=generator),
        "weights": torch.rand(ROWS, ROWS, generator=generator),
        "labels": torch.randint(3, (ROWS,), generator=generator),
        "attack": torch.rand(ROWS, generator=generator) < 0.4,
        "queue": torch.randn(5, 6, generator=generator),
        "shares": torch.rand(ROWS, generator=generator),
        "several": (torch.rand(ROWS, 3, generator=generator) < 0.4).float(),
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
}


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


def work(rank: int, part: list[int], folder: str) -> None:
    """One of two processes: runs as a script."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2
    )
    save_file(evaluate(slice(*part)), Path(folder) / f"{rank}.safetensors")
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    work(**json.loads(sys.argv[1]))
