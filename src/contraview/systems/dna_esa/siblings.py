"""What DNA-ESA is compared with: the same encoder trained by masked tokens, and k-mer counts."""

import numpy as np
import torch
from jaxtyping import Float32, Int, UInt8
from torch import Tensor

from contraview.core.run import Run
from contraview.frameworks.masked_language import Masking, masked_language
from contraview.modalities.sequences.crops import CropInCrop
from contraview.modalities.sequences.data import Sequences
from contraview.modalities.sequences.tokens import FIRST, MASK
from contraview.networks.fresh import fresh
from contraview.networks.tokens import MaskedLanguageModel
from contraview.systems.dna_esa.dna_esa import DnaEsa
from contraview.training.loop import train
from contraview.training.samplers import bootstrap


class MaskedTokens(DnaEsa):
    """`DnaEsa` whose encoder learns to fill in hidden tokens: same fragments, same steps.

    A step costs no less than one of the contrast: fragments are the same and the reads' part is
    outweighed by telling thousands of tokens apart.
    """

    def _train(self, reference: Sequences, run: Run) -> None:
        config = self.config
        crops = CropInCrop(reference, config.train_fragments, config.train_reads)
        model = fresh(lambda: MaskedLanguageModel(self.encoder.encoder), run.seed, "head")

        def tokens(places: Int[Tensor, " b"], generator: torch.Generator) -> Int[Tensor, "b t"]:
            return self._views(crops, places, generator)[0]

        train(
            model,
            masked_language(tokens, Masking(MASK, FIRST, len(self.tokens))),
            bootstrap(int(reference.ends[-1]), config.batch, run.seed),
            self.schedule,
            run=run,
            name="masked",
        )


def kmer_histograms(
    sequences: list[UInt8[np.ndarray, " _"]], k: int = 6
) -> Float32[np.ndarray, "n d"]:
    """How often each k-mer or its reverse complement occurs, at every base; unit length."""
    powers = 4 ** np.arange(k)
    rows = np.zeros((len(sequences), 4**k), np.float32)
    for row, each in zip(rows, sequences, strict=True):
        known = each[each < 4]
        for strand in (known, 3 - known[::-1]):
            codes = np.lib.stride_tricks.sliding_window_view(strand, k) @ powers
            row += np.bincount(codes, minlength=4**k)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1)
