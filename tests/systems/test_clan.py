import sys
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

import contraview
from contraview.core.errors import InputError
from contraview.core.run import Run
from contraview.core.seeds import torch_generator
from contraview.evaluation.anomaly import auroc
from contraview.evaluation.probes import LinearProbe
from contraview.modalities.flows.data import read_flows
from contraview.modalities.flows.features import FeatureMap
from contraview.objectives.nt_xent import nt_xent
from contraview.systems.clan import Clan, ClanConfig
from contraview.systems.clan.attack_naming import REGRESSION_C, AttackNaming
from contraview.systems.clan.config import OFFICIAL_FINETUNING
from contraview.systems.clan.negatives import Corrupter, MassNegatives
from contraview.systems.clan.pretraining import Pretraining, fresh_encoder, schedule_of

sys.path.insert(0, str(Path(__file__).parent))
import tiny_flows
from tiny import Tiny

TINY = Tiny(
    tiny_flows.data,
    {"width": 16, "depth": 2, "outputs": 8, "steps": 60, "batch": 64},
    labels=lambda: tiny_flows.data().labels(),
)
KNOBS = TINY.knobs | {"steps": 150}


@pytest.fixture(scope="module")
def clan():
    return Clan(**KNOBS).fit(tiny_flows.data(), run=Run(seed=0))


def test_a_planted_anomaly_is_found_and_only_benign_rows_are_learnt_from(clan):
    labels, scores = tiny_flows.flows()["kind"].to_numpy(), clan.score(tiny_flows.data())
    assert auroc(scores[labels == "benign"], scores[labels == "attack"]) > 0.9
    assert clan.learnt().facts["benign rows"] == 350


def test_the_score_is_minus_the_cosine_to_the_mean_of_embeddings_as_they_are(clan):
    benign = read_flows(tiny_flows.flows(), **tiny_flows.SOURCE).benign()
    embedded = clan.embed(benign)
    centre = embedded.mean(axis=0)
    cosine = embedded @ centre / np.linalg.norm(embedded, axis=1) / np.linalg.norm(centre)
    np.testing.assert_allclose(clan.score(benign), -cosine, atol=1e-5)
    assert not np.allclose(np.linalg.norm(embedded, axis=1), 1.0)


def test_a_score_does_not_depend_on_its_batch(clan):
    rows = tiny_flows.flows()
    apart = np.concatenate(
        [clan.score(read_flows(rows[i : i + 50], **tiny_flows.SOURCE)) for i in (0, 50)]
    )
    np.testing.assert_allclose(apart, clan.score(tiny_flows.data())[:100], atol=1e-6)


PAPER = {
    "width": 1024, "depth": 4, "outputs": 64, "dropout": 0.0,
    "margin": 0.5, "balance": 0.5, "squared": False,
    "corruption": ("uniform",), "p_feature": 0.1, "p_sample": 1.0, "span": 1.7,
    "mass_negatives": 0.0, "log": False, "contamination": 0.0,
    "steps": None, "epochs": 200, "batch": 8192,
    "lr": 1e-4, "lr_ends": 1e-6, "warmup": 0.1, "weight_decay": 0.0,
    "finetune_epochs": 100, "finetune_batch": 64, "finetune_lr": 1e-3,
    "finetune_weight_decay": 1e-6, "finetune_rescale": True, "finetune_start": "random",
}  # fmt: skip


@pytest.mark.parametrize("knob", PAPER)
def test_the_paper_preset_has_the_official_settings(knob):
    assert getattr(Clan.preset("paper").config, knob) == PAPER[knob]


def test_the_paper_preset_has_the_official_size_and_schedule():
    config = Clan.preset("paper").config
    encoder = fresh_encoder(config, 72, seed=0)
    assert 3.3e6 < sum(p.numel() for p in encoder.parameters()) < 3.5e6
    steps = config.total_steps(697_838)
    assert steps == 200 * 85
    schedule = schedule_of(config, steps)
    assert schedule.warmup_steps == 20 * 85
    assert schedule.lr_at(0) == 1e-6
    assert schedule.lr_at(20 * 85) == pytest.approx(1e-4)
    assert schedule.lr_at(steps - 1) == 1e-6


def test_steps_and_epochs_exclude_each_other():
    with pytest.raises(InputError, match="exactly one of steps and epochs"):
        Clan(steps=10, epochs=1)
    with pytest.raises(InputError, match="exactly one of steps and epochs"):
        Clan(steps=None)


MAP = FeatureMap.fit(tiny_flows.flows()[:350], ["packets", "bytes", "duration", "gap"], ["proto"])
ROWS = torch.from_numpy(MAP.transform(tiny_flows.flows()[:350]))


def corrupted(**knobs):
    corrupt = Corrupter.of(ClanConfig(**knobs), MAP)
    return corrupt(ROWS, torch_generator(0, "corrupt"))


@pytest.mark.parametrize(
    "name", ["uniform", "gaussian", "jitter", "zero", "marginal", "shuffle", "mix"]
)
def test_every_corruption_alters_about_the_share_asked_for(name):
    altered = corrupted(corruption=(name,), p_feature=0.5)
    changed = (altered != ROWS).float().mean()
    assert 0.1 < changed < 0.55


def test_corruptions_are_chained_in_order():
    both = corrupted(corruption=("uniform", "zero"), p_feature=1.0)
    assert (both == 0).all()


def test_unset_the_share_counts_columns_before_categories_become_indicators():
    assert MAP.transform(tiny_flows.flows()).shape[1] == 6
    assert Corrupter.of(ClanConfig(), MAP).p_feature == 0.6
    wide = Corrupter(ClanConfig(), torch.arange(200) // 5, 0)
    assert wide.p_feature == pytest.approx(18 / 40)


def test_resampled_categories_stay_categories():
    altered = corrupted(categories="resample", p_feature=0.9)
    seen = {tuple(row) for row in ROWS[:, 4:].tolist()}
    assert {tuple(row) for row in altered[:, 4:].tolist()} == seen
    assert not torch.equal(altered[:, 4:], ROWS[:, 4:])
    kept = corrupted(categories="keep", p_feature=0.9)
    assert torch.equal(kept[:, 4:], ROWS[:, 4:])


def test_mass_negatives_come_evenly_from_regions_of_any_size():
    rows = torch.cat([torch.zeros(990, 2), torch.full((10, 2), 5.0)])
    drawn = MassNegatives(rows, clusters=2, seed=0).draw(1000, torch_generator(0, "draw"))
    assert (drawn >= 990).float().mean() == pytest.approx(0.5, abs=0.06)


def test_the_contamination_guard_leaves_the_planted_rows_out():
    mixed = read_flows(tiny_flows.flows().drop("kind"))
    attacks = np.arange(400) >= 350
    trusting = Clan(**KNOBS).fit(mixed, run=Run(seed=1)).score(mixed)
    guarded = Clan(**KNOBS, contamination=0.15).fit(mixed, run=Run(seed=1)).score(mixed)
    with_guard = auroc(guarded[~attacks], guarded[attacks])
    assert with_guard > auroc(trusting[~attacks], trusting[attacks])
    assert with_guard > 0.9


def test_siblings_differ_in_the_objective_alone():
    config = ClanConfig(**KNOBS)
    encoder = fresh_encoder(config, 6, seed=3)
    start = [p.clone() for p in encoder.parameters()]
    again = fresh_encoder(config, 6, seed=3)
    assert all(torch.equal(a, b) for a, b in zip(start, again.parameters(), strict=True))
    pretrain = Pretraining(config, partial(nt_xent, temperature=0.1), Corrupter.of(config, MAP))
    pretrain(encoder, ROWS, run=Run(seed=3), steps=3)
    assert not torch.equal(start[0], next(encoder.parameters()))


def test_finetuning_names_attacks_and_leaves_the_score_alone(tmp_path):
    system = Clan(**KNOBS).fit(tiny_flows.data(), run=Run(seed=0))
    flows, before = tiny_flows.data(), system.score(tiny_flows.data())
    labels = flows.labels()
    labels[::3] = ""
    system.finetune(flows, labels, run=Run(seed=0))
    chances = system.classify(flows)
    assert system.classes == ("attack", "benign")
    np.testing.assert_allclose(chances.sum(axis=1), 1.0, atol=1e-5)
    named = np.asarray(system.classes)[chances.argmax(axis=1)]
    assert (named == flows.labels()).mean() > 0.9
    np.testing.assert_array_equal(system.score(flows), before)
    again = contraview.load(system.save(tmp_path / "model"))
    np.testing.assert_array_equal(again.classify(flows), chances)


def test_finetuning_keeps_the_projection_and_trains_every_weight():
    config = ClanConfig(**KNOBS, **{**OFFICIAL_FINETUNING, "finetune_epochs": 2})
    encoder = fresh_encoder(config, 6, seed=0)
    names = np.array(["a", "b"])[np.arange(350) % 2]
    naming = AttackNaming.fit(encoder, ROWS, names, config, Run())
    tuned = naming.model[0]
    assert naming.model[1].in_features == config.outputs
    for before, after in zip(encoder.parameters(), tuned.parameters(), strict=True):
        assert not torch.equal(before, after)


def test_a_linear_start_is_the_logistic_regression_on_unit_embeddings():
    config = ClanConfig(**KNOBS, finetune_epochs=1, finetune_lr=1e-12)
    encoder = fresh_encoder(config, 6, seed=0).eval()
    names = np.array(["a", "b", "c"])[np.arange(350) % 3]
    naming = AttackNaming.fit(encoder, ROWS, names, config, Run())
    with torch.inference_mode():
        unit = torch.nn.functional.normalize(encoder(ROWS)).numpy()
    expected = LinearProbe.fit(unit, names, c=REGRESSION_C).classify(unit)
    np.testing.assert_allclose(naming.probabilities(ROWS), expected, atol=1e-3)


def test_a_column_that_is_constant_in_the_labelled_sample_gives_no_nan():
    rows = ROWS.clone()
    rows[:, 0] = 2.0
    names = np.array(["a", "b"])[np.arange(350) % 2]
    config = ClanConfig(**KNOBS, **{**OFFICIAL_FINETUNING, "finetune_epochs": 1})
    naming = AttackNaming.fit(fresh_encoder(config, 6, 0), rows, names, config, Run())
    assert np.isfinite(naming.probabilities(ROWS)).all()
    assert naming.scale[0] == 1


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (lambda: tiny_flows.flows()[:150], "150 benign flows to learn from; expected at least 200"),
        (lambda: tiny_flows.flows().select("flat", "kind"), "constant"),
        (lambda: tiny_flows.flows().with_columns(kind=pl.lit("attack")), "keeps no row"),
        (lambda: pl.DataFrame({"kind": ["benign"] * 300}), "nothing to learn"),
    ],
)
def test_data_that_cannot_be_learnt_from_is_refused(data, says):
    with pytest.raises(InputError, match=says) as error:
        Clan(**KNOBS).fit(read_flows(data(), **tiny_flows.SOURCE))
    assert "\n" not in str(error.value)


def test_flows_of_another_schema_are_refused_with_what_is_missing(clan):
    other = read_flows(tiny_flows.flows().drop("bytes"), **tiny_flows.SOURCE)
    with pytest.raises(InputError, match="columns that are missing: bytes"):
        clan.score(other)


def test_labels_must_match_the_flows(clan):
    with pytest.raises(InputError, match="3 labels for 400 flows"):
        clan.finetune(tiny_flows.data(), ["a", "b", "c"])
    with pytest.raises(InputError, match="learnt no attack names"):
        clan.classify(tiny_flows.data())
