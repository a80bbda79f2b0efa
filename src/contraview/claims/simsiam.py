"""What SimSiam's encoder is worth with a few labels a class."""

from contraview.claims.pictures import few_label_claims
from contraview.frameworks.images.simsiam import SimSiam

CLAIMS = few_label_claims(SimSiam, "SimSiam", {"widths": (8, 16)})
