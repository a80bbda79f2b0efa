"""Where a model comes from: MODEL/lineage.jsonl, one line a step, never rewritten."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from contraview.core.model_files import inside
from contraview.core.model_folder import DESCRIPTION
from contraview.core.version import __version__
from contraview.core.whole_file import append_line

FILE: Final = "lineage.jsonl"


def note(folder: Path, what: str, *, data: str | None = None, **facts: Any) -> None:
    """Write down a step that made the model what it is now.

    Args:
        folder: the model, after the step.
        what: the step, as in ``fit detector`` or ``calibrate``.
        data: the fingerprint of the data it was made with; of a fit, the system's own says it.
        **facts: what else is worth knowing, as JSON holds it.
    """
    content = (folder / DESCRIPTION).read_bytes()
    steps = lineage(folder)
    step = {
        "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "what": what,
        "data": data or _fingerprint(json.loads(content)["facts"]),
        "from": steps[-1]["model"] if steps else None,
        "model": hashlib.sha256(content).hexdigest(),
        "version": __version__,
        **facts,
    }
    append_line(folder / FILE, json.dumps(step))


def lineage(folder: Path) -> list[dict[str, Any]]:
    """The steps of a model, the first one first; none where it has no record of them."""
    if not (folder / FILE).exists():
        return []
    steps = []
    content = inside(folder, FILE).read_text(encoding="utf-8", errors="replace")
    for line in content.splitlines():
        try:
            step = json.loads(line)
        except (ValueError, RecursionError):
            continue  # cut by a crash
        if isinstance(step, dict) and "model" in step:
            steps.append(step)
    return steps


def _fingerprint(facts: dict[str, Any]) -> str | None:
    own = facts.get("fingerprint")
    inner = facts.get("clan")
    return own or (inner.get("fingerprint") if isinstance(inner, dict) else None)
