"""ScatSimCLR (Kinakh, Taran, Voloshynovskiy 2021, arXiv 2108.13939)."""

from contraview.systems.scatsimclr.config import ScatSimCLRConfig
from contraview.systems.scatsimclr.scatsimclr import ScatSimCLR

__all__ = ["ScatSimCLR", "ScatSimCLRConfig"]
