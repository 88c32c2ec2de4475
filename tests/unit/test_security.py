"""Tokens, signatures and hashes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.security import (
    PASSWORDS,
    Signer,
    base62,
    new_token,
    token_is_well_formed,
    verify_password,
)


def test_tokens_are_long_different_and_well_formed() -> None:
    tokens = {new_token("gr") for _ in range(100)}
    assert len(tokens) == 100
    assert {len(token) for token in tokens} == {52}
    assert all(token_is_well_formed(token, "gr") for token in tokens)


@given(st.integers(0, 51), st.sampled_from("abcXYZ019_"))
def test_mistyped_token_is_told_from_a_real_one(position: int, letter: str) -> None:
    token = "gr_" + "a" * 43 + "0" * 6
    typed = token[:position] + letter + token[position + 1 :]
    assert not token_is_well_formed(typed, "gr")


@given(st.text(max_size=80))
def test_any_text_can_be_asked_for(text: str) -> None:
    assert token_is_well_formed(text, "gr") in {True, False}


@given(st.integers(0, 2**256 - 1))
def test_base62_has_a_fixed_length(number: int) -> None:
    assert len(base62(number, 43)) == 43


def test_cookie_is_read_only_with_its_own_key_and_unchanged() -> None:
    signed = Signer(["old", "new"]).sign("token")
    assert Signer(["new"]).unsign(signed) == "token"
    assert Signer(["old"]).unsign(signed) is None
    for changed in (signed[:-1], "x" + signed, signed.replace("token", "other"), "", "é"):
        assert Signer(["new"]).unsign(changed) is None


async def test_password_is_verified_and_a_dated_hash_is_renewed() -> None:
    bcrypt = PASSWORDS.handler("bcrypt").using(rounds=4).hash("Correct-Horse-7")
    valid, upgraded = await verify_password("Correct-Horse-7", bcrypt)
    assert valid
    assert upgraded is not None
    assert upgraded.startswith("$argon2id$")
    assert await verify_password("Correct-Horse-7", upgraded) == (True, None)
    assert (await verify_password("wrong", upgraded))[0] is False


@pytest.mark.parametrize("password", ["", "x", "x" * 5000, "a\x00b"])
async def test_no_hash_means_no_entry_whatever_is_typed(password: str) -> None:
    assert await verify_password(password, None) == (False, None)
