"""What is audited: own systems from their folders, ONNX files, torch modules, any callable."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
import torch
from jaxtyping import Shaped
from torch import nn

from contraview.catalog import find
from contraview.core.errors import ContraviewError, InputError
from contraview.core.model_folder import read_model
from contraview.modalities.images.data import Images
from contraview.modalities.images.tables import TABLES, read_table

AT_ONCE: Final = 256
MODEL, IMAGES, PARAMETERS, OBJECTIVE = "model", "images", "parameters", "objective"
Answer = Callable[[Images], Shaped[np.ndarray, " n"]]


@dataclass(frozen=True)
class Audited:
    """One model under audit.

    Attributes:
        name: how it is called in the figures.
        answer: the class that each image is taken for.
        images: how many images it was trained on, where known.
        parameters: how many numbers it has, where known.
        objective: how it was trained, where known.
    """

    name: str
    answer: Answer
    images: int | None = None
    parameters: int | None = None
    objective: str = ""


def models_of(given: Any, classes: Sequence[str]) -> list[Audited]:
    """Models as a person has them.

    Args:
        given: a path or several: model folders, .onnx files, tables with a column ``model`` of
            these and perhaps ``images``, ``parameters``, ``objective``; or in Python names to
            models, each a path, a fitted system, a torch module or a callable from pixels
            [n, c, h, w] (0 to 1, NumPy) to scores [n, classes].
        classes: what the columns of scores stand for, where a model does not say it.

    Raises:
        InputError: no model, one that cannot be read, or two of one name.
    """
    if isinstance(given, Mapping):
        found = [_model(model, str(name), classes) for name, model in given.items()]
    elif isinstance(given, pl.DataFrame):
        found = _rows(given, Path(), classes)
    else:
        paths = [given] if isinstance(given, str | Path) else given
        if not isinstance(paths, list | tuple) or not all(
            isinstance(path, str | Path) for path in paths
        ):
            raise InputError(
                f"models cannot be read from {type(given).__name__}; expected paths, a table, or "
                "names to models"
            )
        found = [each for path in paths for each in _at(Path(path), classes)]
    if not found:
        raise InputError("no models to audit; expected at least one")
    names = [each.name for each in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"two models called {twice!r}; expected a name each")
    return found


def _at(path: Path, classes: Sequence[str]) -> list[Audited]:
    if path.name.endswith(TABLES):
        return _rows(read_table(path), path.parent, classes)
    return [_model(path, str(path), classes)]


def _rows(table: pl.DataFrame, root: Path, classes: Sequence[str]) -> list[Audited]:
    if MODEL not in table.columns:
        raise InputError(f"no column {MODEL!r}; there are {', '.join(table.columns)}")
    found: list[Audited] = []
    for row in table.iter_rows(named=True):
        model = _model(root / str(row[MODEL]), str(row[MODEL]), classes)
        found.append(
            Audited(
                str(row.get("name") or row[MODEL]),
                model.answer,
                _count(row, IMAGES) or model.images,
                _count(row, PARAMETERS) or model.parameters,
                str(row.get(OBJECTIVE) or model.objective),
            )
        )
    return found


def _count(row: Mapping[str, Any], column: str) -> int | None:
    value = row.get(column)
    if value is None or value == "":
        return None
    try:
        count = float(value)
    except ValueError:
        count = -1.0
    if not 1 <= count < 1e18:
        raise InputError(f"{row[MODEL]}, column {column!r}: {value!r}; expected a number above 0")
    return int(count)


def _model(model: Any, name: str, classes: Sequence[str]) -> Audited:
    if isinstance(model, str | Path):
        path = Path(model)
        if path.suffix == ".onnx":
            return Audited(name, _onnx(path, classes))
        read = read_model(path)
        model = find(read.slug).load_class().from_model(read)
    if isinstance(model, nn.Module):
        parameters = sum(each.numel() for each in model.parameters())
        return Audited(name, _scored(_module(model), classes, name), parameters=parameters)
    if hasattr(model, "fit"):
        return _system(model, name)
    if callable(model):
        return Audited(name, _scored(model, classes, name))
    raise InputError(f"{name}: {type(model).__name__} is no model; expected a callable or a system")


def _system(system: Any, name: str) -> Audited:
    if not hasattr(system, "classify"):
        raise InputError(f"{name}: {system.slug} does not classify; expected a model that does")
    known = system.learnt()
    images = known.facts.get("data", {}).get("images")
    sizes = [array.size for array in known.arrays.values()]

    def answer(images: Images) -> np.ndarray:
        return np.asarray(system.classes)[system.classify(images).argmax(1)]

    return Audited(name, answer, images, sum(sizes), system.slug)


def _module(module: nn.Module) -> Callable[[np.ndarray], np.ndarray]:
    module.eval()
    device = next((each.device for each in module.parameters()), torch.device("cpu"))

    @torch.inference_mode()
    def scores(pixels: np.ndarray) -> np.ndarray:
        return module(torch.from_numpy(pixels).to(device)).float().cpu().numpy()

    return scores


def _scored(scores: Callable[[np.ndarray], Any], classes: Sequence[str], name: str) -> Answer:
    """From pixels to the name of the class with the highest score, some images at a time."""

    def answer(images: Images) -> np.ndarray:
        best: list[np.ndarray] = []
        for rows in torch.arange(len(images)).split(AT_ONCE):
            found = np.asarray(scores(images.batch(rows).numpy()))
            if found.shape != (len(rows), len(classes)):
                raise InputError(
                    f"{name}: scores of shape {list(found.shape)} for {len(rows)} images; expected "
                    f"{[len(rows), len(classes)]}, one for each of the classes "
                    f"{', '.join(classes)}"
                )
            best.append(found.argmax(1))
        return np.asarray(classes)[np.concatenate(best)]

    return answer


def _onnx(path: Path, classes: Sequence[str]) -> Answer:
    """A file with one input of pixels [n, c, h, w] whose first output is scores.

    Its metadata may name the classes: ``classes``, a JSON list in the order of the scores.
    """
    try:
        import onnxruntime  # pyright: ignore[reportMissingImports] an extra
    except ImportError:
        raise InputError(
            f"{path}: ONNX files need onnxruntime: pip install 'contraview[onnx]'"
        ) from None
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected an ONNX model")
    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 the runtime's own errors have no common class
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(f"{path}: cannot be read as ONNX: {reason}") from None
    entry = session.get_inputs()[0].name
    named = session.get_modelmeta().custom_metadata_map.get("classes")
    try:
        own = [str(each) for each in json.loads(named)] if named else list(classes)
    except (ValueError, TypeError):
        raise InputError(f"{path}: metadata 'classes' is no JSON list of names") from None

    def scores(pixels: np.ndarray) -> np.ndarray:
        try:
            return np.asarray(session.run(None, {entry: pixels})[0])
        except Exception as error:  # noqa: BLE001 as above
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ContraviewError(f"{path}: {reason}") from None

    return _scored(scores, own, str(path))
