"""A process that is new has its connections before anyone asks, and starts without a database."""

from app.core.database import CLAIMERS, READERS, WARM, Database
from tests.conftest import settings_for
from tests.server import free_port


async def test_connections_are_open_before_anyone_is_let_in(own_database: Database) -> None:
    await own_database.warm_up()
    resting = {name: pool.checkedin() for name, pool in own_database.pools().items()}  # type: ignore[attr-defined]  # of its kind of pool
    assert resting == {"work": WARM, "reads": READERS, "claims": CLAIMERS}


async def test_database_that_is_not_there_keeps_no_process_from_starting() -> None:
    nobody = f"postgresql+asyncpg://greenroom@127.0.0.1:{free_port()}/greenroom"
    database = Database.from_settings(settings_for(nobody))
    await database.warm_up()
    await database.dispose()
