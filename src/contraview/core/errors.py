"""What went wrong, in one sentence a person can act on."""

from typing import Final

from contraview.core.plain_text import plain

LONGEST: Final = 2_000


class ContraviewError(Exception):
    """The run could not finish. The command prints the message on one line and exits with 1.

    A message quotes what was found (names, cells, what another library said), and what was found
    may be hostile: it becomes one printable line of bounded length, see
    `contraview.core.plain_text`.
    """

    exit_code = 1

    def __init__(self, message: object = "") -> None:
        super().__init__(plain(" ".join(str(message).split()), LONGEST))


class InputError(ContraviewError):
    """What the user gave is wrong. The command prints the message on one line and exits with 2.

    The message says what is wrong, where (file, row, column) and what was expected:
    ``flows.csv: column 'dur', row 17: 'abc' is not a number``.
    """

    exit_code = 2
