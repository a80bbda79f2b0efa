"""Members of packages, read from archives as the three clients leave them."""

import io
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from contraview.core import packages
from contraview.core.datasets import Dataset, File
from contraview.core.errors import ContraviewError
from contraview.core.packages import Member


def wheel(path: Path) -> None:
    with zipfile.ZipFile(path / "thing-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("thing/data.csv", "a,b\n")


def npm(path: Path) -> None:
    with tarfile.open(path / "thing-1.0.tgz", "w:gz") as archive:
        info = tarfile.TarInfo("package/data.csv")
        info.size = 4
        archive.addfile(info, io.BytesIO(b"a,b\n"))


def debian(path: Path) -> None:
    root = path / "root"
    (root / "DEBIAN").mkdir(parents=True)
    (root / "DEBIAN" / "control").write_text(
        "Package: thing\nVersion: 1\nArchitecture: all\nMaintainer: m <m@example.org>\n"
        "Description: d\n"
    )
    (root / "usr" / "share").mkdir(parents=True)
    (root / "usr" / "share" / "data.csv").write_text("a,b\n")
    command = ["dpkg-deb", "--root-owner-group", "-b", str(root), str(path / "thing.deb")]
    subprocess.run(command, check=True, capture_output=True)
    shutil.rmtree(root)


CASES = {
    "pypi": (wheel, "thing/data.csv"),
    "npm": (npm, "package/data.csv"),
    "debian": (debian, "usr/share/data.csv"),
}


@pytest.fixture(params=CASES)
def client(request, monkeypatch):
    """A client whose download is an archive made here."""
    if request.param == "debian" and shutil.which("dpkg-deb") is None:
        pytest.skip("needs dpkg-deb to build and read a Debian package")
    make, path = CASES[request.param]
    monkeypatch.setattr(packages, "_run", lambda _client, _package, folder: make(folder))
    return request.param, path


def test_a_member_is_written_whole(client, tmp_path):
    kind, path = client
    Member(kind, "thing", path).fetch(tmp_path / "cache" / "data.csv")
    assert (tmp_path / "cache" / "data.csv").read_text() == "a,b\n"


def test_a_missing_member_leaves_nothing_behind(client, tmp_path):
    kind, _ = client
    with pytest.raises(ContraviewError, match=r"thing: holds no file nowhere.csv"):
        Member(kind, "thing", "nowhere.csv").fetch(tmp_path / "data.csv")
    assert not list(tmp_path.iterdir())


def test_a_data_set_gets_its_members(client, tmp_path, monkeypatch):
    kind, path = client
    monkeypatch.delenv("CONTRAVIEW_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    member = Member(kind, "thing", path)
    found = Dataset("thing", "a thing", "CC0", ((File("data.csv", member=member),),)).get()
    assert [each.read_text() for each in found] == ["a,b\n"]


def test_a_client_that_is_not_there_or_fails_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(ContraviewError, match="needs npm, which is not on this machine"):
        Member("npm", "thing", "x").fetch(tmp_path / "x")
    monkeypatch.undo()
    failed = subprocess.CompletedProcess([], 1, "", "first\nE: no such package\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(ContraviewError, match="thing: cannot be fetched: E: no such package"):
        Member("pypi", "thing", "x").fetch(tmp_path / "x")


def test_a_package_with_several_of_the_files_is_downloaded_once(tmp_path, monkeypatch):
    calls = []

    def run(_client, package, folder):
        calls.append(package)
        with zipfile.ZipFile(folder / "thing.whl", "w") as archive:
            archive.writestr("a.csv", "a")
            archive.writestr("b.csv", "b")

    monkeypatch.setattr(packages, "_run", run)
    monkeypatch.delenv("CONTRAVIEW_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    files = tuple(File(name, member=Member("pypi", "thing", name)) for name in ("a.csv", "b.csv"))
    found = Dataset("thing", "a thing", "CC0", (files,)).get()
    assert [each.read_text() for each in found] == ["a", "b"]
    assert calls == ["thing"]
