"""What went wrong, in one sentence a person can act on."""


class ContraviewError(Exception):
    """The run could not finish. The command prints the message on one line and exits with 1."""

    exit_code = 1


class InputError(ContraviewError):
    """What the user gave is wrong. The command prints the message on one line and exits with 2.

    The message says what is wrong, where (file, row, column) and what was expected:
    ``flows.csv: column 'dur', row 17: 'abc' is not a number``.
    """

    exit_code = 2
