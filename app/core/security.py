"""Password hashes, random tokens, and signatures over what browsers keep for us."""

import hashlib
import secrets
import string
import zlib
from functools import cache

from anyio import CapacityLimiter, to_thread
from itsdangerous import BadSignature, TimestampSigner
from passlib.context import CryptContext

# OWASP's minimum for argon2id (19 MiB, two passes, one lane); bcrypt is verified and upgraded.
PASSWORDS = CryptContext(
    schemes=["argon2", "bcrypt"],
    deprecated="auto",
    argon2__memory_cost=19456,
    argon2__time_cost=2,
    argon2__parallelism=1,
    bcrypt__rounds=12,
)
BASE62 = string.digits + string.ascii_letters
SECRET_BYTES = 32
CHECKSUM_LENGTH = 6
SESSION_SALT = "greenroom.staff-session"
LOGIN_STEP_SALT = "greenroom.login-step"
DEVICE_SALT = "greenroom.device"
# Hashing takes tens of milliseconds of one core: two at a time keep the other requests quick.
HASHING = CapacityLimiter(2)
DUMMY_HASH = PASSWORDS.hash(secrets.token_urlsafe(16))


@cache
def common_passwords() -> frozenset[str]:
    """In small letters. Its lists take 12 MiB, and few processes ever see a new password."""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(FREQUENCY_LISTS["passwords"])


async def hash_password(password: str) -> str:
    return await to_thread.run_sync(PASSWORDS.hash, password, limiter=HASHING)


def _verify(password: str, hashed: str) -> tuple[bool, str | None]:
    try:
        valid, upgraded = PASSWORDS.verify_and_update(password, hashed)
    except ValueError:
        # Longer than a scheme takes, or with a NUL: no password that was ever set.
        return False, None
    return valid, upgraded


async def verify_password(password: str, hashed: str | None) -> tuple[bool, str | None]:
    """Whether the password is right, and a better hash to store when the old one is dated.

    Without a stored hash a dummy is verified, so that unknown accounts take as long as known ones.
    """
    valid, upgraded = await to_thread.run_sync(
        _verify, password, hashed or DUMMY_HASH, limiter=HASHING
    )
    return (valid, upgraded) if hashed else (False, None)


def sha256(value: str) -> bytes:
    return hashlib.sha256(value.encode()).digest()


def base62(number: int, length: int) -> str:
    digits = []
    while number:
        number, digit = divmod(number, 62)
        digits.append(BASE62[digit])
    return "".join(reversed(digits)).rjust(length, "0")


def new_token(prefix: str) -> str:
    """``<prefix>_<43 base62 characters of 256 random bits><6 of CRC32>``, in GitHub's manner.

    The checksum lets a scanner or a client tell a mistyped token from a real one offline.
    """
    body = f"{prefix}_{base62(int.from_bytes(secrets.token_bytes(SECRET_BYTES)), 43)}"
    return body + token_checksum(body)


def new_message_id() -> str:
    """``msg_`` and 22 base62 characters of 128 random bits."""
    return f"msg_{base62(int.from_bytes(secrets.token_bytes(16)), 22)}"


def token_checksum(body: str) -> str:
    return base62(zlib.crc32(body.encode()), CHECKSUM_LENGTH)


def token_is_well_formed(token: str, prefix: str) -> bool:
    body, checksum = token[:-CHECKSUM_LENGTH], token[-CHECKSUM_LENGTH:]
    return token.startswith(f"{prefix}_") and token.isascii() and token_checksum(body) == checksum


class Signer:
    """Signs what a browser keeps for us; each use has its own salt, so none passes for another."""

    def __init__(self, keys: list[str], salt: str = SESSION_SALT) -> None:
        self._signer = TimestampSigner(
            keys, salt=salt, digest_method=hashlib.sha512, key_derivation="hmac"
        )

    def sign(self, value: str) -> str:
        return self._signer.sign(value).decode()

    def unsign(self, signed: str, max_age_s: int | None = None) -> str | None:
        """The value, ``None`` when it was not signed by us or longer ago than ``max_age_s``."""
        try:
            return self._signer.unsign(signed, max_age=max_age_s).decode()
        except (BadSignature, UnicodeError):
            return None
