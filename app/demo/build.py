"""Makes the company of the demo, by the same services as everything else."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice
from secrets import token_urlsafe
from typing import Any

from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.actor import Actor, Via
from app.core.config import Settings
from app.core.database import Database
from app.core.permissions import ROLE_PERMISSIONS, Permission, Role
from app.demo import company
from app.demo.company import DemoAgent, DemoTool
from app.demo.month import reports
from app.exceptions import Conflict
from app.models import User
from app.schemas.agents import AgentCreate, AgentUpdate
from app.schemas.analyses import AnalysisRequest
from app.schemas.api_keys import ApiKeyCreate
from app.schemas.executions import ExecutionBatch, ExecutionQuery
from app.schemas.tools import ToolCreate
from app.schemas.users import UserCreate
from app.schemas.webhook_endpoints import WebhookEndpointCreate
from app.services.agents import AgentService
from app.services.analyses import AnalysisService
from app.services.api_keys import ApiKeyService
from app.services.demo import DOMAIN, DemoService
from app.services.executions import ExecutionService
from app.services.ingestion.reported_agents import DRAFT_NOTE, Drafts
from app.services.tools import ToolService
from app.services.users import UserService
from app.services.webhook_endpoints import WebhookEndpointService
from app.services.webhook_outbox import tell_nobody

AT_ONCE = 50
TRASHED_RUNS = 3
Progress = Callable[[str], None]
MARK = "(demo)"
NOBODY = "Nobody can log in here yet. Start Greenroom once first: python -m app run"
EXISTS = "There is demo data already. Take it away first: python -m app demo --remove"


def unknown_password() -> SecretStr:
    """Of somebody who has accepted an invitation; nobody is told it."""
    return SecretStr(f"{token_urlsafe(32)}aA1")


class Builder:
    """One session's part of the work; people and tools are found again by their names."""

    def __init__(self, session: AsyncSession, settings: Settings) -> None:
        tell_nobody(session)
        self.session, self.settings = session, settings
        self.people: dict[str, User] = {}
        self.tools: dict[str, int] = {}

    async def company(self) -> None:
        """Everyone and everything but the runs. Raise ``Conflict`` when it is there already."""
        system = Actor.system(Via.CLI)
        if await DemoService(self.session, system).is_there():
            raise Conflict(EXISTS)
        users = UserService(self.session, system)
        if not await users.exists_any():
            raise Conflict(NOBODY)
        for person in company.PEOPLE:
            data = UserCreate(
                email=f"{person.account}@{DOMAIN}",
                full_name=f"{person.full_name} {MARK}",
                role=person.role,
                password=None if person.is_invited else unknown_password(),
            )
            self.people[person.account] = await users.create(data)
        await self.make_tools()
        for agent in (*company.AGENTS, company.PAUSED, company.TRASHED):
            await self.make_agent(agent)
        await self.make_draft()
        await self.make_keys()

    async def find_people(self) -> None:
        found = await self.session.scalars(
            select(User).where(User.email.in_(f"{p.account}@{DOMAIN}" for p in company.PEOPLE))
        )
        self.people = {user.email.partition("@")[0]: user for user in found}

    def actor(self, account: str, role: Role | None = None) -> Actor:
        """The person, on the command line; with the rights of ``role`` where it takes more."""
        user = self.people[account]
        acts_as = role or user.role
        return Actor(user.id, acts_as, ROLE_PERMISSIONS[acts_as], Via.CLI)

    async def make_tools(self) -> None:
        for number, tool in enumerate((*company.TOOLS, company.TRASHED_TOOL)):
            owner = ("ada", "noor", "felix")[number % 3]
            tools = ToolService(self.session, self.actor(owner), self.settings)
            row = await tools.create(
                ToolCreate(
                    name=tool.name,
                    description=f"{tool.description} {MARK}",
                    parameters=schema_of(tool),
                )
            )
            self.tools[tool.name] = row.id
            if tool is company.TRASHED_TOOL:
                await tools.delete(row.id)

    async def make_agent(self, agent: DemoAgent) -> None:
        agents = AgentService(self.session, self.actor(agent.owner))
        row = await agents.create(AgentCreate.model_validate(self.values_of(agent)))
        for change in agent.changes:
            by = AgentService(self.session, self.actor(change.by))
            values = self.with_tool_ids(change.values) | {"note": change.note}
            await by.update(row.id, AgentUpdate.model_validate(values))
        if agent is company.PAUSED:
            await agents.pause(row.id, company.PAUSE_REASON)
        if agent is company.TRASHED:
            await agents.delete(row.id)

    def values_of(self, agent: DemoAgent) -> dict[str, Any]:
        values = {
            "name": agent.name,
            "description": f"{agent.description} {MARK}",
            "model": agent.model,
            "system_prompt": agent.prompt,
            "config": dict(agent.config),
            "tags": ["demo"],
            "tools": agent.tools,
            "note": "First version",
        }
        return self.with_tool_ids(values)

    def with_tool_ids(self, values: Any) -> dict[str, Any]:  # a mapping of fields
        changed = dict(values)
        if "tools" in changed:
            changed["tool_ids"] = [self.tools[name] for name in changed.pop("tools")]
        return changed

    async def make_draft(self) -> None:
        draft = company.DRAFT
        data = AgentCreate.model_validate(
            {"name": draft.name, "model": draft.model, "note": DRAFT_NOTE}
        )
        await Drafts(self.session, self.actor(draft.owner)).create(data)

    async def make_keys(self) -> None:
        """Their secrets are told to nobody, so they open nothing."""
        runtime = [Permission.AGENTS_READ, Permission.EXECUTIONS_WRITE]
        reader = [Permission.EXECUTIONS_READ]
        until = datetime.now(UTC) + timedelta(days=60)
        for owner, name, scopes in (
            ("ada", "demo-prod-eu", runtime),
            ("felix", "demo-shop-backend", runtime),
            ("noor", "demo-nightly-invoices", runtime),
            ("sven", "demo-weekly-report", reader),
        ):
            keys = ApiKeyService(self.session, self.actor(owner))
            await keys.issue(ApiKeyCreate(name=name, scopes=scopes, expires_at=until))
        felix = ApiKeyService(self.session, self.actor("felix"))
        key, _ = await felix.issue(
            ApiKeyCreate(name="demo-old-laptop", scopes=reader, expires_at=until)
        )
        await felix.revoke(key.id)

    async def store(self, items: Iterable[dict[str, Any]]) -> None:
        """Runs of one batch, each reported by the owner of its agent."""
        owners = {a.name: a.owner for a in (*company.AGENTS, company.DRAFT)}
        by_owner: dict[str, list[dict[str, Any]]] = {}
        for item in items:
            by_owner.setdefault(owners[item["agent"]], []).append(item)
        for owner, runs in by_owner.items():
            service = ExecutionService(self.session, self.actor(owner))
            answers = await service.record_batch(ExecutionBatch.model_validate({"items": runs}))
            refused = [answer.error for answer in answers if answer.error is not None]
            if refused:
                raise Conflict(f"A run of the demo was refused: {refused[0].message}")

    async def finish(self) -> None:
        """What is about the runs, and a webhook, which is switched off before anything is sent."""
        superuser = self.actor("ada", Role.SUPERUSER)
        hooks = WebhookEndpointService(self.session, superuser, self.settings)
        data = WebhookEndpointCreate.model_validate(
            {
                "url": f"https://hooks.{DOMAIN}/greenroom",
                "description": f"Alerts of the support team {MARK}",
                "events": ["execution.failed", "agent.paused"],
            }
        )
        hook = (await hooks.register(data)).endpoint
        await hooks.disable(hook.id, "Demo data: nobody listens there.")
        agent = await AgentService(self.session, superuser).find_for_report(name="airline-support")
        if agent is not None:
            analyses = AnalysisService(self.session, self.actor("ada"))
            await analyses.start(agent.id, AnalysisRequest())
            await self.trash_runs(agent.id)

    async def trash_runs(self, agent_id: int) -> None:
        runs = ExecutionService(self.session, self.actor("ada"))
        query = ExecutionQuery(agent_id=[agent_id], status=["cancelled"], limit=TRASHED_RUNS)
        for run in (await runs.list_runs(query)).items:
            await runs.delete(run.id)


def schema_of(tool: DemoTool) -> dict[str, Any]:
    names = {name.rstrip("?"): text for name, text in tool.arguments.items()}
    return {
        "type": "object",
        "properties": {
            name: {"type": "string", "description": text} for name, text in names.items()
        },
        "required": [name for name in tool.arguments if not name.endswith("?")],
    }


async def build(
    database: Database, settings: Settings, runs: int, seed: int, tell: Progress
) -> None:
    """Raise ``Conflict`` when there is a demo already."""
    async with database.unit_of_work() as session:
        await Builder(session, settings).company()
    done = 0
    waiting = reports(runs, datetime.now(UTC), seed)
    while items := list(islice(waiting, AT_ONCE)):
        async with database.unit_of_work() as session:
            builder = Builder(session, settings)
            await builder.find_people()
            await builder.store(items)
        done += len(items)
        tell(f"{done:,} of {runs:,} runs")
    async with database.unit_of_work() as session:
        builder = Builder(session, settings)
        await builder.find_people()
        await builder.finish()
