"""The file of a backup: a tar of its manifest, PostgreSQL's dump, and perhaps the secret."""

import hashlib
import io
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ValidationError

from app.backups.contents import TableContents
from app.core.new_files import take_name
from app.exceptions import Conflict, Invalid

FORMAT = 1
MANIFEST, SECRET, DUMP = "manifest.json", "secret_key", "dump/"
CHUNK = 1024 * 1024
NO_BACKUP = "{} is not a backup of Greenroom."


class Manifest(BaseModel):
    """What is in a backup. ``files`` are SHA-256 in hexadecimal, by their place in the tar."""

    format: int = FORMAT
    product: str = "greenroom"
    version: str
    made_at: datetime
    server_version: str
    migration: str | None
    # Names the secret that values in it are encrypted with, without giving it away.
    key_id: str
    tables: dict[str, TableContents]
    files: dict[str, str]

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables.values())

    @property
    def has_secret(self) -> bool:
        return SECRET in self.files


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_in(folder: Path) -> dict[str, Path]:
    """By their place in the tar."""
    return {DUMP + path.name: path for path in sorted((folder / "dump").iterdir())}


@contextmanager
def whole_or_not_at_all(path: Path) -> Iterator[Path]:
    """A new file beside it, for its owner alone, that takes the name once it is complete.

    Raise ``Conflict`` when there is a file of this name.
    """
    if path.exists():
        raise Conflict(f"{path} exists already. Choose another name.")
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        yield unfinished
        take_name(unfinished, path)
        sync_folder(path.parent)
    except FileExistsError:
        raise Conflict(f"{path} exists already. Choose another name.") from None
    finally:
        unfinished.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def pack(path: Path, manifest: Manifest, files: dict[str, Path]) -> None:
    """The manifest first, so that it can be read without the rest."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        with tarfile.open(fileobj=file, mode="w") as tar:
            told = manifest.model_dump_json(indent=1).encode()
            tar.addfile(member(MANIFEST, len(told), manifest.made_at), io.BytesIO(told))
            for name, source in files.items():
                info = member(name, source.stat().st_size, manifest.made_at)
                with source.open("rb") as content:
                    tar.addfile(info, content)
        file.flush()
        os.fsync(file.fileno())


def member(name: str, size: int, at: datetime) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, 0o600, int(at.timestamp())
    return info


@contextmanager
def opened(path: Path) -> Iterator[tarfile.TarFile]:
    """Raise ``Invalid`` for what is no backup, or only a part of one."""
    try:
        with tarfile.open(path, mode="r:") as tar:
            yield tar
    except FileNotFoundError:
        raise Invalid(f"There is no file {path}.") from None
    except PermissionError:
        raise Invalid(f"{path} may not be read by this user.") from None
    except (tarfile.TarError, IsADirectoryError):
        raise Invalid(NO_BACKUP.format(path)) from None


def read_manifest(path: Path) -> Manifest:
    """Raise ``Invalid`` for what is no backup, or was made by a later format."""
    with opened(path) as tar:
        first = tar.next()
        content = tar.extractfile(first) if first is not None and first.name == MANIFEST else None
        if content is None:
            raise Invalid(NO_BACKUP.format(path))
        try:
            manifest = Manifest.model_validate_json(content.read())
        except ValidationError:
            raise Invalid(NO_BACKUP.format(path)) from None
    if manifest.format > FORMAT or manifest.product != "greenroom":
        raise Invalid(f"{path} was made by a newer Greenroom: {manifest.version}.")
    return manifest


def unpack(path: Path, manifest: Manifest, folder: Path) -> None:
    """Everything that the manifest names, checked. Raise ``Invalid`` when it is not whole."""
    (folder / "dump").mkdir()
    found = set()
    with opened(path) as tar:
        for info in tar:
            if info.name in manifest.files and info.name not in found and is_plain(info.name):
                write_member(tar, info, folder / info.name)
                if sha256_of(folder / info.name) != manifest.files[info.name]:
                    raise Invalid(f"{path} is damaged: {info.name} is not what was written.")
                found.add(info.name)
    if missing := sorted(manifest.files.keys() - found):
        raise Invalid(f"{path} is not whole: {', '.join(missing[:3])} is missing.")


def is_plain(name: str) -> bool:
    """Whether it is a place of ours: a file, or one in the folder of the dump."""
    last = name.removeprefix(DUMP)
    return "/" not in last and last not in ("", ".", "..")


def write_member(tar: tarfile.TarFile, info: tarfile.TarInfo, target: Path) -> None:
    content = tar.extractfile(info)
    if content is None:
        raise Invalid(f"{info.name} in the backup is no file.")
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        while chunk := content.read(CHUNK):
            file.write(chunk)
