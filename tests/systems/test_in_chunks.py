"""Every system that takes ``chunk``: the gradient in chunks is that of the whole batch."""

import sys
from pathlib import Path

import pytest
import torch

from contraview.catalog import ENTRIES
from contraview.core.errors import InputError
from contraview.core.run import Run
from contraview.training import loop

sys.path.insert(0, str(Path(__file__).parent))
import tiny

IN_CHUNKS = [
    entry
    for entry in ENTRIES
    if entry.built and "chunk" in getattr(entry.load_class().Config, "model_fields", {})
]
BESIDE = {"hallucinator": {"positives": {"weight": 0.0}}, "scatsimclr": {"pretext": "none"}}
"""What a system adds to the pairs of views by default, turned off."""


class Enough(Exception):  # noqa: N818
    """The gradient is there."""


def system_of(entry, **more):
    knobs = dict(tiny.of(entry.slug).knobs) | BESIDE.get(entry.slug, {})
    fields = entry.load_class().Config.model_fields
    off = {"head_norm": "layer", "dropout": 0.0, "drophead": 0.0}
    return entry.load_class()(**knobs | {k: v for k, v in off.items() if k in fields} | more)


def gradient(entry, monkeypatch, at=None, **more):
    """The gradients of a training's step ``at``, or of the first one in chunks; and which it is."""
    original, steps, found = loop._gradients, [], {}

    def record(accelerator, model, *rest):
        result = original(accelerator, model, *rest)
        if len(steps) == at or result.after_backward is not None:
            found.update(
                (n, p.grad.clone()) for n, p in model.named_parameters() if p.grad is not None
            )
            raise Enough
        steps.append(result)
        return result

    monkeypatch.setattr(loop, "_gradients", record)
    with pytest.raises(Enough):
        tiny.of(entry.slug).fit(system_of(entry, **more), Run(seed=0))
    monkeypatch.setattr(loop, "_gradients", original)
    return found, len(steps)


@pytest.mark.parametrize("entry", IN_CHUNKS, ids=lambda entry: entry.slug)
def test_the_gradient_in_chunks_is_that_of_the_whole_batch(entry, monkeypatch):
    found, step = gradient(entry, monkeypatch, chunk=5)
    expected, same_step = gradient(entry, monkeypatch, at=step)
    assert same_step == step
    assert found.keys() == expected.keys()
    for name, each in expected.items():
        torch.testing.assert_close(found[name], each, rtol=1e-4, atol=2e-6, msg=name)


def test_what_chunks_would_change_is_refused():
    entries = {entry.slug: entry for entry in IN_CHUNKS}
    for slug, knobs, says in (
        ("simclr", {"head_norm": None}, r"chunk: BatchNorm1d \(contrast\.head\.1\) takes statis"),
        ("simclr", {"positives": {"weight": 1.0}}, "chunk: not together with positives.weight"),
        ("scatsimclr", {"pretext": "rotation"}, "chunk: not together with rotation"),
    ):
        system = system_of(entries[slug], chunk=5, **knobs)
        with pytest.raises(InputError, match=says):
            tiny.of(slug).fit(system, Run(seed=0))
