"""Many runs, made inside PostgreSQL, of which three hold a rare word."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.database import Database
from app.core.migrations import migrate
from app.core.permissions import Role
from app.services.paging import Cursor
from tests.conftest import actor_for, settings_for
from tests.factories.agents import make_agent
from tests.factories.users import make_session_token, make_user

AGENTS, DAYS, CHUNK = 20, 80, 25_000
RARE = "quokka"

# Newest last, so that a row's number is also its place in the list, counted from the end.
RUNS = text("""
INSERT INTO executions (agent_id, trace_id, status, source, model_name, preview, started_at,
    ended_at, latency_ms, span_count, error_count, input_tokens, output_tokens, cost, cost_source)
SELECT agents.ids[1 + n % cardinality(agents.ids)],
    decode(lpad(to_hex(n), 32, '0'), 'hex'),
    CASE WHEN n % 25 = 0 THEN 'failed' ELSE 'succeeded' END,
    'api',
    (ARRAY['gpt-4o', 'gpt-4o-mini', 'claude-sonnet-4-5', 'gemini-2.5-pro'])[1 + n % 4],
    'Where is bag ' || n || '?' ||
        CASE WHEN n % (:rows / 3) = 7 THEN ' A quokka sits on it.' ELSE '' END,
    now() - interval '1 minute' - (:rows - n) * (make_interval(days => :days) / :rows),
    now() - (:rows - n) * (make_interval(days => :days) / :rows),
    400 + n % 9000, 3, CASE WHEN n % 25 = 0 THEN 1 ELSE 0 END,
    800 + n % 4000, n % 600, 0.0004 * (1 + n % 50), 'computed'
FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n,
    (SELECT array_agg(id ORDER BY id) AS ids FROM agents) AS agents
""")
BODIES = text("""
INSERT INTO execution_bodies (execution_id, started_at, input, output, search)
SELECT id, started_at, to_jsonb(preview), to_jsonb('It is in Rome, row ' || id % 977),
    to_tsvector('simple', preview || ' It is in Rome, row ' || id % 977)
FROM executions WHERE id > :after
""")
PLACE = text(
    "SELECT started_at, id FROM executions ORDER BY started_at DESC, id DESC OFFSET :n LIMIT 1"
)


async def fill(url: str, rows: int) -> str:
    """Migrate and fill the database; the session token of a superuser."""
    database = Database.from_settings(settings_for(url))
    try:
        await migrate(database.engine)
        async with database.unit_of_work() as session:
            user = await make_user(session, Role.SUPERUSER)
            for number in range(AGENTS):
                await make_agent(session, actor_for(user), name=f"agent-{number:02}")
            token = await make_session_token(session, user)
        for first in range(1, rows + 1, CHUNK):
            async with database.engine.begin() as connection:
                await add_runs(connection, first, rows)
        async with database.engine.connect() as connection:
            alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
            await alone.execute(text("SET statement_timeout = 0"))
            await alone.execute(text("VACUUM ANALYZE"))
        return token
    finally:
        await database.dispose()


async def add_runs(connection: AsyncConnection, first: int, rows: int) -> None:
    after = await connection.scalar(text("SELECT coalesce(max(id), 0) FROM executions"))
    last = min(first + CHUNK - 1, rows)
    await connection.execute(RUNS, {"first": first, "last": last, "rows": rows, "days": DAYS})
    await connection.execute(BODIES, {"after": after})


async def cursor_after(url: str, place: int) -> str:
    """The cursor that a reader holds who has gone ``place`` rows into the list of runs."""
    database = Database.from_settings(settings_for(url))
    try:
        async with database.engine.connect() as connection:
            found = (await connection.execute(PLACE, {"n": place})).first()
    finally:
        await database.dispose()
    if found is None:
        raise ValueError(f"There are not {place} runs.")
    return Cursor(found.started_at.isoformat(), found.id, backward=False).encode()
