"""Sequences, strings, signals, series."""

import gzip

import numpy as np
from tests.fuzz.pack import parted
from tests.fuzz.seeds.images import npy


def fasta() -> list[bytes]:
    """One line and several a sequence, lower case, RNA, gzip."""
    text = b">one first\nACGTNRY\nacgt\n>two\nUUGCA\n"
    return [text, text.replace(b"\n", b"\r\n"), gzip.compress(text, mtime=0), b"\n\n" + text]


def fastq() -> list[bytes]:
    """Two reads."""
    text = b"@one 1\nACGTN\n+\nIIII!\n@two\nTTG\n+two\n~~~\n"
    return [text, gzip.compress(text, mtime=0), text.replace(b"\n", b"\r\n")]


def lines() -> list[bytes]:
    """A text a line."""
    text = "first text\n\n  zweiter Text  \nтретий\n"
    return [text.encode(), text.encode("utf-8-sig"), gzip.compress(text.encode(), mtime=0)]


def text_tables() -> list[bytes]:
    """Texts in a column."""
    return [
        b'text,score\nfirst,0.5\n"second, with comma",1\n"a ""quoted"" one",2\n',
        b"text,score,other\nfirst,a,x\nsecond,b,y\n",
    ]


def signals() -> list[bytes]:
    """A row a sample, with subjects, times and labels."""
    rows = "".join(
        f"s{i // 4},{i % 4 * (3 if i == 7 else 1)},{i}.5,{-i},{30 + i // 4}\n" for i in range(8)
    )
    dated = "".join(f"s1,2024-01-01 00:00:0{i},{i},{i if i != 2 else ''},30\n" for i in range(6))
    head = "subject,time,red,green,age\n"
    return [(head + rows).encode(), (head + dated).encode()]


def ucr() -> list[bytes]:
    """A recording a line, its class first."""
    return [b"1,0.5,1,2,3\n2,1,1,NaN,1\n", b"1.0  0.5  1e0  2  3\n2.0  1  1  1  1\n"]


def signal_arrays() -> list[bytes]:
    """Recordings of one channel and of several."""
    values = np.arange(24, dtype=np.float32)
    return [
        parted({"signals": npy(values.reshape(2, 2, 6)), "subject": npy(np.array(["a", "b"]))}),
        parted({"signals": npy(values.reshape(4, 6)), "age": npy([1, 2, 3, 4])}),
    ]


def series() -> list[bytes]:
    """Days, hours, numbers, months; a gap."""
    days = "".join(f"2024-01-0{i},{i}.5,{i * i}\n" for i in range(1, 8))
    months = "".join(f"2024-0{i}-01,{i},{'' if i == 3 else i}\n" for i in range(1, 8))
    plain = "".join(f"{i * 0.5},{i},-{i}\n" for i in range(5))
    hours = "".join(f"2024-01-01 0{i}:00:00,{i},1\n" for i in range(6))
    return [("date,a,b\n" + body).encode() for body in (days, months, plain, hours)]
