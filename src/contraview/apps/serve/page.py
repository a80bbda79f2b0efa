"""The files of the page: HTML, a style sheet in the colours of the report, scripts."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from fastapi.responses import Response

from contraview.apps.report.page import style_sheet

FOLDER: Final = Path(__file__).with_name("static")
TYPES: Final = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
STATIC: Final = frozenset(path.name for path in FOLDER.iterdir() if path.suffix in TYPES)
"""The files that there are; no other name reaches the disk."""


@cache
def _content(name: str) -> bytes:
    content = (FOLDER / name).read_text()
    if name == "page.css":
        content = style_sheet() + content
    return content.encode()


def static(name: str) -> Response:
    """One file of the page."""
    content = _content(name)
    return Response(
        content,
        media_type=TYPES[Path(name).suffix],
        headers={
            "cache-control": "no-cache",
            "etag": f'"{hashlib.sha256(content).hexdigest()[:16]}"',
        },
    )
