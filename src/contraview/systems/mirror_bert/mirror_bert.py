"""Mirror-BERT (Liu, Vulić, Korhonen, Collier 2021, arXiv 2104.08027)."""

from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor

from contraview.core.errors import InputError
from contraview.core.graph import Graph
from contraview.core.learnt import Learnt
from contraview.core.model_folder import read_model
from contraview.core.run import Run
from contraview.core.seeds import numpy_generator
from contraview.core.system import System
from contraview.core.weights import set_weights, weights_of
from contraview.frameworks.masked_language import Masking, masked_language
from contraview.frameworks.token_graph import token_graph
from contraview.frameworks.two_view import two_view
from contraview.index.exact import nearest
from contraview.modalities.text.data import TextSource, read_texts
from contraview.modalities.text.tokens import FIRST, MASK, SPECIAL, Pieces
from contraview.modalities.text.views import span_mask
from contraview.networks.fresh import fresh
from contraview.networks.tokens import MaskedLanguageModel, PooledTokens, TokenEncoder
from contraview.objectives.nt_xent import nt_xent
from contraview.systems.mirror_bert.config import NETWORK, PRESETS, MirrorBertConfig
from contraview.training.loop import train
from contraview.training.samplers import epochs
from contraview.training.schedule import Schedule

READ = 512
"""Strings read at a time."""
FEWEST = 16


class MirrorBert(System):
    """Vectors of words and sentences whose cosine follows how similar they are, from raw lines.

    A masked language model knows much about words, yet cosines of its vectors say little. A minute
    of tuning brings it out: each string is its own positive. The two passes over it differ by
    dropout and, for strings of 30 characters or more, by a run of five characters that is masked
    on one side only; everything else in the batch repels (NT-Xent over both views). No labels, no
    pairs. Here `fit` learns the vocabulary and a small masked language model from your lines first,
    then tunes it on the same lines; ``start`` tunes a model that has been saved already.

    Differs from the official code (github.com/cambridgeltl/mirror-bert): the start model is made
    here, pre-norm, and small; equal lines count once, so that no string is its own negative; the
    mean is over real tokens unless pooling is ``padded_mean``; the masked run is the one that was
    drawn.

    Verbs: `embed`, `search`.
    """

    slug = "mirror_bert"
    Config = MirrorBertConfig
    Source = TextSource
    presets: ClassVar = PRESETS

    pieces: Pieces
    language: MaskedLanguageModel

    def fit(self, data: Any, /, *, run: Run | None = None) -> "MirrorBert":
        """Learn from strings, one an item.

        Args:
            data: text lines, a table with a text column, a list of strings, or `Texts`.
            run: seed, folder and progress.

        Raises:
            InputError: no text, fewer than 16 different strings, or ``start`` is no mirror_bert
                model.
        """
        run = run or Run()
        texts = read_texts(data)
        strings = texts.distinct()
        if len(strings) < FEWEST:
            raise InputError(
                f"{texts.name}: {len(strings)} different strings; expected at least {FEWEST}"
            )
        self._facts = {
            "strings": len(texts),
            "different strings": len(strings),
            "fingerprint": texts.fingerprint(),
        }
        if self.config.start is None:
            pieces = Pieces.learn(strings, self.config.vocabulary)
            language = self._fresh(len(pieces), run.seed)
            run.log("data", **self._facts, pieces=len(pieces))
            self._learn_language(pieces, language, strings, run)
        else:
            pieces, language = self._started(self.config.start)
            run.log("data", **self._facts, pieces=len(pieces))
        if self.config.epochs:
            self._mirror(pieces, language, strings, run)
        self.pieces, self.language = pieces, language
        return self

    def _fresh(self, vocabulary: int, seed: int) -> MaskedLanguageModel:
        config = self.config

        def make() -> MaskedLanguageModel:
            encoder = TokenEncoder(
                vocabulary,
                length=config.length,
                width=config.width,
                depth=config.depth,
                heads=config.heads,
                hidden=config.hidden,
                dropout=config.dropout,
                drophead=config.drophead,
            )
            return MaskedLanguageModel(encoder)

        return fresh(make, seed, "language model")

    def _started(self, folder: str) -> tuple[Pieces, MaskedLanguageModel]:
        """The vocabulary and a copy of the network of a saved model; its sizes become ours."""
        model = read_model(Path(folder))
        if model.slug != self.slug:
            raise InputError(f"{folder}: holds {model.slug}; expected {self.slug} to start from")
        sizes = {name: model.config[name] for name in NETWORK}
        self.config = self.config.model_copy(update=sizes)
        start = type(self)(**self.config.model_dump())
        start.restore(model.learnt)
        return start.pieces, start.language

    def _settings(self) -> dict[str, Any]:
        return self.config.model_dump(mode="json") | self._facts

    def _learn_language(
        self, pieces: Pieces, language: MaskedLanguageModel, strings: list[str], run: Run
    ) -> None:
        """Stage one, the start model: masked language modelling on the strings."""
        config = self.config
        if not config.language_steps:
            return
        rows = _encode(pieces, strings, config.length)
        schedule = Schedule(
            steps=config.language_steps,
            batch=min(config.language_batch, len(strings)),
            lr=config.language_lr,
            warmup=0.1,
            weight_decay=config.weight_decay,
            clip=1.0,
        )

        def tokens(chosen: Int[Tensor, " b"], _: torch.Generator) -> Int[Tensor, "b t"]:
            batch = rows[chosen]
            return batch[:, : int((batch > 0).sum(1).max())]

        train(
            language,
            masked_language(tokens, Masking(MASK, FIRST, len(pieces), config.masked)),
            epochs(len(strings), schedule.batch, run.seed),
            schedule,
            run=run,
            name="language",
            settings=self._settings(),
        )

    def _mirror(
        self, pieces: Pieces, language: MaskedLanguageModel, strings: list[str], run: Run
    ) -> None:
        """Stage two: pull the two passes over a string together, push all other strings away."""
        config = self.config
        batch = min(config.batch, len(strings))
        schedule = Schedule(
            steps=config.epochs * (len(strings) // batch),
            batch=batch,
            lr=config.lr,
            final_lr=config.lr,
            weight_decay=config.weight_decay,
        )
        train(
            PooledTokens(language.encoder, config.pooling),
            two_view(
                partial(self._views, pieces, strings),
                partial(nt_xent, temperature=config.temperature),
                config.chunk,
            ),
            epochs(len(strings), batch, run.seed),
            schedule,
            run=run,
            name="mirror",
            settings=self._settings(),
        )

    def _views(
        self,
        pieces: Pieces,
        strings: list[str],
        chosen: Int[Tensor, " b"],
        generator: torch.Generator,
    ) -> tuple[Int64[Tensor, "b t"], Int64[Tensor, "b t"]]:
        """The tokens of some strings twice, the second time with their spans masked."""
        config = self.config
        batch = [strings[row] for row in chosen.tolist()]
        masked = span_mask(
            batch, generator, span=config.span, least=config.span_least, mask=SPECIAL[MASK]
        )
        fill = config.pooling == "padded_mean"
        both = pieces.encode([*batch, *masked], config.length, fill=fill).to(generator.device)
        return both[: len(batch)], both[len(batch) :]

    @property
    def fitted(self) -> bool:
        """Whether `fit` or `restore` has run."""
        return hasattr(self, "language")

    @torch.inference_mode()
    def embed(self, data: Any, /) -> Float[np.ndarray, "n d"]:
        """The vector of each string, not normalised; compare by cosine."""
        self.need_fit()
        config = self.config
        model = PooledTokens(self.language.encoder, config.pooling).eval()
        device = next(model.parameters()).device
        strings = self.read(data).strings
        vectors = [np.empty((0, config.width), np.float32)]
        for start in range(0, len(strings), READ):
            part = strings[start : start + READ]
            rows = self.pieces.encode(part, config.length, fill=config.pooling == "padded_mean")
            vectors.append(model(rows.to(device)).cpu().numpy())
        return np.concatenate(vectors)

    def search(
        self, queries: Any, /, *, among: Any = None, k: int = 10
    ) -> tuple[Int[np.ndarray, "m k"], Float[np.ndarray, "m k"]]:
        """For each query the ``k`` strings of ``among`` with the highest cosine, best first.

        Returns:
            Their places in ``among``, counted from 0, and the cosines.

        Raises:
            InputError: ``among`` is missing (the strings it was fitted on are not kept), or has
                fewer than ``k`` strings.
        """
        self.need_fit()
        if among is None:
            raise InputError("mirror_bert: search needs strings to search among; it keeps none")
        bank, asked = (torch.from_numpy(self.embed(each)) for each in (among, queries))
        apart, found = nearest(bank, asked, k, metric="cosine")
        return found.numpy(), 1 - apart.numpy()

    def graph(self) -> Graph:
        """Token numbers in, `embed` out; the metadata holds the tokeniser."""
        self.need_fit()
        config, pieces = self.config, self.pieces
        return token_graph(
            PooledTokens(self.language.encoder, config.pooling),
            config.length,
            lambda data: pieces.encode(self.read(data).strings, config.length, fill=True),
            self._held,
            {"tokenizer": pieces.described(config.length)},
            to_unit=False,
        )

    def _held(self, count: int, seed: int) -> list[str]:
        """Strings of pieces in no order, up to twice as long as the encoder reads."""
        draw = numpy_generator(seed, "held texts")
        words = [piece.removeprefix("##") for piece in self.pieces.vocabulary[FIRST:]]
        lengths = draw.integers(1, 2 * self.config.length, count)
        return [" ".join(draw.choice(words, length)) for length in lengths]

    def learnt(self) -> Learnt:
        """Vocabulary and weights, those of the language model's head included."""
        return Learnt(
            weights_of(self.language), {"pieces": self.pieces.table()}, facts=dict(self._facts)
        )

    def restore(self, learnt: Learnt) -> None:
        """Take up what `learnt` gave."""
        self.pieces = Pieces(learnt.tables["pieces"]["piece"].to_list())
        language = self._fresh(len(self.pieces), seed=0)
        set_weights(language, learnt.arrays)
        self.language = language.eval()
        self._facts = dict(learnt.facts)


def _encode(pieces: Pieces, strings: list[str], length: int) -> Int[Tensor, "n t"]:
    """All strings as one matrix of token numbers, in half the memory of 64-bit ones."""
    parts = range(0, len(strings), 65_536)
    return torch.cat(
        [pieces.encode(strings[i : i + 65_536], length, fill=True).int() for i in parts]
    )
