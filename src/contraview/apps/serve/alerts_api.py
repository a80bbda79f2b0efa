"""The JSON API on alerts: what the page asks, any other program may ask, too."""

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query

from contraview.apps.serve.queries import LONGEST_PAGE, Filter, Queries


def alerts_api(queries: Queries) -> APIRouter:
    """Lists, groups and alerts. Times are seconds since 1970; scores are nats of surprise."""
    api = APIRouter(prefix="/api", tags=["alerts"])

    @api.get("/groups")
    def groups(wanted: Annotated[Filter, Query()]) -> dict[str, Any]:
        """Groups of alerts of one source, protocol and reason: `total` that fit the filter,
        `newest` to ask with as `until`, and the `items` from `offset` on.
        """
        return queries.groups(wanted)

    @api.get("/groups/{number}")
    def group(number: int) -> dict[str, Any]:
        """A group and its strongest alert, with views and reasons."""
        return _found(queries.group(number), "group")

    @api.get("/groups/{number}/alerts")
    def alerts(
        number: int,
        offset: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int, Query(ge=1, le=LONGEST_PAGE)] = 100,
    ) -> list[dict[str, Any]]:
        """The alerts of a group in the order in which they came."""
        return queries.alerts(number, offset, limit)

    @api.get("/alerts/{number}")
    def alert(number: int) -> dict[str, Any]:
        """An alert: both ends, the value of each view, and the columns that stand out, each with
        its usual value, the benign percentile and its effect on the score.
        """
        return _found(queries.alert(number), "alert")

    @api.get("/health")
    def health() -> list[dict[str, Any]]:
        """What the watcher said of its source and of itself, the latest first."""
        return queries.health()

    return api


def _found(what: dict[str, Any] | None, name: str) -> dict[str, Any]:
    if what is None:
        raise HTTPException(404, f"no such {name}")
    return what
