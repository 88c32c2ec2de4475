"""Access tokens: ours are read; whatever else is called a token is not (test A13)."""

import base64
import json
import time
from typing import Any
from uuid import uuid4

import jwt
import pytest
from pydantic import SecretStr

from app.core.access_tokens import AUDIENCE, TYPE, AccessClaims, AccessTokens
from app.core.config import Settings
from app.core.keys import key_id, key_ring

SECRET = "a-secret-for-tests-only-0123456789abcdef"
SETTINGS = Settings(_env_file=None, secret_key=SecretStr(SECRET))
KEY = key_ring(SETTINGS, "access-token")[0]
CLAIMS = AccessClaims(7, uuid4())


def payload(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    claims = {
        "iss": "Greenroom",
        "aud": AUDIENCE,
        "sub": "7",
        "sid": str(CLAIMS.family_id),
        "jti": uuid4().hex,
        "iat": now,
        "nbf": now,
        "exp": now + 600,
        "type": "access",
    } | changes
    return {name: value for name, value in claims.items() if value is not ...}


def part(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def signed(header: object, body: object, key: bytes = KEY) -> str:
    """Any header and body under a right signature, as no library would write them."""
    message = f"{part(header)}.{part(body)}"
    algorithm = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    signature = algorithm.sign(message.encode(), key)
    return f"{message}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def header(**changes: Any) -> dict[str, Any]:
    fields = {"alg": "HS256", "kid": key_id(KEY), "typ": TYPE} | changes
    return {name: value for name, value in fields.items() if value is not ...}


def twice(name: str, value: object, fields: dict[str, Any]) -> str:
    """JSON that says ``name`` two times; parsers keep the last."""
    rest = json.dumps(fields, separators=(",", ":")).removeprefix("{")
    return f'{{"{name}":{json.dumps(value)},{rest}'


NOW = int(time.time())
GOOD = signed(header(), payload())
BAD_HEADERS: list[dict[str, Any]] = [
    *({"alg": name} for name in ("none", "None", "NONE", "nOnE", "HS512", "RS256", "ES256", "")),
    *({"typ": value} for value in ("JWT", "jwt", "", None, ..., "AT+JWT", 1)),
    *({"kid": value} for value in ("", "unknown", "../../etc/passwd", "' or 1=1", None, ..., 1)),
    {"kid": ["a"]},
    {"kid": {"a": 1}},
    {"crit": ["exp"]},
    {"crit": ["b64"], "b64": False},
    {"b64": False},
    {"jwk": {"kty": "oct", "k": "AAAA"}},
    {"jku": "https://evil.example/keys"},
    {"x5u": "https://evil.example/cert"},
    {"cty": "JWT"},
    {"zip": "DEF"},
]
BAD_CLAIMS: list[dict[str, Any]] = [
    *({name: ...} for name in payload()),
    {"iss": "https://evil.example"},
    {"iss": ["Greenroom"]},
    {"aud": "other-api"},
    {"aud": [AUDIENCE]},
    {"aud": [AUDIENCE, "other"]},
    {"aud": None},
    {"type": "refresh"},
    {"type": ["access"]},
    {"sub": 7},
    {"sub": "-7"},
    {"sub": "7 or 1=1"},
    {"sub": ""},
    {"sid": "not-a-uuid"},
    {"sid": 7},
    {"jti": 7},
    {"exp": NOW - 60},
    {"exp": NOW + 600.5},
    {"exp": str(NOW + 600)},
    {"exp": 10**20},
    {"exp": NOW + 86_400},
    {"exp": True},
    {"exp": None},
    {"nbf": NOW + 7200},
    {"nbf": "soon"},
    {"iat": NOW + 7200},
    {"iat": "now"},
    {"iat": None},
]
BAD_TEXTS = [
    "",
    ".",
    "..",
    "a.b.c",
    GOOD[:-1],
    GOOD[:-4] + "AAAA",
    GOOD + ".x",
    GOOD.rpartition(".")[0] + ".",
    GOOD.rpartition(".")[0],
    "." + GOOD,
    GOOD.replace(".", "..", 1),
    GOOD + "é",
    GOOD + "A" * 3000,
    "\x00" + GOOD,
    GOOD + "=",
    GOOD.replace(".", "=.", 1),
    *(f"{GOOD}{space}" for space in " \t\n"),
    *(f"{space}{GOOD}" for space in " \t\n"),
    GOOD.replace(".", " .", 1),
    signed(header(), twice("sub", "8", payload())),
    signed(header(), twice("exp", NOW + 86_400, payload())),
    signed(twice("alg", "none", header()), payload()),
    signed(header(), json.dumps(payload())),
    signed("[" * 900 + "]" * 900, payload()),
    signed(header(), "not json"),
    signed(header(), []),
    signed([], payload()),
    signed(header(), payload(), b"x" * 32),
]


def test_token_we_issued_is_read() -> None:
    tokens = AccessTokens(SETTINGS)
    assert tokens.read(tokens.issue(CLAIMS)) == CLAIMS
    good = signed(header(), payload())  # made now: that of the import may be over by the time
    assert tokens.read(good) == CLAIMS, "the mutants below differ from such a one only"


@pytest.mark.parametrize("change", BAD_HEADERS, ids=str)
def test_token_with_another_header_is_refused(change: dict[str, Any]) -> None:
    assert AccessTokens(SETTINGS).read(signed(header(**change), payload())) is None


@pytest.mark.parametrize("change", BAD_CLAIMS, ids=range(len(BAD_CLAIMS)))
def test_token_with_other_claims_is_refused(change: dict[str, Any]) -> None:
    assert AccessTokens(SETTINGS).read(signed(header(), payload(**change))) is None


@pytest.mark.parametrize("text", BAD_TEXTS, ids=range(len(BAD_TEXTS)))
def test_what_is_no_token_is_refused(text: str) -> None:
    assert AccessTokens(SETTINGS).read(text) is None


def test_token_of_an_older_secret_is_read_until_that_secret_is_gone() -> None:
    token = AccessTokens(SETTINGS).issue(CLAIMS)
    fresh = SecretStr("another-secret-of-the-tests-0123456789ab")
    rotated = Settings(_env_file=None, secret_key=fresh, old_secret_keys=[SecretStr(SECRET)])
    assert AccessTokens(rotated).read(token) == CLAIMS
    assert AccessTokens(Settings(_env_file=None, secret_key=fresh)).read(token) is None


def test_token_of_another_instance_is_refused() -> None:
    other = SETTINGS.model_copy(update={"public_origin": "https://other.example"})
    assert AccessTokens(other).read(AccessTokens(SETTINGS).issue(CLAIMS)) is None
