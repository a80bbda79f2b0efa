import pytest

from contraview.catalog import ENTRIES
from contraview.claims import results, table
from contraview.claims.results import ClaimResult, SystemResult
from contraview.core.errors import InputError

CLAIM = ClaimResult(
    id="a",
    statement="New beats old | anywhere.",
    metric="AUROC",
    better="higher",
    data=[
        {"name": "flows", "real": True, "fingerprint": "f1"},
        {"name": "made", "real": False, "fingerprint": "f2"},
    ],
    preset="small",
    seeds=[0, 1, 2],
    arms={"new": [0.8, 0.9, 1.0], "old": [0.5, 0.5, 0.5], "cheap": [0.95, 0.95, 0.95]},
    difference={"mean": 0.4, "low": 0.3, "high": 0.5},
    margin=0.1,
    verdict="holds",
    cpu_seconds=1.5,
)


def test_one_row_a_claim_with_every_arm():
    lines = table.claims_table([SystemResult(system="clan", claims=[CLAIM])]).splitlines()
    assert len(lines) == 3
    assert lines[1] == "| --- | --- | --- | --- | --- | --- | --- | --- |"
    assert lines[2] == (
        "| `clan` | New beats old \\| anywhere. | AUROC; flows, made (simulated); small, 3 seeds "
        "| new 0.900 | old 0.500 | +0.400 [+0.300, +0.500], margin 0.1 | holds | cheap 0.950 |"
    )


def test_the_systems_table_has_the_whole_catalog():
    lines = table.systems_table().splitlines()
    assert len(lines) == 2 + len(ENTRIES)
    missing = sum(not entry.built for entry in ENTRIES)
    assert ["not built yet" in line for line in lines[2:]] == (
        [False] * (len(ENTRIES) - missing) + [True] * missing
    )


def test_only_what_stands_between_the_marks_is_replaced():
    page = "before\n<!-- claims -->\nold\n<!-- /claims -->\nafter\n"
    once = table.replace_table(page, "claims", "new")
    assert once == "before\n<!-- claims -->\nnew\n<!-- /claims -->\nafter\n"
    assert table.replace_table(once, "claims", "new") == once


@pytest.mark.parametrize("page", ["", "<!-- claims -->", "<!-- /claims -->\n<!-- claims -->"])
def test_a_page_without_marks_is_refused(page):
    with pytest.raises(InputError, match="no place for the table"):
        table.replace_table(page, "claims", "new")


def test_pages_are_brought_up_to_date_with_the_results(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "folder", lambda: tmp_path)
    results.write("clan", [CLAIM])
    readme, page = tmp_path / "README.md", tmp_path / "docs" / "claims.md"
    page.parent.mkdir()
    readme.write_text("# Title\n<!-- systems -->\n<!-- /systems -->\n")
    page.write_text("<!-- claims -->\n<!-- /claims -->\n")
    table.update_pages(tmp_path)
    assert "holds: 1" in readme.read_text()
    assert "| `clan` | New beats old" in page.read_text()
    page.write_text("# Title\n")
    with pytest.raises(InputError, match=r"claims\.md: no place"):
        table.update_pages(tmp_path)
    assert page.read_text() == "# Title\n"
