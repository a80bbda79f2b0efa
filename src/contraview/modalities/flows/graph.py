"""Flow records as a graph takes them: a tensor a column, and the feature map as a network."""

from collections.abc import Mapping

import numpy as np
import polars as pl
import torch
from jaxtyping import Float, Float32, Float64, Shaped
from torch import Tensor, nn

from contraview.core.graph import Port
from contraview.core.seeds import numpy_generator
from contraview.modalities.flows.data import Flows, read_flows
from contraview.modalities.flows.features import SPREAD_FLOOR, FeatureMap
from contraview.modalities.flows.intake import Intake
from contraview.modalities.flows.rows import Rows

NUMBER = "a number as the source has it; NaN or infinite where there is none"
NEVER_SEEN = "never seen before"
"""A category of held rows that no model knows."""
ODD_ROWS, ODD_CELLS = 0.3, 0.1
"""The share of held rows with cells that are missing, infinite or a category never seen, and the
share of such cells in them.
"""


class Standardised(nn.Module):
    """`FeatureMap.transform` as a network, in double precision as there.

    Takes a tensor a column: numbers as they are, categories as the numbers of their values, any
    other number where they have none.
    """

    def __init__(self, features: FeatureMap) -> None:
        super().__init__()
        self.numbers, self.log = len(features.numeric), features.log
        self.sizes = [len(values) for values in features.categories.values()]
        self.register_buffer("mean", torch.from_numpy(features.mean))
        spread = np.maximum(features.spread, SPREAD_FLOOR)
        self.register_buffer("spread", torch.from_numpy(spread))

    def forward(self, columns: tuple[Shaped[Tensor, " n"], ...]) -> Float32[Tensor, "n d"]:
        """The z-scored matrix."""
        blocks = []
        if self.numbers:
            values = torch.stack(columns[: self.numbers], 1)
            blocks.append(values.sign() * log1p(values.abs()) if self.log else values)
        for codes, size in zip(columns[self.numbers :], self.sizes, strict=True):
            blocks.append((codes[:, None] == torch.arange(size)).double())
        values = torch.cat(blocks, 1)
        scores = (values - self.get_buffer("mean")) / self.get_buffer("spread")
        return torch.where(torch.isfinite(scores), scores, 0.0).float()


def log1p(values: Float64[Tensor, "n d"]) -> Float64[Tensor, "n d"]:
    """log(1 + x) for x >= 0, to the last digits also where x is small: ONNX has no such function.

    What 1 + x loses of x, the quotient x / ((1 + x) - 1) puts back (Goldberg 1991, theorem 4).
    """
    more = 1 + values
    return torch.where(more == 1, values, more.log() * (values / (more - 1)))


def flow_ports(features: FeatureMap) -> tuple[Port, ...]:
    """What a graph on these features takes: the columns of the source, numeric ones first."""
    numbers = [Port(name, "float64", ("n",), NUMBER) for name in features.numeric]
    return (*numbers, *(_category(name, values) for name, values in features.categories.items()))


def _category(name: str, values: tuple[str, ...]) -> Port:
    missing = ""
    while missing in values:  # an empty text may be a value of its own
        missing += "-"
    told = f"a category, without blanks around it; {missing!r} where there is none"
    return Port(name, "string", ("n",), told, values, missing)


def fed(features: FeatureMap, flows: Flows) -> Mapping[str, np.ndarray]:
    """The columns of flow records as a graph takes them."""
    rows = read_flows(flows).collect()
    numbers = rows.select(pl.col(list(features.numeric)).cast(pl.Float64).fill_null(np.nan))
    columns = {name: numbers[name].to_numpy() for name in features.numeric}
    for port in flow_ports(features)[len(features.numeric) :]:
        texts = rows[port.name].cast(pl.String).fill_null(port.missing)
        columns[port.name] = texts.to_numpy().astype(object)
    return columns


def drawn(features: FeatureMap, kind: str, count: int, seed: int) -> Flows:
    """Flows to compare on, as the features have them: each column for itself, from a normal law of
    its benign mean and spread; a part of the rows has cells that are missing, infinite or never
    seen.
    """
    draw = numpy_generator(seed, "held flows")
    return returned(features, kind, draw.standard_normal((count, len(features.mean))), seed)


def returned(features: FeatureMap, kind: str, matrix: Float[np.ndarray, "n d"], seed: int) -> Flows:
    """Flows whose standardised rows are about these; some with odd cells as in `drawn`."""
    draw = numpy_generator(seed, "odd cells")
    odd_rows = draw.random(len(matrix)) < ODD_ROWS
    values = matrix * features.spread + features.mean
    table: dict[str, pl.Series] = {}
    for place, name in enumerate(features.numeric):
        cells = values[:, place]
        if features.log:
            cells = np.sign(cells) * np.expm1(np.abs(cells))
        odd = odd_rows & (draw.random(len(cells)) < ODD_CELLS)
        cells = np.where(odd, draw.choice([np.nan, np.inf, -np.inf, 0.0], len(cells)), cells)
        table[name] = pl.Series(cells, dtype=pl.Float64)
    start = len(features.numeric)
    for name, known in features.categories.items():
        likely = values[:, start : start + len(known)].argmax(1)
        texts = np.array([*known, NEVER_SEEN, None], dtype=object)
        odd = odd_rows & (draw.random(len(likely)) < ODD_CELLS)
        chosen = np.where(odd, draw.integers(len(known), len(texts), len(likely)), likely)
        table[name] = pl.Series(texts[chosen].tolist(), dtype=pl.String)
        start += len(known)
    frame = pl.DataFrame(table)
    return Flows(
        kind=kind,
        rows=Rows.of([frame.lazy()]),
        numeric=features.numeric,
        categorical=tuple(features.categories),
        identity=(),
        label=None,
        time=None,
        left_out={},
        condition=None,
        intake=Intake(("drawn flows",), frame.height, 0, "", ()),
    )
