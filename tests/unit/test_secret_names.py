"""One list of words says what is secret; what reads it blanks no less than it ever did."""

import pytest

from app.core.config import Settings
from app.core.secret_names import KEYS_TO_THINGS, WHOLE_WORDS, is_secret, is_secret_field
from app.pages.settings_view import is_private
from app.services.audit_events import SECRET_FIELDS
from app.services.ingestion.dialects.door import Guard, guard_of

KEPT_OUT_OF_LOGS = "password passwd secret token authorization cookie api_key api-key apikey "
KEPT_OUT_OF_LOGS += "credential dsn sealed"
KEPT_OUT_AT_THE_DOOR = """
apikey apikeys apitoken accesstoken authtoken authorization bearer cookie cookies credential
credentials jwt passphrase passwd password passwords secret secrets setcookie
"""
KEPT_OUT_OF_SETTINGS = ("_username", "_dsn", "_dir", "_key", "_password", "_secret", "_token")


@pytest.mark.parametrize("word", KEPT_OUT_OF_LOGS.split())
def test_words_are_found_anywhere_in_names_of_ours(word: str) -> None:
    assert is_secret(f"x_{word}_y".upper())
    assert not is_secret(f"{word}tokens")


@pytest.mark.parametrize("word", KEPT_OUT_AT_THE_DOOR.split())
def test_door_keeps_out_each_word_of_others(word: str) -> None:
    assert guard_of(f"x_{word}_y") is Guard.SECRET


def test_door_keeps_out_no_more_than_was_asked_for() -> None:
    assert set(KEPT_OUT_AT_THE_DOOR.split()) == WHOLE_WORDS
    assert all(guard_of(f"{thing}_key") is Guard.SECRET for thing in KEYS_TO_THINGS)
    for name in ("max_tokens", "sort_key", "authorizations", "sealed", "dsn"):
        assert guard_of(name) is Guard.OPEN, name


def test_audit_log_holds_no_column_of_secrets() -> None:
    sealed = {"sealed", "sealed_headers", "sealed_secret", "sealed_old_secret"}
    hashed = {"hashed_password", "secret_sha256", "token_sha256", "totp_secret"}
    assert sealed | hashed == SECRET_FIELDS


def test_settings_page_tells_no_secret_and_no_place() -> None:
    told = [name for name in Settings.model_fields if not is_private(name)]
    assert not [name for name in told if name.endswith(KEPT_OUT_OF_SETTINGS)]
    assert "access_token_expire_minutes" in told
    assert is_secret_field("signing_key")
