"""Text from outside, made fit to be shown: the one place that everything passes on its way out.

A log holds what attackers wrote. A terminal obeys escape sequences, a browser runs markup, a
spreadsheet computes formulas, and any reader is fooled by text that runs backward.
"""

import json
import math
from typing import Any, Final

LONGEST: Final = 300
"""Characters of a text that are shown; its whole length is said where there are more."""
_SLACK: Final = 32
"""Room for saying so: what was cut once is not cut again."""
_FORMULA: Final = ("=", "+", "-", "@")
_MARKUP: Final = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def plain(text: str, longest: int = LONGEST) -> str:
    r"""One line that every terminal shows as it is.

    Control characters, line ends, invisible characters and those that turn the direction of
    writing become visible escapes, as in ``\x1b`` and ``\u202e``; beyond ``longest`` characters
    it is cut, and says how long it was.
    """
    shown = visible(text[: longest + _SLACK + 1])
    if len(shown) <= longest + _SLACK:
        return shown
    return f"{shown[:longest]}... ({len(text):,} characters)"


def visible(text: str) -> str:
    """`plain`, however long it is."""
    # A lone surrogate has no UTF-8 form, but every character has an escape.
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )


def json_line(record: dict[str, Any]) -> str:
    """A record as one line of JSON: texts are `plain`, no byte of it is markup or beyond ASCII.

    Numbers that JSON does not know (infinity, not a number) become null.
    """
    text = json.dumps(_json(record), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.translate(_MARKUP)


def csv_cell(text: str) -> str:
    """A `plain` text that no spreadsheet takes for a formula: it gets an apostrophe in front."""
    shown = plain(text)
    return f"'{shown}" if shown.startswith(_FORMULA) and shown != "-" else shown


def _json(value: Any) -> Any:
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {plain(str(key)): _json(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_json(entry) for entry in value]
    return value
