"""Memory that was freed, and how it goes back to the system."""

import ctypes
import sys


def give_back_freed_memory() -> bool:
    """Give freed memory back to the system (glibc; elsewhere nothing is done); whether any was.

    glibc keeps freed arrays of up to 32 MB in a heap full of holes: a process that runs for weeks
    grows by that. (malloc_trim(3))
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):  # another C library
        return False
    trim.argtypes, trim.restype = (ctypes.c_size_t,), ctypes.c_int
    return trim(0) == 1
