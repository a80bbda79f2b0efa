"""What MoCo's encoder is worth with a few labels a class."""

from contraview.claims.pictures import few_label_claims
from contraview.frameworks.images.moco import MoCo

CLAIMS = few_label_claims(MoCo, "MoCo", {"widths": (8, 16), "queue": 64})
