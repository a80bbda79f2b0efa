import json
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

import contraview
from contraview.apps.cli import main
from contraview.core.errors import ContraviewError, InputError
from contraview.core.run import Run
from contraview.modalities.images.data import read_images
from contraview.modalities.images.perturbations import bank, perturbed
from contraview.systems.robustness_scaling import RobustnessScaling

sys.path.insert(0, str(Path(__file__).parent))
import tiny_images
from tiny import Tiny

KNOBS = {"most": 40, "resamples": 100}


def mean_colour(pixels):
    """A weak model of the tiny images: [n, 3] from the means of rows, columns and diagonals."""
    rows = pixels.mean((1, 3)).std(1)
    columns = pixels.mean((1, 2)).std(1)
    return np.stack([columns, rows, np.full(len(pixels), 0.5 * (rows + columns).mean())], 1)


def stubborn(pixels):
    return np.eye(3)[np.zeros(len(pixels), dtype=int)]


MODELS = {"means": mean_colour, "stubborn": stubborn}
TINY = Tiny(
    tiny_images.data,
    KNOBS,
    labels=tiny_images.labels,
    ask={"audit": lambda system: system.audit(MODELS)},
    wrong=("no/such/folder", "", [], 3.5, np.zeros((20, 8, 8))),
)


@pytest.fixture(scope="module")
def bench():
    return RobustnessScaling(**KNOBS).fit(tiny_images.data(), run=Run(seed=0))


class Counting(torch.nn.Module):
    """A torch model with ``size`` parameters that answers as `mean_colour` does."""

    def __init__(self, size):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(size))

    def forward(self, pixels):
        assert not self.training
        return torch.from_numpy(mean_colour(pixels.numpy()))


def test_a_model_that_never_changes_its_mind_has_a_success_rate_of_zero(bench):
    figures = bench.audit(MODELS)
    truth = np.asarray(tiny_images.labels())
    assert figures["stubborn: mean ASR"] == 0.0
    assert figures["stubborn: accuracy"] == pytest.approx((bench.truth == "across").mean())
    assert 0.2 < (truth == "across").mean() < 0.5
    assert figures["means: mean ASR"] > 0
    rates = [value for name, value in figures.items() if name.startswith("means: ASR, ")]
    assert len(rates) == 6
    assert figures["means: mean ASR"] == pytest.approx(np.mean(rates))


def test_a_familys_rate_is_the_mean_over_its_kinds_of_images_right_before(bench):
    def answers(images):
        scores = mean_colour(images.batch(torch.arange(len(images))).numpy())
        return np.asarray(bench.classes)[scores.argmax(1)]

    right = answers(bench.images) == bench.truth
    by_hand = np.mean(
        [
            (answers(perturbed(bench.images, each, bench.seed))[right] != bench.truth[right]).mean()
            for each in bank(0.5)["style"]
        ]
    )
    assert bench.audit(MODELS)["means: ASR, style"] == pytest.approx(by_hand)


def test_every_model_sees_the_same_images_and_no_gradient(bench):
    seen = []

    def looking(pixels):
        seen.append(pixels.copy())
        return mean_colour(pixels)

    bench.audit({"one": looking})
    half = len(seen)
    bench.audit({"first": stubborn, "one": looking})
    for before, after in zip(seen[:half], seen[half:], strict=True):
        np.testing.assert_array_equal(before, after)


def test_the_bench_draws_its_images_and_leaves_the_unknown_out():
    labels = np.where(np.arange(60) < 50, tiny_images.labels(), "")
    system = RobustnessScaling(most=30).fit(tiny_images.data(), labels=labels, run=Run(seed=1))
    assert len(system.images) == 30
    assert (system.truth != "").all()
    assert len(RobustnessScaling().fit(tiny_images.data(), labels=labels).images) == 50


def test_scale_is_fitted_over_models(bench):
    modules = {f"m{size}": Counting(size) for size in (10, 100, 1000, 10_000)}
    study = bench.study(modules)
    assert study.fit is not None
    assert study.fit.slopes["parameters"] == pytest.approx(0, abs=1e-6)  # all answer alike
    assert study.table()["parameters"].to_list() == [10, 100, 1000, 10_000]
    figures = study.figures()
    name = "mean ASR, points per tenfold parameters"
    assert figures[f"{name}, low"] <= figures[name] <= figures[f"{name}, high"]


def test_pictures_are_drawn_whole_in_the_format_of_the_name(bench, tmp_path):
    modules = {f"m{size}": Counting(size) for size in (10, 100, 1000)}
    bench.audit(modules, plot=tmp_path / "a.svg")
    bench.audit(modules, plot=tmp_path / "b.svg")
    text = (tmp_path / "a.svg").read_text()
    assert "points per tenfold" in text
    assert "m1000" in text
    assert text == (tmp_path / "b.svg").read_text()
    bench.audit(MODELS, plot=str(tmp_path / "a.png"))
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(InputError, match="expected a name that ends in"):
        bench.audit(MODELS, plot=tmp_path / "a.doc")


# the models


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    knobs = {"widths": (8, 16), "steps": 3, "batch": 16}
    system = contraview.SimCLR(**knobs).fit(tiny_images.data(), labels=tiny_images.labels())
    system.save(root / "simclr")
    contraview.SimCLR(**knobs).fit(tiny_images.data()).save(root / "unlabelled")
    return root


def test_own_systems_from_their_folders_and_a_table_that_says_more(bench, folders):
    plain = bench.study([folders / "simclr"]).models[0]
    assert plain.images == 60
    assert plain.objective == "simclr"
    table = pl.DataFrame({"model": ["simclr"], "images": ["5000"], "objective": ["ours"]})
    table.write_csv(folders / "models.csv")
    told = bench.study(folders / "models.csv").models[0]
    assert (told.images, told.objective, told.parameters) == (5000, "ours", plain.parameters)
    assert told.name == "simclr"


def test_the_command_makes_a_bench_and_audits_folders(folders, tmp_path, capsys):
    np.savez(tmp_path / "test.npz", x=tiny_images.pixels(), kind=tiny_images.labels())
    made = ["fit", "robustness_scaling", str(tmp_path / "test.npz"), "--labels", "kind"]
    assert main([*made, "--out", str(tmp_path / "bench")]) == 0
    asked = ["audit", str(tmp_path / "bench"), str(folders / "simclr")]
    figures, plot = tmp_path / "f.json", tmp_path / "p.svg"
    assert main([*asked, "--json", str(figures), "--plot", str(plot)]) == 0
    assert "ASR, stripe mask" in capsys.readouterr().out
    found = json.loads(figures.read_text())
    assert any(name.endswith(": mean ASR") for name in found)
    assert plot.read_text().lstrip().startswith("<?xml")


@pytest.mark.parametrize(
    ("models", "says"),
    [
        ([], "no models to audit"),
        (3, "cannot be read from int"),
        (["no/such/model"], "no/such/model"),
        ({"a": 3}, "a: int is no model"),
        ({"a": lambda pixels: np.zeros((len(pixels), 2))}, "expected .* one for each of the class"),
        (pl.DataFrame({"file": ["a"]}), "no column 'model'"),
        (pl.DataFrame({"model": ["m"], "images": ["-3"]}), "m"),
    ],
)
def test_what_is_no_model_is_said_in_one_line(bench, models, says):
    with pytest.raises(ContraviewError, match=says) as error:
        bench.audit(models)
    assert "\n" not in str(error.value)


def test_a_model_without_classes_or_with_others_is_refused(bench, folders):
    with pytest.raises(InputError, match="learnt no classes"):
        bench.audit([folders / "unlabelled"])
    other = np.array(["x", "y", "z"])[np.arange(60) % 3]
    system = contraview.SimCLR(widths=(8, 16), steps=2, batch=16)
    system.fit(tiny_images.data(), labels=other)
    with pytest.raises(InputError, match="not right on any of 40 images"):
        bench.audit({"other": system})


def message(*fields):
    """A protocol-buffer message of (number, value): whole numbers, text, bytes."""
    room = b""
    for number, value in fields:
        if isinstance(value, int):
            room += varint(number << 3) + varint(value)
        else:
            data = value.encode() if isinstance(value, str) else value
            room += varint(number << 3 | 2) + varint(len(data)) + data
    return room


def varint(value):
    low, value = value & 127, value >> 7
    return bytes([low | 128]) + varint(value) if value else bytes([low])


def onnx_model(classes=None):
    """ReduceMean over channels and columns, then its standard deviations, in as few nodes as do:

    scores [n, 3] are the means of three rows of pixels.
    """

    def tensor_type(name, *sizes):
        shape = message(
            *((1, message((2, each) if isinstance(each, str) else (1, each))) for each in sizes)
        )
        return message((1, name), (2, message((1, message((1, 1), (2, shape))))))

    axes = message((1, "axes"), (20, 7), (8, 1), (8, 3))
    keep = message((1, "keepdims"), (20, 2), (3, 0))
    mean = message((1, "x"), (2, "rows"), (4, "ReduceMean"), (5, axes), (5, keep))

    def ints(name, *values):
        data = np.array(values, dtype="<i8").tobytes()
        return message((1, len(values)), (2, 7), (8, name), (9, data))

    first = message((1, "rows"), (1, "from"), (1, "to"), (1, "along"), (2, "y"), (4, "Slice"))
    graph = message(
        (1, mean), (1, first), (2, "g"),
        (5, ints("from", 0)), (5, ints("to", 3)), (5, ints("along", 1)),
        (11, tensor_type("x", "n", 3, 16, 16)), (12, tensor_type("y", "n", 3)),
    )  # fmt: skip
    named = [] if classes is None else [(14, message((1, "classes"), (2, json.dumps(classes))))]
    return message((1, 8), (7, graph), (8, message((1, ""), (2, 13))), *named)


def test_an_onnx_file_is_a_model_and_may_name_its_classes(bench, tmp_path):
    pytest.importorskip("onnxruntime")
    plain, named = tmp_path / "plain.onnx", tmp_path / "named.onnx"
    plain.write_bytes(onnx_model())
    named.write_bytes(onnx_model(["slanted", "down", "across"]))

    def rows(pixels):
        return pixels.mean((1, 3))[:, :3]

    figures = bench.audit({"file": plain, "callable": rows, "named": named})
    for name, value in figures.items():
        if name.startswith("file: "):
            assert value == pytest.approx(figures[name.replace("file", "callable")])
    reverse = bench.audit({"callable": lambda pixels: rows(pixels)[:, ::-1]})
    assert figures["named: accuracy"] == pytest.approx(reverse["callable: accuracy"])
    with pytest.raises(InputError, match="no such file"):
        bench.audit([tmp_path / "none.onnx"])
    (tmp_path / "bad.onnx").write_bytes(b"not a model")
    with pytest.raises(InputError, match="cannot be read as ONNX") as error:
        bench.audit([tmp_path / "bad.onnx"])
    assert "\n" not in str(error.value)


def test_without_the_runtime_it_says_what_to_install(bench, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    (tmp_path / "a.onnx").write_bytes(onnx_model())
    with pytest.raises(InputError, match=r"pip install 'contraview\[onnx\]'"):
        bench.audit([tmp_path / "a.onnx"])


def test_an_empty_family_name_is_refused():
    with pytest.raises(InputError, match="no family 'fog'"):
        RobustnessScaling(families=("fog",))


def test_a_bench_of_its_own_images_is_read_by_the_reader():
    images = read_images({"x": tiny_images.pixels(), "kind": tiny_images.labels()}, labels="kind")
    assert RobustnessScaling(most=9).fit(images).classes == tiny_images.NAMES
