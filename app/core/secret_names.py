"""What names say of their values: the words of credentials, in one place.

Two readings of them differ on purpose. What Greenroom tells of itself (logs, error reports, audit
events, settings) is asked by ``is_secret``: a word anywhere in a name is enough, since nothing is
lost by blanking too much. What others send to be kept (``ingestion.dialects.door``) is asked word
by word, by ``WHOLE_WORDS`` and ``KEYS_TO_THINGS``: blanking too much would lose what they asked us
to keep, as counts of tokens and keys of dictionaries.
"""

from functools import lru_cache

WORDS = frozenset(
    {
        "apikey",
        "authorization",
        "bearer",
        "cookie",
        "credential",
        "jwt",
        "passphrase",
        "passwd",
        "password",
        "secret",
    }
)

# In names of our own.
PARTS = (*sorted(WORDS), "api_key", "api-key", "dsn", "sealed", "token")
# An id, a moment or a length of time beside a secret is none.
BESIDE_SECRETS = ("_id", "_at", "_until", "_minutes", "_days")

# In names of others.
WHOLE_WORDS = WORDS | {
    "accesstoken",
    "apikeys",
    "apitoken",
    "authtoken",
    "cookies",
    "credentials",
    "passwords",
    "secrets",
    "setcookie",
}
KEYS_TO_THINGS = frozenset(
    {
        "access",
        "account",
        "api",
        "auth",
        "encryption",
        "master",
        "private",
        "secret",
        "signing",
        "subscription",
    }
)
COUNTED_TOKENS = frozenset(
    {
        "bos",
        "completion",
        "eos",
        "first",
        "input",
        "last",
        "max",
        "min",
        "next",
        "output",
        "pad",
        "per",
        "prompt",
        "special",
        "stop",
        "to",
        "total",
        "unk",
    }
)
PREFIX = "gen_ai.headers"


@lru_cache(maxsize=2_000)
def is_secret(name: str) -> bool:
    """Whether a value of this name is a credential; numbers of tokens are none."""
    lowered = name.lower()
    return any(part in lowered for part in PARTS) and not lowered.endswith("tokens")


@lru_cache(maxsize=2_000)
def is_secret_field(name: str) -> bool:
    """As ``is_secret``, of a column or a setting: these are known, and named with care."""
    is_beside = name.endswith(BESIDE_SECRETS)
    return (is_secret(name) and not is_beside) or name.endswith("_key")
