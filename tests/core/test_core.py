import numpy as np
import pytest
import torch
from pydantic import Field

from contraview.core.config import Config
from contraview.core.errors import InputError
from contraview.core.learnt import Learnt
from contraview.core.run import Run
from contraview.core.seeds import numpy_generator, stream_seed, torch_generator
from contraview.core.weights import set_weights, weights_of


class Knobs(Config):
    margin: float = Field(0.5, gt=0)


def test_a_config_is_frozen_and_its_errors_are_one_line_that_names_the_knob():
    assert Knobs.of(margin=1).margin == 1
    with pytest.raises(InputError, match=r"margin=-1: Input should be greater than 0"):
        Knobs.of(margin=-1)
    with pytest.raises(InputError, match=r"no setting 'margn'"):
        Knobs.of(margn=1)
    with pytest.raises(InputError, match="finite"):
        Knobs.of(margin=float("nan"))
    with pytest.raises(ValueError, match="frozen"):
        Knobs().margin = 2


def test_streams_are_independent_of_each_other_and_of_order():
    assert stream_seed(0, "a", 1) != stream_seed(0, "a1")
    assert stream_seed(0, "a") != stream_seed(1, "a")
    first = torch.rand(3, generator=torch_generator(7, "x", 4))
    torch.rand(100, generator=torch_generator(7, "y"))
    assert torch.equal(first, torch.rand(3, generator=torch_generator(7, "x", 4)))
    assert numpy_generator(7, "x").random() == numpy_generator(7, "x").random()


def test_joined_parts_come_apart_again():
    parts = {"a": Learnt({"w": np.ones(2)}, facts={"n": 1}), "ab": Learnt({"w": np.zeros(1)})}
    whole = Learnt.joined(parts)
    assert set(whole.arrays) == {"a.w", "ab.w"}
    assert whole.part("a").facts == {"n": 1}
    np.testing.assert_array_equal(whole.part("ab").arrays["w"], [0.0])


def test_weights_survive_the_round_trip():
    one, other = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    set_weights(other, weights_of(one))
    assert torch.equal(one.weight, other.weight)


def test_events_are_appended_and_a_torn_last_line_is_left_out(tmp_path):
    run = Run(tmp_path / "run", seed=3)
    run.log("fit", rows=2)
    run.log("saved")
    with (tmp_path / "run" / "events.jsonl").open("a") as file:
        file.write('{"time": 1, "kind": "to')
    assert [event["kind"] for event in run.events()] == ["fit", "saved"]
    run.log("after the torn line")
    run.log("after")
    kinds = ["fit", "saved", "after the torn line", "after"]
    assert [event["kind"] for event in run.events()] == kinds


def test_a_run_refuses_a_folder_of_other_things(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds other files"):
        Run(tmp_path)
    with pytest.raises(InputError, match="is a file"):
        Run(tmp_path / "notes.txt")


def test_progress_is_silent_where_stderr_is_no_terminal(capsys):
    with Run().progress("fit", 3) as advance:
        advance(2, loss="0.1")
    assert capsys.readouterr().err == ""


def test_progress_shows_title_and_figures_where_asked(capsys):
    with Run(show=True).progress("fit", 3) as advance:
        advance(3, loss="0.25")
    shown = capsys.readouterr().err
    assert "fit" in shown
    assert "3/3" in shown
    assert "loss 0.25" in shown
