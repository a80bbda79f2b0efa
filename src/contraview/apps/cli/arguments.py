"""From the command line to typed settings, with usage errors of one line."""

import io
import re
from collections.abc import Sequence
from contextlib import redirect_stderr
from typing import Annotated, Any

import tyro
from pydantic import BaseModel, ValidationError, create_model

from contraview.core.config import complaint
from contraview.core.errors import InputError

Positional = tyro.conf.Positional
_FRAME = re.compile(r"[╭╮╰╯│─]+")


def flags_of(settings: BaseModel) -> tuple[Any, BaseModel]:
    """A field for `parse` whose settings appear as flags of the command itself, with defaults."""
    return Annotated[type(settings), tyro.conf.arg(name="")], settings


def parse(prog: str, description: str, arguments: Sequence[str], **fields: tuple[Any, Any]) -> Any:
    """Parse ``arguments`` into a model with ``fields`` (name to type and default)."""
    model = create_model("Arguments", **fields)  # pyright: ignore[reportCallIssue, reportArgumentType]
    heard = io.StringIO()
    try:
        with redirect_stderr(heard):
            return tyro.cli(
                model,
                prog=prog,
                description=description,
                args=list(arguments),
                config=(tyro.conf.FlagCreatePairsOff,),
            )
    except ValidationError as error:
        raise InputError(f"{prog}: {complaint(error)}") from None
    except SystemExit as stop:
        if stop.code == 0:
            raise
        raise InputError(f"{_first_part(heard.getvalue())} (see {prog} --help)") from None


def _first_part(boxed: str) -> str:
    """The message of a framed usage error, without frame, title and hints."""
    _, _, body = boxed.partition("\n")
    lines = []
    for line in body.splitlines():
        if re.fullmatch(r"[│╰][\s─]*[│╯]", line):
            break
        lines.append(_FRAME.sub("", line).strip())
    return " ".join(line for line in lines if line) or "the arguments do not fit"
