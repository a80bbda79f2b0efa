"""What is on disk is a whole checkpoint of this very training, or it is refused."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from contraview.core.errors import ContraviewError, InputError
from contraview.core.run import Run
from contraview.training.checkpoint import (
    Checkpoint,
    checkpoint_path,
    clear_checkpoints,
    collect,
    network,
    read_checkpoint,
    restore,
    write_checkpoint,
)

SETTINGS = {"seed": 3, "schedule": {"lr": 0.1, "betas": (0.9, 0.999)}}


class Tied(nn.Module):
    """Tied weights, a buffer, a frozen part, and a part that no loss reaches."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(4, 4)
        self.b = nn.Linear(4, 4)
        self.b.weight = self.a.weight
        self.norm = nn.BatchNorm1d(4)
        self.teacher = nn.Linear(4, 4).requires_grad_(False)
        self.idle = nn.Linear(2, 2).to(torch.bfloat16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.b(self.a(x)))


def trained(steps: int) -> tuple[Tied, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = Tied()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], fused=True)
    take_steps(model, optimizer, steps)
    return model, optimizer


def take_steps(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.linspace(-1, 1, 20).view(5, 4)).square().sum().backward()
        optimizer.step()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    place = checkpoint_path(Run(tmp_path), "train")
    assert place is not None
    model, optimizer = trained(3)
    write_checkpoint(place, Checkpoint(3, SETTINGS, {"threads": 1}, collect(model, optimizer)))
    return place


def test_round_trip_continues_bit_for_bit(path):
    whole, whole_optimizer = trained(7)
    checkpoint = read_checkpoint(path, SETTINGS)
    assert checkpoint is not None
    assert (checkpoint.step, checkpoint.machine) == (3, {"threads": 1})
    resumed, optimizer = trained(0)
    restore(resumed, optimizer, checkpoint.tensors)
    assert resumed.a.weight is resumed.b.weight
    take_steps(resumed, optimizer, 4)
    expected, got = (collect(whole, whole_optimizer), collect(resumed, optimizer))
    assert expected.keys() == got.keys()
    assert all(torch.equal(expected[name], got[name]) for name in expected)


def test_weights_in_another_memory_order_continue_bit_for_bit(path):
    def some_steps(model, optimizer, steps):
        pixels = torch.linspace(-1, 1, 2 * 3 * 8 * 8).view(2, 3, 8, 8).sin()
        for _ in range(steps):
            optimizer.zero_grad()
            model(pixels).square().mean().backward()
            optimizer.step()

    def fresh():
        torch.manual_seed(0)
        model = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
        return model, torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)

    whole, optimizer = fresh()
    some_steps(whole, optimizer, 3)
    write_checkpoint(path, Checkpoint(3, SETTINGS, {}, collect(whole, optimizer)))
    some_steps(whole, optimizer, 3)
    checkpoint = read_checkpoint(path, SETTINGS)
    assert checkpoint is not None
    resumed, optimizer = fresh()
    restore(resumed, optimizer, checkpoint.tensors)
    some_steps(resumed, optimizer, 3)
    assert torch.equal(resumed.weight, whole.weight)


def test_a_checkpoint_is_tensors_by_name_and_json(path):
    tensors = load_file(path)
    assert {"model.a.weight", "model.b.weight", "optimizer.exp_avg_sq.a.bias"} <= tensors.keys()
    assert "optimizer.exp_avg.idle.weight" not in tensors
    assert tensors["optimizer.step.a.weight"] == 3


def test_network_tells_type_shape_and_what_is_trained():
    kinds = network(Tied())
    assert kinds["a.weight"] == "float32[4, 4] trained"
    assert kinds["teacher.bias"] == "float32[4]"
    assert kinds["idle.bias"] == "bfloat16[2] trained"
    assert kinds["norm.num_batches_tracked"] == "int64[]"


def test_no_checkpoint_is_none(tmp_path):
    assert read_checkpoint(tmp_path / "absent", SETTINGS) is None
    assert checkpoint_path(Run(None), "train") is None


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_a_half_file_is_refused(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match=r"train\.checkpoint.*damaged"):
        read_checkpoint(path, SETTINGS)


def test_any_changed_byte_is_refused(path):
    content = path.read_bytes()
    refused = 0
    for place in range(8, len(content), len(content) // 97):
        spoilt = bytearray(content)
        spoilt[place] ^= 4
        path.write_bytes(bytes(spoilt))
        with pytest.raises(InputError, match="damaged"):
            read_checkpoint(path, SETTINGS)
        refused += 1
    assert refused >= 97


def test_a_changed_header_is_refused(path):
    content = path.read_bytes()
    assert content.count(b'\\"step\\": 3') == 1
    path.write_bytes(content.replace(b'\\"step\\": 3', b'\\"step\\": 2'))
    with pytest.raises(InputError, match="digest"):
        read_checkpoint(path, SETTINGS)


def test_a_foreign_safetensors_file_is_refused(path):
    save_file({"model.a.weight": torch.zeros(4, 4)}, path)
    with pytest.raises(InputError, match="damaged"):
        read_checkpoint(path, SETTINGS)


def test_a_file_that_was_not_renamed_is_never_read(path):
    path.rename(path.with_name(path.name + ".partial"))
    assert read_checkpoint(path, SETTINGS) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 4}, "seed is 3 there, 4 here"),
        ({"schedule": {"lr": 0.2, "betas": (0.9, 0.999)}}, "schedule.lr is 0.1 there, 0.2 here"),
        ({"rows": 10}, "rows is absent there, 10 here"),
    ],
)
def test_other_settings_are_refused_by_name(path, change, said):
    with pytest.raises(InputError, match=said):
        read_checkpoint(path, {**SETTINGS, **change})


def test_a_failed_write_keeps_the_last_checkpoint(path):
    before = path.read_bytes()
    (path.parent / (path.name + ".partial")).symlink_to("/dev/full")
    model, optimizer = trained(5)
    later = Checkpoint(5, SETTINGS, {}, collect(model, optimizer))
    with pytest.raises(ContraviewError, match=r"step 5 cannot be written \(No space left.*kept"):
        write_checkpoint(path, later)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_clear_removes_checkpoints_and_nothing_else(path):
    (path.parent / "events.jsonl").touch()
    run = Run(path.parent)
    path.with_name(path.name + ".partial").write_bytes(b"half")
    clear_checkpoints(run)
    assert [entry.name for entry in path.parent.iterdir()] == ["events.jsonl"]
    clear_checkpoints(Run(None))
