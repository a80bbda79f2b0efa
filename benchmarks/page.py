"""The tables of docs/performance.md, from what the benchmarks measured.

python -m benchmarks.page
"""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from contraview.claims.table import replace_table
from contraview.core.model_folder import write_bytes

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "performance.md"


def result_of(name: str) -> dict[str, Any]:
    """What the benchmark of that name measured last."""
    return json.loads((ROOT / "results" / "benchmarks" / f"{name}.json").read_text())


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def nt_xent() -> str:
    rows = (
        (
            f"{row['batch']:,}",
            f"{1e3 * row['contraview']['cpu_seconds']:,.1f} ms",
            f"{1e3 * row['lightly']['cpu_seconds']:,.1f} ms",
            f"{row['ratio_cpu_seconds']} times",
            f"{row['contraview']['peak_mb']:,.0f} MB",
            f"{row['lightly']['peak_mb']:,.0f} MB",
            f"{row['ratio_peak_mb']} times",
        )
        for row in result_of("nt_xent")["rows"]
    )
    head = ("batch", "contraview", "lightly", "less CPU", "contraview", "lightly", "less memory")
    return table(head, rows)


def views() -> str:
    rows = (
        (
            f"{row['size']} px{'' if row['blur'] else ', no blur'}",
            *(
                f"{row[side]['cpu_microseconds_a_view']:,.0f} us"
                for side in ("contraview", "lightly", "Pillow")
            ),
            f"{row['ratio_lightly']} times",
            f"{row['ratio_Pillow']} times",
        )
        for row in result_of("views")["rows"]
    )
    head = ("a view", "contraview", "lightly", "Pillow", "less than lightly", "less than Pillow")
    return table(head, rows)


def simclr() -> str:
    names = {"small": "contraview's small encoder", "resnet18": "ResNet-18"}
    rows = (
        (
            names[row["network"]],
            *(f"{row['cpu_seconds_a_step'][s]:.3f} s" for s in ("contraview", "lightly")),
            f"{row['ratio']} times",
        )
        for row in result_of("simclr")["rows"]
    )
    return table(("a step of 256 images", "contraview", "lightly", "less CPU"), rows)


def clan_training() -> str:
    rows = (
        (
            row["size"],
            *(f"{row[s]['cpu_milliseconds_a_step']:,.1f} ms" for s in ("contraview", "plain")),
            f"{row['ratio_cpu_milliseconds_a_step']} times",
            *(f"{row[s]['peak_mb']:,.0f} MB" for s in ("contraview", "plain")),
        )
        for row in result_of("clan")["training"]
    )
    return table(
        ("a step", "contraview", "plain torch", "less CPU", "memory", "memory, plain torch"), rows
    )


def clan_scoring() -> str:
    rows = (
        (
            row["size"],
            *(f"{row[s]['cpu_microseconds_a_flow']:.1f} us" for s in ("contraview", "plain")),
            f"{row['ratio_cpu_microseconds_a_flow']} times",
        )
        for row in result_of("clan")["scoring"]
    )
    return table(("a flow", "contraview", "plain torch", "less CPU"), rows)


def detectors() -> str:
    rows = (
        (
            name,
            f"{figures['fit_cpu_seconds']:,.1f} s",
            f"{figures['cpu_microseconds_a_flow']:,.1f} us",
            f"{figures['auroc']:.3f}",
        )
        for name, figures in result_of("clan")["detectors"].items()
    )
    return table(("detector", "fit", "score a flow", "class-mean AUROC"), rows)


def centre() -> str:
    result = result_of("scoring")
    rows = (
        (name, f"{micros} us", "" if name == "centre" else f"{result['times cheaper'][name]} times")
        for name, micros in result["microseconds a flow"].items()
    )
    return table(("score by", "a flow, encoder included", "the centre is cheaper"), rows)


def export() -> str:
    result = result_of("export")
    rows = (
        (
            title,
            f"{result[name]['contraview, flows a CPU second']:,}",
            f"{result[name]['onnxruntime, flows a CPU second']:,}",
            f"{result[name]['onnxruntime / contraview']}",
        )
        for name, title in (("detector", "default detector"), ("clan", "CLAN"))
    )
    return table(("flows a CPU second", "contraview", "onnxruntime", "ratio"), rows)


def traffic() -> str:
    meter, detect = result_of("meter"), result_of("detect")
    rows = [
        (
            "packets to flows",
            f"{meter['arms']['whole']['packets_per_cpu_second']:,}",
            f"nfstream {meter['arms']['nfstream']['packets_per_cpu_second']:,}",
            f"{meter['times_nfstream']['whole']} times",
        )
    ]
    peer = "nfstream and isolation forest"
    rows += [
        (
            f"packets to alerts, {arm}",
            f"{detect['arms'][arm]['packets_per_cpu_second']:,}",
            f"{peer} {detect['arms'][peer]['packets_per_cpu_second']:,}",
            f"{times} times",
        )
        for arm, times in detect["times_nfstream_and_forest"].items()
    ]
    return table(("packets a CPU second", "contraview", "peer", "faster"), rows)


TABLES: Final[dict[str, Callable[[], str]]] = {
    "nt_xent": nt_xent,
    "views": views,
    "simclr": simclr,
    "clan training": clan_training,
    "clan scoring": clan_scoring,
    "detectors": detectors,
    "centre": centre,
    "export": export,
    "traffic": traffic,
}


def page(text: str) -> str:
    """The page with every table brought up to date."""
    for name, made in TABLES.items():
        text = replace_table(text, name, made())
    return text


def main() -> None:
    write_bytes(PAGE, page(PAGE.read_text(encoding="utf-8")).encode())


if __name__ == "__main__":
    main()
