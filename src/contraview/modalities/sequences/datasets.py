"""The genomes that examples, claims and tests are measured on.

Licences are of the data, and as far as they are known: read the owners' terms before you pass
anything on.
"""

from typing import Final

from contraview.core.datasets import Dataset, File
from contraview.core.packages import Member

DATASETS: Final = (
    Dataset(
        name="ecoli",
        about="Escherichia coli K-12, one sequence of 4,639,675 bases",
        licence="none stated by the repository it was copied from; a public genome record",
        editions=(
            (
                File(
                    "ecoli.fa.gz",
                    "b3bb50be0cd03bb14a2a42975b67b806253ae7a5205959f42b90af071fe4cd28",
                ),
            ),
        ),
    ),
    Dataset(
        name="lambda_phage",
        about="phage lambda (NC_001416.1), one sequence of 48,502 bases",
        licence="public genome record, in a package under GPL-3+",
        editions=(
            (
                File(
                    "lambda_virus.fa.gz",
                    "08fe207fcb4bbe47e80cc7469e68d1f1d8d497a836fe1c09f5a9734d2e4cd9e0",
                    member=Member(
                        "debian",
                        "bowtie2-examples",
                        "usr/share/doc/bowtie2/examples/reference/lambda_virus.fa.gz",
                    ),
                ),
            ),
        ),
    ),
)
