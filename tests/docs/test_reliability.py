"""The figures on the page are those that were measured."""

import json
import re
from pathlib import Path

import pytest
from benchmarks import kills, serve_load

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "reliability.md").read_text()


@pytest.mark.parametrize(("mark", "module"), [("kills", kills), ("load", serve_load)])
def test_the_tables_are_those_of_the_benchmarks(mark, module):
    name = module.__name__.rpartition(".")[2]
    measured = json.loads((ROOT / "results" / "benchmarks" / f"{name}.json").read_text())
    shown = re.search(rf"<!-- {mark} -->\n(.*?)<!-- end -->", TEXT, re.DOTALL)
    assert shown is not None
    assert shown[1] == module.as_table(measured)


def test_every_kill_was_followed_by_the_same_model():
    measured = json.loads((ROOT / "results" / "benchmarks" / "kills.json").read_text())
    for slug in kills.FITS:
        assert measured[slug]["kills"] == 20
        assert measured[slug]["bit-identical"]
