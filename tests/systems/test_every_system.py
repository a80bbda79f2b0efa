"""What every system of the catalog promises, whatever it is about."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import contraview
from contraview.catalog import ENTRIES
from contraview.core.errors import InputError
from contraview.core.run import Run

sys.path.insert(0, str(Path(__file__).parent))
import tiny

BUILT = [entry for entry in ENTRIES if entry.built]
every_system = pytest.mark.parametrize("entry", BUILT, ids=lambda entry: entry.slug)
fitted_systems = {}


def fitted(entry, seed=0):
    """The system fitted on its modality's tiny data; once a seed."""
    if (entry.slug, seed) not in fitted_systems:
        system = entry.load_class()(**tiny.KNOBS[entry.slug])
        system.fit(tiny.data(entry.modality), run=Run(seed=seed))
        fitted_systems[entry.slug, seed] = system
    return fitted_systems[entry.slug, seed]


def outputs(system, entry):
    """What each verb that needs no further fit says of the tiny data."""
    data = tiny.data(entry.modality)
    ready = [verb for verb in entry.verbs.split() if verb != "classify"]
    return {verb: getattr(system, verb)(data) for verb in ready}


@every_system
def test_verbs_give_one_finite_answer_a_row(entry):
    for verb, answer in outputs(fitted(entry), entry).items():
        assert len(answer) == 400, verb
        assert np.isfinite(answer).all(), verb


@every_system
def test_same_seed_same_result_other_seed_other_result(entry):
    first = outputs(fitted(entry), entry)
    again = entry.load_class()(**tiny.KNOBS[entry.slug])
    again.fit(tiny.data(entry.modality), run=Run(seed=0))
    for verb, answer in outputs(again, entry).items():
        np.testing.assert_array_equal(answer, first[verb])
    other = outputs(fitted(entry, seed=1), entry)
    assert any(not np.array_equal(other[verb], first[verb]) for verb in first)


@every_system
def test_saved_and_loaded_in_another_process_it_answers_the_same(entry, tmp_path):
    system = fitted(entry)
    system.save(tmp_path / "model")
    before = outputs(system, entry)
    for verb, answer in outputs(contraview.load(tmp_path / "model"), entry).items():
        np.testing.assert_array_equal(answer, before[verb])
    code = (
        "import sys, numpy, contraview, torch; torch.set_num_threads(1);"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r}); import tiny;"
        f"system = contraview.load({str(tmp_path / 'model')!r});"
        f"answer = getattr(system, {entry.verbs.split()[0]!r})(tiny.data({entry.modality!r}));"
        f"numpy.save({str(tmp_path / 'answer.npy')!r}, answer)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    verb = entry.verbs.split()[0]
    np.testing.assert_array_equal(np.load(tmp_path / "answer.npy"), before[verb])


@every_system
def test_model_folders_hold_only_safetensors_json_and_parquet(entry, tmp_path):
    fitted(entry).save(tmp_path / "model")
    suffixes = {path.suffix for path in (tmp_path / "model").iterdir()}
    assert suffixes <= {".safetensors", ".json", ".parquet"}


@every_system
def test_config_round_trips_and_presets_are_valid(entry):
    cls = entry.load_class()
    for preset in cls.presets:
        config = cls.preset(preset).config
        assert type(config).model_validate_json(config.model_dump_json()) == config
    with pytest.raises(InputError, match="no preset"):
        cls.preset("enormous")
    with pytest.raises(InputError, match="no setting 'colour'"):
        cls(colour="blue")


@every_system
def test_every_knob_and_the_class_say_what_they_are(entry):
    cls = entry.load_class()
    assert cls.__doc__
    for name, field in cls.Config.model_fields.items():
        assert field.description, name


@every_system
def test_before_fit_it_says_so(entry, tmp_path):
    system = entry.load_class()(**tiny.KNOBS[entry.slug])
    with pytest.raises(InputError, match="not fitted yet"):
        system.save(tmp_path / "model")
    assert not (tmp_path / "model").exists()
    for verb in entry.verbs.split():
        with pytest.raises(InputError):
            getattr(system, verb)(tiny.data(entry.modality))


@every_system
@pytest.mark.parametrize("wrong", ["no/such/file.csv", "", [], 3.5], ids=repr)
def test_wrong_data_is_refused_in_one_line(entry, wrong):
    with pytest.raises(InputError) as error:
        entry.load_class()(**tiny.KNOBS[entry.slug]).fit(wrong)
    assert "\n" not in str(error.value)
