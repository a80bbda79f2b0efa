"""`contraview export`: a model as a file that gives the same answers without contraview."""

import sys
from pathlib import Path

import contraview
from contraview.apps.cli.arguments import Positional, parse
from contraview.apps.export.export import export, need_extra
from contraview.core.errors import InputError


def run(_verb: str, arguments: list[str]) -> int:
    """Write the file and say how well it agrees, on drawn items and on DATA where it is given."""
    asked = parse(
        "contraview export",
        "Writes MODEL as ONNX, pre- and post-processing inside; kept only if its answers are "
        "contraview's, on items that the model draws and on DATA.",
        arguments,
        model=(Positional[Path], ...),
        data=(Positional[tuple[str, ...]], ()),
        onnx=(Path | None, None),
        only=(tuple[str, ...], ()),
    )
    if asked.onnx is None or asked.onnx.suffix != ".onnx":
        raise InputError("contraview export: name the file to write: --onnx FILE.onnx")
    need_extra()
    system = contraview.load(asked.model)
    data = system.read(asked.data) if asked.data else None
    for name, agreement in zip(("drawn", "given"), export(system, asked.onnx, data, asked.only),
                               strict=False):  # fmt: skip
        for verb, difference in agreement.differences.items():
            sys.stderr.write(
                f"{verb}: differs by at most {difference:.1e} on {agreement.rows} {name} items\n"
            )
    sys.stdout.write(f"{asked.onnx}\n")
    return 0
