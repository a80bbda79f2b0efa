"""FASTA and FASTQ."""

from tests.fuzz.judge import Reader
from tests.fuzz.seeds import texts
from tests.fuzz.wings.items import use

from contraview.modalities.sequences.data import read_sequences

READERS = (
    Reader("fasta", "reads.fasta", lambda p: use(read_sequences(p)), texts.fasta),
    Reader("fastq", "reads.fastq", lambda p: use(read_sequences(p)), texts.fastq),
)
