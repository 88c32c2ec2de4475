"""Keys for each purpose, derived from SECRET_KEY, so that none is used for two."""

import hashlib
from base64 import urlsafe_b64encode

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.core.config import Settings

KEY_BYTES = 32


def derived_key(secret: str, purpose: str) -> bytes:
    """32 bytes (HKDF-SHA256, RFC 5869)."""
    kdf = HKDF(
        algorithm=SHA256(), length=KEY_BYTES, salt=None, info=f"greenroom:{purpose}".encode()
    )
    return kdf.derive(secret.encode())


def key_ring(settings: Settings, purpose: str) -> list[bytes]:
    """The key in use first, then those of OLD_SECRET_KEYS, newest first."""
    return [derived_key(secret, purpose) for secret in reversed(settings.signing_keys())]


def key_id(key: bytes) -> str:
    """Names a key without giving it away: 16 hexadecimal characters."""
    return hashlib.sha256(b"key id:" + key).hexdigest()[:16]


class SecretBox:
    """Encrypts what must be read again, such as the secret of a second factor."""

    def __init__(self, settings: Settings, purpose: str) -> None:
        ring = key_ring(settings, purpose)
        self._fernet = MultiFernet([Fernet(urlsafe_b64encode(key)) for key in ring])

    def seal(self, plain: str) -> bytes:
        return self._fernet.encrypt(plain.encode())

    def open(self, sealed: bytes) -> str | None:
        """The plain text, ``None`` when it was sealed with a key that is no longer configured."""
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken:
            return None
