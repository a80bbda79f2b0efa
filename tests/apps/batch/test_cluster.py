import socket
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from contraview.apps.cli import main

sys.path.insert(0, str(Path(__file__).parents[2] / "systems"))
import tiny_flows

ROLES = ["--benign", "kind == benign", "--labels", "kind"]
SMALL = ["--width", "16", "--depth", "2", "--steps", "5"]
ROWS = 150_000
"""Three parts of flows."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cluster")


@pytest.fixture(scope="module")
def model(folder):
    table, out = folder / "fit.csv", str(folder / "clan")
    tiny_flows.flows(400).write_csv(table)
    assert main(["fit", "clan", str(table), "--out", out, *ROLES, *SMALL]) == 0
    return out


@pytest.fixture(scope="module")
def sentences(folder):
    path = folder / "sentences.txt"
    path.write_text("".join(f"a sentence about number {number}\n" for number in range(5_000)))
    return str(path)


@pytest.fixture(scope="module")
def cluster():
    """Two workers on this machine, for all tests of the file."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'contraview[ray]'")
    from contraview.apps.batch.cluster import session

    with session("local", workers=2) as ray:
        assert ray.cluster_resources()["CPU"] == 2
        yield "auto"


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_two_workers_write_the_file_that_one_process_writes(
    cluster, model, folder, suffix, capsys, monkeypatch
):
    monkeypatch.chdir(folder)
    first, second = (f"{name}{suffix}" for name in ("first", "second"))
    for number, name in enumerate((first, second)):
        rows = tiny_flows.flows(ROWS // 2, seed=number)
        rows.write_parquet(name) if suffix == ".parquet" else rows.write_csv(name)
    one, two = folder / f"one{suffix}", folder / f"two{suffix}"
    assert main(["score", model, first, second, "--out", str(one)]) == 0
    before = set(folder.iterdir())
    assert main(["score", model, first, second, "--out", str(two), "--ray", cluster]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(two)
    assert one.read_bytes() == two.read_bytes()
    assert set(folder.iterdir()) - before == {two}


def test_data_of_another_wing_is_sent_to_the_workers(cluster, sentences, folder):
    out = str(folder / "bert")
    small = {"width": 16, "hidden": 16, "depth": 1, "heads": 2, "vocabulary": 64, "epochs": 0}
    knobs = [f"--{knob}={value}" for knob, value in small.items()]
    assert main(["fit", "mirror_bert", sentences, "--out", out, *knobs, "--language-steps=1"]) == 0
    one, two = folder / "one.jsonl", folder / "two.jsonl"
    assert main(["embed", out, sentences, "--out", str(one)]) == 0
    assert main(["embed", out, sentences, "--out", str(two), "--ray", cluster]) == 0
    assert one.read_bytes() == two.read_bytes()


def test_data_that_does_not_fit_the_model_is_refused_in_the_same_line(
    cluster, model, folder, capsys
):
    path, out = folder / "lacking.parquet", folder / "lacking.csv"
    tiny_flows.flows(100).drop("gap").write_parquet(path)
    said = []
    for flags in ([], ["--ray", cluster]):
        assert main(["score", model, str(path), "--out", str(out), *flags]) == 2
        said.append(capsys.readouterr().err)
    assert said[0] == said[1]
    assert len(said[0].splitlines()) == 1
    assert "gap" in said[0]
    assert not out.exists()


def test_a_folder_that_a_worker_does_not_see_is_named_with_what_is_expected(cluster, model, folder):
    from contraview.apps.batch.cluster import Worker
    from contraview.modalities.flows.data import read_flows

    path = folder / "seen.parquet"
    tiny_flows.flows(10).write_parquet(path)
    piece = next(read_flows(path, labels="kind").pieces())
    from ray import cloudpickle

    batch = {"piece": [cloudpickle.dumps(piece)]}
    told = Worker("score", Path("elsewhere/model"), [str(path)])(batch)
    assert told["code"] == [2]
    assert told["fault"][0].startswith("elsewhere/model: is not on ")
    assert told["fault"][0].endswith("under the same path on every machine")
    path.unlink()
    told = Worker("score", Path(model), [str(path)])(batch)
    assert told["fault"][0].startswith(f"{path}: is not on ")


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_no_cluster_is_one_line(model, folder, capsys, scheme, monkeypatch):
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'contraview[ray]'")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    path, out = folder / "few.parquet", folder / "few.csv"
    tiny_flows.flows(10).write_parquet(path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"{scheme}127.0.0.1:{free.getsockname()[1]}"
    assert main(["score", model, str(path), "--out", str(out), "--ray", address]) == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert f"--ray {address}: no Ray cluster there" in said
    assert not out.exists()


def test_without_the_extra_the_line_names_it(model, folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    path, out = folder / "few.parquet", folder / "few.csv"
    tiny_flows.flows(10).write_parquet(path)
    assert main(["score", model, str(path), "--out", str(out), "--ray", "local"]) == 2
    assert "pip install 'contraview[ray]'" in capsys.readouterr().err
    assert not out.exists()


def test_on_stdout_there_is_no_cluster(model, capsys):
    assert main(["score", model, "x.csv", "--ray", "local"]) == 2
    assert "--out" in capsys.readouterr().err


def test_ray_is_imported_only_for_the_flag(model, folder):
    path = folder / "few.csv"
    tiny_flows.flows(10).write_csv(path)
    code = (
        "import sys; from contraview.apps.cli import main; code = main(sys.argv[1:]); "
        "assert 'ray' not in sys.modules; sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "score", model, path], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert pl.read_csv(done.stdout.encode()).height == 10
