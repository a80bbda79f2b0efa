"""Where a data set's files are looked for, and that they are what they should be."""

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import pytest

from contraview.core.datasets import Dataset, File, cache_folder
from contraview.core.errors import ContraviewError, InputError

CONTENT = b"a,b\n1,2\n"
SHA = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def _nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONTRAVIEW_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def small() -> Dataset:
    return Dataset("small", "a small table", "CC0", ((File("a.csv", SHA),), (File("a.txt", SHA),)))


def put(folder: Path, name: str, content: bytes = CONTENT) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return folder / name


def test_a_named_folder_is_the_only_one(
    small: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTRAVIEW_DATA", str(put(tmp_path / "env", "a.csv").parent))
    path = put(tmp_path / "mine", "a.csv")
    assert small.paths(path.parent) == [path]
    with pytest.raises(InputError, match=r"does not hold a.csv, the files of small"):
        small.paths(tmp_path)


def test_the_environment_comes_before_the_cache(
    small: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = put(cache_folder(), "a.csv")
    assert small.paths() == [cached]
    assert small.place() == cache_folder()
    within = put(tmp_path / "env" / "tables", "a.csv")
    monkeypatch.setenv("CONTRAVIEW_DATA", str(tmp_path / "env"))
    assert small.paths() == [within]


def test_another_edition_of_the_same_rows_will_do(small: Dataset) -> None:
    path = put(cache_folder(), "a.txt")
    assert small.paths() == [path]


def test_what_is_missing_says_what_to_set(small: Dataset) -> None:
    assert small.place() is None
    with pytest.raises(InputError, match="small: not on this machine; set CONTRAVIEW_DATA to the"):
        small.paths()
    with pytest.raises(InputError, match="small: not on this machine"):
        small.get()


def test_a_changed_file_is_refused(small: Dataset) -> None:
    put(cache_folder(), "a.csv", b"other")
    with pytest.raises(InputError, match=r"a.csv: is not the file that small means"):
        small.paths()


def test_files_of_a_package() -> None:
    inside = Dataset("own", "", "", ((File("datasets.py"),),), package="contraview.core")
    assert [path.name for path in inside.paths()] == ["datasets.py"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    put(tmp_path / "web", "a+b.csv")
    put(tmp_path / "web", "changed.csv", b"other")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "web"))) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


def test_a_download_is_checked_and_kept(server: str) -> None:
    file = File("a+b.csv", SHA, f"{server}/a%2Bb.csv")
    remote = Dataset("remote", "", "", ((file,),))
    with pytest.raises(InputError, match="or run `contraview data get remote`"):
        remote.paths()
    assert remote.get() == [cache_folder() / "a+b.csv"]
    assert remote.paths() == remote.get()


@pytest.mark.parametrize("name", ["changed.csv", "gone.csv"])
def test_a_failed_download_leaves_nothing(server: str, name: str) -> None:
    remote = Dataset("remote", "", "", ((File(name, SHA, f"{server}/{name}"),),))
    with pytest.raises(ContraviewError, match=name):
        remote.get()
    assert not list(cache_folder().iterdir())
