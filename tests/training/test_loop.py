"""The loop in one process: what it computes, what it says, how it stops."""

import logging
import math
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from contraview.core.errors import ContraviewError, InputError
from contraview.core.run import Run
from contraview.training import loop
from contraview.training.checkpoint import checkpoint_path
from contraview.training.loop import train
from contraview.training.samplers import bootstrap, epochs
from contraview.training.schedule import Schedule
from contraview.training.step import Step

ROWS = torch.randn(40, 6, generator=torch.Generator().manual_seed(5))
SCHEDULE = Schedule.of(steps=30, batch=8, lr=1e-2, warmup=0.2, final_lr=1e-3, weight_decay=0.01)
BATCHES = bootstrap(len(ROWS), SCHEDULE.batch, seed=1)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 4))


def noisy(model: nn.Module, rows: Tensor, generator: torch.Generator) -> Step:
    x = ROWS[rows]
    a, b = (model(x + torch.randn(x.shape, generator=generator)) for _ in range(2))
    near = (a - b).square().mean()
    return Step(
        near - a.var(0).sqrt().mean(), embeddings=a, positives=b, terms={"near": near, "half": 0.5}
    )


def weights(model: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def fitted(run: Run, loss=noisy, schedule: Schedule = SCHEDULE, **more) -> Tensor:
    model = network()
    train(model, loss, BATCHES, schedule, run=run, **more)
    return weights(model)


def stopping_at(step: int, stop):
    """`noisy`, but ``stop()`` runs inside the loss of the given step (from 1)."""
    calls = iter(range(1, 10_000))

    def loss(model: nn.Module, rows: Tensor, generator: torch.Generator) -> Step:
        if next(calls) == step:
            stop()
        return noisy(model, rows, generator)

    return loss


def test_is_adamw_on_the_schedule():
    """Against the same steps written out with torch's plain AdamW."""
    seen: list[Tensor] = []

    def loss(model: nn.Module, rows: Tensor, generator: torch.Generator) -> Step:
        seen.append(rows)
        return Step((model(ROWS[rows]) - 1).square().mean())

    schedule = Schedule.of(**{**SCHEDULE.model_dump(), "clip": 0.05})
    model, plain = network(), network()
    for module in (model, plain):
        module[2].p = 0.0
    train(model, loss, BATCHES, schedule, run=Run(seed=3))
    optimizer = torch.optim.AdamW(plain.parameters(), lr=1, weight_decay=0.01)
    for step in range(30):
        optimizer.param_groups[0]["lr"] = schedule.lr_at(step)
        optimizer.zero_grad()
        (plain(ROWS[BATCHES(step)]) - 1).square().mean().backward()
        norm = nn.utils.clip_grad_norm_(plain.parameters(), 0.05)
        assert step > 0 or norm > 0.05
        optimizer.step()
    assert torch.equal(torch.stack(seen), torch.stack([BATCHES(step) for step in range(30)]))
    torch.testing.assert_close(weights(model), weights(plain), rtol=0, atol=1e-6)
    assert not model.training


def test_same_seed_same_weights_other_seed_others():
    first = fitted(Run(seed=1))
    torch.rand(3)  # what happens elsewhere does not matter
    assert torch.equal(first, fitted(Run(seed=1)))
    assert not torch.equal(first, fitted(Run(seed=2)))
    assert not torch.equal(first, fitted(Run(seed=1), name="second"))


def test_every_step_has_its_own_stream():
    drawn: list[Tensor] = []

    def loss(model: nn.Module, rows: Tensor, generator: torch.Generator) -> Step:
        drawn.append(torch.stack([torch.rand(1, generator=generator), torch.rand(1)]))
        return Step(model(ROWS[rows]).square().mean())

    fitted(Run(), loss)
    assert len(torch.cat(drawn).unique()) == 2 * len(drawn) == 60


def test_torchs_own_generator_is_left_as_it_was():
    torch.manual_seed(11)
    expected = torch.rand(4)
    model = network()
    torch.manual_seed(11)
    train(model, noisy, BATCHES, SCHEDULE, run=Run())
    assert torch.equal(torch.rand(4), expected)


def test_frozen_parameters_stay_and_after_step_moves_a_teacher():
    model = nn.ModuleDict({"student": nn.Linear(6, 2), "teacher": nn.Linear(6, 2)})
    model["teacher"].requires_grad_(False)
    before = weights(model["teacher"])
    done: list[int] = []

    def loss(model: nn.Module, rows: Tensor, generator: torch.Generator) -> Step:
        return Step((model["student"](ROWS[rows]) - 1).square().mean())

    def ema(model: nn.Module, step: int) -> None:
        done.append(step)
        model["teacher"].weight.lerp_(model["student"].weight, 0.5)

    train(model, loss, BATCHES, SCHEDULE, run=Run())
    assert torch.equal(weights(model["teacher"]), before)
    train(model, loss, BATCHES, SCHEDULE, run=Run(), after_step=ema)
    assert not torch.equal(weights(model["teacher"]), before)
    assert done == list(range(1, 31))


def test_events_tell_the_story(tmp_path):
    fitted(Run(tmp_path), log_every=8)
    start, *steps = Run(tmp_path).events()
    assert (start["kind"], start["name"], start["steps"]) == ("start", "train", 30)
    assert start["threads"] == torch.get_num_threads()
    assert [event["step"] for event in steps] == [8, 16, 24, 30]
    for event in steps:
        assert event["kind"] == "step"
        assert event["lr"] == SCHEDULE.lr_at(event["step"] - 1)
        assert event["terms"]["half"] == 0.5
        assert math.isfinite(event["loss"])
        assert event["rows_per_second"] > 0
        assert 0 <= event["data_wait"] <= 1
        assert event["collapse"].keys() == {
            *("dimensions", "effective_rank", "spread", "uniformity", "alignment")
        }


def test_data_wait_is_the_share_of_time_spent_on_rows(tmp_path, monkeypatch):
    clock = iter(range(10_000))  # a second passes at every look
    monkeypatch.setattr("time.perf_counter", lambda: float(next(clock)))

    def loss(model: nn.Module, rows: Tensor, generator: torch.Generator) -> Step:
        return Step(model(ROWS[rows]).square().mean(), waited=1.0)

    fitted(Run(tmp_path), loss, log_every=10)
    last = Run(tmp_path).events()[-1]
    # looks of a step: before and after its rows (1 s), in the journal; so 2 s waited of 3 s
    assert last["data_wait"] == pytest.approx(2 / 3, abs=1e-3)
    assert last["rows_per_second"] == pytest.approx(8 / 3, abs=0.1)


def test_a_collapse_is_told_once(tmp_path, caplog):
    def loss(model: nn.Module, rows: Tensor, generator: torch.Generator) -> Step:
        return Step(model(ROWS[rows]).square().mean(), embeddings=torch.ones(8, 4))

    with caplog.at_level(logging.WARNING):
        fitted(Run(tmp_path), loss, log_every=5)
    warnings = [event for event in Run(tmp_path).events() if event["kind"] == "warning"]
    assert [event["step"] for event in warnings] == [5]
    assert "effective rank 1.0" in warnings[0]["message"]
    assert len(caplog.records) == 1


def test_an_objective_that_is_meant_to_be_narrow_is_watched_without_a_warning(tmp_path):
    def loss(model: nn.Module, rows: Tensor, generator: torch.Generator) -> Step:
        shown = torch.ones(8, 4)
        return Step(model(ROWS[rows]).square().mean(), embeddings=shown, narrow=True)

    fitted(Run(tmp_path), loss, log_every=5)
    events = Run(tmp_path).events()
    assert not [event for event in events if event["kind"] == "warning"]
    assert events[-1]["collapse"]["effective_rank"] == pytest.approx(1.0)


def test_the_bar_shows_loss_and_waiting(capsys):
    fitted(Run(show=True), name="pretrain")
    shown = capsys.readouterr().err
    assert "pretrain" in shown
    assert "30/30" in shown
    assert "loss" in shown
    assert "data" in shown


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C as in a terminal, also where the tests run in the background and ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("stop_at", [1, 9, 17, 30])
def test_ctrl_c_finishes_the_step_and_resume_is_exact(tmp_path, stop_at):
    whole = fitted(Run(seed=1))
    run = Run(tmp_path, seed=1)
    stop = stopping_at(stop_at, lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        fitted(run, stop)
    assert run.events()[-1]["kind"] == "interrupted"
    assert torch.equal(fitted(run, checkpoint_every=7), whole)
    resumed = [event for event in run.events() if event["kind"] == "resume"]
    assert [event["step"] for event in resumed] == [stop_at]


@pytest.mark.usefixtures("interruptible")
def test_a_second_ctrl_c_does_not_wait(tmp_path):
    def twice() -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    run = Run(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        fitted(run, stopping_at(9, twice), checkpoint_every=5)
    fitted(run)
    assert [event["step"] for event in run.events() if event["kind"] == "resume"] == [5]


def test_a_finished_training_is_not_repeated(tmp_path):
    whole = fitted(Run(tmp_path))

    def never(model: nn.Module, rows: Tensor, generator: torch.Generator) -> Step:
        raise AssertionError

    assert torch.equal(fitted(Run(tmp_path), never), whole)
    with pytest.raises(AssertionError):
        fitted(Run(tmp_path, resume=False), never)


def test_there_is_a_checkpoint_after_so_many_steps_or_so_much_time(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(loop, "write_checkpoint", lambda _, kept: written.append(kept.step))
    run = Run(tmp_path, checkpoint_every=20)
    whole = fitted(run)
    assert written == [20, 30]
    fitted(run, checkpoint_every=25)
    assert written[2:] == [25, 30]
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(loop, "CHECKPOINT_SHARE", math.inf)
    assert torch.equal(fitted(run), whole)
    assert written[4:] == list(range(1, 31))


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    fitted(Run(tmp_path), settings={"clan": {"margin": 0.5}})
    with pytest.raises(InputError, match=r"clan\.margin is 0\.5 there, 0\.3 here"):
        fitted(Run(tmp_path), settings={"clan": {"margin": 0.3}})
    with pytest.raises(InputError, match="seed is 0 there, 1 here"):
        fitted(Run(tmp_path, seed=1), settings={"clan": {"margin": 0.5}})
    other = Run(tmp_path / "other")
    fitted(other)
    with pytest.raises(InputError, match=r"network\.0\.weight is float32\[16, 6\] trained there"):
        train(nn.Sequential(nn.Linear(6, 4)), noisy, BATCHES, SCHEDULE, run=other)


def test_another_thread_count_is_said(tmp_path, monkeypatch, caplog):
    fitted(Run(tmp_path))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 64)
    with caplog.at_level(logging.WARNING):
        fitted(Run(tmp_path))
    assert "threads is 1 there, 64 here" in caplog.text


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_non_finite_loss_stops_and_keeps_the_checkpoint(tmp_path, bad):
    calls = iter(range(1, 99))

    def loss(model: nn.Module, rows: Tensor, generator: torch.Generator) -> Step:
        step = noisy(model, rows, generator)
        return Step(step.loss * (bad if next(calls) == 13 else 1), terms={"repel": 2.5})

    with pytest.raises(ContraviewError, match=rf"step 13: loss -?{bad}, repel 2\.5, lr"):
        fitted(Run(tmp_path), loss, checkpoint_every=5)
    assert torch.equal(fitted(Run(tmp_path)), fitted(Run()))
    assert [e["step"] for e in Run(tmp_path).events() if e["kind"] == "resume"] == [10]


def test_weights_that_are_not_finite_are_never_kept(tmp_path):
    """A finite loss with a NaN gradient: sqrt at zero."""
    calls = iter(range(1, 99))

    def loss(model: nn.Module, rows: Tensor, generator: torch.Generator) -> Step:
        step = noisy(model, rows, generator).loss
        return Step(step + (step * 0).sqrt() if next(calls) == 10 else step)

    with pytest.raises(ContraviewError, match="not finite after step 10"):
        fitted(Run(tmp_path), loss, checkpoint_every=5)
    fitted(Run(tmp_path))
    assert [e["step"] for e in Run(tmp_path).events() if e["kind"] == "resume"] == [5]


def test_a_full_disk_stops_and_keeps_the_checkpoint(tmp_path):
    path = checkpoint_path(Run(tmp_path), "train")
    assert path is not None
    partial = Path(f"{path}.partial")
    fill = stopping_at(14, lambda: partial.symlink_to("/dev/full"))
    with pytest.raises(ContraviewError, match=r"step 15 cannot be written \(No space left"):
        fitted(Run(tmp_path), fill, checkpoint_every=5)
    assert torch.equal(fitted(Run(tmp_path)), fitted(Run()))
    assert [e["step"] for e in Run(tmp_path).events() if e["kind"] == "resume"] == [10]


def test_without_a_folder_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = network()
    train(model, noisy, epochs(len(ROWS), 8, seed=0), SCHEDULE, run=Run(), checkpoint_every=1)
    assert list(tmp_path.iterdir()) == []
