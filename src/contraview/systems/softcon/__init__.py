"""SoftCon (Wang, Albrecht, Zhu 2024, arXiv 2405.20462)."""

from contraview.systems.softcon.config import SoftConConfig
from contraview.systems.softcon.softcon import SoftCon

__all__ = ["SoftCon", "SoftConConfig"]
