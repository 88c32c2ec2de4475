"""Requests about all that is stored, with the rows that they need."""

from typing import Any

from sqlalchemy import text

from app.models import JobKind
from tests.factories.jobs import make_job
from tests.factories.users import make_user
from tests.integration.audit_world import World


async def apply_retention(world: World) -> tuple[str, dict[str, Any]]:
    await make_job(world.session, world.actor, JobKind.RECOMPUTE_COSTS, params={})
    await world.session.execute(
        text(
            "UPDATE jobs SET status = 'failed', created_at = now() - interval '92 days', "
            "finished_at = now() - interval '91 days'"
        )
    )
    return "/retention/apply", {"data": {"confirm": "yes"}}


async def erase_person(world: World) -> tuple[str, dict[str, Any]]:
    person = await make_user(world.session)
    return f"/users/{person.id}/erase", {"data": {"confirmation": person.email}}


DATA_CASES = {
    "POST /retention/apply": apply_retention,
    "POST /users/{user_id}/erase": erase_person,
}
