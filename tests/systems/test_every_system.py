"""What every system of the catalog promises, whatever it is about."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import contraview
from contraview.catalog import ENTRIES
from contraview.core.errors import InputError
from contraview.core.run import Run

sys.path.insert(0, str(Path(__file__).parent))
import tiny

BUILT = [entry for entry in ENTRIES if entry.built]
every_system = pytest.mark.parametrize("entry", BUILT, ids=lambda entry: entry.slug)
fitted_systems = {}


def new(entry):
    """A system that is not fitted, with quick settings."""
    return entry.load_class()(**tiny.of(entry.slug).knobs)


def fitted(entry, seed=0):
    """The system fitted on its tiny data; once a seed."""
    if (entry.slug, seed) not in fitted_systems:
        fitted_systems[entry.slug, seed] = tiny.of(entry.slug).fit(new(entry), Run(seed=seed))
    return fitted_systems[entry.slug, seed]


def answers(system, entry):
    """What each verb says, as arrays."""
    asked = tiny.of(entry.slug)
    verbs = [verb for verb in entry.verbs.split() if verb != "classify" or asked.labels]
    return {verb: asked.answer(system, verb) for verb in verbs}


def same(one, other):
    """Whether two answers are the same to the last bit."""
    return len(one) == len(other) and all(map(np.array_equal, one, other))


@every_system
def test_verbs_answer_with_finite_numbers_one_an_item_where_they_are_about_items(entry):
    items = len(tiny.of(entry.slug).data())
    for verb, answer in answers(fitted(entry), entry).items():
        if verb in tiny.ROW_WISE:
            assert len(answer[0]) == items, verb
        for array in answer:
            assert array.dtype.kind not in "fc" or np.isfinite(array).all(), verb


@every_system
def test_same_seed_same_result_other_seed_other_result(entry):
    first = answers(fitted(entry), entry)
    again = answers(tiny.of(entry.slug).fit(new(entry), Run(seed=0)), entry)
    for verb, answer in again.items():
        assert same(answer, first[verb]), verb
    if tiny.of(entry.slug).seeded:
        other = answers(fitted(entry, seed=1), entry)
        assert any(not same(other[verb], first[verb]) for verb in first)


@pytest.fixture
def ctrl_c():
    """Ctrl-C as it is in a command: a worker of several test processes ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@every_system
@pytest.mark.usefixtures("ctrl_c")
def test_after_ctrl_c_the_same_command_goes_on_to_the_same_result(entry, tmp_path, monkeypatch):
    stepped = torch.optim.AdamW.step
    steps = []

    def counted(self, *arguments, **named):
        steps.append(1)
        if len(steps) == stop:
            signal.raise_signal(signal.SIGINT)
        return stepped(self, *arguments, **named)

    monkeypatch.setattr(torch.optim.AdamW, "step", counted)
    stop = 0
    whole = tiny.of(entry.slug).fit(new(entry), Run(seed=0))
    if len(steps) < 2:
        pytest.skip(f"{entry.slug} takes no training steps on its tiny data")
    total = len(steps)
    stop, steps = (2 * total + 2) // 3, []
    with pytest.raises(KeyboardInterrupt):
        tiny.of(entry.slug).fit(new(entry), Run(tmp_path / "run", seed=0))
    assert len(steps) == stop
    stop, left, steps = 0, total - stop, []
    again = tiny.of(entry.slug).fit(new(entry), Run(tmp_path / "run", seed=0))
    for verb, answer in answers(whole, entry).items():
        assert same(answers(again, entry)[verb], answer), verb
    assert len(steps) == left


@every_system
def test_saved_and_loaded_in_another_process_it_answers_the_same(entry, tmp_path):
    system = fitted(entry)
    system.save(tmp_path / "model")
    before = answers(system, entry)
    for verb, answer in answers(contraview.load(tmp_path / "model"), entry).items():
        assert same(answer, before[verb]), verb
    verb = entry.verbs.split()[0]
    code = (
        "import sys, numpy, torch; torch.set_num_threads(1);"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r});"
        "import contraview, tiny;"
        f"system = contraview.load({str(tmp_path / 'model')!r});"
        f"answer = tiny.of({entry.slug!r}).answer(system, {verb!r});"
        f"numpy.savez({str(tmp_path / 'answer.npz')!r}, *answer)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with np.load(tmp_path / "answer.npz") as there:
        assert same([there[name] for name in there.files], before[verb])


@every_system
def test_model_folders_hold_only_safetensors_json_and_parquet(entry, tmp_path):
    fitted(entry).save(tmp_path / "model")
    suffixes = {path.suffix for path in (tmp_path / "model").iterdir()}
    assert suffixes <= {".safetensors", ".json", ".parquet"}


@every_system
def test_config_round_trips_and_presets_are_valid(entry):
    cls = entry.load_class()
    assert {"small", "paper"} <= set(cls.presets) or entry.kind != "paper"
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
    for settings in (cls.Config, cls.Source):
        for name, field in settings.model_fields.items():
            assert field.description, name


@every_system
def test_before_fit_it_says_so(entry, tmp_path):
    system = new(entry)
    with pytest.raises(InputError, match="not fitted yet"):
        system.save(tmp_path / "model")
    assert not (tmp_path / "model").exists()
    for verb in entry.verbs.split():
        with pytest.raises(InputError):
            tiny.of(entry.slug).answer(system, verb)


@every_system
def test_wrong_data_is_refused_in_one_line(entry):
    for wrong in tiny.of(entry.slug).wrong:
        with pytest.raises(InputError) as error:
            new(entry).fit(wrong)
        assert "\n" not in str(error.value)
