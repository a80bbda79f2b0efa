"""FASTA and FASTQ files, plain or gzip; each fault one line with file and line."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contraview.core.errors import InputError
from contraview.core.expansion import inflated
from contraview.modalities.sequences.letters import ALLOWED

GZIP: Final = b"\x1f\x8b"


@dataclass(frozen=True)
class Record:
    """One sequence of a file.

    Attributes:
        name: what its header says up to the first blank.
        letters: upper case, T for U.
        quality: Phred characters of a FASTQ record, as many as letters.
    """

    name: str
    letters: bytes
    quality: bytes | None = None


def read_records(path: Path) -> list[Record]:
    """All records of a FASTA or FASTQ file; which it is its first character says.

    Raises:
        InputError: not readable, empty, neither format, or a letter that is no DNA.
    """
    try:
        content = path.read_bytes()
        if content.startswith(GZIP):
            content = inflated(content, str(path))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    if not content.strip():
        raise InputError(f"{path}: is empty; expected FASTA or FASTQ")
    lines = content.splitlines()
    first = next(number for number, line in enumerate(lines) if line.strip())
    if lines[first].startswith(b">"):
        return list(_fasta(path, lines))
    if lines[first].startswith(b"@"):
        return list(_fastq(path, lines))
    raise InputError(f"{path}: line {first + 1}: expected a header, '>' of FASTA or '@' of FASTQ")


def clean(where: str, letters: bytes) -> bytes:
    """Letters in upper case with T for U; an `InputError` names what is no DNA letter."""
    letters = letters.strip().upper()
    wrong = letters.translate(None, ALLOWED)
    if wrong:
        shown = wrong[:1].decode("ascii", "backslashreplace")
        raise InputError(f"{where}: {shown!r} is no DNA letter; expected ACGTUN or IUPAC")
    return letters.replace(b"U", b"T")


def _fasta(path: Path, lines: list[bytes]) -> Iterator[Record]:
    name, header, parts = None, 0, []
    for number, line in enumerate([*lines, b">"], 1):
        if not line.startswith(b">"):
            if line.strip():
                parts.append(clean(f"{path}: line {number}", line))
            continue
        if name is not None:
            if not parts:
                raise InputError(f"{path}: line {header}: {name!r} has no letters")
            yield Record(name, b"".join(parts))
        if number <= len(lines):
            name, header, parts = _name(path, number, line), number, []


def _fastq(path: Path, lines: list[bytes]) -> Iterator[Record]:
    while lines and not lines[-1].strip():
        lines.pop()
    for number in range(0, len(lines), 4):
        four = lines[number : number + 4]
        where = f"{path}: line {number + 1}"
        if not four[0].startswith(b"@"):
            raise InputError(f"{where}: expected a header that begins with '@'")
        if len(four) < 4 or not four[2].startswith(b"+"):
            raise InputError(f"{where}: expected four lines: header, letters, '+', qualities")
        letters = clean(f"{path}: line {number + 2}", four[1])
        quality = four[3].strip()
        if not letters:
            raise InputError(f"{path}: line {number + 2}: has no letters")
        if len(quality) != len(letters):
            raise InputError(
                f"{path}: line {number + 4}: {len(quality)} qualities for {len(letters)} letters"
            )
        if min(quality) < 33 or max(quality) > 126:
            raise InputError(f"{path}: line {number + 4}: a quality is no character from ! to ~")
        yield Record(_name(path, number + 1, four[0]), letters, quality)


def _name(path: Path, number: int, header: bytes) -> str:
    words = header[1:].split()
    if not words:
        raise InputError(f"{path}: line {number}: a header without a name")
    return words[0].decode("utf-8", "backslashreplace")
