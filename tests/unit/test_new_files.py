"""A file takes its name once, whole, also where the file system has no hard links."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.backups.files import whole_or_not_at_all
from app.core.config import Environment, Settings, with_generated_secret
from app.core.new_files import take_name
from app.exceptions import Conflict


@pytest.fixture(params=[True, False], ids=["links", "none"])
def has_links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """As on FAT, which refuses them just so."""

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    if not request.param:
        monkeypatch.setattr(os, "link", refuse)
    return bool(request.param)


@pytest.mark.usefixtures("has_links")
def test_of_those_that_want_a_name_one_gets_it(tmp_path: Path) -> None:
    def want(number: int) -> bool:
        unfinished = tmp_path / f".{number}"
        unfinished.write_text(str(number) * 1000)
        try:
            take_name(unfinished, tmp_path / "name")
        except FileExistsError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(want, range(8)))
    assert sum(got) == 1
    assert (tmp_path / "name").read_text() == str(got.index(True)) * 1000


@pytest.mark.usefixtures("has_links")
def test_backup_never_takes_the_place_of_another(tmp_path: Path) -> None:
    path = tmp_path / "backup.tar"
    with whole_or_not_at_all(path) as unfinished:
        unfinished.write_text("new")
    assert [each.name for each in tmp_path.iterdir()] == ["backup.tar"]
    path.unlink()
    with pytest.raises(Conflict, match="exists already"):
        write_late(path)
    assert path.read_text().startswith("somebody else's")


def write_late(path: Path) -> None:
    with whole_or_not_at_all(path) as unfinished:
        unfinished.write_text("new")
        path.write_text("somebody else's, made meanwhile")


@pytest.mark.usefixtures("has_links")
def test_secret_is_made_once(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, environment=Environment.DEVELOPMENT, data_dir=tmp_path)
    with ThreadPoolExecutor(8) as starts:
        made = list(starts.map(with_generated_secret, [settings] * 20))
    assert len({each.secret_key.get_secret_value() for each in made}) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["secret_key"]
