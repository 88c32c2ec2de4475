"""The secret that the data folder keeps, in backups and when they are restored."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

from app.backups.files import SECRET, Manifest, opened
from app.core.config import Settings
from app.exceptions import Invalid

SHORTEST, LONGEST = 32, 1024


def generated_secret(settings: Settings) -> Path | None:
    """The file of the secret, where it is one that was made here; else it is kept elsewhere."""
    path = settings.secret_file
    is_in_use = path.exists() and path.read_text().strip() == settings.secret_key.get_secret_value()
    return path if is_in_use else None


def read_secret(path: Path, manifest: Manifest) -> SecretStr | None:
    """Raise ``Invalid`` when the backup is damaged."""
    if not manifest.has_secret:
        return None
    with opened(path) as tar:
        try:
            content = tar.extractfile(SECRET)
            secret = content.read(LONGEST).decode().strip() if content else ""
        except (KeyError, UnicodeDecodeError):
            secret = ""
    if len(secret) < SHORTEST:
        raise Invalid(f"{path} is damaged: the secret in it is none.")
    return SecretStr(secret)


def write_private(path: Path, secret: str) -> None:
    """A new file for its owner alone, on the disk when this returns."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())


@dataclass(frozen=True, slots=True)
class SecretPlace:
    """Where a secret that comes with a backup belongs. ``is_free`` before anything is loaded."""

    path: Path
    is_free: bool
    is_configured: bool

    @classmethod
    def before_loading(cls) -> "SecretPlace":
        """Look before ``get_settings`` makes a secret. Raises pydantic's ``ValidationError``."""
        raw = Settings()
        configured = bool(raw.secret_key.get_secret_value()) or raw.is_production
        return cls(raw.secret_file, not raw.secret_file.exists(), configured)

    def put(self, secret: SecretStr) -> Path | None:
        """The restored database's secret in the folder; where the one before is kept now."""
        kept = None
        if self.path.exists() and self.path.read_text().strip() == secret.get_secret_value():
            return None
        if not self.is_free:
            kept = self.path.with_name(f"secret_key.before-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
            write_private(kept, self.path.read_text())
        new = self.path.with_name(f".secret_key.{os.getpid()}")
        write_private(new, secret.get_secret_value())
        new.replace(self.path)
        return kept
