"""Every reader of the library by name."""

from importlib import import_module

from tests.fuzz.judge import Reader

WINGS = {
    "flows": ("csv", "zeek", "eve", "binetflow", "parquet", "pcap", "pcapng", "netflow"),
    "images": ("images", "masks", "image_tables", "image_arrays", "idx", "geotiff"),
    "sequences": ("fasta", "fastq"),
    "clouds": ("ply", "obj", "off", "xyz", "cloud_arrays", "sh3f"),
    "text": ("text", "text_tables"),
    "graphs": ("nodes", "graphs", "edges", "edge_arrays"),
    "signals": ("signals", "ucr", "signal_arrays"),
    "series": ("series",),
    "environments": ("environments",),
    "models": ("model_json", "model_weights"),
}
NAMES = tuple(name for names in WINGS.values() for name in names)


def reader(name: str) -> Reader:
    """The reader called ``name``; only its wing is imported."""
    wing = next((wing for wing, names in WINGS.items() if name in names), name)
    found = import_module(f"tests.fuzz.wings.{wing}").READERS
    return next(each for each in found if each.name == name)
