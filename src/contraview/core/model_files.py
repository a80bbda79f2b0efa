"""Files of a folder that somebody else may have written: regular ones, inside it, of sane size."""

import json
import stat
from pathlib import Path
from typing import Any, Final

from contraview.core.errors import InputError

LONGEST_JSON: Final = 1 << 28
"""Bytes of a JSON file that are read."""


def inside(folder: Path, name: str) -> Path:
    """The regular file ``name`` of ``folder``.

    The folder itself may be reached through a symbolic link. A link in it may lead to another
    file of it, never out of it: a model that was handed over names no file of its reader.

    Raises:
        InputError: no plain file name, not there, no regular file, or it leads out of the folder.
    """
    path = folder / name
    if not name or "\0" in name or Path(name).name != name or "\\" in name:
        raise InputError(f"{folder}: names a file {name!r}; expected a name without a folder")
    try:
        kind = path.stat().st_mode
        led_out = path.is_symlink() and not path.resolve().is_relative_to(folder.resolve())
    except FileNotFoundError:
        raise InputError(
            f"{path}: missing; the model folder is not whole, copy or fit it again"
        ) from None
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    if led_out:
        raise InputError(f"{path}: is a link that leads out of the folder; expected a file in it")
    if not stat.S_ISREG(kind):
        raise InputError(f"{path}: is no regular file; expected one")
    return path


def read_json(path: Path) -> Any:
    """The value of a JSON file: finite numbers, of sane size and depth.

    Raises:
        InputError: not there, no regular file, too large, or no JSON.
    """
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise InputError(f"{path}: is no regular file; expected one")
        if about.st_size > LONGEST_JSON:
            raise InputError(
                f"{path}: {about.st_size:,} bytes; expected at most {LONGEST_JSON:,} of JSON"
            )
        return json.loads(path.read_bytes(), parse_constant=_no_number)
    except FileNotFoundError:
        raise InputError(f"{path}: missing") from None
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        raise InputError(f"{path}: cannot be read as JSON: {error}") from None


def _no_number(said: str) -> Any:
    raise ValueError(f"{said} is no number of JSON")
