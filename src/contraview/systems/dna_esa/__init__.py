"""DNA-ESA: place sequencing reads on a genome by nearest-neighbour search over embeddings."""

from contraview.systems.dna_esa.config import DnaEsaConfig
from contraview.systems.dna_esa.dna_esa import DnaEsa

__all__ = ["DnaEsa", "DnaEsaConfig"]
