"""Settings from the environment and ``.env``; ``.env.example`` describes each."""

import os
import secrets
import tempfile
from contextlib import suppress
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import (
    Field,
    IPvAnyNetwork,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

import app
from app.core.new_files import take_name
from app.core.own_address import OwnAddress

PROJECT_ROOT = Path(app.__file__).resolve().parent.parent
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
MIN_SECRET_LENGTH = 32
MIN_TOKEN_LENGTH = 16
OWN_ENDPOINT = "must not be this installation itself: its spans would cause spans without end"
PRODUCTION_DRAIN_S = 5.0
DATABASES = ("postgresql+asyncpg://", "postgresql://", "postgres://")
TLS_MODES = ("ssl=require", "ssl=verify-full", "ssl=verify-ca", "sslmode=require", "sslmode=verify")


class Environment(StrEnum):
    """Where this process runs; production refuses unsafe settings."""

    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"


class SmtpSecurity(StrEnum):
    """How the connection to the mail server is protected."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


def split_commas(value: object) -> object:
    """Accept ``a,b`` beside a JSON list, as people write both in ``.env`` files."""
    if isinstance(value, str) and not value.lstrip().startswith("["):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


class Settings(BaseSettings):
    """Everything that can be configured. Raises ``ValidationError`` naming each problem."""

    # What is wrong is said without the values, which may be secrets.
    model_config = SettingsConfigDict(env_file=".env", extra="ignore", hide_input_in_errors=True)

    environment: Environment = Environment.DEVELOPMENT
    debug: bool = False
    project_name: str = Field("Greenroom", min_length=1, max_length=60)
    sign_in_message: str = Field("", max_length=500)
    version: str = "0.1.0"
    api_v1_prefix: str = "/api/v1"
    enable_docs: bool | None = None

    data_dir: Path = PROJECT_ROOT / "data"
    secret_key: SecretStr = SecretStr("")
    old_secret_keys: Annotated[list[SecretStr], NoDecode] = Field(default_factory=list)

    database_url: SecretStr | None = None
    migration_database_url: SecretStr | None = None
    database_read_url: SecretStr | None = None
    database_insecure: bool = False
    postgres_bin_dir: Path | None = None
    database_pool_size: int = Field(10, ge=1, le=200)
    database_pool_timeout_s: float = Field(5.0, gt=0)
    statement_timeout_ms: int = Field(15_000, ge=100)
    log_sql: bool = False

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    public_origin: str | None = None
    allowed_hosts: Annotated[list[str], NoDecode] = Field(default_factory=list)
    allowed_origins: Annotated[list[str], NoDecode] = Field(default_factory=list)
    insecure_http: bool = False
    trusted_proxies: Annotated[list[IPvAnyNetwork], NoDecode] = Field(default_factory=list)

    web_concurrency: int = Field(2, ge=1, le=64)
    web_max_requests: int = Field(100_000, ge=0)
    max_connections: int = Field(10_000, ge=10)
    request_head_timeout_s: float = Field(10, gt=0)
    request_body_timeout_s: float = Field(30, gt=0)
    keep_alive_s: int = Field(75, ge=1)
    shutdown_drain_s: float | None = Field(None, ge=0)
    shutdown_wait_s: int = Field(15, ge=1)

    max_body_bytes: int = Field(16 * 1024 * 1024, ge=1024)
    otlp_max_body_bytes: int = Field(64 * 1024 * 1024, ge=1024)
    session_idle_minutes: int = Field(60, ge=1)
    session_absolute_hours: int = Field(12, ge=1)
    max_sessions_per_user: int = Field(10, ge=1)
    reauthentication_minutes: int = Field(30, ge=1)
    access_token_expire_minutes: int = Field(10, ge=1, le=60)
    refresh_token_expire_days: int = Field(14, ge=1)
    refresh_token_expire_max_days: int = Field(60, ge=1)
    invitation_days: int = Field(7, ge=1)
    password_reset_minutes: int = Field(60, ge=5)

    worker_concurrency: int = Field(10, ge=1, le=100)
    worker_patience_s: float = Field(10, ge=0)
    execution_stalled_minutes: int = Field(60, ge=1)
    job_lease_s: float = Field(30, ge=1)

    outbound_allowed_networks: Annotated[list[IPvAnyNetwork], NoDecode] = Field(
        default_factory=list
    )
    executions_kept_days: int | None = Field(None, ge=1)
    execution_bodies_kept_days: int | None = Field(None, ge=1)
    jobs_kept_days: int = Field(90, ge=1)
    bulk_changes_kept_days: int = Field(90, ge=1)
    webhook_deliveries_kept_days: int = Field(30, ge=1)
    ingest_batches_kept_days: int = Field(7, ge=1)
    openai_base_url: str | None = None
    openai_api_key: SecretStr | None = None
    provider_name: str | None = None
    provider_model: str | None = Field(None, max_length=200)
    provider_timeout_s: float = Field(120, gt=0)
    provider_concurrency: int = Field(8, ge=1, le=1000)
    provider_retries: int = Field(2, ge=0, le=10)

    redis_url: SecretStr | None = None
    rate_limit_read_per_minute: int = Field(1200, ge=1)
    rate_limit_write_per_minute: int = Field(300, ge=1)
    rate_limit_report_per_minute: int = Field(1200, ge=1)
    rate_limit_export_per_minute: int = Field(20, ge=1)
    rate_limit_refused_per_minute: int = Field(60, ge=1)

    smtp_host: str | None = None
    smtp_port: int = Field(587, ge=1, le=65535)
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    smtp_security: SmtpSecurity = SmtpSecurity.STARTTLS
    mail_from: str = "Greenroom <greenroom@localhost>"

    first_superuser_email: str = "admin@greenroom.example"
    log_json: bool | None = None

    sentry_dsn: SecretStr | None = None
    sentry_environment: str | None = Field(None, max_length=64)
    sentry_sample_rate: float = Field(1.0, ge=0, le=1)
    sentry_traces_sample_rate: float = Field(0.0, ge=0, le=1)
    otlp_endpoint: str | None = None
    otlp_headers: SecretStr | None = None
    otlp_sample_rate: float = Field(1.0, ge=0, le=1)
    otlp_service_name: str = Field("greenroom", min_length=1, max_length=100)
    metrics_token: SecretStr | None = Field(None, min_length=MIN_TOKEN_LENGTH)
    worker_metrics_port: int = Field(0, ge=0, le=65535)
    prometheus_multiproc_dir: Path | None = None

    @field_validator(
        "allowed_hosts",
        "allowed_origins",
        "old_secret_keys",
        "outbound_allowed_networks",
        "trusted_proxies",
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        return split_commas(value)

    @field_validator("database_url", "migration_database_url", "database_read_url")
    @classmethod
    def _database(cls, value: SecretStr | None) -> SecretStr | None:
        """``postgres://``, as many hosts give it out, means the same driver."""
        text = value.get_secret_value() if value else ""
        scheme, _, rest = text.partition("://")
        try:
            make_url(text or DATABASES[0])
        except (ArgumentError, ValueError):
            scheme = ""
        if text and f"{scheme}://" not in DATABASES:
            raise ValueError(f"must be an address such as {DATABASES[0]}user:password@host/name")
        return SecretStr(f"{DATABASES[0]}{rest}") if text else None

    @field_validator("sentry_dsn")
    @classmethod
    def _dsn(cls, value: SecretStr | None) -> SecretStr | None:
        parts = urlsplit(value.get_secret_value() if value else "")
        if value and not (parts.scheme in ("http", "https") and parts.username and parts.hostname):
            raise ValueError("must be a DSN such as https://key@sentry.example.com/1")
        return value

    @field_validator("openai_base_url", "otlp_endpoint")
    @classmethod
    def _base_url(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "")
        if value and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise ValueError("must be an address such as https://api.openai.com/v1")
        return value or None

    @field_validator("public_origin")
    @classmethod
    def _origin(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be an origin such as https://greenroom.example.com")
        return f"{parts.scheme}://{parts.netloc}"

    @model_validator(mode="after")
    def _refuse_own_endpoint(self) -> Self:
        own = OwnAddress(self.host, self.port, self.public_origin, self.hosts)
        if self.otlp_endpoint is not None and own.includes(self.otlp_endpoint):
            raise ValueError(f"OTLP_ENDPOINT {OWN_ENDPOINT}")
        return self

    @model_validator(mode="after")
    def _refuse_unsafe_production(self) -> Self:
        problems = list(self.production_problems()) if self.is_production else []
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def production_problems(self) -> list[str]:
        checks = [
            (
                len(self.secret_key.get_secret_value()) < MIN_SECRET_LENGTH,
                f"SECRET_KEY must be set to at least {MIN_SECRET_LENGTH} characters",
            ),
            (self.debug, "DEBUG must be off"),
            ("*" in self.allowed_origins, "ALLOWED_ORIGINS must not be * (cookies are sent)"),
            *(
                (
                    url is not None
                    and not self.database_insecure
                    and not database_is_private(url.get_secret_value()),
                    f"{name} must use TLS (add ?ssl=verify-full) or set DATABASE_INSECURE=true",
                )
                for name, url in (
                    ("DATABASE_URL", self.database_url),
                    ("MIGRATION_DATABASE_URL", self.migration_database_url),
                    ("DATABASE_READ_URL", self.database_read_url),
                )
            ),
            (
                any(not network.prefixlen for network in self.trusted_proxies),
                "TRUSTED_PROXIES must name the proxies, or everyone could claim any address",
            ),
            (self.public_origin is None, "PUBLIC_ORIGIN must name the address staff use"),
            (
                bool(self.public_origin) and not self.secure_cookies and not self.insecure_http,
                "PUBLIC_ORIGIN must be https, or set INSECURE_HTTP=true",
            ),
        ]
        return [message for failed, message in checks if failed]

    @property
    def is_production(self) -> bool:
        return self.environment is Environment.PRODUCTION

    @property
    def docs_enabled(self) -> bool:
        return not self.is_production if self.enable_docs is None else self.enable_docs

    @property
    def secure_cookies(self) -> bool:
        """Secure ``__Host-`` cookies wherever staff come in over TLS."""
        return self.public_origin is not None and self.public_origin.startswith("https://")

    @property
    def hosts(self) -> frozenset[str]:
        """Host names that this server answers to, without ports."""
        named = {urlsplit(f"//{host}").hostname or host for host in self.allowed_hosts}
        if self.public_origin:
            named.add(urlsplit(self.public_origin).hostname or "")
        if not self.is_production:
            named |= LOOPBACK_HOSTS
        return frozenset(named)

    @property
    def drain_s(self) -> float:
        """How long a process that is told to stop goes on answering while it says it is leaving."""
        if self.shutdown_drain_s is not None:
            return self.shutdown_drain_s
        return PRODUCTION_DRAIN_S if self.is_production else 0.0

    @property
    def secret_file(self) -> Path:
        """Where a secret that was made here is kept."""
        return self.data_dir / "secret_key"

    @property
    def json_logs(self) -> bool:
        return self.is_production if self.log_json is None else self.log_json

    def for_migrations(self) -> Self:
        """The same settings with the database as the owner of its tables sees it."""
        owner = self.migration_database_url or self.database_url
        return self.model_copy(update={"database_url": owner})

    def signing_keys(self) -> list[str]:
        """Oldest first, the one that signs last: the order itsdangerous expects."""
        old = [key.get_secret_value() for key in self.old_secret_keys]
        return [*reversed(old), self.secret_key.get_secret_value()]


def database_is_private(url: str) -> bool:
    """A unix socket, loopback, or a TLS connection."""
    parts = make_url(url)
    host = str(parts.host or parts.query.get("host") or "/")
    local = host.startswith("/") or host in LOOPBACK_HOSTS
    return local or any(mode in url.partition("?")[2] for mode in TLS_MODES)


def with_generated_secret(settings: Settings) -> Settings:
    """Outside production an absent secret is made once and kept in the data folder."""
    if settings.secret_key.get_secret_value() or settings.is_production:
        return settings
    path = settings.secret_file
    if not path.exists():
        make_secret(path)
    return settings.model_copy(update={"secret_key": SecretStr(path.read_text().strip())})


def make_secret(path: Path) -> None:
    """Processes that start at once agree on one, and none reads it before it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, unfinished = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_urlsafe(48))
    with suppress(FileExistsError):
        take_name(Path(unfinished), path)
    Path(unfinished).unlink(missing_ok=True)


@lru_cache
def get_settings() -> Settings:
    return with_generated_secret(Settings())


def words_of(refused: ValidationError) -> str:
    """Each setting that is not right and why, without its value."""
    told = [
        f"{'.'.join(map(str, each['loc'])).upper()} {each['msg'].removeprefix('Value error, ')}"
        for each in refused.errors(include_input=False)
    ]
    return f"The settings are not right: {'; '.join(map(str.strip, told))}"
