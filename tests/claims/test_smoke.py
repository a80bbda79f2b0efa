"""Each claim of the catalog at smoke size: it runs, its arms are all there, figures are figures."""

import math

import pytest

from contraview.apps.cli.reproduce import claims_of
from contraview.catalog import ENTRIES, find
from contraview.claims.claim import run_claims
from contraview.core.errors import InputError

BUILT = [entry for entry in ENTRIES if entry.built]


def check(results, claims):
    assert [result["id"] for result in results] == [claim.id for claim in claims]
    for result in results:
        assert result["verdict"] == "undecided"  # one seed decides nothing
        assert all(math.isfinite(value) for arm in result["arms"].values() for value in arm)
        assert len({len(arm) for arm in result["arms"].values()}) == 1


@pytest.mark.parametrize("entry", BUILT, ids=lambda entry: entry.slug)
def test_every_claim_runs_at_smoke_size(entry):
    claims = claims_of(entry)
    for claim in claims:
        try:
            claim.experiment.data()
        except InputError as missing:
            if "not on this machine" not in str(missing):
                raise
            pytest.skip(str(missing))
    check(run_claims(claims, seeds=1, preset="smoke"), claims)


def test_claims_on_the_packaged_traffic_run_offline():
    claims = [claim for claim in claims_of(find("clan")) if claim.id.endswith("_lab")]
    assert claims
    check(run_claims(claims, seeds=1, preset="smoke"), claims)


@pytest.mark.parametrize("entry", BUILT, ids=lambda entry: entry.slug)
def test_claims_have_a_margin_and_seeds_that_no_pilot_saw(entry):
    for claim in claims_of(entry):
        assert claim.margin > 0
        assert claim.experiment.first_seed >= 100
        assert claim.method != claim.baseline
