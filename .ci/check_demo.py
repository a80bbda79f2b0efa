"""What `contraview demo` wrote, looked at by a new process: python .ci/check_demo.py FOLDER."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import polars as pl

import contraview

SECTIONS = "time alerts kinds scores map rules learned findings training limits commands"
LARGEST_PAGE = 3_000_000


def check(folder: Path) -> None:
    """Raise an AssertionError that says what is wrong with a folder of the demo."""
    flows = pl.read_parquet(folder / "flows.parquet")
    assert flows.height > 1000, f"{flows.height} flows"
    assert flows["label"].null_count() == 0, "flows without a label"
    check_alerts(folder / "alerts.jsonl", flows)
    check_page((folder / "report.html").read_text(), flows)
    check_model(folder, flows)


def check_alerts(path: Path, flows: pl.DataFrame) -> None:
    """Each alert is an EVE record with views and reasons; they are the flows marked as alerts."""
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(records) == flows["alert"].sum() > 0, f"{len(records)} alerts"
    for record in records:
        assert record["event_type"] == "alert", record
        assert {"timestamp", "src_ip", "dest_ip", "alert", "contraview"} <= record.keys(), record
        assert record["contraview"]["views"], record
        assert record["contraview"]["reasons"], record
    written = [record["contraview"]["score"] for record in records]
    scores = flows.filter("alert")["score"].to_numpy()
    assert np.allclose(written, scores, atol=1e-3), "alerts with other scores than the flows"


def check_page(text: str, flows: pl.DataFrame) -> None:
    """All sections, nothing from elsewhere, no script, no address."""
    found = re.findall(r'<section id="(\w+)"', text)
    assert " ".join(found) == SECTIONS, found
    assert not re.search(r"(https?:)?//\w|<script", text), "the page is not self-contained"
    addresses = {*flows["src_addr"], *flows["dst_addr"]}
    shown = [address for address in addresses if address in text]
    assert not shown, f"addresses in the page: {shown}"
    assert len(text.encode()) < LARGEST_PAGE, f"{len(text)} characters"


def check_model(folder: Path, flows: pl.DataFrame) -> None:
    """The model loads in this process and gives the scores that the demo's process wrote."""
    detector = contraview.load(folder / "model")
    again = detector.score(detector.read(folder / "flows.parquet"))
    difference = np.abs(again - flows["score"].to_numpy()).max()
    assert difference < 1e-5, f"scores differ by {difference}"
    above = (again > detector.threshold()) <= flows["alert"].to_numpy()
    assert above.all(), "flows above the threshold that are no alerts"


if __name__ == "__main__":
    check(Path(sys.argv[1]))
    sys.stdout.write(f"{sys.argv[1]}: as it should be\n")
