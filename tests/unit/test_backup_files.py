"""Files that only look like backups are refused in words."""

import hashlib
import io
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.backups.files import SECRET, Manifest, unpack
from app.backups.secrets import read_secret
from app.exceptions import Invalid


def backup_of(path: Path, *members: tuple[str, bytes]) -> Manifest:
    """A tar of these, whose manifest knows the sums of all of them."""
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return Manifest(
        version="1",
        made_at=datetime(2026, 11, 26, tzinfo=UTC),
        server_version="18",
        migration=None,
        key_id="a",
        tables={},
        files={name: hashlib.sha256(content).hexdigest() for name, content in members},
    )


@pytest.mark.parametrize("name", ["..", "dump/..", "dump/", "../up", "dump/../../up", "/up"])
def test_nothing_is_unpacked_elsewhere(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    manifest = backup_of(tmp_path / "backup.tar", (name, b"x"))
    with pytest.raises(Invalid, match="is missing"):
        unpack(tmp_path / "backup.tar", manifest, folder)
    assert not list(tmp_path.rglob("up"))


def test_what_is_there_twice_counts_once(tmp_path: Path) -> None:
    (tmp_path / "into").mkdir()
    manifest = backup_of(tmp_path / "backup.tar", ("dump/a", b"x"), ("dump/a", b"x"))
    unpack(tmp_path / "backup.tar", manifest, tmp_path / "into")
    assert (tmp_path / "into" / "dump" / "a").read_bytes() == b"x"


@pytest.mark.parametrize("secret", [b"", b"short", b"\xff" * 40, None])
def test_secret_that_is_none_is_refused(tmp_path: Path, secret: bytes | None) -> None:
    manifest = backup_of(tmp_path / "backup.tar", (SECRET, secret or b""))
    if secret is None:
        backup_of(tmp_path / "backup.tar")
    with pytest.raises(Invalid, match="is damaged"):
        read_secret(tmp_path / "backup.tar", manifest)
