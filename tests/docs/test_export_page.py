"""The page on export: its program gives contraview's scores where contraview and torch are not."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl

from contraview.apps.cli import main

sys.path.insert(0, str(Path(__file__).parents[1] / "systems"))
import tiny_flows

PAGE = (Path(__file__).parents[2] / "docs" / "export.md").read_text()
BLOCKED = "import sys; sys.modules.update(dict.fromkeys(('contraview', 'torch', 'polars')))\n"


def test_the_program_of_the_page_gives_the_scores_of_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    odd = tiny_flows.flows(900, seed=3).with_row_index("row")
    missing = pl.when(pl.col("row") % 50 == 1).then(None).otherwise(pl.col("bytes"))
    never = pl.when(pl.col("row") % 70 == 2).then(pl.lit("sctp")).otherwise(pl.col("proto"))
    odd.with_columns(bytes=missing, proto=never).drop("row").write_csv("flows.csv")
    tiny_flows.flows(900).write_csv("benign.csv")
    knobs = ["--steps", "30", "--trees", "10", "--benign", "kind == benign", "--labels", "kind"]
    assert main(["fit", "detector", "benign.csv", "--out", "model", *knobs]) == 0
    assert main(["export", "model", "flows.csv", "--onnx", "model.onnx"]) == 0
    assert main(["score", "model", "flows.csv", "--out", "scores.parquet"]) == 0
    capsys.readouterr()
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED + program], capture_output=True, text=True, check=True
    )
    found = [line.split() for line in done.stdout.splitlines()]
    scores = pl.read_parquet("scores.parquet")["score"].to_numpy()
    np.testing.assert_allclose([float(line[0]) for line in found], scores, atol=1e-9)
    assert 0 < sum(line[1:] == ["alert"] for line in found) < len(found)
