import errno
import json
import os
import shutil
import subprocess

import numpy as np
import pytest

from contraview.apps.detection.watch.journal import Journal
from contraview.core.errors import ContraviewError, InputError
from contraview.modalities.flows.live.source import Place


def line(name, more=""):
    return json.dumps({"contraview": {"id": name, "score": 1, "more": more}}) + "\n"


@pytest.fixture
def open_journal(tmp_path):
    opened = []

    def opener(path=tmp_path / "alerts.jsonl", source="conn.log", model="a"):
        opened.append(Journal(path, source=source, model=model))
        return opened[-1]

    yield opener
    for journal in opened:
        try:
            journal.close()
        except OSError:
            continue


def names(path):
    return [json.loads(text)["contraview"]["id"] for text in path.read_text().splitlines()]


def test_lines_beyond_the_cursor_are_not_written_again(open_journal, tmp_path):
    journal = open_journal()
    journal.append([line("a")])
    journal.commit(Place({"at": 1}), {})
    journal.append([line("b"), line("b"), line("c")])
    journal.close()
    again = open_journal()
    assert again.place == Place({"at": 1})
    again.append([line("b")])
    again.commit(Place({"at": 2}), {})  # not all of it has been derived again
    again.close()
    third = open_journal()
    assert third.place == Place({"at": 1})
    third.append([line("b"), line("b"), line("c"), line("d"), line("b")])
    third.commit(Place({"at": 3}), {})
    third.close()
    assert names(tmp_path / "alerts.jsonl") == ["a", "b", "b", "c", "d", "b"]
    assert open_journal().place == Place({"at": 3})


@pytest.mark.parametrize("cut", [1, 20, -1])
def test_a_line_that_was_cut_is_completed(open_journal, tmp_path, cut):
    path = tmp_path / "alerts.jsonl"
    journal = open_journal()
    journal.append([line("a")])
    journal.close()
    with path.open("a") as file:
        file.write(line("b")[:cut])
    again = open_journal()
    again.append([line("a"), line("b"), line("c")])
    assert names(path) == ["a", "b", "c"]


def test_a_cut_line_that_is_another_now_is_left_as_it_is(open_journal, tmp_path):
    path = tmp_path / "alerts.jsonl"
    open_journal().close()
    path.write_text('{"other')
    open_journal().append([line("b")])
    assert path.read_text() == '{"other\n' + line("b")


def test_arrays_of_a_place_come_back_and_old_ones_go(open_journal, tmp_path):
    journal = open_journal()
    for k in range(3):
        journal.commit(Place({"at": k}, {"flows": np.arange(k)}), {"flows": k})
    journal.close()
    again = open_journal()
    assert again.place is not None
    assert again.place.arrays["flows"].tolist() == [0, 1]
    assert again.counters == {"flows": 2}
    assert len(list(tmp_path.glob("*.safetensors"))) == 1


def test_another_model_after_the_restart_does_not_hold_the_cursor_back(open_journal, tmp_path):
    journal = open_journal()
    journal.append([line("a")])
    journal.close()
    again = open_journal(model="b")
    again.commit(Place({"at": 5}), {})
    again.close()
    assert open_journal().place == Place({"at": 5})


def test_a_disk_that_fills_stops_clearly_and_goes_on_later(open_journal, tmp_path, monkeypatch):
    path = tmp_path / "alerts.jsonl"
    journal = open_journal()
    journal.append([line("a")])
    journal.commit(Place({"at": 1}), {})
    real = os.write

    def full(file, content):
        real(file, content[:30])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(ContraviewError, match=r"No space left on device.*nothing is lost"):
            journal.append([line("b"), line("c")])
    journal.close()
    again = open_journal()
    assert again.place == Place({"at": 1})
    again.append([line("b"), line("c")])
    assert names(path) == ["a", "b", "c"]


def test_a_small_disk_that_really_fills(open_journal, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if not mount or os.geteuid() or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("needs the right to mount a small file system")
    try:
        path = disk / "alerts.jsonl"
        (disk / "filler").write_bytes(b"x" * 40_000)
        journal = open_journal(path)
        batch = [line(f"{k}", "y" * 900) for k in range(60)]

        def fill():
            for k in range(0, 60, 4):
                journal.append(batch[k : k + 4])
                journal.commit(Place({"at": k + 4}), {})

        with pytest.raises(ContraviewError, match="No space left"):
            fill()
        journal.close()
        (disk / "filler").unlink()
        again = open_journal(path)
        at = again.place.facts["at"] if again.place else 0
        assert at < 60
        again.append(batch[at:30])
        assert names(path)[:30] == [str(k) for k in range(30)]
        assert len(names(path)) == 30
        again.close()
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_log_that_is_rotated_away_is_begun_anew(open_journal, tmp_path):
    path = tmp_path / "alerts.jsonl"
    journal = open_journal()
    journal.append([line("a")])
    path.rename(tmp_path / "alerts.1")
    journal.append([line("b")])
    journal.commit(Place({"at": 2}), {})
    assert names(path) == ["b"]
    assert names(tmp_path / "alerts.1") == ["a"]


def test_what_is_no_log_of_this_watcher_is_refused(open_journal, tmp_path):
    path = tmp_path / "alerts.jsonl"
    path.write_text("mine\n")
    with pytest.raises(InputError, match="holds other things"):
        open_journal()
    assert path.read_text() == "mine\n"
    path.unlink()
    first = open_journal()
    with pytest.raises(InputError, match="another watcher"):
        open_journal()
    first.close()
    with pytest.raises(InputError, match=r"was written from conn\.log"):
        open_journal(source="eve.json")
    (tmp_path / "alerts.jsonl.cursor").write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        open_journal()
    with pytest.raises(InputError, match="cannot be opened"):
        open_journal(tmp_path / "no" / "such.jsonl")


@pytest.mark.parametrize(
    "part",
    [
        {"arrays": "../victim"},
        {"arrays": "victim"},
        {"arrays": 5},
        {"length": -1},
        {"length": "x"},
        {"counters": []},
        {"place": "x"},
        {"source": None},
        {"model": 5},
    ],
    ids=str,
)
def test_a_cursor_that_somebody_else_wrote_is_refused_and_removes_no_file(
    open_journal, tmp_path, part
):
    open_journal().close()
    (tmp_path / "victim").write_text("mine")
    cursor = tmp_path / "alerts.jsonl.cursor"
    cursor.write_text(json.dumps(json.loads(cursor.read_text()) | part))
    with pytest.raises(InputError, match="is not as a watcher writes it"):
        open_journal()
    assert (tmp_path / "victim").read_text() == "mine"
