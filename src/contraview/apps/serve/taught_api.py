"""The JSON API on what people teach: rules that quieten, and what they say of alerts."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter

from contraview.apps.serve.labelled import Label, Labelled
from contraview.apps.serve.quieted import Quieted, Wanted
from contraview.apps.serve.teaching import Teaching


def taught_api(
    quieted: Quieted,
    labelled: Labelled,
    teaching: Teaching,
    held_back: Callable[[], dict[str, int]],
) -> APIRouter:
    """Suppression rules and labels; both are files of the model folder, as the command has them."""
    api = APIRouter(prefix="/api", tags=["teach"])

    @api.get("/suppressions")
    def rules() -> list[dict[str, Any]]:
        """The rules, the latest first: how many alerts `here` each fits, and how many the watcher
        has `held_back` since.
        """
        return quieted.rules(held_back())

    @api.post("/suppressions/preview")
    def preview(wanted: Wanted) -> dict[str, Any]:
        """How many of the open alerts and groups a rule would quieten."""
        return quieted.preview(wanted)

    @api.post("/suppressions", status_code=201)
    def add(wanted: Wanted) -> dict[str, Any]:
        """Add a rule."""
        return quieted.add(wanted)

    @api.delete("/suppressions/{identity}")
    def remove(identity: str) -> dict[str, Any]:
        """Remove a rule; what it alone had quietened is open again."""
        return quieted.remove(identity)

    @api.get("/lessons")
    def lessons() -> dict[str, Any]:
        """What the labels would change in the model, before anything is: thresholds with their
        intervals, how many of the labelled flows alert, which attacks get a name.
        """
        return teaching.lessons()

    @api.post("/lessons", status_code=201)
    def learn() -> dict[str, Any]:
        """Let the model learn the labels, in one step; the watcher goes on with the new one."""
        return teaching.learn()

    @api.delete("/lessons", status_code=204)
    def unlearn() -> None:
        """Take the last such step back."""
        teaching.unlearn()

    @api.get("/labels")
    def labels() -> list[dict[str, Any]]:
        """What people said of alerts, the latest first."""
        return labelled.all()

    @api.post("/labels", status_code=201)
    def say(label: Label) -> dict[str, Any]:
        """Say what an alert is; said again, it replaces what was said before."""
        return labelled.say(label)

    @api.delete("/labels/{alert}", status_code=204)
    def forget(alert: int) -> None:
        """Take back what was said of an alert."""
        labelled.forget(alert)

    return api
