"""The known data sets of flows."""

from pathlib import Path

import pytest

from contraview.core.errors import InputError
from contraview.modalities.datasets import dataset, known
from contraview.modalities.flows.data import read_flows


def test_names_are_distinct_and_every_foreign_file_has_a_checksum() -> None:
    names = [each.name for each in known()]
    assert len(set(names)) == len(names)
    for each in known():
        assert each.licence
        for edition in each.editions:
            assert all(each.package or len(file.sha256 or "") == 64 for file in edition)


def test_an_unknown_name() -> None:
    with pytest.raises(InputError, match=r"no data set 'kdd'; there are .*unsw_nb15, nsl_kdd"):
        dataset("kdd")


@pytest.mark.parametrize(
    ("name", "kind", "rows"),
    [
        ("unsw_nb15", "unsw_nb15", 82_332),
        ("nsl_kdd", "nsl_kdd", 25_192),
        ("nsl_kdd_test", "nsl_kdd", 22_544),
        ("nsl_kdd_test21", "nsl_kdd", 11_850),
        ("cicids2017_benign", "cicflowmeter", 6_860),
        ("slips_zeek_vertical", "zeek_conn", 50),
        ("slips_argus_mixed", "binetflow", 300),
        ("slips_ssh_guessing", "meter/std", 67),
    ],
)
def test_small_public_sets(shared_data: Path, name: str, kind: str, rows: int) -> None:
    flows = read_flows(dataset(name, shared_data / "nids"))
    assert (flows.kind, len(flows)) == (kind, rows)
