import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

import contraview
from contraview.core.errors import InputError
from contraview.core.run import Run
from contraview.core.seeds import torch_generator
from contraview.evaluation.reidentification import reidentification_figures
from contraview.modalities.signals import views
from contraview.modalities.signals.data import read_signals
from contraview.systems.biosignals import Biosignals
from contraview.systems.biosignals.config import BiosignalsConfig
from contraview.systems.biosignals.pairs import half_loss, pair_views

sys.path.insert(0, str(Path(__file__).parent))
import tiny_signals
from tiny import Tiny


def ages():
    return tiny_signals.data(labels="age").labels()


TINY = Tiny(
    tiny_signals.data,
    {"widths": (8, 16), "hidden": 16, "outputs": 8, "steps": 20, "participants": 6},
    labels=ages,
    ask={
        "search": lambda system: system.search(tiny_signals.data(), among=tiny_signals.data(), k=3)
    },
)
KNOBS = TINY.knobs


@pytest.fixture(scope="module")
def fitted():
    return Biosignals(**KNOBS | {"steps": 60}).fit(
        tiny_signals.data(), labels=ages(), run=Run(seed=0)
    )


def test_it_tells_people_apart_that_it_never_saw():
    arrays = tiny_signals.arrays(people=12)
    seen, unseen = arrays["subject"] % 2 == 0, arrays["subject"] % 2 == 1
    fit, test = (
        read_signals({k: v[part] for k, v in arrays.items()}, window=60) for part in (seen, unseen)
    )
    system = Biosignals(**KNOBS | {"steps": 80}).fit(fit, run=Run(seed=0))
    figures = reidentification_figures(system.embed(test), test.groups(), test.sessions())
    assert figures["1-NN accuracy"] > 0.5  # chance is 0.13


def test_ages_are_read_from_the_mean_of_a_persons_segments(fitted):
    data = tiny_signals.data(labels="age")
    predicted = fitted.regress(data)
    assert np.abs(predicted - data.labels()).mean() < 8
    for person in np.unique(data.groups()):
        assert len(set(predicted[data.groups() == person])) == 1


def test_segments_are_averaged_before_the_probe_the_same_number_of_each(fitted):
    data = tiny_signals.data()
    names, means = fitted.embed_subjects(data)
    embedded = fitted.embed(data)
    np.testing.assert_allclose(means[0], embedded[data.groups() == names[0]].mean(0), rtol=1e-5)
    few = Biosignals(**KNOBS | {"steps": 1, "probe_segments": 3}).fit(
        data, labels=ages(), run=Run(seed=0)
    )
    first = np.flatnonzero(data.groups() == "0")
    expected = few.embed(data.take(first[[0, 4, 7]])).mean(0, keepdims=True)  # of 8, evenly
    assert few.regress(data)[0] == pytest.approx(few.probe.regress(expected)[0], rel=1e-5)
    with pytest.raises(InputError, match="subject 0: 2 segments; the probe averages 3"):
        few.regress(data.take(first[:2]))


def test_a_person_with_more_segments_is_averaged_over_as_many_as_the_others():
    data = tiny_signals.data()
    rows = np.flatnonzero(~((data.groups() == "3") & (np.arange(len(data)) % 2 == 0)))
    system = Biosignals(**KNOBS | {"steps": 1}).fit(
        data.take(rows), labels=ages()[rows], run=Run(seed=0)
    )
    assert system.learnt().facts["averaged"] == 4


def test_the_loss_is_both_halves_and_their_koleo_terms_by_hand():
    config = BiosignalsConfig(temperature=0.5, koleo=0.3)
    g = torch.Generator().manual_seed(0)
    z1, z2, m1, m2 = (
        torch.nn.functional.normalize(torch.randn(4, 3, generator=g)) for _ in range(4)
    )

    def half(z, m):
        logits = z @ m.T / 0.5
        contrast = -(logits.diagonal() - logits.logsumexp(1)).mean()
        distances = torch.cdist(z, z) + torch.eye(4) * 9
        return contrast - 0.3 * distances.min(1).values.log().mean()

    got = half_loss(config, z1, m2, None) + half_loss(config, z2, m1, None)
    torch.testing.assert_close(got, half(z1, m2) + half(z2, m1), atol=1e-4, rtol=0)


def plain(**knobs):
    """Settings that alter nothing, so that views can be compared with segments."""
    none = dict.fromkeys(("p_cut_out", "p_magnitude_warp", "p_noise", "p_time_warp"), 0.0)
    return BiosignalsConfig(**none, p_permute_channels=0.0, **knobs)


def test_participant_pairs_are_two_segments_of_a_person_and_segment_pairs_are_one_twice():
    data = tiny_signals.data()
    rows = torch.tensor([0, 3, 8, 9])
    one, other = pair_views(data, plain())(rows, torch_generator(0))
    scored = views.z_score(torch.from_numpy(data.segments()))
    assert torch.equal(one, scored[[0, 8]])
    assert torch.equal(other, scored[[3, 9]])
    one, other = pair_views(data, plain(pairs="segment"))(rows, torch_generator(0))
    assert torch.equal(one, other)
    assert torch.equal(one, scored[[0, 8]])


def test_the_two_views_of_a_segment_are_altered_apart():
    config = BiosignalsConfig(pairs="segment", p_noise=1.0)
    one, other = pair_views(tiny_signals.data(), config)(torch.tensor([0, 1]), torch_generator(0))
    assert not torch.equal(one, other)


def test_amplitude_is_not_seen(fitted):
    arrays = tiny_signals.arrays()
    louder = {**arrays, "signals": 40 * arrays["signals"] + 7}
    np.testing.assert_allclose(
        fitted.embed(read_signals(louder, window=60)), fitted.embed(tiny_signals.data()), atol=1e-4
    )


def test_a_model_keeps_no_recordings(fitted):
    with pytest.raises(InputError, match="say among what to search"):
        fitted.search(tiny_signals.data())
    found, similarity = fitted.search(tiny_signals.data(), among=tiny_signals.data(), k=1)
    assert found[:, 0].tolist() == list(range(48))
    np.testing.assert_allclose(similarity, 1, atol=1e-5)


PAPER = {
    "encoder": "mbconv", "hidden": 1024, "outputs": 128, "temperature": 0.04, "koleo": 0.1,
    "momentum": 0.99, "participants": 256, "lr": 1e-3, "pairs": "participant",
    "p_cut_out": 0.4, "p_magnitude_warp": 0.25, "p_noise": 0.25, "p_permute_channels": 0.25,
    "p_time_warp": 0.15,
}  # fmt: skip
ECG = {"p_cut_out": 0.8, "p_magnitude_warp": 0.5, "p_noise": 0.5, "p_permute_channels": 0.0,
       "p_time_warp": 0.3}  # fmt: skip


@pytest.mark.parametrize("knob", PAPER)
def test_the_paper_presets_have_the_papers_settings(knob):
    assert getattr(Biosignals.preset("paper").config, knob) == PAPER[knob]
    assert getattr(Biosignals.preset("paper_ecg").config, knob) == (PAPER | ECG)[knob]


def test_the_paper_encoder_has_16_blocks_and_256_dimensions():
    config = Biosignals.preset("paper").config
    assert sum(config.repeats) == 16
    assert config.widths[-1] == 256
    with pytest.raises(InputError, match="expected one a stage"):
        Biosignals(encoder="mbconv")
    with pytest.raises(InputError, match="odd"):
        Biosignals(kernel=4)


def test_an_mbconv_encoder_fits_saves_and_loads(tmp_path):
    knobs = KNOBS | {
        "encoder": "mbconv",
        "widths": (8, 8, 16),
        "repeats": (2,),
        "kernel": 3,
        "steps": 2,
    }
    system = Biosignals(**knobs).fit(tiny_signals.data(), run=Run(seed=0))
    again = contraview.load(system.save(tmp_path / "model"))
    np.testing.assert_array_equal(
        again.embed(tiny_signals.data()), system.embed(tiny_signals.data())
    )
    with pytest.raises(InputError, match="learnt no labels"):
        again.regress(tiny_signals.data())


@pytest.mark.parametrize(
    ("data", "labels", "says"),
    [
        (lambda: tiny_signals.data().take(range(8)), None, "1 subjects, 1 of them with two"),
        (tiny_signals.data, lambda: ages()[:5], "5 labels for 48 segments"),
        (tiny_signals.data, lambda: np.array(["x"] * 48), "is no number"),
        (tiny_signals.data, lambda: np.arange(48), "subject 0: labels 0 and 1; expected one"),
    ],
)
def test_data_that_cannot_be_learnt_from_is_refused(data, labels, says):
    with pytest.raises(InputError, match=says):
        Biosignals(**KNOBS).fit(data(), labels=labels and labels())


def test_segments_of_another_kind_are_refused(fitted):
    with pytest.raises(InputError, match="segments of 40 samples of"):
        fitted.embed(read_signals(tiny_signals.arrays(), window=40))


def test_on_the_command_line(tmp_path, capsys):
    from contraview.apps.cli import main

    arrays = tiny_signals.arrays()
    whose = np.repeat(arrays["subject"], 120)
    pl.DataFrame(
        {
            "subject": whose,
            "take": np.repeat(np.arange(24), 120),
            "age": np.repeat(arrays["age"], 120),
            "ppg": arrays["signals"][:, 0].ravel(),
            "ecg": arrays["signals"][:, 1].ravel(),
        }
    ).write_csv(tmp_path / "watch.csv")
    watch, model = str(tmp_path / "watch.csv"), str(tmp_path / "model")
    reading = ["--recording", "take", "--channels", "ppg", "ecg", "--window", "60"]
    knobs = ["--widths", "8", "16", "--steps", "20", "--hidden", "16", "--outputs", "8"]
    fit = ["fit", "biosignals", watch, "--out", model, *reading, *knobs]
    assert main([*fit, "--split", "random"]) == 2
    assert "expected --split group" in capsys.readouterr().err
    assert main([*fit, "--split", "group", "--labels", "age"]) == 0
    assert main(["embed", model, watch, "--out", str(tmp_path / "e.parquet")]) == 0
    embedded = pl.read_parquet(tmp_path / "e.parquet")
    assert embedded.columns[:4] == ["source", "subject", "start", "age"]
    assert embedded.shape == (48, 4 + 16)
    assert main(["regress", model, watch, "--out", str(tmp_path / "r.csv")]) == 0
    assert pl.read_csv(tmp_path / "r.csv")["predicted"].is_finite().all()
    assert (
        main(
            ["search", model, watch, "--among", watch, "--k", "2", "--out", str(tmp_path / "s.csv")]
        )
        == 0
    )
    assert "item_subject" in pl.read_csv(tmp_path / "s.csv").columns
    capsys.readouterr()
    assert main(["evaluate", model, watch, "--labels", "subject"]) == 0
    assert "mAP" in capsys.readouterr().out
    assert main(["evaluate", model, watch, "--labels", "age"]) == 0
    assert "MAE" in capsys.readouterr().out
