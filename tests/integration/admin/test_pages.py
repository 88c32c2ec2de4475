"""Every page of the data admin, for those who may see it."""

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin import VIEWS
from app.core.actor import Actor
from app.core.config import Settings
from app.models import User
from app.services.audit_seals import AuditSealService
from app.services.refresh_tokens import RefreshTokenService
from tests.factories.agents import make_agent
from tests.factories.api_keys import make_api_key
from tests.factories.bulk_changes import make_bulk_change
from tests.factories.executions import make_execution
from tests.factories.ingest_batches import make_ingest_batch
from tests.factories.jobs import make_job
from tests.factories.model_prices import make_model_price
from tests.factories.saved_views import make_saved_view
from tests.factories.tools import make_tool
from tests.factories.webhook_endpoints import make_webhook_delivery, make_webhook_endpoint
from tests.integration.admin.conftest import rows_of

IDENTITIES = [view.model.__tablename__ for view in VIEWS]  # type: ignore[attr-defined]  # mapped


@pytest.mark.parametrize("identity", IDENTITIES)
async def test_superuser_reads_list_details_and_export_of_every_table(
    root: httpx2.AsyncClient,
    session: AsyncSession,
    owner: Actor,
    superuser: User,
    settings: Settings,
    identity: str,
) -> None:
    tool = await make_tool(session, owner)
    agent = await make_agent(session, owner, tool_ids=[tool.id])
    await make_execution(session, owner, agent)
    await make_api_key(session, superuser)
    await make_job(session, owner)
    await make_bulk_change(session, owner, ids=[agent.id])
    await make_model_price(session, owner)
    await make_ingest_batch(session, owner)
    await make_saved_view(session, owner)
    hook = await make_webhook_endpoint(session, owner, events=["job.failed"])
    await make_webhook_delivery(session, owner, hook.endpoint)
    await RefreshTokenService(session, owner, settings).open(superuser, None)
    await session.flush()
    await AuditSealService(session, settings).seal()

    listed = await root.get(f"/admin/{identity}/list")

    assert listed.status_code == 200, listed.text
    if identity == "idempotency_keys":
        assert "Nothing here" in listed.text
        return
    assert rows_of(listed.text)
    link = listed.text.split(f'href="/admin/{identity}/details/')[1].split('"')[0]
    details = await root.get(f"/admin/{identity}/details/{link}")
    assert details.status_code == 200, details.text
    exported = await root.get(f"/admin/{identity}/export/csv")
    assert exported.status_code == 200
    assert len(exported.text.splitlines()) > 1
