"""CleanCLIP's loss: between the modalities as CLIP, and within each against augmented views."""

import torch
from jaxtyping import Int, Int64
from torch import Tensor, nn

from contraview.modalities.images.caption_views import eda
from contraview.modalities.images.data import Images
from contraview.objectives.clip import clip
from contraview.systems.clean_clip.config import CleanClipConfig
from contraview.training.grad_cache import in_chunks
from contraview.training.step import Step


class CleanLoss:
    """L = w_clip L_x + w_in L_in, with S(A, B) = scale · cos(a_i, b_j).

        L_x  = (CE(S(I, T)) + CE(S(T, I))) / 2
        L_in = (CE(S(I, I')) + CE(S(T, T'))) / 2

    as in the official ``src/train.py``: one learned scale for all, and the in-modal terms in one
    direction, clean rows against augmented columns. With w_in = 0 no view is made, and this is
    plain CLIP.

    Args:
        pairs: images.
        texts: their captions as tokens.
        config: weights and views.
    """

    def __init__(
        self, pairs: Images, texts: Int64[Tensor, "n w g"], config: CleanClipConfig
    ) -> None:
        self.pairs, self.texts, self.config = pairs, texts, config

    def __call__(
        self, model: nn.Module, rows: Int[Tensor, " b"], generator: torch.Generator
    ) -> Step:
        """The loss of some pairs."""
        config, n = self.config, len(rows)
        pixels = self.pairs.batch(rows, generator.device)
        words = self.texts[rows].to(generator.device)

        def passes(pixels: Tensor, words: Tensor) -> tuple[Tensor, ...]:
            vectors, scale = model({"image": pixels, "text": words})
            return vectors["image"], vectors["text"], scale

        if not config.inmodal:
            found, after = in_chunks(model, passes, (pixels, words), config.chunk)
            image, text, scale = found
            loss = config.crossmodal * clip(image, text, scale=scale)
            return Step(loss, image, text, terms={"scale": scale}, after_backward=after)
        other = eda(words, generator, share=config.touched_words)
        room = max(words.shape[1], other.shape[1])
        both = (
            torch.cat([pixels, config.views(pixels, generator)]),
            torch.cat([_padded(words, room), _padded(other, room)]),
        )
        (images, texts, scale), after = in_chunks(
            model, passes, both, config.chunk and 2 * config.chunk
        )
        image, seen = images.split(n)
        text, said = texts.split(n)
        across = clip(image, text, scale=scale)
        within = clip(image, seen, scale=scale, symmetric=False)
        within = (within + clip(text, said, scale=scale, symmetric=False)) / 2
        loss = config.crossmodal * across + config.inmodal * within
        terms = {"cross-modal": across, "in-modal": within, "scale": scale}
        return Step(loss, image, text, terms=terms, after_backward=after)


def _padded(tokens: Int64[Tensor, "n w g"], words: int) -> Int64[Tensor, "n v g"]:
    return nn.functional.pad(tokens, (0, 0, 0, words - tokens.shape[1]))
