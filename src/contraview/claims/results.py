"""The figures of claims on disk: results/SLUG.json. Read without importing anything heavy."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict

from contraview.core.errors import InputError

Verdict = Literal["holds", "does not hold", "undecided"]
Better = Literal["higher", "lower"]
UNMEASURED = "not measured"


class Data(TypedDict):
    """One data set: its name, whether it is real or simulated, the digest of what was read."""

    name: str
    real: bool
    fingerprint: str


class Difference(TypedDict):
    """Method against baseline, above zero where the method is better: mean and interval."""

    mean: float
    low: float
    high: float


class ClaimResult(TypedDict):
    """One claim as measured.

    ``arms`` has one value a seed for each arm: first the method that is judged, second the
    baseline it is judged against, then arms that are shown beside them.
    """

    id: str
    statement: str
    metric: str
    better: Better
    data: list[Data]
    preset: str
    seeds: list[int]
    arms: dict[str, list[float]]
    difference: Difference
    margin: float
    verdict: Verdict
    cpu_seconds: float


class SystemResult(TypedDict):
    """All claims of one system: what results/SLUG.json holds."""

    system: str
    claims: list[ClaimResult]


def folder() -> Path:
    """results/ of the checkout the library runs from; else the copy that was packaged with it."""
    package = Path(__file__).parents[1]
    checkout = package.parents[1]
    in_checkout = package.parent.name == "src" and (checkout / "pyproject.toml").is_file()
    return (checkout if in_checkout else package) / "results"


def read(slug: str, within: Path | None = None) -> list[ClaimResult]:
    """The claims of a system as last measured; none where it has not been measured."""
    path = (within or folder()) / f"{slug}.json"
    if not path.is_file():
        return []
    return _parsed(path)["claims"]


def read_all(within: Path | None = None) -> list[SystemResult]:
    """Every system that has been measured, by slug."""
    return [_parsed(path) for path in sorted((within or folder()).glob("*.json"))]


def write(slug: str, claims: Sequence[ClaimResult], within: Path | None = None) -> Path:
    """Write results/SLUG.json, whole or not at all; returns its path."""
    from contraview.core.whole_file import write_json

    within = within or folder()
    within.mkdir(parents=True, exist_ok=True)
    write_json(within / f"{slug}.json", SystemResult(system=slug, claims=list(claims)))
    return within / f"{slug}.json"


def state(slug: str, within: Path | None = None) -> str:
    """What the claims of a system showed, in a few words: ``holds: 2, undecided: 1``."""
    verdicts = Counter(claim["verdict"] for claim in read(slug, within))
    order = ("holds", "does not hold", "undecided")
    return ", ".join(f"{v}: {verdicts[v]}" for v in order if verdicts[v]) or UNMEASURED


def _parsed(path: Path) -> SystemResult:
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON: {error}") from None
    wanted = ClaimResult.__required_keys__
    if not (
        isinstance(content, dict)
        and content.keys() == {"system", "claims"}
        and all(isinstance(c, dict) and c.keys() == wanted for c in content["claims"])
    ):
        raise InputError(f"{path}: not the result of `contraview reproduce`; run it again")
    return SystemResult(system=content["system"], claims=content["claims"])
