"""Access tokens of the JSON API (RFC 9068), on PyJWT: short-lived, and checked for everything."""

import time
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import jwt

from app.core.config import Settings
from app.core.keys import key_id, key_ring

ALGORITHM = "HS256"
TYPE = "at+jwt"
AUDIENCE = "greenroom-api"
USUAL_ISSUER = "Greenroom"  # whatever the installation is called while a token is good
LEEWAY_S = 10
MAX_LENGTH = 2048
MAX_LIFETIME_S = 3600
CLAIMS = ["exp", "iat", "nbf", "iss", "aud", "sub", "jti", "sid", "type"]
HEADERS = {"alg", "typ", "kid"}


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """Whose token it is, and the family of refresh tokens that it lives and dies with."""

    user_id: int
    family_id: UUID
    # Seconds since 1970; written and read, never chosen.
    expires_at: int = field(default=0, compare=False)


class AccessTokens:
    """Issues with the key in use; reads with any of the ring, named by ``kid``."""

    def __init__(self, settings: Settings) -> None:
        ring = key_ring(settings, "access-token")
        self._keys = {key_id(key): key for key in ring}
        self._signing = ring[0]
        self._issuer = settings.public_origin or USUAL_ISSUER
        self.lifetime_s = settings.access_token_expire_minutes * 60

    def issue(self, claims: AccessClaims) -> str:
        now = int(time.time())
        payload = {
            "iss": self._issuer,
            "aud": AUDIENCE,
            "sub": str(claims.user_id),
            "sid": str(claims.family_id),
            "jti": uuid4().hex,
            "iat": now,
            "nbf": now,
            "exp": now + self.lifetime_s,
            "type": "access",
        }
        headers = {"typ": TYPE, "kid": key_id(self._signing)}
        return jwt.encode(payload, self._signing, ALGORITHM, headers=headers)

    def read(self, token: str) -> AccessClaims | None:
        """The claims of a token that we issued and that is not over; ``None`` for any other."""
        if len(token) > MAX_LENGTH or not token.isascii():
            return None
        try:
            header = jwt.get_unverified_header(token)
            key = self._key_of(header)
            return None if key is None else self._claims(token, key)
        except (jwt.PyJWTError, ValueError):
            return None

    def _key_of(self, header: dict[str, object]) -> bytes | None:
        """Only what we write ourselves: no other algorithm, no key from the token, no ``crit``."""
        if header.keys() != HEADERS or header["typ"] != TYPE or header["alg"] != ALGORITHM:
            return None
        return self._keys.get(str(header["kid"]))

    def _claims(self, token: str, key: bytes) -> AccessClaims | None:
        payload = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            issuer=self._issuer,
            leeway=LEEWAY_S,
            options={
                "require": CLAIMS,
                "strict_aud": True,
                "enforce_minimum_key_length": True,
            },
        )
        times = [payload["iat"], payload["nbf"], payload["exp"]]
        whole = all(type(value) is int for value in times)
        if not whole or payload["exp"] - payload["iat"] > MAX_LIFETIME_S:
            return None
        if payload["type"] != "access" or not payload["sub"].isdecimal():
            return None
        # A name given twice, other padding or spacing: not as we write it, so not ours.
        if jwt.encode(payload, key, ALGORITHM, headers={"typ": TYPE, "kid": key_id(key)}) != token:
            return None
        return AccessClaims(int(payload["sub"]), UUID(str(payload["sid"])), payload["exp"])
