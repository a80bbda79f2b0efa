"""What SimCLR's encoder is worth with a few labels a class."""

from contraview.claims.pictures import few_label_claims
from contraview.frameworks.images.simclr import SimCLR

CLAIMS = few_label_claims(SimCLR, "SimCLR", {"widths": (8, 16)})
