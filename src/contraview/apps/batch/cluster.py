"""The same answers from the machines of a Ray cluster: Ray Data (the extra ``ray``).

Nothing else imports ray, and this only once a cluster is asked for.
"""

import logging
import os
import pickle
import socket
import warnings
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import polars as pl

from contraview.apps.batch.answers import answered, loaded
from contraview.core.errors import ContraviewError, InputError

SAME_PATH: Final = "with --ray, model and data must lie under the same path on every machine"
PATIENCE: Final = 20.0
"""Seconds for the head of a cluster to answer."""
_QUIET: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is sent to anyone
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    # Ray's own default, 15, starves the workers wherever another process runs.
    "RAY_worker_niceness": "0",
}


class Worker:
    """Loads the model once and answers for one piece after another, on some machine.

    Args:
        verb: what is asked.
        model: the model folder.
        files: the data as the user named it.
    """

    def __init__(self, verb: str, model: Path, files: Sequence[str]) -> None:
        self.verb, self.model, self.files = verb, model, files
        self.system: Any = None

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        """The answers of the one piece in ``batch`` as Arrow's stream, or what is wrong with it.

        A fault is an answer: an exception would come out of Ray as a page of text.
        """
        try:
            return {"table": [self.answer(batch["piece"][0])], "fault": [""], "code": [0]}
        except ContraviewError as error:
            absent = [name for name in (self.model, *self.files) if not _is_there(name)]
            here = f"{absent[0]}: is not on {socket.gethostname()}; {SAME_PATH}" if absent else ""
            return {"table": [b""], "fault": [here or str(error)], "code": [error.exit_code]}

    def answer(self, piece: bytes) -> bytes:
        """One piece, pickled by this very command; no row where it holds none."""
        if self.system is None:
            self.system = loaded(self.verb, self.model)
        tables = [answered(self.verb, self.system, part) for part in pickle.loads(piece).parts()]  # noqa: S301
        return pl.concat(tables).write_ipc_stream(None).getvalue() if tables else b""


def on_cluster(
    address: str, verb: str, model: Path, files: Sequence[str], data: Any, out: Path
) -> Generator[pl.DataFrame, None, None]:
    """The answers for all of ``data``, in order, as the workers of a cluster give them.

    What lies in Parquet files is read by the workers; flows of another format are first written
    as Parquet beside ``out``, and data of another wing is sent to them.

    Args:
        address: as `ray.init` takes it: ``auto``, ``ray://HOST:PORT``, ``HOST:PORT``, or ``local``
            for a cluster of this machine that ends with the command. A session that this process
            has joined already is used as it is.
        verb: what is asked.
        model: the model folder.
        files: the data as the user named it.
        data: the data as it was read here.
        out: the file that is to be written.

    Raises:
        InputError: Ray is not installed, there is no cluster, or a worker finds fault with data.
        ContraviewError: a worker was lost, or the run failed there.
    """
    # Ray prints on stdout, of tasks that end with the command too.
    with _no_stdout(), _room_beside(out) as folder, session(address) as ray:
        pieces = data.portable(folder).pieces() if hasattr(data, "portable") else data.parts()
        told = (verb, model.absolute(), [str(Path(name).absolute()) for name in files])
        yield from _answers(ray, told, pieces)


def _answers(ray: Any, told: tuple[Any, ...], pieces: Any) -> Iterator[pl.DataFrame]:
    cloudpickle = import_module("ray.cloudpickle")  # pieces hold functions made on the spot
    rows = [{"piece": cloudpickle.dumps(piece)} for piece in pieces]
    most = max(1, min(int(ray.cluster_resources().get("CPU", 1)), len(rows)))
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.print_on_execution_start = False
    answers = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
        Worker,
        batch_size=1,
        fn_constructor_args=told,
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=most, initial_size=most),
    )
    for batch in answers.iter_batches(batch_size=None, batch_format="pyarrow"):
        for row in batch.to_pylist():
            if row["fault"]:
                raise (InputError if row["code"] == 2 else ContraviewError)(row["fault"])
            if row["table"]:
                yield pl.read_ipc_stream(row["table"])


@contextmanager
def session(address: str, *, workers: int | None = None) -> Iterator[Any]:
    """Ray, joined to the cluster at ``address`` for the length of the block.

    Args:
        address: see `on_cluster`.
        workers: of a ``local`` cluster; None for one a core.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    with warnings.catch_warnings():  # Ray's own, about settings that nobody has made
        warnings.simplefilter("ignore")
        try:
            ray = import_module("ray")
            import_module("ray.data").DataContext.get_current()
        except ImportError:
            raise InputError(
                "--ray needs Ray Data, which is not installed: pip install 'contraview[ray]'"
            ) from None
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    joined = ray.is_initialized()
    if not joined:
        own = {"include_dashboard": False, "num_cpus": workers} if address == "local" else {}
        try:
            _need_listener(address)
            with _hushed():
                ray.init(address, logging_level=logging.ERROR, log_to_driver=False, **own)
        except (OSError, RuntimeError, ValueError, ImportError) as error:
            raise InputError(
                f"--ray {address}: no Ray cluster there ({_first_line(error)}); expected auto, "
                "local, HOST:PORT or ray://HOST:PORT"
            ) from None
    try:
        yield ray
    except ray.exceptions.RayError as error:
        raise ContraviewError(f"--ray {address}: {_first_line(error)}") from None
    finally:
        if not joined:
            ray.shutdown()


def _need_listener(address: str) -> None:
    """Raise an `OSError` where nobody listens at HOST:PORT: Ray would wait for ever."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE).close()


@contextmanager
def _hushed() -> Iterator[None]:
    """Without what the process writes to stderr beneath Python: Ray says which level it logs at."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@contextmanager
def _no_stdout() -> Iterator[None]:
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        yield


@contextmanager
def _room_beside(out: Path) -> Iterator[Path]:
    with TemporaryDirectory(prefix=f"{out.name}.", suffix=".rows", dir=out.parent) as folder:
        yield Path(folder).absolute()


def _is_there(name: str | Path) -> bool:
    return any(sign in str(name) for sign in "*?[") or Path(name).exists()


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
