"""The command: watch, serve, end; what is lost and what is twice (nothing)."""

import json
import shutil
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
    assert asked(served.port, "/api/drift").json == {"state": "none"}
    assert asked(served.port, "/api/drift?by=hour", "POST").json == {"state": "measuring"}
    until(lambda: asked(served.port, "/api/drift").json["state"] != "measuring")
    found = asked(served.port, "/api/drift").json
    assert sum(period["flows"] for period in found["drift"]["periods"]) == 500
    assert found["drift"]["advice"] != "nothing", "a tenth of these flows is odd"
    assert asked(served.port, "/api/drift?by=year", "POST").status == 422
    metrics = asked(served.port, "/metrics").body.decode()
    assert "contraview_watcher_up 1" in metrics


def test_what_is_labelled_is_learnt_and_the_watcher_goes_on(model, serve, asked, tmp_path):
    taught = tmp_path / "model"
    shutil.copytree(model, taught)
    log = tmp_path / "conn.log"
    log.write_text(conn_logs.log(1500, seed=8, odd=0.05))
    served = serve(taught, "--watch", log, "--out", tmp_path / "out")
    until(lambda: alerts_of(served, asked) > 10)
    listed = asked(served.port, "/api/groups?limit=4").json["items"]
    for group in listed:
        alert = asked(served.port, f"/api/groups/{group['id']}").json["strongest"]["id"]
        said = asked(served.port, "/api/labels", "POST", {"alert": alert, "verdict": "benign"})
        assert said.status == 201
    before = (taught / "system.json").read_bytes()
    figures = asked(served.port, "/api/lessons").json
    assert figures["benign"] == 4
    assert figures["before"]["benign that alert"] == 4
    assert (taught / "system.json").read_bytes() == before, "shown, not taken"
    assert asked(served.port, "/api/lessons", "POST").status == 201
    assert (taught / "system.json").read_bytes() != before
    about = lambda: asked(served.port, "/api/about").json  # noqa: E731
    until(lambda: about()["watcher"] == "running")
    rest = conn_logs.log(1500, seed=9, odd=0.05, begin=conn_logs.BEGIN + 4000, first=1500)
    with log.open("a") as file:
        file.writelines(x for x in rest.splitlines(keepends=True) if not x.startswith("#"))
    count = about()["alerts"]
    until(lambda: about()["alerts"] > count)
    assert asked(served.port, "/healthz").status == 200
    assert asked(served.port, "/api/lessons", "DELETE").status == 204
    again = asked(served.port, "/api/lessons").json["before"]
    assert again["threshold"] == figures["before"]["threshold"]
    assert served.stop() == 0


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
