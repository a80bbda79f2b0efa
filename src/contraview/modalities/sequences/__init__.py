"""Biological sequences: DNA in FASTA, FASTQ or strings."""
