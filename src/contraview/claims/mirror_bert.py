"""Does mirror tuning bring out of a masked language model what its cosines do not say?"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from contraview.claims.claim import Claim, Experiment, Figures
from contraview.claims.results import Data
from contraview.core.errors import ContraviewError
from contraview.core.run import Run
from contraview.evaluation.similarity import similarity_figures
from contraview.modalities.datasets import dataset, find
from contraview.modalities.text.data import Texts, read_texts
from contraview.modalities.text.sts import read_stsb, read_word_pairs
from contraview.modalities.text.wordnet import read_glosses
from contraview.networks.transformer import Pooling
from contraview.systems.mirror_bert import MirrorBert

STS, WORDS = "Spearman, STS-B test", "Spearman, WordSim-353"
METHOD = "mirror-tuned"
MEAN, CLS = "start model, mean", "start model, CLS"
SAME = "tuned on identical pairs (no dropout, no mask)"
DROPOUT, SPAN = "tuned, dropout only", "tuned, span mask only"
UNTRAINED = "untrained network, mean"
OVERLAP = "word overlap (Jaccard)"

_TUNING = ("lr", "batch", "temperature", "epochs", "pooling")
_NETWORK: Final = {
    "width": 64,
    "depth": 1,
    "hidden": 256,
    "vocabulary": 3000,
    "language_steps": 300,
    "language_batch": 32,
    "language_lr": 2e-3,
}
"""A start model that a CPU learns in some twenty seconds."""
PRESETS: Final[Mapping[str, Mapping[str, Any]]] = {
    "small": {"lines": 10_000, "every": 6, **_NETWORK},
    "smoke": {
        "lines": 300,
        "every": 200,
        **_NETWORK,
        "width": 16,
        "hidden": 32,
        "language_steps": 10,
        "batch": 100,
    },
}
"""``lines``: sentences and words tuned on; ``every``: which glosses of WordNet the start model
learns from, beside the sentences."""


def measure(run: Run, settings: Mapping[str, Any]) -> Figures:
    """One masked language model a seed; every arm starts from a copy of it."""
    knobs = dict(settings)
    most, every = knobs.pop("lines"), knobs.pop("every")
    lines = read_texts(dataset("mirror_sentences")[0]).strings[:most]
    words = read_texts(dataset("mirror_words")[0]).strings[:most]
    sts = read_stsb(dataset("stsb_test")[0])
    pairs = read_word_pairs(dataset("wordsim353")[0])
    language = {k: v for k, v in knobs.items() if k not in _TUNING}
    tuning = {k: v for k, v in knobs.items() if k in _TUNING}
    text = [*lines, *read_glosses(dataset("wordnet"))[::every]]

    def fitted(strings: Sequence[str], preset: str = "small", **more: Any) -> MirrorBert:
        return MirrorBert.preset(preset, **more).fit(list(strings), run=run)

    with TemporaryDirectory() as folder:
        start = fitted(text, epochs=0, **language)
        start.save(Path(folder) / "start")
        tune = {"start": str(Path(folder) / "start"), **tuning}
        plain = {"dropout": 0.0, "span": 0}
        untrained = fitted(text, epochs=0, **{**language, "language_steps": 0})
        common = {
            MEAN: _pooled(start, "mean"),
            CLS: _pooled(start, "cls"),
        }
        sentence_arms = {
            METHOD: fitted(lines, **tune),
            **common,
            SAME: fitted(lines, **tune, **plain),
            DROPOUT: fitted(lines, **tune, span=0),
            SPAN: fitted(lines, **tune, dropout=0.0),
            UNTRAINED: untrained,
        }
        word_arms = {
            METHOD: fitted(words, "words", **tune),
            **common,
            SAME: fitted(words, "words", **tune, **plain),
            UNTRAINED: untrained,
        }
    return {
        STS: {arm: _spearman(system.embed, sts) for arm, system in sentence_arms.items()}
        | {OVERLAP: _overlap(sts)},
        WORDS: {arm: _spearman(system.embed, pairs) for arm, system in word_arms.items()},
    }


def _pooled(start: MirrorBert, pooling: Pooling) -> MirrorBert:
    other = MirrorBert(**{**start.config.model_dump(), "pooling": pooling})
    other.restore(start.learnt())
    return other


def _spearman(embed: Callable[[Any], np.ndarray], pairs: Texts) -> float:
    others = pairs.others()
    assert others is not None
    found = similarity_figures(embed(pairs), embed(others), pairs.labels())["Spearman"]
    if found is None:
        raise ContraviewError(f"{pairs.name}: all pairs are equally similar to this encoder")
    return found


def _overlap(pairs: Texts) -> float:
    """The cheap bar: shared words over all words, ranked as the cosines are."""
    others = pairs.others()
    assert others is not None
    bags = [[set(each.lower().split()) for each in side.strings] for side in (pairs, others)]
    shares = [len(a & b) / len(a | b) for a, b in zip(*bags, strict=True)]
    # On a half circle the cosine falls as the share does.
    angles = np.pi * (1 - np.array(shares)) / 2
    one = np.stack([np.ones(len(angles)), np.zeros(len(angles))], axis=1)
    found = similarity_figures(
        one, np.stack([np.cos(angles), np.sin(angles)], axis=1), pairs.labels()
    )["Spearman"]
    assert found is not None
    return found


def _data() -> list[Data]:
    read: Mapping[str, Callable[[], Texts]] = {
        "wordnet": lambda: read_texts(read_glosses(dataset("wordnet"))),
        "mirror_sentences": lambda: read_texts(dataset("mirror_sentences")[0]),
        "mirror_words": lambda: read_texts(dataset("mirror_words")[0]),
        "stsb_test": lambda: read_stsb(dataset("stsb_test")[0]),
        "wordsim353": lambda: read_word_pairs(dataset("wordsim353")[0]),
    }
    return [
        Data(name=name, real=find(name).real, fingerprint=texts().fingerprint())
        for name, texts in read.items()
    ]


def _claims() -> tuple[Claim, ...]:
    experiment = Experiment("mirror_bert", _data, measure, PRESETS, first_seed=100)
    sentences = "mirror tuning on 10,000 raw sentences makes cosines follow similarity better"
    words = "mirror tuning on 10,000 raw words makes cosines follow similarity better"
    needed = "it is the two different views that help: identical pairs do not do as well"
    sts_data = ("wordnet", "mirror_sentences", "stsb_test")
    word_data = ("wordnet", "mirror_sentences", "mirror_words", "wordsim353")

    def on_sts(name: str, statement: str, baseline: str) -> Claim:
        return Claim(name, statement, experiment, STS, METHOD, baseline, 0.05, data=sts_data)

    def on_words(name: str, statement: str, baseline: str) -> Claim:
        return Claim(name, statement, experiment, WORDS, METHOD, baseline, 0.03, data=word_data)

    return (
        on_sts("sentences_mean", sentences, MEAN),
        on_sts("sentences_cls", sentences, CLS),
        on_sts("sentences_views", needed, SAME),
        on_words("words_mean", words, MEAN),
        on_words("words_cls", words, CLS),
        on_words("words_views", needed, SAME),
    )


CLAIMS = _claims()
