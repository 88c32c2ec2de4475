"""What gunicorn makes of ``gunicorn_conf.py``, and what it refuses."""

import logging
import runpy
from pathlib import Path

import pytest
from gunicorn.config import Config

from app.core.config import PROJECT_ROOT, get_settings
from app.serving.gunicorn import OurLogger, WebWorker

CONF = str(PROJECT_ROOT / "gunicorn_conf.py")
PRODUCTION = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": "x" * 40,
    "DATABASE_URL": "postgresql+asyncpg://greenroom@localhost/greenroom",
    "PUBLIC_ORIGIN": "https://greenroom.example.com",
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no ``.env`` of a developer is read; what is set up here goes again."""
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", list(root.handlers))
    monkeypatch.setattr(root, "level", root.level)


def conf(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Config:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    try:
        given = runpy.run_path(CONF)
    finally:
        get_settings.cache_clear()
    config = Config()
    for name, value in given.items():
        if name in config.settings:
            config.set(name, value)
    return config


def test_gunicorn_follows_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    config = conf(
        monkeypatch, **PRODUCTION, HOST="::1", PORT="8001", WEB_CONCURRENCY="3", SHUTDOWN_WAIT_S="7"
    )
    assert config.address == [("::1", 8001)]
    assert (config.workers, config.worker_class, config.logger_class) == (3, WebWorker, OurLogger)
    assert config.max_requests_jitter == config.max_requests // 10 > 0
    # Longer than the five seconds of production and the seven that were asked for.
    assert config.graceful_timeout > 5 + 7
    assert config.timeout > 2 * config.graceful_timeout
    assert not config.accesslog
    assert config.control_socket_disable


def test_gunicorn_needs_a_database_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match="DATABASE_URL"):
        conf(monkeypatch)


def test_wrong_settings_are_named_without_their_values(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = PRODUCTION | {"SECRET_KEY": "too-short-canary", "TRUSTED_PROXIES": "0.0.0.0/0"}
    with pytest.raises(SystemExit, match="TRUSTED_PROXIES must name") as refused:
        conf(monkeypatch, **wrong)
    assert "SECRET_KEY must be set" in str(refused.value)
    assert "canary" not in str(refused.value)
