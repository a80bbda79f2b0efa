"""Which of the processes of a training this is, by the environment that launchers set.

`accelerate launch` and `torchrun` start the same command several times. Only the main process
writes files and speaks; all of them compute.
"""

import os


def rank() -> int:
    """The number of this process among all, from 0."""
    return int(os.environ.get("RANK", "0"))


def started() -> int:
    """How many processes the launcher started on all machines; 1 without a launcher."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main() -> bool:
    """Whether this process writes the files and prints the results."""
    return rank() == 0
