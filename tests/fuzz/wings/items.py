"""What every wing's data is asked by the command and by a fit."""

from typing import Any


def use(items: Any) -> None:
    """Ask it."""
    for part in items.parts():
        len(part)
    items.collect()
    items.fingerprint()
    if len(items):
        items.take([0])
    if getattr(items, "label", None) is not None:
        items.labels()
