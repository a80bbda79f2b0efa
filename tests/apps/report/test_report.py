"""From the folder of a run to its page."""

import numpy as np
import polars as pl
import pytest

from contraview.apps.cli import main
from contraview.apps.detection.detector import Detector
from contraview.apps.report.report import contents_of, write_report
from contraview.core.errors import InputError
from contraview.core.run import Run
from contraview.systems.clan import Clan


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    return pl.DataFrame(
        {
            "dur": rng.gamma(1.0, 2.0, 900),
            "bytes": rng.integers(40, 1500, 900),
            "ttl": np.full(900, 64),
            "proto": rng.choice(["tcp", "udp"], 900),
        }
    )


@pytest.fixture(scope="module")
def fitted(table, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "detector"
    run = Run(folder, seed=5)
    run.log("fit", system="detector", seed=5, config={})
    return Detector(steps=20, trees=10, max_fpr=0.02).fit(table, run=run).save(folder)


def test_a_fit_of_the_detector(fitted):
    contents = contents_of(fitted)
    assert contents.seed == 5
    assert contents.learned.rows == 900
    assert contents.learned.held_out == 300
    assert set(contents.learned.numeric) == {"dur", "bytes"}
    assert dict(contents.learned.categories) == {"proto": ["tcp", "udp"]}
    assert contents.learned.constant == {"ttl": pytest.approx(64)}
    assert contents.calibrated.max_fpr == 0.02
    assert (contents.calibrated.held_out > contents.calibrated.threshold).mean() <= 0.02
    assert [event["step"] for event in contents.training["pretrain"]][-1] == 20
    assert contents.findings["Learnt from"]
    assert contents.commands[0] == (
        f"contraview fit detector DATA --out {fitted} --seed 5 --max-fpr 0.02 --trees 10 --steps 20"
    )
    assert contents.detected is None
    assert not contents.laboratory


def test_the_command_writes_and_names_the_page(fitted, tmp_path, capsys):
    assert main(["report", str(fitted)]) == 0
    assert capsys.readouterr().out == f"{fitted / 'report.html'}\n"
    assert main(["report", str(fitted), "--out", str(tmp_path / "page.html")]) == 0
    assert (tmp_path / "page.html").read_bytes() == (fitted / "report.html").read_bytes()


def test_a_fit_of_clan(table, tmp_path):
    Clan(steps=10).fit(table, run=Run(tmp_path / "clan")).save(tmp_path / "clan")
    contents = contents_of(tmp_path / "clan")
    assert contents.learned.rows == 900
    assert contents.learned.held_out == 0
    assert contents.calibrated is None
    text = write_report(tmp_path / "clan").read_text()
    assert "A fit of clan" in text
    assert 'id="scores"' not in text


def test_a_resumed_training_shows_each_step_once(fitted, tmp_path):
    run = Run(tmp_path)
    for name in ("system.json", "weights.safetensors"):
        (tmp_path / name).write_bytes((fitted / name).read_bytes())
    run.log("start", name="pretrain", step=0, steps=30)
    for step, loss in ((10, 3.0), (20, 2.0), (20, 1.0), (30, 0.5)):
        run.log("step", name="pretrain", step=step, loss=loss)
    shown = contents_of(tmp_path).training["pretrain"]
    assert [(event["step"], event["loss"]) for event in shown] == [(10, 3.0), (20, 1.0), (30, 0.5)]


def test_what_is_no_run_is_refused(tmp_path, capsys):
    with pytest.raises(InputError, match=r"system\.json: missing"):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert main(["report", str(tmp_path / "none")]) == 2
    assert "no such folder" in capsys.readouterr().err
