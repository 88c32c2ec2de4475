"""Addresses of databases: what is taken, and what counts as private."""

import pytest
from pydantic import SecretStr, ValidationError

from app.core.config import Settings, database_is_private


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_every_way_to_name_postgresql_means_our_driver(scheme: str) -> None:
    settings = Settings(_env_file=None, database_url=SecretStr(f"{scheme}://me:pw@db/name"))
    assert settings.database_url == SecretStr("postgresql+asyncpg://me:pw@db/name")


@pytest.mark.parametrize("url", ["hello", "mysql://me:s3cret@db/x", "postgres://me:s3cret@[::1/x"])
def test_what_is_no_address_of_postgresql_is_refused_without_telling_it(url: str) -> None:
    with pytest.raises(ValidationError, match="must be an address such as") as refused:
        Settings(_env_file=None, database_url=SecretStr(url))
    assert "s3cret" not in str(refused.value)


def test_an_empty_address_is_none() -> None:
    assert Settings(_env_file=None, database_url=SecretStr("")).database_url is None


@pytest.mark.parametrize(
    ("rest", "is_private"),
    [
        ("me@/x?host=/run/postgresql", True),
        ("me@[::1]:5432/x", True),
        ("me@db.example.com/x?ssl=verify-full", True),
        ("me@db.example.com/x", False),
        ("me@/x?host=db.example.com", False),
    ],
)
def test_only_sockets_loopback_and_tls_are_private(rest: str, is_private: bool) -> None:
    assert database_is_private(f"postgresql+asyncpg://{rest}") is is_private
