"""CLAN: contrastive learning with augmented negatives, for network traffic."""

from contraview.systems.clan.clan import Clan
from contraview.systems.clan.config import ClanConfig

__all__ = ["Clan", "ClanConfig"]
