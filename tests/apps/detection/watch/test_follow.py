"""The command, in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from contraview.apps.cli import main
from lab import conn_logs


def command(*arguments, **settings):
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    words = [sys.executable, "-m", "contraview", "detect", *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(words, text=True, env=environment, **pipes, **settings)


def until(condition, seconds=600.0):
    for _ in range(int(seconds * 20)):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("waited in vain")


def test_a_folder_is_followed_until_the_process_is_told_to_stop(model, tmp_path):
    (tmp_path / "conn.log").write_text(conn_logs.log(1000, seed=1))
    out, counters = tmp_path / "alerts.jsonl", tmp_path / "counters.json"
    begun = command(model, tmp_path, "--follow", "--out", out, "--counters", counters)
    until(lambda: out.exists() and out.read_text().count("\n") > 3)
    with (tmp_path / "conn.log").open("a") as file:
        file.write(conn_logs.body(conn_logs.records(500, 2, first=5000, odd=0.1)))
    until(lambda: out.read_text().count("\n") > 30)
    begun.send_signal(signal.SIGTERM)
    heard, said = begun.communicate(timeout=600)
    assert begun.returncode == 0
    assert heard == ""
    assert "an alert comes at most the sensor's own time-outs and 1 s after" in said
    assert json.loads(counters.read_text())["flows"] == 1500
    assert "1,500 flows" in said.splitlines()[-1]


@pytest.fixture
def stdin():
    """Makes a file descriptor's other end the standard input for the length of a test."""
    kept = os.dup(0)
    reading, writing = os.pipe()
    os.dup2(reading, 0)
    os.close(reading)
    yield writing
    os.dup2(kept, 0)
    os.close(kept)


def feed(descriptor, data):
    def write():
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)

    threading.Thread(target=write, daemon=True).start()


def test_lines_on_stdin_are_judged_until_they_end(model, stdin, capsys):
    feed(stdin, conn_logs.log(1000, seed=1).encode())
    assert main(["detect", str(model), "-"]) == 0
    heard = capsys.readouterr()
    assert len([json.loads(line) for line in heard.out.splitlines()]) > 5
    assert "1,000 flows" in heard.err


def test_groups_of_lines_on_stdin_are_told_at_their_end(model, stdin, capsys):
    feed(stdin, conn_logs.log(1000, seed=1).encode())
    assert main(["detect", str(model), "-", "--group"]) == 0
    heard = capsys.readouterr()
    groups = [json.loads(line)["contraview"]["group"] for line in heard.out.splitlines()]
    counted = sum(group["flows"] for group in groups)
    assert f"{counted:,} alerts" in heard.err.splitlines()[-1]
    assert "a group 3,610 s after its first alert" in heard.err


WRONG = [
    (["MODEL", "LOGS", "--follow"], "holds no conn.log, no eve.json and no capture"),
    (["MODEL", "no/such.log", "--follow"], "no such file or folder"),
    (["MODEL", "-", "--format", "csv"], "eve or ecs"),
    (["MODEL", "-", "--heartbeat", "0"], "seconds above 0"),
    (["MODEL", "a.log", "b.log", "--follow"], "one watcher for each"),
    (["MODEL", "LOG", "--follow", "--out", "LOG"], "holds other things"),
    (["MODEL", "LOG", "--follow", "--pcap-out", "a.pcap"], "files of an alert's time"),
    (["MODEL", "LOG", "--counters", "c.json"], "add --follow"),
    (["MODEL", "LOG", "--follow", "--max-fpr", "1e-9"], "cannot support"),
]


@pytest.mark.parametrize(("arguments", "says"), WRONG, ids=[" ".join(a) for a, _ in WRONG])
def test_wrong_input_is_one_line_and_exit_2(arguments, says, model, tmp_path, capsys):
    (tmp_path / "logs").mkdir()
    log = tmp_path / "zeek.log"
    log.write_text(conn_logs.log(100))
    named = {"MODEL": str(model), "LOGS": str(tmp_path / "logs"), "LOG": str(log)}
    assert main(["detect", *(named.get(word, word) for word in arguments)]) == 2
    heard = capsys.readouterr()
    assert heard.out == ""
    assert heard.err.count("\n") == 1
    assert says in heard.err
