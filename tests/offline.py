"""Refuses the network to this process and its children, and writes down who asked for it.

Imported before anything else. Python's own sockets are refused by an audit hook, with the stack
that led there; whatever else may open one (Rust, C++) is ended by the kernel (a seccomp filter,
where there is one: Linux on x86-64 and arm64). Sockets of the machine itself (AF_UNIX) are left.
"""

import ctypes
import os
import platform
import socket
import struct
import sys
import traceback

ASKED: list[str] = []
"""Where the network was asked for."""
_REFUSED = {socket.AF_INET, socket.AF_INET6}
_SYSCALL = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
"""Architecture, as the kernel names it, and number of socket(2)."""
_KILL, _ALLOW = 0x80000000, 0x7FFF0000


class OfflineError(OSError):
    """There is no network here."""


def _hook(event: str, arguments: tuple) -> None:
    asks = event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.bind")
    if event == "socket.connect" and isinstance(arguments[1], str | bytes):
        asks = False  # a path: the machine itself
    if event == "socket.__new__":
        asks = arguments[1] in _REFUSED
    if asks:
        ASKED.append(f"{event} {arguments[1:]}\n{''.join(traceback.format_stack(limit=12))}")
        raise OfflineError("the network is refused")


def _filter() -> bytes:
    machine, number = _SYSCALL[platform.machine()]
    load, equal, give = 0x20, 0x15, 0x06
    steps = [
        (load, 0, 0, 4),  # architecture
        (equal, 0, 5, machine),
        (load, 0, 0, 0),  # system call
        (equal, 0, 3, number),
        (load, 0, 0, 16),  # its first argument: the address family
        (equal, 2, 0, int(socket.AF_INET)),
        (equal, 1, 0, int(socket.AF_INET6)),
        (give, 0, 0, _ALLOW),
        (give, 0, 0, _KILL),
    ]
    return b"".join(struct.pack("HBBI", *step) for step in steps)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_void_p))


def _seal() -> str:
    """Let the kernel end whoever opens a socket to the network; gives back how far that goes."""
    if sys.platform != "linux" or platform.machine() not in _SYSCALL:
        return "Python's own sockets alone: no filter for this machine"
    steps = _filter()
    held = ctypes.create_string_buffer(steps, len(steps))
    program = _Program(len(steps) // 8, ctypes.cast(held, ctypes.c_void_p).value)
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(38, 1, 0, 0, 0) or library.prctl(22, 2, ctypes.byref(program), 0, 0):
        return f"Python's own sockets alone: {os.strerror(ctypes.get_errno())}"
    return "every socket of the process and its children"


sys.addaudithook(_hook)
SEALED = _seal()
