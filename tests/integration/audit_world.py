"""Rows for requests to write to, made through the services."""

from decimal import Decimal
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.providers import ModelProvider
from app.models import Execution, JobStatus, ListName, StaffSession, User
from app.schemas.agents import AgentUpdate
from app.schemas.feedback import FeedbackCreate
from app.schemas.runs import RunCreate
from app.services.agents import AgentService
from app.services.executions import ExecutionService
from app.services.feedback import FeedbackService
from app.services.list_preferences import ListPreferenceService
from app.services.model_prices import ModelPriceService
from app.services.running.asking import Asked, RunService
from app.services.running.records import RunRecorder
from app.services.saved_views import SavedViewService
from app.services.webhook_endpoints import WebhookEndpointService
from tests.conftest import actor_for
from tests.factories.agents import make_agent
from tests.factories.api_keys import make_api_key
from tests.factories.executions import execution_data, make_execution
from tests.factories.ingest_batches import make_ingest_batch
from tests.factories.jobs import make_job
from tests.factories.model_prices import make_model_price
from tests.factories.saved_views import make_saved_view
from tests.factories.tools import make_tool
from tests.factories.users import make_session_token
from tests.factories.webhook_endpoints import make_webhook_delivery, make_webhook_endpoint


class World:
    """Rows to write to; each case gets its own."""

    def __init__(self, session: AsyncSession, user: User, settings: Settings) -> None:
        self.session = session
        self.settings = settings
        self.user = user
        self.actor = actor_for(user)

    async def agent(self, **values: Any) -> int:
        return (await make_agent(self.session, self.actor, **values)).id

    async def tool(self, **values: Any) -> int:
        return (await make_tool(self.session, self.actor, **values)).id

    async def paused(self, kind: str) -> int:
        """An agent or a tool, at version 1, or a key."""
        if kind != "key":
            return int(await getattr(self, kind)(is_active=False))
        key_id = await self.key()
        await self.session.execute(text("UPDATE api_keys SET paused_at = now()"))
        return key_id

    async def view(self) -> int:
        return (await make_saved_view(self.session, self.actor)).id

    async def trashed_view(self) -> int:
        view_id = await self.view()
        await SavedViewService(self.session, self.actor).delete(view_id)
        return view_id

    async def list_with_default(self) -> str:
        preferences = ListPreferenceService(self.session, self.actor)
        await preferences.open_by(ListName.EXECUTIONS, await self.view())
        return "executions"

    async def batch(self) -> int:
        """With a rejected span that can be stored by now."""
        return (await make_ingest_batch(self.session, self.actor)).id

    async def run(self) -> int:
        agent = await make_agent(self.session, self.actor)
        return (await make_execution(self.session, self.actor, agent)).id

    async def feedback(self) -> str:
        """The id of its run, and its own."""
        run = await ExecutionService(self.session, self.actor).get(await self.run())
        data = FeedbackCreate(name="rating", value=Decimal(1))
        given = await FeedbackService(self.session, self.actor).give(run, data)
        return f"{run.id}/feedback/{given.id}"

    async def key(self) -> int:
        return (await make_api_key(self.session, self.user))[0].id

    async def job(self, status: JobStatus = JobStatus.QUEUED) -> int:
        return (await make_job(self.session, self.actor, status=status)).id

    async def hook(self, **values: Any) -> int:
        given = {"events": ["job.failed"]} | values
        return (await make_webhook_endpoint(self.session, self.actor, **given)).endpoint.id

    async def disabled_hook(self) -> int:
        hook_id = await self.hook()
        await WebhookEndpointService(self.session, self.actor).disable(hook_id, "For a test.")
        return hook_id

    async def trashed_hook(self) -> int:
        hook_id = await self.hook()
        await WebhookEndpointService(self.session, self.actor).delete(hook_id)
        return hook_id

    async def price(self) -> int:
        return (await make_model_price(self.session, self.actor)).id

    async def trashed_price(self) -> int:
        price_id = await self.price()
        await ModelPriceService(self.session, self.actor).delete(price_id)
        return price_id

    async def delivery(self) -> str:
        """The path of a message below that of its endpoint."""
        issued = await make_webhook_endpoint(self.session, self.actor, events=["job.failed"])
        sent = await make_webhook_delivery(self.session, self.actor, issued.endpoint)
        return f"{issued.endpoint.id}/deliveries/{sent.id}"

    async def open_run(self) -> int:
        agent = await make_agent(self.session, self.actor)
        values = {"status": "running", "ended_at": None}
        return (await make_execution(self.session, self.actor, agent, **values)).id

    def with_provider(self) -> None:
        """One that nobody answers at: what is asked of it fails at once."""
        self.settings.openai_base_url = "http://127.0.0.1:1/v1"
        self.settings.provider_retries = 0

    async def begun(self) -> Execution:
        """A run of Greenroom's own that nobody works on yet."""
        self.with_provider()
        runs = RunService(self.session, self.actor, ModelProvider(self.settings))
        return await runs.begin(Asked(await self.agent(), RunCreate(input="Where is my bag?")))

    async def waiting(self) -> Execution:
        """A run that waits for the result of its call ``call_1``."""
        execution = await self.begun()
        recorder = RunRecorder(self.session, self.actor)
        call = {"id": "call_1", "name": "find", "arguments": "{}"}
        return await recorder.pause(await recorder.claim(execution.id), [call])

    async def http_tool(self) -> int:
        endpoint = {"url": "https://tools.example.com/find"}
        values = {"kind": "http", "endpoint": endpoint}
        return (await make_tool(self.session, self.actor, **values)).id

    async def report(self) -> dict[str, Any]:
        return execution_data(await make_agent(self.session, self.actor))

    async def trashed(self, kind: str) -> int:
        row_id: int = await getattr(self, {"agents": "agent", "tools": "tool"}.get(kind, "run"))()
        sql = text(f"UPDATE {kind} SET deleted_at = now() WHERE id = :id")
        await self.session.execute(sql, {"id": row_id})
        return row_id

    async def with_old_revision(self) -> int:
        row_id = await self.agent()
        change = AgentUpdate(system_prompt="Be brief.")
        await AgentService(self.session, self.actor).update(row_id, change)
        return row_id

    async def own_session(self) -> int:
        await make_session_token(self.session, self.user)
        newest = select(func.max(StaffSession.id))
        return int(await self.session.scalar(newest) or 0)
