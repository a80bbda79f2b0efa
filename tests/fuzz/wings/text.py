"""Strings: lines and tables."""

from tests.fuzz.judge import Reader
from tests.fuzz.seeds import texts
from tests.fuzz.wings.items import use

from contraview.modalities.text.data import read_texts

READERS = (
    Reader("text", "lines.txt", lambda p: use(read_texts(p)), texts.lines),
    Reader(
        "text_tables",
        "texts.csv",
        lambda p: use(read_texts(p, column="text", labels="score")),
        texts.text_tables,
    ),
)
