import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from contraview.apps.cli import main

sys.path.insert(0, str(Path(__file__).parents[2] / "systems"))
import tiny_flows

SMALL = ["--width", "16", "--depth", "2", "--steps", "30"]
PATIENCE = 600.0
"""Seconds to wait for another process."""
ROLES = ["--benign", "kind == benign", "--labels", "kind"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "flows.csv"
    tiny_flows.flows(800).write_csv(path)
    return str(path)


@pytest.fixture(scope="module")
def model(table, tmp_path_factory):
    out = tmp_path_factory.mktemp("models") / "clan"
    assert main(["fit", "clan", table, "--out", str(out), "--split", "random", *ROLES, *SMALL]) == 0
    return str(out)


@pytest.fixture(scope="module")
def detector(table, tmp_path_factory):
    out = tmp_path_factory.mktemp("models") / "detector"
    knobs = ["--steps", "30", "--trees", "20", *ROLES]
    assert main(["fit", "detector", table, "--out", str(out), *knobs]) == 0
    return str(out)


def test_a_fit_leaves_a_model_its_events_and_no_checkpoint(model):
    names = {path.name for path in Path(model).iterdir()}
    kept = {"system.json", "weights.safetensors", "events.jsonl", "lineage.jsonl", "split.json"}
    assert names == kept
    lines = (Path(model) / "events.jsonl").read_text().splitlines()
    kinds = [json.loads(line)["kind"] for line in lines]
    assert kinds[0] == "fit"
    assert kinds[-1] == "saved"
    assert "step" in kinds


def test_a_fit_says_what_it_found_in_the_data(table, tmp_path, capsys):
    assert main(["fit", "clan", table, "--out", str(tmp_path / "m"), *ROLES, *SMALL]) == 0
    heard = capsys.readouterr()
    assert "constant columns: flat = 1.0" in heard.err
    assert heard.out == f"{tmp_path / 'm'}\n"


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_score_keeps_the_rows_in_order_and_adds_a_column(model, table, tmp_path, suffix):
    out = tmp_path / f"scores{suffix}"
    assert main(["score", model, table, "--out", str(out)]) == 0
    read = {".csv": pl.read_csv, ".parquet": pl.read_parquet, ".jsonl": pl.read_ndjson}[suffix]
    scored, rows = read(out), pl.read_csv(table)
    assert scored.columns == [*rows.columns, "score"]
    assert scored["bytes"].to_list() == rows["bytes"].to_list()
    benign = scored.filter(pl.col("kind") == "benign")["score"].mean()
    assert scored.filter(pl.col("kind") == "attack")["score"].mean() > benign


def test_embed_and_classify_on_stdout(model, table, capsys):
    assert main(["embed", model, table]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.endswith("e62,e63")
    assert len(rows) == 800
    assert main(["classify", model, table]) == 0
    named = pl.read_csv(capsys.readouterr().out.encode())
    assert {"predicted", "p_attack", "p_benign"} <= set(named.columns)


def test_evaluate_judges_the_other_half_of_the_split(model, table, tmp_path, capsys):
    figures = tmp_path / "figures.json"
    assert main(["evaluate", model, table, "--labels", "kind", "--json", str(figures)]) == 0
    found = json.loads(figures.read_text())
    assert found["rows"] == 400
    assert {"AUROC, class mean", "TPR at FPR 0.01, class mean", "macro F1"} <= set(found)
    assert "AUROC, class mean" in capsys.readouterr().out


@pytest.mark.parametrize("form", ["eve", "ecs", "csv"])
def test_detect_writes_one_line_an_alert(detector, table, tmp_path, form, capsys):
    out = tmp_path / f"alerts.{form}"
    arguments = ["detect", detector, table, "--format", form, "--max-fpr", "0.05"]
    assert main([*arguments, "--out", str(out)]) == 0
    said = capsys.readouterr().err
    alerts = int(said.split(" flows, ")[1].split(" alerts")[0])
    lines = out.read_text().splitlines()
    assert len(lines) - (form == "csv") == alerts > 0
    if form != "csv":
        assert all(json.loads(line)["contraview"]["reasons"] for line in lines)


def test_grouped_alerts_are_fewer_and_count_every_flow(detector, table, capsys):
    assert main(["detect", detector, table, "--max-fpr", "0.05", "--group"]) == 0
    heard = capsys.readouterr()
    groups = [json.loads(line)["contraview"]["group"] for line in heard.out.splitlines()]
    alerts = int(heard.err.split(" flows, ")[1].split(" alerts")[0])
    assert sum(group["flows"] for group in groups) == alerts > len(groups)


def test_the_table_on_a_terminal_has_one_line_an_alert(detector, table, capsys):
    assert main(["detect", detector, table, "--max-fpr", "0.05", "--format", "table"]) == 0
    heard = capsys.readouterr()
    head, *lines = heard.out.splitlines()
    assert head.startswith("TIME (UTC)")
    assert len(lines) == int(heard.err.split(" flows, ")[1].split(" alerts")[0])
    assert all("usual" in line for line in lines)


def test_the_same_command_twice_writes_the_same_alerts(detector, table, tmp_path):
    for name in ("a", "b"):
        arguments = ["detect", detector, table, "--max-fpr", "0.05"]
        assert main([*arguments, "--out", str(tmp_path / name)]) == 0
    assert (tmp_path / "a").read_text() == (tmp_path / "b").read_text()


WRONG = [
    (["fitt"], "did you mean 'fit'"),
    (["fit"], "expected a system first"),
    (["fit", "clann", "x.csv", "--out", "OUT"], "did you mean 'clan'"),
    (["fit", "clan", "TABLE"], "--out"),
    (["fit", "clan", "--out", "OUT"], "no data"),
    (["fit", "clan", "TABLE", "--out", "OUT", "--margn", "1"], "--margn"),
    (["fit", "clan", "TABLE", "--out", "OUT", "--margin", "2"], "margin=2.0"),
    (["fit", "clan", "TABLE", "--out", "OUT", "--margin", "wide"], "wide"),
    (["fit", "clan", "TABLE", "--out", "OUT", "--preset"], "--preset"),
    (["fit", "clan", "TABLE", "--out", "OUT", "--preset", "huge"], "no preset 'huge'"),
    (["fit", "clan", "no/such.csv", "--out", "OUT"], "no/such.csv"),
    (["fit", "clan", "TABLE", "--out", "TABLE", *ROLES], "is a file"),
    (["fit", "clip", "TABLE", "--out", "OUT"], "no system 'clip'"),
    (["fit", "tips", "TABLE", "--out", "OUT"], "not built in this version"),
    (["score", "no-model", "TABLE"], "no such folder"),
    (["score", "MODEL"], "no data"),
    (["score", "MODEL", "TABLE", "--out", "scores.docx"], ".csv"),
    (["detect", "MODEL", "TABLE"], "contraview fit detector"),
    (["detect", "DETECTOR", "TABLE", "--max-fpr", "1e-9"], "cannot support a false-alarm rate"),
    (["evaluate", "MODEL", "TABLE"], "--labels"),
    (["evaluate", "MODEL", "TABLE", "--labels", "colour"], "colour"),
    (["reproduce", "tips"], "not built in this version"),
    (["info"], "expected one system"),
    (["list", "--yaml"], "--yaml"),
    (["data", "get", "imagenet"], "no data set 'imagenet'"),
]


@pytest.mark.parametrize(("arguments", "says"), WRONG, ids=[" ".join(a) for a, _ in WRONG])
def test_wrong_input_is_one_line_exit_2_and_nothing_written(
    arguments, says, table, model, detector, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    named = {"TABLE": table, "MODEL": model, "DETECTOR": detector, "OUT": str(tmp_path / "out")}
    assert main([named.get(word, word) for word in arguments]) == 2
    heard = capsys.readouterr()
    assert heard.out == ""
    assert heard.err.count("\n") == 1
    assert says in heard.err
    assert list(tmp_path.iterdir()) == []


def test_no_file_name_or_cell_sends_a_sequence_to_the_terminal(detector, tmp_path, capsys):
    hostile = tmp_path / "a\x1b[31mb\u202ec.csv"
    assert main(["detect", detector, str(hostile)]) == 2
    hostile.write_text("a,b\n\x1b]0;owned\x07,1\n")
    assert main(["detect", detector, str(hostile)]) == 2
    said = capsys.readouterr().err
    assert said.replace("\n", "").isprintable()
    assert "\\x1b[31m" in said


def test_help_of_a_system_names_every_knob(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["fit", "clan", "--help"])
    assert stop.value.code == 0
    said = capsys.readouterr().out
    for flag in ("--margin", "--benign", "--preset", "--seed", "--out"):
        assert flag in said


def command(*arguments, **settings):
    """The command as a terminal would start it: what runs the tests may ignore Ctrl-C itself."""
    return subprocess.Popen(
        [sys.executable, "-m", "contraview", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        **settings,
    )


def test_a_closed_pipe_is_silent(model, table):
    running = command("embed", model, table)
    assert running.stdout is not None
    running.stdout.read(10)
    running.stdout.close()
    assert running.stderr is not None
    with running.stderr:
        assert running.stderr.read() == ""
    assert running.wait() == 0


def test_ctrl_c_leaves_a_checkpoint_says_so_and_a_second_call_goes_on(table, tmp_path):
    out = tmp_path / "model"
    arguments = ["fit", "clan", table, "--out", str(out), *ROLES, *SMALL[:-1], "3000"]
    running = command(*arguments, env={**os.environ, "OMP_NUM_THREADS": "1"})
    events = out / "events.jsonl"
    begun = time.monotonic()  # on a busy machine the imports alone may take minutes
    while not (events.is_file() and '"kind": "step"' in events.read_text()):
        assert running.poll() is None
        assert time.monotonic() - begun < PATIENCE
        time.sleep(0.1)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=PATIENCE)
    assert running.returncode == 130
    assert said.splitlines()[-1] == "contraview: stopped"
    assert "Traceback" not in said
    assert list(out.glob("*.checkpoint.safetensors"))
    assert not (out / "system.json").exists()
    assert main(arguments) == 0
    assert '"resume"' in events.read_text()
    assert (out / "system.json").is_file()


def test_ctrl_c_in_the_middle_of_a_file_leaves_nothing_of_it(model, tmp_path):
    table, out = tmp_path / "many.parquet", tmp_path / "out.csv"
    tiny_flows.flows(300_000).write_parquet(table)
    running = command("embed", model, str(table), "--out", str(out))
    beside = tmp_path / "out.csv.partial"
    begun = time.monotonic()
    while not (beside.is_file() and beside.stat().st_size):
        assert running.poll() is None
        assert time.monotonic() - begun < PATIENCE
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=PATIENCE)
    assert running.returncode == 130
    assert said.splitlines() == ["contraview: stopped"]
    assert [path.name for path in tmp_path.iterdir()] == [table.name]


def test_a_place_that_cannot_be_written_to_is_refused_before_any_work(tmp_path, capsys):
    out = str(tmp_path / "absent" / "out.csv")
    assert main(["score", "no-model", "no-data.csv", "--out", out]) == 2
    assert capsys.readouterr().err.startswith(f"contraview: {out}: cannot be written")
