"""A data set: a name, a licence, the files it is made of and where they may come from."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from contraview.core.errors import ContraviewError, InputError
from contraview.core.packages import Member, fetch

ENVIRONMENT = "CONTRAVIEW_DATA"
"""The variable that names a folder with data sets; they may lie in folders within it."""


def cache_folder() -> Path:
    """Where downloaded data sets are kept: $XDG_CACHE_HOME/contraview, or ~/.cache/contraview."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "contraview" / "data"


@dataclass(frozen=True)
class File:
    """One file of a data set.

    Attributes:
        name: its file name.
        sha256: its checksum; None for a file that is part of this package.
        url: where it can be downloaded, where its licence and its owner allow that.
        member: the file of a published package that it is.
    """

    name: str
    sha256: str | None = None
    url: str | None = None
    member: Member | None = None

    @property
    def obtainable(self) -> bool:
        """Whether `Dataset.get` can bring it."""
        return self.url is not None or self.member is not None


@dataclass(frozen=True)
class Dataset:
    """A known data set.

    Files are looked for in a folder that is named, in $CONTRAVIEW_DATA, in the cache, and in the
    package. Nothing is downloaded unless `get` is called.

    Attributes:
        name: how it is asked for.
        about: what it is and where it is from, in a sentence.
        licence: the terms of the data, which are not those of this package.
        editions: sets of files that hold the same rows; the first one found is used.
        real: recorded from real use, not simulated or staged in a laboratory.
        package: the import name of the package that the files are shipped in.
    """

    name: str
    about: str
    licence: str
    editions: tuple[tuple[File, ...], ...]
    real: bool = True
    package: str | None = None

    def paths(self, folder: Path | str | None = None) -> list[Path]:
        """The files, checked against their checksums.

        Args:
            folder: look here and nowhere else.

        Raises:
            InputError: they are nowhere to be found, or one is not what it should be.
        """
        found = self._find([Path(folder)] if folder is not None else list(self._folders()))
        if found is None:
            raise InputError(self._missing(folder))
        files, paths = found
        for file, path in zip(files, paths, strict=True):
            if file.sha256 is not None and _digest(path) != file.sha256:
                raise InputError(
                    f"{path}: is not the file that {self.name} means; expected SHA-256 "
                    f"{file.sha256[:16]}..."
                )
        return paths

    def place(self) -> Path | None:
        """The folder that the files are in; None where they are not on this machine."""
        found = self._find(list(self._folders()))
        return found[1][0].parent if found else None

    def get(self) -> list[Path]:
        """The files, downloaded to the cache where they are not on this machine.

        Raises:
            InputError: nobody may download them automatically.
            ContraviewError: the download failed or is not what it should be.
        """
        if self.place() is not None:
            return self.paths()
        edition = next((e for e in self.editions if all(file.obtainable for file in e)), None)
        if edition is None:
            raise InputError(self._missing(None))
        targets = {file: cache_folder() / file.name for file in edition}
        fetch({file.member: target for file, target in targets.items() if file.member})
        for file, target in targets.items():
            if file.member is None:
                _download(file, target)
        return self.paths()

    def _folders(self) -> Iterator[Path]:
        named = os.environ.get(ENVIRONMENT)
        if named:
            yield Path(named)
            for depth in ("*/", "*/*/"):
                yield from sorted(Path(named).glob(depth))
        yield cache_folder()
        spec = find_spec(self.package) if self.package else None
        if spec and spec.origin:
            yield Path(spec.origin).parent

    def _find(self, folders: list[Path]) -> tuple[tuple[File, ...], list[Path]] | None:
        for folder in folders:
            for files in self.editions:
                paths = [folder / file.name for file in files]
                if all(path.is_file() for path in paths):
                    return files, paths
        return None

    def _missing(self, folder: Path | str | None) -> str:
        names = " and ".join(file.name for file in self.editions[0])
        if folder is not None:
            return f"{folder}: does not hold {names}, the files of {self.name}"
        offer = ""
        if any(all(file.obtainable for file in edition) for edition in self.editions):
            offer = f", or run `contraview data get {self.name}`"
        return (
            f"{self.name}: not on this machine; set {ENVIRONMENT} to the folder with {names}{offer}"
        )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(file: File, path: Path) -> None:
    """Fetch a file whole or not at all, and only as the one that is meant."""
    from urllib.request import urlopen

    address = str(file.url)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".partial")
    try:
        with urlopen(address, timeout=60) as response, beside.open("wb") as out:  # noqa: S310
            shutil.copyfileobj(response, out)
        if _digest(beside) != file.sha256:
            raise ContraviewError(f"{address}: is no longer the file that {path.name} means")
        beside.replace(path)
    except OSError as error:
        raise ContraviewError(f"{address}: cannot be downloaded: {error}") from None
    finally:
        beside.unlink(missing_ok=True)
