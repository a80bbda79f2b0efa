"""Mirror-BERT: a masked language model turned into an encoder of words and sentences."""

from contraview.systems.mirror_bert.config import MirrorBertConfig
from contraview.systems.mirror_bert.mirror_bert import MirrorBert

__all__ = ["MirrorBert", "MirrorBertConfig"]
