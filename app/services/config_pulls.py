"""Pulls of configurations, counted in the process and written every few seconds."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased, joinedload

from app.core.actor import Actor
from app.core.background import Background
from app.core.database import Database
from app.models import Agent, AgentRevision, ApiKey, ConfigPull
from app.services.agents import AgentService

log = structlog.get_logger("greenroom.config_pulls")
WRITE_EVERY_S = 5.0
MOST_COUNTED = 10_000
SHOWN = 50
KEPT_FOR = timedelta(days=180)
# In one order for every process, so that none waits for another in a circle.
WRITE = text("""
INSERT INTO config_pulls AS known (api_key_id, agent_id, revision, pulls, first_at, last_at)
SELECT k.id, a.id, p.revision, p.pulls, now() - p.age, now() - p.age
FROM unnest(
    CAST(:keys AS bigint[]), CAST(:agents AS bigint[]), CAST(:revisions AS bigint[]),
    CAST(:pulls AS bigint[]), CAST(:ages AS interval[])
) AS p (api_key_id, agent_id, revision, pulls, age)
JOIN api_keys k ON k.id = p.api_key_id
JOIN agents a ON a.id = p.agent_id
ORDER BY k.id, a.id, p.revision
ON CONFLICT (api_key_id, agent_id, revision) DO UPDATE
SET pulls = known.pulls + excluded.pulls, last_at = greatest(known.last_at, excluded.last_at)
""")


@dataclass(frozen=True, slots=True)
class Pulled:
    """Who pulled what: the key, the agent, and the number of the revision that was live."""

    api_key_id: int
    agent_id: int
    revision: int


class PullCounter(Background):
    """Costs a pull one look into a dictionary; what cannot be written in time is forgotten."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counts: dict[Pulled, tuple[int, float]] = {}  # how often, and when last

    def note(self, api_key_id: int | None, agent_id: int, revision: int) -> None:
        """Only keys are counted: people look at what runtimes pull, too."""
        if api_key_id is None:
            return
        pulled = Pulled(api_key_id, agent_id, revision)
        known = self._counts.get(pulled)
        if known is not None or len(self._counts) < MOST_COUNTED:
            self._counts[pulled] = (known[0] + 1 if known else 1, time.monotonic())

    async def flush(self) -> None:
        """Write what was counted. What fails to be written is not counted again."""
        counts, self._counts = self._counts, {}
        if not counts:
            return
        now = time.monotonic()
        values = {
            "keys": [pulled.api_key_id for pulled in counts],
            "agents": [pulled.agent_id for pulled in counts],
            "revisions": [pulled.revision for pulled in counts],
            "pulls": [pulls for pulls, _ in counts.values()],
            "ages": [timedelta(seconds=now - at) for _, at in counts.values()],
        }
        async with self._database.unit_of_work() as session:
            await session.execute(WRITE, values)

    async def _work(self) -> None:
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            try:
                await self.flush()
            except Exception as error:  # noqa: BLE001  (only counts are lost)
                log.warning("pulls were not counted", error=type(error).__name__)

    async def stop(self) -> None:
        """Write what is left, if the database takes it at once."""
        await super().stop()
        with suppress(Exception):
            await asyncio.wait_for(self.flush(), 2)


class ConfigPullService:
    """Who may see an agent or a key may see what was pulled: callers hand over what they may."""

    resource = "config_pulls"

    def __init__(self, session: AsyncSession, actor: Actor) -> None:
        self.session = session
        self.actor = actor

    async def of_agents(self, agent_ids: Sequence[int], limit: int = SHOWN) -> list[ConfigPull]:
        """The newest pull of each key and agent, the newest first, with the key's name."""
        newest = (
            select(ConfigPull)
            .where(ConfigPull.agent_id.in_(agent_ids))
            .ext(distinct_on(ConfigPull.agent_id, ConfigPull.api_key_id))
            .order_by(ConfigPull.agent_id, ConfigPull.api_key_id, ConfigPull.last_at.desc())
            .subquery()
        )
        pull = aliased(ConfigPull, newest)
        key = joinedload(pull.api_key).load_only(ApiKey.name, ApiKey.prefix, ApiKey.user_id)
        agent = joinedload(pull.agent).load_only(Agent.name, Agent.live_revision_id)
        live = agent.joinedload(Agent.live_revision).load_only(AgentRevision.number)
        statement = select(pull).options(key, agent, live).order_by(pull.last_at.desc())
        return list(await self.session.scalars(statement.limit(limit)))

    async def of_key(self, key: ApiKey, limit: int = SHOWN) -> list[ConfigPull]:
        """The key's newest pull of each agent, the newest first, with the agent's name."""
        visible = AgentService(self.session, self.actor).visible().with_only_columns(Agent.id)
        newest = (
            select(ConfigPull)
            .where(ConfigPull.api_key_id == key.id, ConfigPull.agent_id.in_(visible))
            .ext(distinct_on(ConfigPull.agent_id))
            .order_by(ConfigPull.agent_id, ConfigPull.last_at.desc())
            .subquery()
        )
        pull = aliased(ConfigPull, newest)
        agent = joinedload(pull.agent).load_only(Agent.name, Agent.live_revision_id)
        live = agent.joinedload(Agent.live_revision).load_only(AgentRevision.number)
        statement = select(pull).options(agent, live).order_by(pull.last_at.desc())
        return list(await self.session.scalars(statement.limit(limit)))

    async def prune(self) -> None:
        """Forget keys that have not pulled a revision for half a year."""
        old = ConfigPull.last_at < func.clock_timestamp() - KEPT_FOR
        await self.session.execute(
            delete(ConfigPull).where(old), execution_options={"synchronize_session": False}
        )
