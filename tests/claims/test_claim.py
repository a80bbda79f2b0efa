import json
import math
from dataclasses import replace

import pytest

from contraview.claims import claim as claims
from contraview.claims.claim import Claim, Experiment, run_claims
from contraview.claims.results import Data
from contraview.core.errors import ContraviewError, InputError
from contraview.core.run import Run

DATA = [
    Data(name="flows", real=True, fingerprint="f1"),
    Data(name="lab", real=False, fingerprint="f2"),
]


class Counted:
    """An experiment that keeps a record of how it was asked."""

    def __init__(self, broken_at=None):
        self.asked = []
        self.broken_at = broken_at

    def __call__(self, run, settings):
        if run.seed == self.broken_at:
            raise KeyboardInterrupt
        self.asked.append((run.seed, dict(settings)))
        base = 0.5 + run.seed / 100
        return {
            "auroc": {"cheap": base + 0.3, "new": base + 0.1, "old": base},
            "error": {"old": 0.4, "new": 0.1},
        }


def experiment(measure, **changes):
    made = Experiment(
        "study",
        data=lambda: DATA,
        measure=measure,
        presets={"small": {"steps": 10}, "paper": {"steps": 10_000}},
        first_seed=20,
    )
    return replace(made, **changes)


def two_claims(of):
    one = Claim("a", "New ranks better.", of, "auroc", "new", "old", margin=0.05)
    two = replace(one, id="b", metric="error", better="lower", margin=0.5, data=("lab",))
    return [one, two]


def test_claims_that_share_an_experiment_are_measured_once_a_seed():
    measure = Counted()
    first, second = run_claims(two_claims(experiment(measure)), seeds=3)
    assert measure.asked == [(seed, {"steps": 10}) for seed in (20, 21, 22)]
    assert first["arms"] == {
        "new": [0.8, 0.81, 0.82],
        "old": [0.7, 0.71, 0.72],
        "cheap": [1.0, 1.01, 1.02],
    }
    assert list(first["arms"]) == ["new", "old", "cheap"]
    assert first["seeds"] == [20, 21, 22]
    assert (first["verdict"], second["verdict"]) == ("holds", "does not hold")
    assert first["difference"]["mean"] == pytest.approx(0.1)
    assert second["difference"]["mean"] == pytest.approx(0.3)
    assert first["data"] == DATA
    assert second["data"] == DATA[1:]


def test_the_result_has_exactly_the_published_shape():
    result = run_claims(two_claims(experiment(Counted())), seeds=3, preset="paper")[0]
    shape = "id statement metric better data preset seeds arms difference margin verdict"
    assert list(result) == [*shape.split(), "cpu_seconds"]
    assert result["preset"] == "paper"
    assert list(result["difference"]) == ["mean", "low", "high"]
    assert json.loads(json.dumps(result)) == result


def test_cpu_seconds_are_those_of_the_seeds():
    def busy(run, settings):
        math.fsum(i**0.5 for i in range(300_000))
        return Counted()(run, settings)

    result = run_claims(two_claims(experiment(busy))[:1], seeds=2)[0]
    assert 0.01 < result["cpu_seconds"] < 5


def test_an_interrupted_run_goes_on_after_the_last_finished_seed(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run_claims(two_claims(experiment(Counted(broken_at=22))), seeds=4, run=Run(tmp_path))
    measure = Counted()
    resumed = run_claims(two_claims(experiment(measure)), seeds=4, run=Run(tmp_path))
    assert [seed for seed, _ in measure.asked] == [22, 23]
    whole = run_claims(two_claims(experiment(Counted())), seeds=4)
    for result in (*resumed, *whole):
        result["cpu_seconds"] = 0.0
    assert resumed == whole


@pytest.mark.parametrize("change", ["data", "settings", "code", "no resume"])
def test_a_finished_seed_counts_only_for_the_same_thing(change, tmp_path, monkeypatch):
    run_claims(two_claims(experiment(Counted())), seeds=2, run=Run(tmp_path))
    measure, changes, run = Counted(), {}, Run(tmp_path, resume=change != "no resume")
    if change == "data":
        changes["data"] = lambda: [DATA[0], {**DATA[1], "fingerprint": "f3"}]
    if change == "settings":
        changes["presets"] = {"small": {"steps": 11}}
    if change == "code":
        package = tmp_path / "package"
        package.mkdir()
        (package / "__init__.py").write_text("other = True")
        monkeypatch.setattr(claims.contraview, "__file__", str(package / "__init__.py"))
    run_claims(two_claims(experiment(measure, **changes)), seeds=2, run=run)
    assert len(measure.asked) == 2


def test_a_figure_that_is_no_number_stops_the_run():
    def broken(run, settings):
        return {"auroc": {"new": float("nan"), "old": 0.5}}

    with pytest.raises(ContraviewError, match="study, seed 20: auroc of new is nan"):
        run_claims(two_claims(experiment(broken)), seeds=3)


def test_a_missing_figure_says_which():
    def partial(run, settings):
        return {"auroc": {"new": 0.5}}

    with pytest.raises(ContraviewError, match="measured of new; expected new, old"):
        run_claims(two_claims(experiment(partial))[:1], seeds=3)
    unknown = replace(two_claims(experiment(Counted()))[0], data=("elsewhere",))
    with pytest.raises(ContraviewError, match="there are flows, lab"):
        run_claims([unknown], seeds=3)


def test_a_wrong_preset_or_no_seeds_is_the_users_error():
    with pytest.raises(InputError, match="no preset 'huge'; there are small, paper"):
        run_claims(two_claims(experiment(Counted())), seeds=3, preset="huge")
    with pytest.raises(InputError, match="0 seeds"):
        run_claims(two_claims(experiment(Counted())), seeds=0)
