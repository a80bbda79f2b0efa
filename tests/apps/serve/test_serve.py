"""The command: watch, serve, end; what is lost and what is twice (nothing)."""

import json
import signal
import time

import pytest

from contraview.apps.cli import main
from lab import conn_logs


def alerts_of(served, asked):
    return asked(served.port, "/api/about").json["alerts"]


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_nothing_is_lost_and_nothing_twice_over_kills(model, serve, asked, tmp_path):
    text = conn_logs.log(3000, seed=8, odd=0.03)
    (tmp_path / "whole.log").write_text(text)
    main(["detect", str(model), str(tmp_path / "whole.log"), "--out", str(tmp_path / "all.jsonl")])
    expected = {
        json.loads(line)["contraview"]["id"]
        for line in (tmp_path / "all.jsonl").read_text().splitlines()
    }
    assert len(expected) > 50
    log = tmp_path / "conn.log"
    lines = text.splitlines(keepends=True)
    parts = [lines[:1000], lines[1000:2000], lines[2000:]]
    log.write_text("")
    for number, part in enumerate(parts):
        served = serve(model, "--watch", log, "--out", tmp_path / "out")
        with log.open("a") as file:
            file.writelines(part)
        before = alerts_of(served, asked)
        until(lambda before=before, served=served: alerts_of(served, asked) > before)
        if number < 2:
            served.stop(signal.SIGKILL)
    until(lambda: alerts_of(served, asked) == len(expected))
    time.sleep(1)
    assert alerts_of(served, asked) == len(expected)
    assert served.stop() == 0
    assert "what was in hand is written" in "".join(served.said)
    logged = [
        json.loads(line) for line in (tmp_path / "out" / "alerts.jsonl").read_text().splitlines()
    ]
    found = [each["contraview"]["id"] for each in logged if "views" in each["contraview"]]
    assert sorted(found) == sorted(expected)


def test_the_api_says_what_it_is(model, serve, asked, tmp_path):
    log = tmp_path / "conn.log"
    log.write_text(conn_logs.log(500, seed=8, odd=0.1))
    served = serve(model, "--watch", log, "--out", tmp_path / "out")
    until(lambda: alerts_of(served, asked) > 10)
    listed = asked(served.port, "/api/groups?limit=3&order=strongest").json
    assert len(listed["items"]) == 3
    group = asked(served.port, f"/api/groups/{listed['items'][0]['id']}").json
    assert group["strongest"]["views"].keys() == {"clan", "ecod"}
    assert group["strongest"]["reasons"][0]["effect"] > 0
    assert asked(served.port, "/api/groups/99999").status == 404
    wrong = asked(served.port, "/api/groups?limit=many")
    assert wrong.status == 422
    assert "limit" in wrong.json["detail"]
    paths = asked(served.port, "/api/openapi.json").json["paths"]
    assert {"/api/about", "/api/groups", "/api/alerts/{number}", "/healthz"} <= paths.keys()
    assert all(way["get"]["description"] for path, way in paths.items() if "get" in way)
    assert asked(served.port, "/healthz").status == 200
    metrics = asked(served.port, "/metrics").body.decode()
    assert "contraview_watcher_up 1" in metrics


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere", "--watch", "x"], "no such folder"),
        (["{model}"], "--watch SOURCE, or DATA"),
        (["{model}", "--watch", "none.log"], "no such file"),
        (["{model}", "--watch", "x", "--host", "0.0.0.0"], "expected --token-file"),
        (["{model}", "--watch", "x", "--port", "70000"], "expected 0 to 65535"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(model, tmp_path, capsys, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CONTRAVIEW_TOKEN", raising=False)
    port = [] if "--port" in arguments else ["--port", "0"]
    filled = [each.format(model=model) for each in arguments]
    assert main(["serve", *filled, *port]) == 2
    (line,) = capsys.readouterr().err.splitlines()[:1]
    assert said in line
