"""The secret that is made where none is set."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from app.core.config import MIN_SECRET_LENGTH, Environment, Settings, with_generated_secret


def test_processes_that_start_at_once_read_one_whole_secret(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, environment=Environment.DEVELOPMENT, data_dir=tmp_path)
    with ThreadPoolExecutor(8) as starts:
        made = list(starts.map(with_generated_secret, [settings] * 40))
    [secret] = {each.secret_key.get_secret_value() for each in made}
    assert len(secret) >= MIN_SECRET_LENGTH
    assert [path.name for path in tmp_path.iterdir()] == ["secret_key"]
    assert settings.secret_file.stat().st_mode & 0o777 == 0o600
